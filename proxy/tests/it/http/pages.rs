//! Web pages of other origins, as a browser lets them through: the rules of the Fetch standard,
//! written down once in [`Page`], around real requests.

use serde_json::{Value, json};

use super::{
    client::{Client, Reply, call, request},
    proxy::Proxy,
    session::{LATEST, initialize},
};

const APP: &str = "https://app.example";
const TOKEN: &str = "correct-horse-battery-staple";

/// A script of a page, and the browser around it.
struct Page {
    client: Client,
    origin: &'static str,
    /// What the script sets. The browser itself adds no more than the origin.
    headers: Vec<(&'static str, String)>,
}

/// What the script of a page gets to see.
enum Fetched {
    /// The status, and what it can read of the head.
    Read(Reply),
    /// A network error, as a script sees it, and why the browser made it one.
    Blocked(&'static str),
}

impl Fetched {
    #[track_caller]
    fn read(self) -> Reply {
        match self {
            Self::Read(reply) => reply,
            Self::Blocked(why) => panic!("blocked: {why}"),
        }
    }
}

impl Page {
    fn new(proxy: &Proxy, origin: &'static str) -> Self {
        let client = proxy.client().without("Content-Type").without("Accept");
        Self {
            client: client.with("Origin", origin),
            origin,
            headers: vec![
                ("content-type", "application/json".into()),
                ("accept", "application/json, text/event-stream".into()),
            ],
        }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Section 4.9, CORS-preflight fetch, and 4.10, CORS check.
    async fn fetch(&self, method: &str, path: &str, body: String) -> Fetched {
        let mut unsafe_names: Vec<&str> = self.headers.iter().map(|(name, _)| *name).collect();
        // Section 2.2.2: `accept` is on the safe list, this content type is not.
        unsafe_names.retain(|name| *name != "accept");
        unsafe_names.sort_unstable();
        let asking = self
            .client
            .with("Access-Control-Request-Method", method)
            .with("Access-Control-Request-Headers", &unsafe_names.join(","));
        let reply = asking.send("OPTIONS", path, "").await;
        if !self.may_read(&reply) {
            return Fetched::Blocked("the preflight is not for this page");
        }
        if !(200..300).contains(&reply.status) {
            return Fetched::Blocked("the preflight has no ok status");
        }
        let methods = list(&reply, "access-control-allow-methods");
        let safe = ["GET", "HEAD", "POST"].contains(&method);
        // Methods are compared as they are written.
        if !safe && !methods.iter().any(|allowed| allowed == method) {
            return Fetched::Blocked("the method is not allowed");
        }
        let names = list(&reply, "access-control-allow-headers");
        let allowed = |name: &&str| names.iter().any(|known| known.eq_ignore_ascii_case(name));
        if !unsafe_names.iter().all(allowed) {
            return Fetched::Blocked("a header is not allowed");
        }
        let mut client = self.client.clone();
        for (name, value) in &self.headers {
            client = client.with(name, value);
        }
        let reply = client.send(method, path, body).await;
        if self.may_read(&reply) {
            Fetched::Read(reply)
        } else {
            Fetched::Blocked("the answer is not for this page")
        }
    }

    async fn post(&self, body: String) -> Fetched {
        self.fetch("POST", "/mcp", body).await
    }

    fn may_read(&self, reply: &Reply) -> bool {
        let mut allowed = reply.headers.get_all("access-control-allow-origin").iter();
        let first = allowed.next();
        assert_eq!(reply.header("access-control-allow-credentials"), None);
        allowed.next().is_none() && first.is_some_and(|value| value == self.origin)
    }
}

/// What a script can read of a header (section 2.2.6, CORS-filtered response).
fn exposed<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    let names = list(reply, "access-control-expose-headers");
    let is_exposed = names.iter().any(|known| known.eq_ignore_ascii_case(name));
    is_exposed.then(|| reply.header(name)).flatten()
}

fn list(reply: &Reply, name: &str) -> Vec<String> {
    let value = reply.header(name).unwrap_or_default();
    value
        .split(',')
        .map(|part| part.trim().to_owned())
        .collect()
}

#[tokio::test]
async fn a_named_page_holds_a_whole_conversation() {
    let flags = ["--allow-origin", APP, "--cors-header", "X-Tenant"];
    let proxy = Proxy::start_with(&[("MCP_PROXY_AUTH_TOKEN", TOKEN)], &flags, &[]).await;
    let bearer = format!("Bearer {TOKEN}");
    let page = Page::new(&proxy, APP)
        .with("authorization", &bearer)
        .with("x-tenant", "a");
    let reply = page.post(initialize(LATEST)).await.read();
    let id = exposed(&reply, "mcp-session-id")
        .expect("a script reads the session")
        .to_owned();
    reply.answer().await;
    let page = page
        .with("mcp-session-id", &id)
        .with("mcp-protocol-version", LATEST)
        .with("mcp-method", "tools/call")
        .with("mcp-name", "progress")
        .with("mcp-param-region", "fr-par");
    // A stream is read as an answer is.
    let call =
        json!({ "name": "progress", "arguments": { "n": 2 }, "_meta": { "progressToken": 1 } });
    let reply = page.post(request(1, "tools/call", call)).await.read();
    assert_eq!(reply.stream().rest().await.len(), 3);
    let reply = page.fetch("GET", "/mcp", String::new()).await.read();
    let mut standing = reply.stream();
    standing.event().await.expect("the stream is open");
    let last = standing.last.clone().unwrap_or_default();
    let page = page.with("last-event-id", &last);
    let reply = page.fetch("DELETE", "/mcp", String::new()).await.read();
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn what_goes_wrong_can_be_read_too() {
    let proxy = Proxy::start_with(
        &[("MCP_PROXY_AUTH_TOKEN", TOKEN)],
        &["--allow-origin", APP, "--max-body-size", "4KiB"],
        &[],
    )
    .await;
    let stranger = Page::new(&proxy, APP);
    let reply = stranger.post(initialize(LATEST)).await.read();
    assert!(exposed(&reply, "www-authenticate").is_some_and(|ask| ask.starts_with("Bearer")));
    reply.refused(401).await;
    let page = Page::new(&proxy, APP).with("authorization", &format!("Bearer {TOKEN}"));
    for (method, path, body, status) in [
        ("POST", "/mcp", "{".to_owned(), 400),
        ("POST", "/mcp", "x".repeat(5000), 413),
        ("POST", "/mcp", call(1, "count", json!({})), 400),
        ("DELETE", "/mcp", String::new(), 400),
        ("GET", "/nowhere", String::new(), 404),
        (
            "POST",
            "/messages?session_id=none",
            call(1, "count", json!({})),
            404,
        ),
    ] {
        let reply = page.fetch(method, path, body).await.read();
        assert_eq!(reply.header("vary"), Some("Origin"), "{method} {path}");
        reply.refused(status).await;
    }
    // Also where it is another name that the request was for.
    let elsewhere = Page {
        client: page.client.with("Host", "localhost.evil.example:1"),
        ..Page::new(&proxy, APP)
    };
    let reply = elsewhere.client.send("POST", "/mcp", "").await;
    assert_eq!(
        (reply.status, reply.header("access-control-allow-origin")),
        (403, Some(APP))
    );
    assert_eq!(
        page.fetch("GET", "/status", String::new())
            .await
            .read()
            .status,
        200
    );
}

#[tokio::test]
async fn no_other_page_gets_anything() {
    let proxy = Proxy::start(&["--allow-origin", APP], &[]).await;
    for (origin, status) in [
        ("https://evil.example", 403),
        ("http://app.example", 403),
        ("null", 403),
        // It may call, and was not named: as before, a script sees nothing of the answer.
        ("http://localhost:3000", 405),
    ] {
        let page = Page::new(&proxy, origin);
        let fetched = page.post(initialize(LATEST)).await;
        assert!(matches!(fetched, Fetched::Blocked(_)), "{origin}");
        let asking = page.client.with("Access-Control-Request-Method", "POST");
        let reply = asking.send("OPTIONS", "/mcp", "").await;
        assert_eq!(reply.status, status, "{origin}");
        assert_eq!(
            reply.header("access-control-allow-origin"),
            None,
            "{origin}"
        );
        assert_eq!(reply.header("vary"), Some("Origin"), "{origin}");
    }
    let page = Page::new(&proxy, APP).with("x-unnamed", "1");
    let fetched = page.post(initialize(LATEST)).await;
    assert!(matches!(
        fetched,
        Fetched::Blocked("a header is not allowed")
    ));
    // Where no page was named nothing is said about pages at all.
    let silent = Proxy::start(&[], &[]).await;
    let client = silent.client().with("Origin", "http://localhost:3000");
    let reply = client.post(initialize(LATEST)).await;
    assert_eq!(reply.status, 200);
    let said = reply.headers.keys().map(ToString::to_string);
    let said: Vec<String> = said
        .filter(|name| name.starts_with("access-control"))
        .collect();
    assert!(
        said.is_empty() && reply.header("vary").is_none(),
        "{said:?}"
    );
}

#[tokio::test]
async fn every_page_may_come_where_the_owner_says_so() {
    let proxy = Proxy::start(
        &["--allow-origin", "*", "--expose-header", "Retry-After"],
        &[],
    )
    .await;
    for origin in [APP, "http://other.example:8000"] {
        let reply = Page::new(&proxy, origin)
            .post(initialize(LATEST))
            .await
            .read();
        assert_eq!(
            reply.header("access-control-expose-headers"),
            Some("Mcp-Session-Id, WWW-Authenticate, retry-after")
        );
        let answer: Value = reply.answer().await;
        assert_eq!(answer["result"]["protocolVersion"], LATEST);
    }
}
