//! What limits are written in: a rate, and a network of addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// The most requests a rate allows in its time. More is no limit.
const MAX_COUNT: u32 = 1_000_000;

/// So many requests in so much time, and all of them at once if none came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests, at least one.
    pub count: u32,
    /// The time they are for.
    pub per: Duration,
}

impl Rate {
    /// Reads `20/s`, `600/m` or `1000/h`.
    ///
    /// # Errors
    ///
    /// A fragment that fits after "is".
    pub fn parse(text: &str) -> Result<Self, String> {
        let known = |(count, unit): (&str, &str)| {
            let seconds = match unit.trim() {
                "s" => 1,
                "m" | "min" => 60,
                "h" => 3600,
                _ => return None,
            };
            let count = count.trim().parse().ok()?;
            (1..=MAX_COUNT).contains(&count).then_some(Self {
                count,
                per: Duration::from_secs(seconds),
            })
        };
        text.split_once('/')
            .and_then(known)
            .ok_or_else(|| format!("not a rate (20/s, 600/m, 1000/h; up to {MAX_COUNT})"))
    }
}

/// Addresses with a common beginning (RFC 4632, RFC 4291 section 2.3).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: u128,
    /// Of the 128 bits, counted from the left.
    bits: u32,
}

/// Bits of an IPv6 address that stand before an IPv4 address written as one.
const MAPPED_BITS: u32 = 96;

impl Network {
    /// Reads `10.0.0.0/8`, `fd00::/8`, or one address.
    ///
    /// # Errors
    ///
    /// A fragment that fits after "is".
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "not a network (10.0.0.0/8, fd00::/8, or one address)".to_owned();
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| wrong())?;
        let (widest, before) = match address {
            IpAddr::V4(_) => (32, MAPPED_BITS),
            IpAddr::V6(_) => (128, 0),
        };
        let length: u32 = match length {
            None => widest,
            Some(digits) => digits.trim().parse().map_err(|_| wrong())?,
        };
        if length > widest {
            return Err(wrong());
        }
        let bits = before + length;
        let base = number(address);
        if base & !mask(bits) != 0 {
            // Half of those who write it mean the network and the others a single address.
            return Err("a network with bits beyond its length; write it with zeros there".into());
        }
        Ok(Self { base, bits })
    }

    /// Whether an address is in it. An IPv4 address is the same written as IPv6.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        number(address) & mask(self.bits) == self.base
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = IpAddr::V6(Ipv6Addr::from(self.base)).to_canonical();
        let before = if address.is_ipv4() { MAPPED_BITS } else { 0 };
        write!(f, "{address}/{}", self.bits.saturating_sub(before))
    }
}

/// As a person writes it.
impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

fn number(address: IpAddr) -> u128 {
    let mapped = match address {
        IpAddr::V4(address) => Ipv4Addr::to_ipv6_mapped(&address),
        IpAddr::V6(address) => address,
    };
    u128::from(mapped)
}

fn mask(bits: u32) -> u128 {
    u128::MAX.checked_shl(128 - bits).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        for (text, count, seconds) in [
            ("20/s", 20, 1),
            (" 600 / m ", 600, 60),
            ("5/min", 5, 60),
            ("1000/h", 1000, 3600),
            ("1000000/s", 1_000_000, 1),
        ] {
            let per = Duration::from_secs(seconds);
            assert_eq!(Rate::parse(text), Ok(Rate { count, per }), "{text}");
        }
        for text in [
            "",
            "20",
            "20/",
            "/s",
            "0/s",
            "-1/s",
            "1.5/s",
            "20/d",
            "20/s/s",
            "1000001/s",
        ] {
            let fault = Rate::parse(text).unwrap_err();
            assert!(fault.contains("not a rate"), "{text}: {fault}");
        }
    }

    #[test]
    fn networks() {
        for (network, address, inside) in [
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "8.8.8.8", true),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe80::1", false),
            ("::1", "::1", true),
            ("::1", "127.0.0.1", false),
        ] {
            let parsed = Network::parse(network).unwrap();
            let address = address.parse().unwrap();
            assert_eq!(parsed.contains(address), inside, "{network} {address}");
            assert_eq!(Network::parse(&parsed.to_string()), Ok(parsed));
        }
        for text in [
            "",
            "host",
            "10.0.0.0/33",
            "10.0.0.0/x",
            "::/129",
            "10.0.0.1/8",
            "10.0.0/8",
        ] {
            assert!(
                Network::parse(text).unwrap_err().contains("network"),
                "{text}"
            );
        }
    }
}
