//! The page a monitor reads: every call is on it, under the outcome it had.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::client::{Client, call, notification};
use super::proxy::Proxy;
use super::session::{LATEST, Session};
use super::stateless;
use crate::toy::within;

/// The page, held to the text format: series by name and labels.
pub(super) struct Page(BTreeMap<String, f64>);

impl Page {
    pub(super) async fn of(client: &Client) -> Self {
        let reply = client.get("/metrics").await;
        assert_eq!(reply.status, 200);
        let kind = reply.header("content-type").unwrap();
        assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
        Self::parse(&reply.text().await)
    }

    /// What `promtool check metrics` looks at: each family has its HELP and its TYPE before its
    /// samples and once, stands in one piece, no series is there twice, and counters end in `_total`.
    fn parse(text: &str) -> Self {
        let mut series = BTreeMap::new();
        let (mut helped, mut families) = (BTreeSet::new(), BTreeMap::new());
        let mut family = String::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, sentence) = help.split_once(' ').unwrap();
                assert!(helped.insert(name.to_owned()), "twice: {line}");
                assert!(sentence.ends_with('.'), "{line}");
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                assert!(helped.contains(name), "no HELP before {line}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                let twice = families.insert(name.to_owned(), kind.to_owned());
                assert_eq!(twice, None, "{line}");
                family = name.to_owned();
            } else {
                let (key, value) = line.rsplit_once(' ').unwrap();
                let name = key.split('{').next().unwrap();
                let part = name
                    .strip_prefix(&family)
                    .unwrap_or_else(|| panic!("outside its family: {line}"));
                let histogram = families[&family] == "histogram";
                let parts = if histogram {
                    &["_bucket", "_sum", "_count"][..]
                } else {
                    &[""]
                };
                assert!(parts.contains(&part), "{line}");
                let value = value
                    .parse()
                    .unwrap_or_else(|_| panic!("no number: {line}"));
                assert_eq!(series.insert(key.to_owned(), value), None, "twice: {line}");
            }
        }
        Self(series)
    }

    /// The sum of all series of this name that have these labels.
    fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |key: &str| {
            key.split('{').next() == Some(name)
                && labels
                    .iter()
                    .all(|(label, value)| key.contains(&format!(r#"{label}="{value}""#)))
        };
        let found: Vec<f64> = self
            .0
            .iter()
            .filter(|(key, _)| has(key))
            .map(|(_, value)| *value)
            .collect();
        found.iter().sum::<f64>() + 0.0
    }

    pub(super) fn calls(&self, method: &str, outcome: &str, era: &str) -> f64 {
        let labels = [
            ("server", "mcp-toy"),
            ("method", method),
            ("outcome", outcome),
            ("era", era),
        ];
        self.sum("mcp_proxy_calls_total", &labels)
    }
}

/// Waits until a page says so.
async fn until(client: &Client, what: &str, says: impl Fn(&Page) -> bool) -> Page {
    within(what, async {
        loop {
            let page = Page::of(client).await;
            if says(&page) {
                return page;
            }
        }
    })
    .await
}

#[tokio::test]
async fn every_outcome_of_a_call_is_counted_in_both_eras() {
    let proxy = Proxy::start(&["--silence", "20ms"], &["--era", "dual"]).await;
    let client = proxy.client();
    let session = Session::open(&client, LATEST).await;
    session.call("echo", json!({ "text": "x" })).await;
    session.call("echo", json!({ "text": "x" })).await;
    session.start("error", json!({})).await.answer().await;
    session.request("vendor/{thing}", json!({})).await;
    let asleep = session
        .post(call("mine", "sleep", json!({ "ms": 60_000 })))
        .await
        .stream();
    let page = Page::of(&client).await;
    assert_eq!(page.sum("mcp_proxy_calls_in_flight", &[]), 1.0);
    assert_eq!(
        page.sum("mcp_proxy_sessions", &[("server", "mcp-toy")]),
        1.0
    );
    let notice = notification("notifications/cancelled", json!({ "requestId": "mine" }));
    assert_eq!(session.post(notice).await.status, 202);
    asleep.rest().await;
    session.start("crash", json!({})).await.answer().await;
    assert_eq!(session.call("count", json!({})).await, "1", "another child");

    stateless::tool(&proxy, 1, "echo", json!({ "text": "x" }))
        .await
        .answer()
        .await;
    stateless::tool(&proxy, 2, "error", json!({}))
        .await
        .answer()
        .await;

    let page = Page::of(&client).await;
    for (method, outcome, era, count) in [
        ("initialize", "result", "legacy", 1.0),
        ("tools/call", "result", "legacy", 3.0),
        ("tools/call", "error", "legacy", 1.0),
        ("tools/call", "cancelled", "legacy", 1.0),
        ("tools/call", "lost", "legacy", 1.0),
        ("other", "error", "legacy", 1.0),
        ("tools/call", "result", "modern", 1.0),
        ("tools/call", "error", "modern", 1.0),
    ] {
        assert_eq!(
            page.calls(method, outcome, era),
            count,
            "{method} {outcome} {era}"
        );
    }
    assert_eq!(page.sum("mcp_proxy_calls_total", &[]), 10.0, "{:?}", page.0);
    assert_eq!(page.sum("mcp_proxy_calls_in_flight", &[]), 0.0);
    assert_eq!(
        page.sum("mcp_proxy_call_seconds_count", &[("era", "legacy")]),
        8.0
    );
    assert_eq!(
        page.sum("mcp_proxy_call_seconds_count", &[("era", "modern")]),
        2.0
    );
    let bucket = [("era", "modern"), ("le", "+Inf")];
    assert_eq!(page.sum("mcp_proxy_call_seconds_bucket", &bucket), 2.0);
}

#[tokio::test]
async fn processes_are_counted_measured_and_missed() {
    let proxy = Proxy::start(&[], &[]).await;
    let client = proxy.client();
    let page = Page::of(&client).await;
    assert_eq!(
        page.sum(
            "mcp_proxy_build_info",
            &[("version", env!("CARGO_PKG_VERSION"))]
        ),
        1.0
    );
    assert_eq!(page.sum("mcp_proxy_children", &[]), 0.0);
    assert!(page.sum("process_resident_memory_bytes", &[]) > 1e6);
    assert!(page.sum("process_open_fds", &[]) > 3.0);

    let state = |page: &Page, state| page.sum("mcp_proxy_server_state", &[("state", state)]);
    assert_eq!((state(&page, "ready"), state(&page, "failed")), (1.0, 0.0));

    let session = Session::open(&client, LATEST).await;
    session
        .call("garbage", json!({ "kind": "banner", "n": 3 }))
        .await;
    let shown = page.sum("mcp_proxy_stderr_dropped_lines_total", &[]);
    assert_eq!(shown, 0.0);
    session.call("stderr", json!({ "lines": 1_000 })).await;
    until(&client, "lines nobody was shown", |page| {
        // Two hundred at once, and what comes back meanwhile.
        let dropped = page.sum(
            "mcp_proxy_stderr_dropped_lines_total",
            &[("server", "mcp-toy")],
        );
        (500.0..=800.0).contains(&dropped)
    })
    .await;
    session.call("size", json!({ "bytes": 100_000 })).await;
    let page = Page::of(&client).await;
    assert_eq!(page.sum("mcp_proxy_child_starts_total", &[]), 1.0);
    assert_eq!(page.sum("mcp_proxy_children", &[("state", "running")]), 1.0);
    assert_eq!(page.sum("mcp_proxy_garbage_lines_total", &[]), 3.0);
    assert!(page.sum("mcp_proxy_child_rss_bytes", &[("server", "mcp-toy")]) > 1e5);
    let read = page.sum("mcp_proxy_bytes_total", &[("direction", "from_server")]);
    assert!(read > 100_000.0, "{read}");
    assert!(page.sum("mcp_proxy_bytes_total", &[("direction", "to_server")]) > 100.0);

    session.start("crash", json!({})).await.answer().await;
    session.call("count", json!({})).await;
    assert_eq!(session.client.send("DELETE", "/mcp", "").await.status, 200);
    let page = until(&client, "the end of both children", |page| {
        page.sum("mcp_proxy_child_exits_total", &[]) == 2.0
    })
    .await;
    assert_eq!(
        page.sum("mcp_proxy_child_exits_total", &[("reason", "died")]),
        1.0
    );
    assert_eq!(
        page.sum("mcp_proxy_child_exits_total", &[("reason", "stopped")]),
        1.0
    );
    assert_eq!(page.sum("mcp_proxy_child_restarts_total", &[]), 1.0);
    assert_eq!(page.sum("mcp_proxy_child_starts_total", &[]), 2.0);
    assert_eq!(page.sum("mcp_proxy_sessions", &[]), 0.0);
    let later = page.sum("mcp_proxy_bytes_total", &[("direction", "from_server")]);
    assert!(
        later > read,
        "what the dead have said still counts: {read}, then {later}"
    );
}

#[tokio::test]
async fn what_was_refused_is_counted_by_reason() {
    const TOKEN: &str = "correct-horse-battery-staple";
    let env = [("MCP_PROXY_AUTH_TOKEN", TOKEN)];
    let proxy = Proxy::start_with(
        &env,
        &["--max-children", "1", "--max-body-size", "2KiB"],
        &[],
    )
    .await;
    let client = proxy.client();
    client.post("{}").await.refused(401).await;
    client
        .with("Host", "evil.example")
        .post("{}")
        .await
        .refused(403)
        .await;
    client
        .with("Origin", "https://evil.example")
        .post("{}")
        .await
        .refused(403)
        .await;
    let trusted = client.with("Authorization", &format!("Bearer {TOKEN}"));
    trusted.post("x".repeat(3000)).await.refused(413).await;
    let _only = Session::open(&trusted, LATEST).await;
    trusted
        .post(super::session::initialize(LATEST))
        .await
        .refused(503)
        .await;

    // No token for the page, and no trace of one on it.
    let page = Page::of(&client.with("Host", "10.0.0.1")).await;
    for kind in ["unauthorized", "host", "origin"] {
        assert_eq!(
            page.sum("mcp_proxy_refusals_total", &[("kind", kind)]),
            1.0,
            "{kind}"
        );
    }
    let decisions = |outcome| page.sum("mcp_proxy_auth_decisions_total", &[("outcome", outcome)]);
    assert_eq!(decisions("refused"), 1.0);
    assert_eq!(
        decisions("allowed"),
        5.0,
        "four with the token, and this page"
    );
    for kind in ["body", "children"] {
        assert_eq!(
            page.sum("mcp_proxy_budget_refusals_total", &[("kind", kind)]),
            1.0,
            "{kind}"
        );
    }
    assert!(!page.0.keys().any(|key| key.contains("correct-horse")));
}

#[tokio::test]
async fn a_server_that_starts_and_one_that_fails_are_seen_in_their_states() {
    let proxy = Proxy::start(&["--eager"], &["--start-delay", "60000"]).await;
    let client = proxy.client();
    until(&client, "a starting child", |page| {
        page.sum("mcp_proxy_children", &[("state", "starting")]) == 1.0
            && page.sum("mcp_proxy_children", &[("state", "running")]) == 0.0
    })
    .await;
    let proxy = Proxy::start(&["--eager"], &["--exit-at-start", "1"]).await;
    let client = proxy.client();
    client
        .post(super::session::initialize(LATEST))
        .await
        .bytes()
        .await;
    let page = until(&client, "a pause", |page| {
        page.sum("mcp_proxy_server_state", &[("state", "backoff")]) == 1.0
    })
    .await;
    assert_eq!(
        page.sum("mcp_proxy_server_state", &[]),
        1.0,
        "one at a time"
    );
}

#[tokio::test]
async fn a_standing_stream_nobody_reads_is_told_of_and_counted_when_it_overflows() {
    let proxy = Proxy::start(&["--outlet-bytes", "2KiB", "--child-mode", "shared"], &[]).await;
    let _one = Session::open(&proxy.client(), LATEST).await;
    let other = Session::open(&proxy.client(), LATEST).await;
    // News for everybody, and nobody listens.
    for _ in 0..20 {
        other.call("notify", json!({})).await;
    }
    let warning = proxy.says("nobody reads a stream").await;
    assert!(
        warning.contains("server=mcp-toy") && warning.contains("child=1"),
        "{warning}"
    );
    let page = Page::of(&proxy.client()).await;
    let refused = |kind| page.sum("mcp_proxy_budget_refusals_total", &[("kind", kind)]);
    assert_eq!((refused("unread"), refused("outlet")), (2.0, 0.0));
}

#[tokio::test]
async fn a_session_of_somebody_else_and_a_tool_nobody_has_are_refusals() {
    let env = [(
        "MCP_PROXY_AUTH_TOKENS",
        "alice:alice-s-own-token,bob:bob-s-own-token",
    )];
    let proxy = Proxy::start_with(&env, &["--deny-tool", "crash"], &[]).await;
    let client = proxy
        .client()
        .with("Authorization", "Bearer alice-s-own-token");
    let session = Session::open(&client, LATEST).await;
    session.start("crash", json!({})).await.answer().await;
    let bob = session
        .client
        .with("Authorization", "Bearer bob-s-own-token");
    bob.post(call(1, "count", json!({})))
        .await
        .refused(404)
        .await;
    let page = Page::of(&proxy.client()).await;
    for kind in ["session", "tool"] {
        assert_eq!(
            page.sum("mcp_proxy_refusals_total", &[("kind", kind)]),
            1.0,
            "{kind}"
        );
    }
}
