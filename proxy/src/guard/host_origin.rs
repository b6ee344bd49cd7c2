//! Is the request meant for us, and may the page behind it call?
//!
//! A web page can make a browser send requests to this machine, and with DNS rebinding it can make
//! them look same-origin. The `Host` header then still names the attacker's host, and `Origin` still
//! names the page, so both are checked (MCP 2025-11-25, Streamable HTTP, security warning: servers
//! must validate `Origin`, and answer 403 when it is wrong).
//!
//! This comes before authentication: a page that may not call learns nothing about tokens.

use axum::http::HeaderMap;
use axum::http::header::{HOST, HeaderName, ORIGIN};
use axum::http::request::Parts;

use crate::config::authority::{Authority, Origin};
use crate::config::{Door, Listen};
use crate::observe::log::escape;

use super::place::is_probe;
use super::refusal::Refusal;

/// How much of a client's header is repeated to people, in bytes: a host name with a port and room.
const MAX_SHOWN_BYTES: usize = 300;

/// The policy for `Host` and `Origin`.
#[derive(Clone, Debug)]
pub struct HostOrigin {
    hosts: Hosts,
    /// Beside loopback and same-origin; `None` stands for all.
    origins: Option<Vec<Origin>>,
}

#[derive(Clone, Debug)]
enum Hosts {
    /// Every name is taken.
    Any,
    /// Loopback, the address we are bound to, and these.
    Known {
        bound: String,
        allowed: Vec<Authority>,
    },
}

impl HostOrigin {
    /// The policy of a proxy that listens there and has this door.
    ///
    /// Beyond loopback, with a token and without `--allow-host`, every `Host` is taken: the names of
    /// such a machine are not ours to know, and a rebinding page does not have the token.
    #[must_use]
    pub fn new(listen: &Listen, door: &Door) -> Self {
        let unknowable = !listen.is_loopback() && door.allow_hosts.is_empty();
        let any = door.allow_hosts.iter().any(|host| host == "*");
        let hosts = if any || (unknowable && door.tokens.secret().is_some()) {
            Hosts::Any
        } else {
            Hosts::Known {
                bound: listen.host.clone(),
                allowed: door
                    .allow_hosts
                    .iter()
                    .filter_map(|host| Authority::parse(host))
                    .collect(),
            }
        };
        let all_origins = door.allow_origins.iter().any(|origin| origin == "*");
        let origins = door
            .allow_origins
            .iter()
            .filter_map(|origin| Origin::parse(origin));
        Self {
            hosts,
            origins: (!all_origins).then(|| origins.collect()),
        }
    }

    /// Whether a request with this head may go on.
    ///
    /// # Errors
    ///
    /// [`Refusal::Host`] or [`Refusal::Origin`].
    pub fn check(&self, head: &Parts) -> Result<(), Refusal> {
        let host = self.host(head)?;
        self.origin(head, host.as_ref())
    }

    /// The host the request is for, when it names one of ours.
    fn host(&self, head: &Parts) -> Result<Option<Authority>, Refusal> {
        let probe = is_probe(head.uri.path());
        let header = match single(&head.headers, &HOST) {
            Ok(header) => header,
            Err(Several) if probe => None,
            Err(Several) => return Err(no_host("there is more than one Host header")),
        };
        // HTTP/2 has `:authority`, and HTTP/1.1 may have a whole URL: either stands for the header
        // (RFC 9113 section 8.3.1, RFC 9112 section 3.2.2). When both are there both must be ours,
        // because what stands before us may have looked at the other one.
        let target = head
            .uri
            .authority()
            .map(|authority| authority.as_str().as_bytes());
        if probe {
            // A name that is not ours lets a probe through, but makes no page same-origin.
            let host = target.or(header).and_then(read);
            return Ok(host.filter(|host| self.hosts.know(host)));
        }
        let mut host = None;
        for value in [header, target].into_iter().flatten() {
            let authority = read(value).filter(|authority| self.hosts.know(authority));
            host = Some(authority.ok_or_else(|| foreign_host(value))?);
        }
        match host {
            Some(host) => Ok(Some(host)),
            None => Err(no_host("there is no Host header")),
        }
    }

    fn origin(&self, head: &Parts, host: Option<&Authority>) -> Result<(), Refusal> {
        let value = match single(&head.headers, &ORIGIN) {
            // Programs that are not browsers send none.
            Ok(None) => return Ok(()),
            Ok(Some(value)) => value,
            Err(Several) => {
                let sentence = "there is more than one Origin header".into();
                return Err(Refusal::Origin {
                    found: None,
                    sentence,
                });
            }
        };
        // `null` is not read as an origin: it is what sandboxed pages and local files send, so it
        // tells one page from another as little as nothing at all.
        let origin = std::str::from_utf8(value).ok().and_then(Origin::parse);
        let passes = origin.is_some_and(|origin| {
            origin.authority.is_loopback() && matches!(origin.scheme.as_str(), "http" | "https")
                || host.is_some_and(|host| origin.is_from(host))
                || self
                    .origins
                    .as_ref()
                    .is_none_or(|allowed| allowed.contains(&origin))
        });
        if passes {
            return Ok(());
        }
        let found = escape(value, MAX_SHOWN_BYTES);
        let sentence = if found == "null" {
            "pages with the origin null may not call this server".into()
        } else {
            format!(
                "pages from {found} may not call this server; its owner can allow them with \
                 --allow-origin"
            )
        };
        Err(Refusal::Origin {
            found: Some(found),
            sentence,
        })
    }
}

impl Hosts {
    fn know(&self, host: &Authority) -> bool {
        match self {
            Self::Any => true,
            Self::Known { bound, allowed } => {
                host.is_loopback()
                    || host.host == *bound
                    || allowed.iter().any(|allowed| covers(allowed, host))
            }
        }
    }
}

/// Whether an entry of `--allow-host` covers a host. An entry without a port covers every port; a
/// host without one has a default port, and which of the two only the client knows.
fn covers(allowed: &Authority, host: &Authority) -> bool {
    let port = |port: u16| {
        host.port
            .map_or(matches!(port, 80 | 443), |other| other == port)
    };
    allowed.host == host.host && allowed.port.is_none_or(port)
}

/// There is more than one header where one belongs.
struct Several;

fn single<'head>(
    headers: &'head HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'head [u8]>, Several> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Several);
    }
    Ok(first.map(|value| value.as_bytes()))
}

fn read(value: &[u8]) -> Option<Authority> {
    Authority::parse(std::str::from_utf8(value).ok()?)
}

fn foreign_host(value: &[u8]) -> Refusal {
    let found = escape(value, MAX_SHOWN_BYTES);
    let sentence = format!(
        "the Host header names {found:?}, which is not this server; if it should be, its owner can \
         allow it with --allow-host"
    );
    Refusal::Host {
        found: Some(found),
        sentence,
    }
}

fn no_host(sentence: &str) -> Refusal {
    Refusal::Host {
        found: None,
        sentence: sentence.into(),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;
    use crate::config::{Secret, TokenPolicy};

    fn policy(bound: &str, token: bool, hosts: &[&str], origins: &[&str]) -> HostOrigin {
        let listen = Listen {
            host: bound.into(),
            port: 8080,
        };
        let tokens = if token {
            TokenPolicy::Given(Secret::new("0123456789abcdef").unwrap())
        } else if listen.is_loopback() {
            TokenPolicy::Open
        } else {
            TokenPolicy::OpenDeclared
        };
        let list = |entries: &[&str]| entries.iter().map(|entry| (*entry).into()).collect();
        let door = Door {
            tokens,
            allow_hosts: list(hosts),
            allow_origins: list(origins),
        };
        HostOrigin::new(&listen, &door)
    }

    fn head(uri: &str, headers: &[(&HeaderName, &[u8])]) -> Parts {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn takes_host(policy: &HostOrigin, host: &str) -> bool {
        match policy.check(&head("/mcp", &[(&HOST, host.as_bytes())])) {
            Ok(()) => true,
            Err(Refusal::Host { .. }) => false,
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn hosts_by_where_we_listen_and_what_is_allowed() {
        const ALWAYS: &[&str] = &[
            "localhost",
            "localhost:8080",
            "a.localhost:1",
            "127.0.0.1:8080",
            "127.3.2.1",
            "[::1]:8080",
        ];
        struct Case {
            policy: HostOrigin,
            taken: &'static [&'static str],
            refused: &'static [&'static str],
        }
        for case in [
            Case {
                policy: policy("127.0.0.1", false, &[], &[]),
                taken: &[],
                refused: &[
                    "evil.example",
                    "evil.example:8080",
                    "0.0.0.0",
                    "10.0.0.7:8080",
                    "localhost.evil.example",
                    "",
                    "localhost@evil.example",
                    "[::1",
                    "127.1",
                ],
            },
            // A token does not open a loopback listener to names.
            Case {
                policy: policy("127.0.0.1", true, &[], &[]),
                taken: &[],
                refused: &["evil.example"],
            },
            Case {
                policy: policy(
                    "127.0.0.1",
                    false,
                    &[
                        "app.example",
                        "port.example:8443",
                        "web.example:443",
                        "[fe80::1]",
                    ],
                    &[],
                ),
                taken: &[
                    "app.example",
                    "App.Example.:99",
                    "port.example:8443",
                    "web.example",
                    "web.example:443",
                    "[FE80:0::1]:8080",
                ],
                refused: &[
                    "app.example.evil",
                    "sub.app.example",
                    "port.example",
                    "port.example:1",
                    "web.example:80",
                ],
            },
            // Beyond loopback.
            Case {
                policy: policy("10.0.0.7", true, &[], &[]),
                taken: &["10.0.0.7:8080", "anything.example"],
                refused: &["not a host", ""],
            },
            Case {
                policy: policy("10.0.0.7", false, &[], &[]),
                taken: &["10.0.0.7", "10.0.0.7:8080"],
                refused: &["10.0.0.8", "evil.example"],
            },
            Case {
                policy: policy("::", true, &["app.example"], &[]),
                taken: &["app.example:8080"],
                refused: &["evil.example"],
            },
            Case {
                policy: policy("::", false, &["*"], &[]),
                taken: &["evil.example"],
                refused: &["not a host"],
            },
        ] {
            for host in ALWAYS.iter().chain(case.taken) {
                assert!(
                    takes_host(&case.policy, host),
                    "{host} by {:?}",
                    case.policy
                );
            }
            for host in case.refused {
                assert!(
                    !takes_host(&case.policy, host),
                    "{host} by {:?}",
                    case.policy
                );
            }
        }
    }

    #[test]
    fn the_request_target_counts_as_much_as_the_header() {
        let policy = policy("127.0.0.1", false, &[], &[]);
        let (ours, evil) = ((&HOST, &b"localhost"[..]), (&HOST, &b"evil.example"[..]));
        for (uri, headers, passes) in [
            ("http://localhost:8080/mcp", &[][..], true),
            ("http://evil.example/mcp", &[], false),
            ("http://localhost/mcp", &[ours], true),
            ("http://evil.example/mcp", &[ours], false),
            ("http://localhost/mcp", &[evil], false),
            ("/mcp", &[ours, ours], false),
            ("/mcp", &[ours, evil], false),
            ("/mcp", &[], false),
            ("/mcp", &[(&HOST, &b"\xff"[..])], false),
            // Probes come by address, or with no name at all.
            ("/health/live", &[evil], true),
            ("/metrics", &[], true),
            ("/health", &[ours, evil], true),
            ("/status", &[evil], false),
            ("/", &[evil], false),
        ] {
            let result = policy.check(&head(uri, headers));
            assert_eq!(result.is_ok(), passes, "{uri} {headers:?}: {result:?}");
        }
    }

    #[test]
    fn origins() {
        let listed = policy(
            "::",
            true,
            &[],
            &["https://app.example", "vscode-webview://abc"],
        );
        let all = policy("::", true, &[], &["*"]);
        for (origin, by_listed, by_all) in [
            (&b"http://localhost:6274"[..], true, true),
            (b"https://127.0.0.1", true, true),
            (b"http://[::1]:1", true, true),
            (b"http://me.example:8080", true, true),
            (b"http://me.example:8081", false, true),
            (b"http://me.example", false, true),
            (b"https://app.example", true, true),
            (b"https://app.example:443", true, true),
            (b"http://app.example", false, true),
            (b"https://app.example.evil", false, true),
            (b"vscode-webview://abc", true, true),
            (b"ftp://localhost", false, true),
            (b"https://evil.example", false, true),
            (b"null", false, false),
            (b"", false, false),
            (b"localhost", false, false),
            (b"https://localhost/", false, false),
            (b"https://localhost, https://evil.example", false, false),
            (b"\xff", false, false),
        ] {
            let head = head("/mcp", &[(&HOST, b"me.example:8080"), (&ORIGIN, origin)]);
            let shown = escape(origin, 100);
            assert_eq!(listed.check(&head).is_ok(), by_listed, "{shown}");
            assert_eq!(all.check(&head).is_ok(), by_all, "{shown}");
        }
        let twice = (&ORIGIN, &b"http://localhost"[..]);
        let head = head("/mcp", &[(&HOST, b"localhost"), twice, twice]);
        assert!(matches!(
            all.check(&head),
            Err(Refusal::Origin { found: None, .. })
        ));
    }

    #[test]
    fn a_refusal_tells_the_owner_what_to_do() {
        let policy = policy("127.0.0.1", false, &[], &[]);
        let refusal = policy
            .check(&head("/mcp", &[(&HOST, b"evil.example:80")]))
            .unwrap_err();
        assert_eq!(
            refusal.sentence(),
            "the Host header names \"evil.example:80\", which is not this server; if it should be, \
             its owner can allow it with --allow-host"
        );
        let origin: &[u8] = b"https://evil.example";
        let head = head("/mcp", &[(&HOST, b"localhost"), (&ORIGIN, origin)]);
        assert_eq!(
            policy.check(&head).unwrap_err().sentence(),
            "pages from https://evil.example may not call this server; its owner can allow them \
             with --allow-origin"
        );
    }
}
