//! The list of policies, in the order a request meets them.

use std::sync::Arc;

use axum::http::Method;
use axum::http::request::Parts;
use tokio::time::Instant;

use crate::config::{Door, Listen};

use super::Principal;
use super::auth::{Auth, Known};
use super::cors::{Cors, is_preflight};
use super::forwarded::{Forwarded, Peer};
use super::host_origin::HostOrigin;
use super::in_flight::{InFlight, Ticket};
use super::jwt::Following;
use super::place::Places;
use super::rate::{Buckets, Whose};
use super::refresh::Reload;
use super::refusal::Refusal;
use super::resource::{Grant, Resources};

/// Every policy of this room, asked in turn about the head of a request.
#[derive(Clone, Debug)]
pub struct Guard {
    host_origin: HostOrigin,
    auth: Auth,
    cors: Option<Cors>,
    forwarded: Forwarded,
    places: Places,
    require_https: bool,
    buckets: Option<Arc<Buckets>>,
    in_flight: Option<Arc<InFlight>>,
}

/// A request that was let in.
#[derive(Debug)]
pub struct Admitted {
    /// Whose it is.
    pub principal: Principal,
    /// What its token grants, where that is limited.
    pub grant: Option<Grant>,
    /// Its place among those in flight, to be kept until its answer has ended; `None` where they are
    /// not counted.
    pub ticket: Option<Ticket>,
}

impl Guard {
    /// The policies of a proxy that listens there and has this door.
    #[must_use]
    pub fn new(listen: &Listen, door: &Door) -> Self {
        Self {
            host_origin: HostOrigin::new(listen, door),
            auth: Auth::new(listen, door),
            cors: Cors::new(door),
            forwarded: Forwarded::new(door),
            places: Places::new(door),
            require_https: door.require_https,
            buckets: door.rate.map(|rate| Arc::new(Buckets::new(rate))),
            in_flight: door.max_in_flight.map(InFlight::new),
        }
    }

    /// What follows a file.
    #[must_use]
    pub fn reloads(&self) -> Vec<Arc<dyn Reload>> {
        let keys = self.auth.changing();
        keys.into_iter()
            .map(|keys| keys as Arc<dyn Reload>)
            .collect()
    }

    /// What is told to pages of other origins; `None` where none was named.
    ///
    /// It is no policy of the list below, because it refuses nobody: it says who may read the
    /// answer, refusals included.
    #[must_use]
    pub const fn cors(&self) -> Option<&Cors> {
        self.cors.as_ref()
    }

    /// What tokens of the authorization server are for; `None` where there is none.
    #[must_use]
    pub fn resources(&self) -> Option<&Arc<Resources>> {
        self.auth.resources()
    }

    /// Who looks for the key that this request's token is signed by, where it is not known. To be
    /// waited for before the request is let in or not: nothing in [`Guard::admit`] waits.
    #[must_use]
    pub fn missing(&self, head: &Parts) -> Option<Arc<Following>> {
        self.auth.missing(head)
    }

    /// Lets a request of this peer in, and says whose it is.
    ///
    /// # Errors
    ///
    /// The [`Refusal`] of the first policy that objects.
    pub fn admit(&self, head: &Parts, peer: Peer) -> Result<Admitted, Refusal> {
        self.ask(head, peer).inspect_err(|refusal| {
            // At debug level: whoever sends such requests must not be able to fill the log.
            tracing::debug!(target: "guard", kind = refusal.kind(), refusal = %refusal.sentence(), "request refused");
        })
    }

    fn ask(&self, head: &Parts, peer: Peer) -> Result<Admitted, Refusal> {
        let visitor = self.forwarded.visitor(&head.headers, peer);
        let is_probe = self.places.is_probe(head.uri.path());
        // First, is it for us: nothing else in the head of a misdirected request means anything.
        self.host_origin.check(head)?;
        // Second, could anybody have read it on the way: whoever sends a token in the clear has to
        // learn that, and not whether it was the right one. A probe of this machine went no way.
        let probe_from_here = is_probe && visitor.is_direct && visitor.address.is_loopback();
        if self.require_https && !visitor.is_secure && !probe_from_here {
            return Err(Refusal::Insecure);
        }
        // Third, does its address come too often: before the next question, so that tokens are not
        // guessed any faster. Probes have a rhythm of their own, and a preflight does nothing.
        let is_counted = !is_probe && !is_preflight(head);
        let address = || Whose::at(visitor.address);
        if is_counted {
            self.take(address, true)?;
        }
        // Fourth, who is it: after the questions above, so that a page which may not call cannot
        // find out by its answers whether a token is asked for or whether it guessed one.
        let Known { principal, grant } = self.auth.check(head)?;
        // Last, does its principal come too often, or with too much at once: now that it is known.
        let is_known = principal != Principal::anonymous();
        let whose = || Whose::Principal(principal.clone());
        if is_counted && is_known {
            self.take(whose, false)?;
        }
        let ticket = match &self.in_flight {
            // What nobody has to be asked for is told apart by address.
            Some(all) if head.method == Method::POST => {
                let whose = if is_known { whose() } else { address() };
                let ticket = all.enter(whose);
                Some(ticket.ok_or_else(|| Refusal::TooMany { cap: all.cap() })?)
            }
            _ => None,
        };
        Ok(Admitted {
            principal,
            grant,
            ticket,
        })
    }

    fn take(&self, whose: impl FnOnce() -> Whose, of_address: bool) -> Result<(), Refusal> {
        let Some(buckets) = &self.buckets else {
            return Ok(());
        };
        let taken = buckets.take(whose(), Instant::now());
        taken.map_err(|retry_after| Refusal::TooOften {
            retry_after,
            of_address,
        })
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;
    use crate::config::{Network, Rate, Roster, Secret, TokenPolicy};

    const TOKEN: &str = "correct-horse-battery";

    fn guard(set: impl FnOnce(&mut Door)) -> Guard {
        let listen = Listen {
            host: "127.0.0.1".into(),
            port: 8080,
            mcp_path: "/mcp".into(),
        };
        let token = Secret::new(TOKEN).unwrap();
        let mut door = Door::with(TokenPolicy::Given(Roster::of(token)));
        set(&mut door);
        Guard::new(&listen, &door)
    }

    fn head(method: &str, path: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn peer(address: &str) -> Peer {
        Peer {
            address: address.parse().unwrap(),
            is_secure: false,
        }
    }

    /// Whom the policies let in, or which of them refuses.
    fn name(answer: &Result<Admitted, Refusal>) -> &str {
        match answer {
            Ok(admitted) => admitted.principal.as_str(),
            Err(refusal) => refusal.kind(),
        }
    }

    const OURS: (&str, &str) = ("host", "localhost:8080");
    const BEARER: (&str, &str) = ("authorization", "Bearer correct-horse-battery");

    #[test]
    fn policies_are_asked_in_order_and_the_principal_arrives() {
        let guard = guard(|_| ());
        let ours = OURS;
        let evil = ("host", "evil.example");
        let page = ("origin", "https://evil.example");
        let token = BEARER;
        for (path, headers, expected) in [
            ("/mcp", &[ours, token][..], "token"),
            ("/mcp", &[ours], "unauthorized"),
            // A misdirected request learns nothing about its token, right or wrong.
            ("/mcp", &[evil, token], "host"),
            ("/mcp", &[evil], "host"),
            ("/mcp", &[ours, page, token], "origin"),
            ("/mcp", &[ours, page], "origin"),
            ("/health", &[evil], "anonymous"),
            ("/health", &[evil, page], "origin"),
            // What has no route is guarded too.
            ("/unknown", &[ours], "unauthorized"),
        ] {
            let answer = guard.admit(&head("GET", path, headers), peer("127.0.0.1"));
            assert_eq!(name(&answer), expected, "{path} {headers:?}");
        }
    }

    #[test]
    fn only_what_came_by_https_is_taken_where_that_is_asked_for() {
        let guard = guard(|door| {
            door.require_https = true;
            door.trusted_proxies = vec![Network::parse("10.0.0.1").unwrap()];
        });
        let https = ("x-forwarded-proto", "https");
        for (from, path, headers, expected) in [
            ("10.0.0.1", "/mcp", &[OURS, BEARER, https][..], "token"),
            ("10.0.0.1", "/mcp", &[OURS, BEARER], "insecure"),
            ("10.0.0.2", "/mcp", &[OURS, BEARER, https], "insecure"),
            // Right or wrong, the token was sent in the clear.
            ("10.0.0.2", "/mcp", &[OURS], "insecure"),
            ("127.0.0.1", "/mcp", &[OURS, BEARER], "insecure"),
            ("127.0.0.1", "/health", &[OURS], "anonymous"),
            ("10.0.0.2", "/health", &[OURS], "insecure"),
            ("10.0.0.2", "/", &[OURS], "insecure"),
        ] {
            let answer = guard.admit(&head("GET", path, headers), peer(from));
            assert_eq!(name(&answer), expected, "{from} {path} {headers:?}");
        }
        let here = Peer {
            is_secure: true,
            ..peer("192.0.2.1")
        };
        let answer = guard.admit(&head("GET", "/mcp", &[OURS, BEARER]), here);
        assert_eq!(name(&answer), "token");
    }

    #[test]
    fn rates_are_of_addresses_and_of_principals() {
        let guard = guard(|door| door.rate = Some(Rate::parse("2/h").unwrap()));
        let admit = |from: &str, path: &str, headers: &[(&str, &str)]| {
            name(&guard.admit(&head("GET", path, headers), peer(from))).to_owned()
        };
        // Guesses are counted too.
        assert_eq!(admit("192.0.2.1", "/mcp", &[OURS]), "unauthorized");
        assert_eq!(admit("192.0.2.1", "/mcp", &[OURS, BEARER]), "token");
        assert_eq!(admit("192.0.2.1", "/mcp", &[OURS, BEARER]), "rate_address");
        assert_eq!(admit("192.0.2.1", "/health", &[OURS]), "anonymous");
        // From elsewhere the same principal has what is left of its own.
        assert_eq!(admit("192.0.2.2", "/mcp", &[OURS, BEARER]), "token");
        assert_eq!(
            admit("192.0.2.3", "/mcp", &[OURS, BEARER]),
            "rate_principal"
        );
        // A misdirected request is nobody's.
        let evil = ("host", "evil.example");
        for _ in 0..3 {
            assert_eq!(admit("192.0.2.4", "/mcp", &[evil]), "host");
        }
        assert_eq!(admit("192.0.2.4", "/", &[OURS]), "anonymous");
    }

    #[test]
    fn so_many_requests_at_once_and_no_more() {
        let guard = guard(|door| door.max_in_flight = Some(1));
        let post = head("POST", "/mcp", &[OURS, BEARER]);
        let first = guard.admit(&post, peer("192.0.2.1"));
        assert_eq!(name(&first), "token");
        let second = guard.admit(&post, peer("192.0.2.2"));
        assert_eq!(name(&second), "in_flight");
        // Streams are not counted, and do not wait for those that are.
        let stream = head("GET", "/mcp", &[OURS, BEARER]);
        assert_eq!(name(&guard.admit(&stream, peer("192.0.2.1"))), "token");
        drop(first);
        assert_eq!(name(&guard.admit(&post, peer("192.0.2.2"))), "token");
    }
}
