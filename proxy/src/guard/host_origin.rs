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
use crate::observe::escape::escape;

use super::place::Places;
use super::refusal::Refusal;

/// How much of a client's header is repeated to people, in bytes: a host name with a port and room.
const MAX_SHOWN_BYTES: usize = 300;

/// The policy for `Host` and `Origin`.
#[derive(Clone, Debug)]
pub struct HostOrigin {
    hosts: Hosts,
    places: Places,
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
        let hosts = if any || (unknowable && door.tokens.asks()) {
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
            places: Places::new(door),
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
        let probe = self.places.is_probe(head.uri.path());
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
mod tests;
