//! Host names and ports as they stand in `Host`, `:authority` and `Origin`.
//!
//! Only forms that browsers and HTTP clients write are understood. `127.1`, `0x7f.1` and other
//! spellings that some resolvers take for loopback are just names here, and names are refused
//! unless they are allowed.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// A host and maybe a port, in lower case, without brackets or a final dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// The name or the address. An IPv6 address is in its canonical spelling.
    pub host: String,
    /// The port, when one was written.
    pub port: Option<u16>,
}

impl Authority {
    /// Reads `name`, `name:port`, `[v6]` or `[v6]:port` (RFC 9110 section 7.2).
    ///
    /// Returns `None` for anything else: user information, an empty name, a port that is not a
    /// number, bytes that no host name has.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (address, rest) = rest.split_once(']')?;
            let address: Ipv6Addr = address.parse().ok()?;
            (address.to_string(), rest)
        } else {
            let end = text.find(':').unwrap_or(text.len());
            let (name, rest) = text.split_at(end);
            (normal_name(name)?, rest)
        };
        let port = match port.strip_prefix(':') {
            // RFC 3986 section 3.2.3 lets the port be empty, which means the default one.
            Some("") => None,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().ok()?)
            }
            None if port.is_empty() => None,
            _ => return None,
        };
        Some(Self { host, port })
    }

    /// Whether it names this machine and no other.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback_host(&self.host)
    }
}

/// As it stands in a header: an IPv6 address in brackets.
impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

/// A web page's origin: a scheme and an authority (RFC 6454 section 6.2), in lower case and without
/// the scheme's default port, so that equal origins are equal values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// `https`, or what an editor's web view or a browser's extension has instead.
    pub scheme: String,
    /// Where the page came from.
    pub authority: Authority,
}

impl Origin {
    /// Reads `scheme://host` or `scheme://host:port`; `None` for anything else, `null` included.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        if !scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            || !scheme.bytes().all(letters)
        {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        let mut authority = Authority::parse(rest)?;
        if authority.port == default_port(&scheme) {
            authority.port = None;
        }
        Some(Self { scheme, authority })
    }

    /// Whether the page came from `authority` itself, as far as a `Host` header tells: a port that
    /// is not written there is the default one of the page's scheme.
    #[must_use]
    pub fn is_from(&self, authority: &Authority) -> bool {
        let default = default_port(&self.scheme);
        self.authority.host == authority.host
            && self.authority.port.or(default) == authority.port.or(default)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// A host in the spelling that [`Authority`] uses: lower case, no final dot, IPv6 canonical and
/// without brackets. `None` when it is neither a name nor an address.
#[must_use]
pub fn normal_host(text: &str) -> Option<String> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    match bare.parse::<IpAddr>() {
        Ok(address) => Some(address.to_string()),
        Err(_) if bare.len() == text.len() => normal_name(text),
        Err(_) => None,
    }
}

/// Whether a host (without brackets) is `localhost`, a name under it (RFC 6761 section 6.3), or a
/// loopback address, IPv4 written as IPv6 included.
#[must_use]
pub fn is_loopback_host(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => address.is_loopback(),
        Ok(IpAddr::V6(address)) => {
            address.is_loopback()
                || address
                    .to_ipv4_mapped()
                    .is_some_and(|address| address.is_loopback())
        }
        Err(_) => {
            let name = host.to_ascii_lowercase();
            name == "localhost" || name.ends_with(".localhost")
        }
    }
}

fn normal_name(name: &str) -> Option<String> {
    let name = name.strip_suffix('.').unwrap_or(name);
    // The underscore is not in RFC 1123, but container networks use it in names.
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    // RFC 1035 section 2.3.4: a name has at most 253 characters of text.
    let fits = !name.is_empty() && name.len() <= 253;
    let labels = || name.split('.').all(|label| !label.is_empty());
    (fits && name.bytes().all(known) && labels()).then(|| name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        for (text, shown) in [
            ("https://App.Example", "https://app.example"),
            ("https://app.example:443", "https://app.example"),
            ("http://app.example:443", "http://app.example:443"),
            ("HTTP://[::1]:80", "http://[::1]"),
            ("vscode-webview://1a2b", "vscode-webview://1a2b"),
        ] {
            assert_eq!(Origin::parse(text).unwrap().to_string(), shown, "{text}");
        }
        for text in [
            "",
            "null",
            "app.example",
            "https:app.example",
            "https://",
            "https://a/",
            "https://a/b",
            "https://u@a",
            "://a",
            "1a://b",
            "https://a https://b",
            "h ttp://a",
        ] {
            assert_eq!(Origin::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_page_is_from_the_host_that_served_it() {
        for (origin, host, same) in [
            ("http://a.example", "a.example", true),
            ("https://a.example", "a.example", true),
            ("http://a.example:8080", "a.example:8080", true),
            ("http://a.example", "a.example:80", true),
            ("https://a.example", "a.example:80", false),
            ("http://a.example:8080", "a.example", false),
            ("http://a.example", "b.example", false),
            ("http://[::1]:8080", "[0::1]:8080", true),
        ] {
            let origin = Origin::parse(origin).unwrap();
            let host = Authority::parse(host).unwrap();
            assert_eq!(origin.is_from(&host), same, "{origin} {host}");
        }
    }

    #[test]
    fn authorities() {
        for (text, host, port) in [
            ("localhost", "localhost", None),
            ("LocalHost:8080", "localhost", Some(8080)),
            ("app.example.", "app.example", None),
            ("app.example:", "app.example", None),
            ("127.0.0.1:1", "127.0.0.1", Some(1)),
            ("[::1]", "::1", None),
            ("[0:0:0:0:0:0:0:1]:8080", "::1", Some(8080)),
            ("my_service:80", "my_service", Some(80)),
        ] {
            let expected = Authority {
                host: host.into(),
                port,
            };
            assert_eq!(Authority::parse(text), Some(expected), "{text}");
        }
        for text in [
            "",
            ":80",
            "a b",
            "user@host",
            "host:port",
            "host:70000",
            "host:+80",
            "::1",
            "[::1",
            "[::1]x",
            "[::1]80",
            "[name]",
            "a..b",
            ".",
            "host/path",
            "hôte",
            "a:1:2",
        ] {
            assert_eq!(Authority::parse(text), None, "{text}");
        }
    }

    #[test]
    fn loopback_is_this_machine_and_no_other() {
        for host in [
            "localhost",
            "LOCALHOST",
            "a.b.localhost",
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "::ffff:127.0.0.1",
        ] {
            assert!(is_loopback_host(host), "{host}");
        }
        for host in [
            "",
            "0.0.0.0",
            "::",
            "10.0.0.1",
            "localhost.example",
            "notlocalhost",
            "127.1",
            "0x7f000001",
            "2130706433",
            "127.0.0.1.example",
            "::ffff:10.0.0.1",
        ] {
            assert!(!is_loopback_host(host), "{host}");
        }
    }

    #[test]
    fn hosts_to_listen_on() {
        for (text, host) in [
            ("::", Some("::")),
            ("[::]", Some("::")),
            ("0.0.0.0", Some("0.0.0.0")),
            ("Example.ORG", Some("example.org")),
            ("[name]", None),
            ("name:80", None),
            ("", None),
        ] {
            assert_eq!(normal_host(text).as_deref(), host, "{text}");
        }
    }
}
