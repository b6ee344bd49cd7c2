//! Where does it really come from? What trusted proxies before us say of a request.
//!
//! `Forwarded` (RFC 7239) and `X-Forwarded-For`, `-Proto` are read only where `--trusted-proxies`
//! names the peer, because anybody can write them. Each proxy adds on the right what it saw, so the
//! list is walked from there, as long as the one who said it is trusted: the first address that is
//! not is the client. What stands to the left of it is the client's own invention.

use std::net::IpAddr;

use axum::http::HeaderMap;

use crate::config::{Door, Network};

/// Entries of such a list that are read, counted from the right: more proxies stand before nobody.
const MAX_HOPS: usize = 32;

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// Whether the connection is TLS and ends here.
    pub is_secure: bool,
}

/// Whom a request comes from, as far as those we trust can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visitor {
    /// The client's address; IPv4 is never written as IPv6.
    pub address: IpAddr,
    /// Whether the client's own connection is TLS.
    pub is_secure: bool,
    /// Whether nobody we trust stands between, as far as is said.
    pub is_direct: bool,
}

/// The policy for those headers.
#[derive(Clone, Debug)]
pub struct Forwarded {
    trusted: Vec<Network>,
}

/// What one proxy says of whoever it was called by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hop {
    /// `None` where it does not say, or hides it.
    address: Option<IpAddr>,
    is_secure: bool,
}

impl Hop {
    /// Nothing was said that could be read.
    const UNTOLD: Self = Self {
        address: None,
        is_secure: false,
    };
}

impl Forwarded {
    /// The policy of this door.
    #[must_use]
    pub fn new(door: &Door) -> Self {
        Self {
            trusted: door.trusted_proxies.clone(),
        }
    }

    /// Whom a request of this peer with these headers comes from.
    #[must_use]
    pub fn visitor(&self, headers: &HeaderMap, peer: Peer) -> Visitor {
        let direct = Visitor {
            address: peer.address.to_canonical(),
            is_secure: peer.is_secure,
            is_direct: true,
        };
        if !self.trusts(direct.address) {
            return direct;
        }
        let mut visitor = direct;
        for hop in said(headers).into_iter().rev().take(MAX_HOPS) {
            visitor.is_secure = hop.is_secure;
            visitor.is_direct = false;
            let Some(address) = hop.address else {
                break;
            };
            visitor.address = address;
            if !self.trusts(address) {
                break;
            }
        }
        visitor
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }
}

/// What was said, the nearest proxy last.
///
/// A proxy writes one of the two headers and passes on the other as its client wrote it. Which of
/// them is not ours to know, so where both are there and differ in the last entry, nothing is
/// believed but that a proxy called.
fn said(headers: &HeaderMap) -> Vec<Hop> {
    let (standard, usual) = (standard(headers), usual(headers));
    match (standard.last(), usual.last()) {
        (None, _) => usual,
        (_, None) => standard,
        (Some(one), Some(other)) if one == other => standard,
        (Some(_), Some(_)) => vec![Hop::UNTOLD],
    }
}

/// `Forwarded`: elements between commas, pairs between semicolons (RFC 7239, section 4).
///
/// A line whose quotes are not closed is one element that says nothing: a client that begins with
/// half a quote would otherwise have what the proxy added taken for its own words.
fn standard(headers: &HeaderMap) -> Vec<Hop> {
    let mut hops = Vec::new();
    for line in headers.get_all("forwarded") {
        let line = line.to_str().unwrap_or("\"");
        if line.matches('"').count() % 2 == 0 {
            hops.extend(split(line, ',').map(element));
        } else {
            hops.push(Hop::UNTOLD);
        }
    }
    hops
}

fn element(text: &str) -> Hop {
    let mut hop = Hop::UNTOLD;
    for pair in split(text, ';') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = value.trim().trim_matches('"');
        if name.trim().eq_ignore_ascii_case("for") {
            hop.address = address(value);
        } else if name.trim().eq_ignore_ascii_case("proto") {
            hop.is_secure = is_https(value);
        }
    }
    hop
}

/// Cuts at a separator that does not stand between quotes.
fn split(text: &str, at: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let parts = text.split(move |letter| {
        quoted ^= letter == '"';
        letter == at && !quoted
    });
    parts.map(str::trim)
}

/// `X-Forwarded-For` with `X-Forwarded-Proto`. Where the second has as many entries they belong
/// together; otherwise its last one is about the client's connection, as most proxies set it.
fn usual(headers: &HeaderMap) -> Vec<Hop> {
    let addresses = list(headers, "x-forwarded-for");
    let schemes = list(headers, "x-forwarded-proto");
    let last = schemes.last().is_some_and(|scheme| is_https(scheme));
    if addresses.is_empty() && !schemes.is_empty() {
        return vec![Hop {
            address: None,
            is_secure: last,
        }];
    }
    let paired = schemes.len() == addresses.len();
    let hop = |(place, text): (usize, &String)| Hop {
        address: address(text),
        is_secure: match schemes.get(place).filter(|_| paired) {
            Some(scheme) => is_https(scheme),
            None => last,
        },
    };
    addresses.iter().enumerate().map(hop).collect()
}

/// The entries of a header that may stand there several times. It has no quotes: whatever stands
/// before the last comma is not of whoever wrote the last entry.
fn list(headers: &HeaderMap, name: &str) -> Vec<String> {
    let values = headers.get_all(name).iter();
    // What is no text is no entry anybody could read, but it is one.
    let texts = values.map(|value| value.to_str().unwrap_or("?"));
    let entries = texts.flat_map(|text| text.split(','));
    entries.map(|entry| entry.trim().to_owned()).collect()
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        // One colon stands before a port, several in an IPv6 address.
        None if text.matches(':').count() == 1 => text.split_once(':')?.0,
        None => text,
    };
    bare.parse()
        .ok()
        .map(|address: IpAddr| address.to_canonical())
}

fn is_https(scheme: &str) -> bool {
    scheme.trim().eq_ignore_ascii_case("https")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TokenPolicy;

    /// Who comes, from a peer at this address, behind trusted proxies in 10.0.0.0/8 and at ::1.
    fn who(peer: &str, headers: &[(&'static str, &str)]) -> (String, bool) {
        let forwarded = Forwarded::new(&Door {
            trusted_proxies: ["10.0.0.0/8", "::1"]
                .map(|text| Network::parse(text).unwrap())
                .into(),
            ..Door::with(TokenPolicy::Open)
        });
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let peer = Peer {
            address: peer.parse().unwrap(),
            is_secure: false,
        };
        let visitor = forwarded.visitor(&map, peer);
        (visitor.address.to_string(), visitor.is_secure)
    }

    const XFF: &str = "x-forwarded-for";
    const XFP: &str = "x-forwarded-proto";
    const FWD: &str = "forwarded";

    #[test]
    fn only_trusted_proxies_are_believed() {
        let lies = [
            (XFF, "1.1.1.1"),
            (XFP, "https"),
            (FWD, "for=1.1.1.1;proto=https"),
        ];
        assert_eq!(who("203.0.113.9", &lies), ("203.0.113.9".into(), false));
        assert_eq!(
            who("::ffff:203.0.113.9", &lies),
            ("203.0.113.9".into(), false)
        );
        assert_eq!(who("::ffff:10.0.0.1", &lies), ("1.1.1.1".into(), true));
    }

    #[test]
    fn the_last_that_nobody_trusts_is_the_client() {
        for (headers, address, secure) in [
            (&[][..], "10.0.0.1", false),
            (&[(XFF, "1.1.1.1, 2.2.2.2")], "2.2.2.2", false),
            (
                &[(XFF, "1.1.1.1, 2.2.2.2, 10.0.0.7"), (XFP, "https")],
                "2.2.2.2",
                true,
            ),
            (
                &[(XFF, "1.1.1.1"), (XFF, "2.2.2.2,10.0.0.7")],
                "2.2.2.2",
                false,
            ),
            // All of them are ours: the farthest called.
            (&[(XFF, "10.0.0.9, 10.0.0.7")], "10.0.0.9", false),
            // Who hides its caller, or writes nonsense, is the last we know of.
            (
                &[(XFF, "1.1.1.1, unknown, 10.0.0.7"), (XFP, "https")],
                "10.0.0.7",
                true,
            ),
            (&[(XFF, "1.1.1.1, ")], "10.0.0.1", false),
            (&[(XFF, "2.2.2.2:4711")], "2.2.2.2", false),
            (&[(XFF, "[2001:db8::2]:80")], "2001:db8::2", false),
            (&[(XFF, "2001:db8::2")], "2001:db8::2", false),
            // Scheme by scheme, or the last for all.
            (
                &[(XFF, "2.2.2.2, 10.0.0.7"), (XFP, "https, http")],
                "2.2.2.2",
                true,
            ),
            (
                &[(XFF, "2.2.2.2, 10.0.0.7"), (XFP, "http, https")],
                "2.2.2.2",
                false,
            ),
            (&[(XFF, "2.2.2.2"), (XFP, "https, http")], "2.2.2.2", false),
            (&[(XFP, "https")], "10.0.0.1", true),
            (&[(XFP, "HTTPS")], "10.0.0.1", true),
            (&[(XFP, "https"), (XFF, "")], "10.0.0.1", true),
        ] {
            assert_eq!(
                who("10.0.0.1", headers),
                (address.into(), secure),
                "{headers:?}"
            );
        }
    }

    #[test]
    fn the_standard_header_is_read_with_its_quotes() {
        for (value, address, secure) in [
            ("for=2.2.2.2;proto=https;by=10.0.0.1", "2.2.2.2", true),
            (
                "For=\"[2001:db8::2]:4711\"; Proto=http",
                "2001:db8::2",
                false,
            ),
            (
                "for=1.1.1.1;proto=https, for=2.2.2.2;proto=http, for=10.0.0.7",
                "2.2.2.2",
                false,
            ),
            ("for=_hidden;proto=https", "10.0.0.1", true),
            ("for=\"a,for=9.9.9.9\", for=2.2.2.2", "2.2.2.2", false),
            // A quote that is never closed swallows what the proxy added, and nothing is believed.
            (
                "for=6.6.6.6;proto=https;x=\", for=2.2.2.2;proto=http",
                "10.0.0.1",
                false,
            ),
            (
                "for=2.2.2.2, for=\"3.3.3.3;proto=https, for=4.4.4.4",
                "10.0.0.1",
                false,
            ),
            ("nonsense", "10.0.0.1", false),
        ] {
            assert_eq!(
                who("10.0.0.1", &[(FWD, value)]),
                (address.into(), secure),
                "{value}"
            );
        }
    }

    #[test]
    fn of_two_headers_that_differ_neither_is_believed() {
        let one = (FWD, "for=2.2.2.2;proto=https");
        for (other, address, secure) in [
            (&[(XFF, "2.2.2.2"), (XFP, "https")][..], "2.2.2.2", true),
            (&[(XFF, "3.3.3.3"), (XFP, "https")], "10.0.0.1", false),
            (&[(XFF, "2.2.2.2")], "10.0.0.1", false),
        ] {
            let headers = [&[one], other].concat();
            assert_eq!(
                who("10.0.0.1", &headers),
                (address.into(), secure),
                "{other:?}"
            );
        }
    }

    proptest::proptest! {
        /// Whatever a client writes into these headers, nobody is taken for anybody else, and nothing
        /// for https.
        #[test]
        fn nothing_a_client_writes_is_believed(
            one in r#"(for=6\.6\.6\.6|proto=https|for=|[;,"= \\x]){0,12}"#,
            two in r#"(6\.6\.6\.6|https|[;,"= \\x]){0,12}"#,
        ) {
            let headers = [(FWD, one.as_str()), (XFF, &two), (XFP, &two)];
            let stranger = who("203.0.113.9", &headers);
            proptest::prop_assert_eq!(stranger, ("203.0.113.9".to_owned(), false));
            // What a proxy adds stands last, on the same line.
            let added = [(XFF, format!("{two}, 198.51.100.7")), (XFP, "http".to_owned())];
            let added = added.each_ref().map(|(name, value)| (*name, value.as_str()));
            let visitor = who("10.0.0.1", &added);
            proptest::prop_assert_eq!(visitor, ("198.51.100.7".to_owned(), false));
            for last in ["for=198.51.100.7;proto=http", "for=\"198.51.100.7:1\";proto=http"] {
                let added = format!("{one}, {last}");
                let (address, is_secure) = who("10.0.0.1", &[(FWD, &added)]);
                let known = ["198.51.100.7", "10.0.0.1"].contains(&address.as_str());
                proptest::prop_assert!(known && !is_secure, "{}: {}", added, address);
            }
        }
    }

    #[test]
    fn a_long_list_is_not_walked_to_its_end() {
        let many = "10.0.0.9, ".repeat(1000) + "10.0.0.8";
        assert_eq!(who("10.0.0.1", &[(XFF, &many)]).0, "10.0.0.9");
        let mut hops = vec!["1.1.1.1"];
        hops.resize(MAX_HOPS + 1, "10.0.0.9");
        assert_eq!(who("10.0.0.1", &[(XFF, &hops.join(","))]).0, "10.0.0.9");
    }
}
