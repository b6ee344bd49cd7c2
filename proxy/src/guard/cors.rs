//! May a page's script read what we answer? Cross-origin resource sharing, only where
//! `--allow-origin` names pages.
//!
//! A browser sends some requests of a page only after a preflight, and shows a page no answer that
//! lacks the headers below (Fetch standard, section 3.3, CORS protocol). Nothing here lets a
//! request in: `host_origin` does, for the actual request too, whatever a preflight said.
//!
//! `Access-Control-Allow-Credentials` is never sent. It would make a browser attach cookies and
//! client certificates, and there are none of ours; the `Authorization` header that a script sets by
//! itself is no credential in that sense. The origin is therefore echoed without danger where
//! `--allow-origin '*'` allows all, and `*` is never written as an answer.

use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::config::Door;
use crate::config::authority::Origin;

/// What clients of every revision send (MCP, Streamable HTTP of 2025-11-25 and 2026-07-28).
/// `Content-Type` and `Authorization` have to be named: `application/json` is not on the browser's
/// safe list, and no wildcard covers the other.
const REQUEST_HEADERS: [&str; 8] = [
    "Authorization",
    "Content-Type",
    "Accept",
    "MCP-Protocol-Version",
    "Mcp-Method",
    "Mcp-Name",
    "Mcp-Session-Id",
    "Last-Event-ID",
];

/// What a client has to read from an answer: its session, and what to do about a 401.
const EXPOSED: [&str; 2] = ["Mcp-Session-Id", "WWW-Authenticate"];

/// Headers that mirror a tool's arguments begin so (2026-07-28, `x-mcp-header`). Which there are is
/// the server's affair, so those a preflight asks for are allowed.
const PARAM: &str = "mcp-param-";

/// Headers of that kind one preflight may ask for: more arguments than any tool mirrors, and few
/// enough that the answer stays below the 8 KiB that proxies take for a head.
const MAX_PARAMS: usize = 32;

/// The longest of them that is repeated, in bytes.
const MAX_PARAM_BYTES: usize = 128;

/// How long a browser may remember a preflight, in seconds: the two hours that Chromium caps it at.
/// A page that is no longer allowed is refused at its next request nevertheless.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

const ALLOW_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-allow-private-network");
const REQUEST_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-request-private-network");

/// The policy for pages of other origins.
#[derive(Clone, Debug)]
pub struct Cors {
    /// `None` stands for every page.
    pages: Option<Vec<Origin>>,
    /// The headers of requests, one list.
    allowed: String,
    exposed: HeaderValue,
}

/// What the answer to one request has to say about who may read it.
#[derive(Clone, Debug)]
pub struct Crossing {
    /// The page that may read it; `None` where it came from none that was named.
    page: Option<HeaderValue>,
    exposed: HeaderValue,
}

impl Cors {
    /// The policy of this door; `None` where no page was named.
    #[must_use]
    pub fn new(door: &Door) -> Option<Self> {
        if door.allow_origins.is_empty() {
            return None;
        }
        let all = door.allow_origins.iter().any(|origin| origin == "*");
        let pages = door
            .allow_origins
            .iter()
            .filter_map(|page| Origin::parse(page));
        let list = |fixed: &[&str], added: &[String]| {
            let added = added.iter().map(String::as_str);
            fixed
                .iter()
                .copied()
                .chain(added)
                .collect::<Vec<_>>()
                .join(", ")
        };
        // `config` takes nothing but tokens, so the list is always a value.
        let exposed = HeaderValue::try_from(list(&EXPOSED, &door.expose_headers)).ok()?;
        Some(Self {
            pages: (!all).then(|| pages.collect()),
            allowed: list(&REQUEST_HEADERS, &door.cors_headers),
            exposed,
        })
    }

    /// Who may read the answer to this request.
    #[must_use]
    pub fn crossing(&self, head: &Parts) -> Crossing {
        let mut values = head.headers.get_all(ORIGIN).iter();
        let one = values.next().filter(|_| values.next().is_none());
        Crossing {
            page: one.filter(|value| self.is_allowed(value)).cloned(),
            exposed: self.exposed.clone(),
        }
    }

    /// The headers that answer a preflight of a page that may call; `None` when the request is no
    /// preflight, or not of such a page. `methods` are those of the path.
    #[must_use]
    pub fn preflight(&self, head: &Parts, methods: &'static str) -> Option<HeaderMap> {
        if !is_preflight(head) || self.crossing(head).page.is_none() {
            return None;
        }
        let mut allowed = self.allowed.clone();
        for name in asked(&head.headers) {
            allowed.push_str(", ");
            allowed.push_str(name);
        }
        let mut headers = HeaderMap::new();
        headers.insert(
            ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static(methods),
        );
        headers.insert(
            ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::try_from(allowed).ok()?,
        );
        headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        // Private Network Access: a page of the public internet reaches into a private network only
        // where it was named. That every page may call is no such word.
        let asks = head.headers.get(REQUEST_PRIVATE_NETWORK);
        if self.pages.is_some() && asks.is_some_and(|value| value == "true") {
            headers.insert(ALLOW_PRIVATE_NETWORK, HeaderValue::from_static("true"));
        }
        Some(headers)
    }

    fn is_allowed(&self, value: &HeaderValue) -> bool {
        let origin = value.to_str().ok().and_then(Origin::parse);
        origin.is_some_and(|origin| {
            let pages = self.pages.as_ref();
            pages.is_none_or(|pages| pages.contains(&origin))
        })
    }
}

impl Crossing {
    /// Writes the headers into those of an answer. Every answer says that it depends on the origin,
    /// also one without: a cache would give it to a page otherwise.
    pub fn mark(self, headers: &mut HeaderMap) {
        headers.append(VARY, HeaderValue::from_static("Origin"));
        if let Some(page) = self.page {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, page);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, self.exposed);
        }
    }
}

/// Whether a browser asks what it may send, on its own account. It never carries credentials then.
pub(super) fn is_preflight(head: &Parts) -> bool {
    head.method == Method::OPTIONS
        && head.headers.contains_key(ORIGIN)
        && head.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The `Mcp-Param-*` headers a preflight asks for.
fn asked(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(ACCESS_CONTROL_REQUEST_HEADERS)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|name| is_param(name))
        .take(MAX_PARAMS)
}

fn is_param(name: &str) -> bool {
    let prefix = name.get(..PARAM.len());
    name.len() > PARAM.len()
        && name.len() <= MAX_PARAM_BYTES
        && prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(PARAM))
        // This is how a header's name is read, so nothing else can be repeated.
        && HeaderName::try_from(name).is_ok()
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;
    use crate::config::TokenPolicy;

    fn cors(origins: &[&str]) -> Option<Cors> {
        Cors::new(&Door {
            allow_origins: origins.iter().map(|origin| (*origin).to_owned()).collect(),
            cors_headers: vec!["x-tenant".into()],
            expose_headers: vec!["x-trace".into()],
            ..Door::with(TokenPolicy::Open)
        })
    }

    fn head(method: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri("/mcp");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn marked(cors: &Cors, head: &Parts) -> HeaderMap {
        let mut headers = HeaderMap::new();
        cors.crossing(head).mark(&mut headers);
        headers
    }

    const PAGE: (&str, &str) = ("origin", "https://app.example");

    #[test]
    fn without_pages_there_is_no_policy() {
        assert!(cors(&[]).is_none());
    }

    #[test]
    fn only_a_named_page_may_read() {
        let cors = cors(&["https://app.example"]).unwrap();
        for (origins, reads) in [
            (&["https://app.example"][..], true),
            (&["https://app.example:443"], true),
            (&["http://app.example"], false),
            (&["https://evil.example"], false),
            (&["null"], false),
            // A loopback page may call, but it was not named.
            (&["http://localhost:3000"], false),
            (&["https://app.example", "https://app.example"], false),
            (&[], false),
        ] {
            let origins: Vec<_> = origins.iter().map(|origin| ("origin", *origin)).collect();
            let headers = marked(&cors, &head("POST", &origins));
            let page = headers.get("access-control-allow-origin");
            assert_eq!(page.is_some(), reads, "{origins:?}");
            assert!(page.is_none_or(|page| page == origins[0].1), "{origins:?}");
            let exposed = headers.get("access-control-expose-headers");
            assert_eq!(exposed.is_some(), reads, "{origins:?}");
            assert_eq!(headers["vary"], "Origin");
            assert!(!headers.contains_key("access-control-allow-credentials"));
        }
    }

    #[test]
    fn a_preflight_is_answered_with_exact_lists() {
        let cors = cors(&["https://app.example"]).unwrap();
        let method = ("access-control-request-method", "POST");
        let names = (
            "access-control-request-headers",
            "authorization, content-type,mcp-param-Region , mcp-param-, mcp-param-a b, x-other",
        );
        let private = ("access-control-request-private-network", "true");
        let headers = cors
            .preflight(
                &head("OPTIONS", &[PAGE, method, names, private]),
                "GET, POST",
            )
            .unwrap();
        assert_eq!(headers["access-control-allow-methods"], "GET, POST");
        assert_eq!(
            headers["access-control-allow-headers"],
            "Authorization, Content-Type, Accept, MCP-Protocol-Version, Mcp-Method, Mcp-Name, \
             Mcp-Session-Id, Last-Event-ID, x-tenant, mcp-param-Region"
        );
        assert_eq!(headers["access-control-max-age"], "7200");
        assert_eq!(headers["access-control-allow-private-network"], "true");
        assert_eq!(headers.len(), 4);
        for (verb, sent) in [
            ("OPTIONS", &[PAGE][..]),
            ("OPTIONS", &[method]),
            ("POST", &[PAGE, method]),
            ("OPTIONS", &[("origin", "https://evil.example"), method]),
        ] {
            assert!(
                cors.preflight(&head(verb, sent), "GET").is_none(),
                "{verb} {sent:?}"
            );
        }
    }

    #[test]
    fn every_page_is_echoed_but_not_led_into_a_private_network() {
        let cors = cors(&["*"]).unwrap();
        let method = ("access-control-request-method", "POST");
        let private = ("access-control-request-private-network", "true");
        let head = head("OPTIONS", &[PAGE, method, private]);
        assert_eq!(marked(&cors, &head)["access-control-allow-origin"], PAGE.1);
        let headers = cors.preflight(&head, "GET").unwrap();
        assert!(!headers.contains_key("access-control-allow-private-network"));
    }

    #[test]
    fn what_a_preflight_asks_for_is_bounded() {
        let cors = cors(&["*"]).unwrap();
        let many: Vec<_> = (0..1000).map(|n| format!("mcp-param-{n}")).collect();
        let many = many.join(",") + ",mcp-param-" + &"x".repeat(MAX_PARAM_BYTES);
        let method = ("access-control-request-method", "POST");
        let names = ("access-control-request-headers", many.as_str());
        let headers = cors.preflight(&head("OPTIONS", &[PAGE, method, names]), "GET");
        let allowed = headers.unwrap()["access-control-allow-headers"].clone();
        let params = allowed.to_str().unwrap().matches(PARAM).count();
        assert_eq!(params, MAX_PARAMS);
    }
}
