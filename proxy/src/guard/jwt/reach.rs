//! Where keys may be fetched from.
//!
//! Whoever answers as the authorization server names the address of its keys, and a name leads where
//! its owner likes. A proxy that follows both anywhere is a way into the network it stands in (RFC 9728,
//! section 7.7; the MCP best practices, "Server-Side Request Forgery"), so it follows them to public
//! addresses, unless its own owner pointed it elsewhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;

use crate::config::Issuer;
use crate::config::authority::is_loopback_host;

/// Where it may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// To public addresses.
    Public,
    /// To this machine, too: the owner has its authorization server here.
    ThisMachine,
    /// Anywhere (`--auth-allow-private`).
    Anywhere,
}

impl Reach {
    /// What the owner's own word opens.
    pub(super) fn of(issuer: &Issuer) -> Self {
        let here = |url: &Url| host(url).is_some_and(is_loopback_host);
        if issuer.allow_private {
            Self::Anywhere
        } else if here(&issuer.url) || issuer.jwks_url.as_ref().is_some_and(here) {
            Self::ThisMachine
        } else {
            Self::Public
        }
    }

    /// Whether a connection may be made to this address.
    pub(super) fn covers(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        match self {
            Self::Anywhere => true,
            Self::ThisMachine => address.is_loopback() || is_public(address),
            Self::Public => is_public(address),
        }
    }

    /// Whether this may be fetched, as far as the address itself says.
    ///
    /// # Errors
    ///
    /// A sentence that says why not.
    pub(super) fn allows(self, url: &Url) -> Result<(), String> {
        let host = host(url).unwrap_or_default();
        let is_here = is_loopback_host(host);
        if url.scheme() != "https" && !(url.scheme() == "http" && is_here) {
            return Err(format!("{url} is not https"));
        }
        let literal: Option<IpAddr> = host.parse().ok();
        let is_covered = literal.is_none_or(|address| self.covers(address));
        if !is_covered || (is_here && self == Self::Public) {
            return Err(format!(
                "{url} is at a private address; --auth-allow-private allows that"
            ));
        }
        Ok(())
    }
}

fn host(url: &Url) -> Option<&str> {
    url.host_str().map(|host| host.trim_matches(['[', ']']))
}

/// Whether an address is one of the public internet: none that IANA's special-purpose registries
/// (RFC 6890) keep for something else.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

const fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        // This network, private ones, loopback, link-local (the metadata services of clouds).
        (0 | 10 | 127, ..)
            | (172, 16..=31, _)
            | (192, 168, _)
            | (169, 254, _)
            // Shared address space of providers (RFC 6598), protocol assignments, documentation,
            // 6to4 relays, benchmarks.
            | (100, 64..=127, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (198, 18..=19, _)
            | (198, 51, 100)
            | (203, 0, 113)
            // Multicast, reserved, broadcast.
            | (224..=255, ..)
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let global = segments[0] & 0xe000 == 0x2000;
    // Teredo and other protocol assignments, documentation (RFC 3849, RFC 9637).
    let kept = matches!(segments, [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..])
        || matches!(segments, [0x3fff, 0..=0xfff, ..]);
    // 6to4 and the translation prefix carry an address of version 4.
    let [.., high, low] = segments;
    let carried = match segments {
        [0x2002, high, low, ..] => Some([high, low]),
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => Some([high, low]),
        _ => None,
    };
    match carried {
        Some([high, low]) => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        None => global && !kept,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_are_somebodys_inside_are_not_public() {
        for (address, here, public) in [
            ("1.1.1.1", false, true),
            ("127.0.0.1", true, false),
            ("127.9.9.9", true, false),
            ("10.1.2.3", false, false),
            ("172.16.0.1", false, false),
            ("172.32.0.1", false, true),
            ("192.168.0.1", false, false),
            ("169.254.169.254", false, false),
            ("100.64.0.1", false, false),
            ("100.128.0.1", false, true),
            ("0.0.0.0", false, false),
            ("224.0.0.1", false, false),
            ("255.255.255.255", false, false),
            ("::1", true, false),
            ("::", false, false),
            ("::ffff:127.0.0.1", true, false),
            ("::ffff:10.0.0.1", false, false),
            ("::ffff:1.1.1.1", false, true),
            ("fe80::1", false, false),
            ("fc00::1", false, false),
            ("fdaa::3", false, false),
            ("ff02::1", false, false),
            ("2606:4700::1111", false, true),
            ("2001:db8::1", false, false),
            ("2001::1", false, false),
            ("2002:7f00:1::", false, false),
            ("2002:101:101::", false, true),
            ("64:ff9b::a00:1", false, false),
            ("64:ff9b::101:101", false, true),
        ] {
            let parsed: IpAddr = address.parse().unwrap();
            assert_eq!(Reach::Public.covers(parsed), public, "{address}");
            assert_eq!(
                Reach::ThisMachine.covers(parsed),
                here || public,
                "{address}"
            );
            assert!(Reach::Anywhere.covers(parsed));
        }
    }

    #[test]
    fn only_https_or_this_machine() {
        for (url, public, here, anywhere) in [
            ("https://login.example/jwks", true, true, true),
            ("http://login.example/jwks", false, false, false),
            ("http://localhost:9/jwks", false, true, true),
            ("http://[::1]/jwks", false, true, true),
            ("https://127.0.0.1/jwks", false, true, true),
            ("https://10.0.0.1/jwks", false, false, true),
            ("http://10.0.0.1/jwks", false, false, false),
            ("https://[::ffff:10.0.0.1]/jwks", false, false, true),
            // Any spelling of an address is one.
            ("https://0x7f000001/jwks", false, true, true),
            ("https://2130706433/jwks", false, true, true),
            ("ftp://login.example/jwks", false, false, false),
            ("file:///etc/passwd", false, false, false),
        ] {
            let parsed = Url::parse(url).unwrap();
            assert_eq!(Reach::Public.allows(&parsed).is_ok(), public, "{url}");
            assert_eq!(Reach::ThisMachine.allows(&parsed).is_ok(), here, "{url}");
            assert_eq!(Reach::Anywhere.allows(&parsed).is_ok(), anywhere, "{url}");
        }
    }
}
