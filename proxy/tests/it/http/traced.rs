//! Trace context: from a request's headers into the `_meta` its server reads, and into the audit log.

use serde_json::{Value, json};

use super::client::{call, request, text};
use super::http_sse::Connection;
use super::proxy::Proxy;
use super::session::{LATEST, Session};
use super::stateless;
use crate::toy::eventually;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// The `_meta` of the last line the server has read, this question.
fn meta(answer: &Value) -> Value {
    let seen: Vec<String> = serde_json::from_str(text(answer)).unwrap();
    let last: Value = serde_json::from_str(seen.last().unwrap()).unwrap();
    last["params"]["_meta"].clone()
}

#[tokio::test]
async fn a_trace_reaches_the_server_in_every_transport_and_the_audit_log() {
    let proxy = Proxy::start(&["--audit", "-"], &["--era", "dual"]).await;
    let traced = |client: super::client::Client| {
        client
            .with("traceparent", PARENT)
            .with("tracestate", "rojo=00f067aa0ba902b7")
            .with("baggage", "user=alice")
    };
    let expected = |meta: &Value, what: &str| {
        assert_eq!(meta["traceparent"], PARENT, "{what}");
        assert_eq!(meta["tracestate"], "rojo=00f067aa0ba902b7", "{what}");
        assert_eq!(meta["baggage"], "user=alice", "{what}");
    };
    let session = Session::open(&traced(proxy.client()), LATEST).await;
    let answer = session.start("seen", json!({})).await.answer().await;
    expected(&meta(&answer), "sessions");

    let message = stateless::whole(
        json!(1),
        "tools/call",
        json!({ "name": "seen", "arguments": {} }),
    );
    let client = stateless::headers(&traced(proxy.client()), &message);
    let answer = client.post(&message).await.answer().await;
    let seen = meta(&answer);
    expected(&seen, "2026-07-28");
    assert!(
        seen["io.modelcontextprotocol/clientCapabilities"].is_object(),
        "{seen}"
    );

    let mut connection = Connection::open(&traced(proxy.client()), LATEST).await;
    connection.say(call(1, "seen", json!({}))).await;
    expected(&meta(&connection.stream.message().await), "HTTP+SSE");

    // Each of them is found again by its trace.
    let audited = || {
        let said = proxy.said();
        let lines = said
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines
            .filter(|line| line["name"] == "seen" && line["trace"] == TRACE)
            .count()
    };
    eventually("three lines with the trace", || audited() == 3).await;
}

#[tokio::test]
async fn what_the_client_wrote_itself_wins_and_what_is_malformed_is_no_fault() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let own = json!({ "traceparent": "its own words", "k": 1 });
    let body = request(
        7,
        "tools/call",
        json!({ "name": "seen", "arguments": {}, "_meta": own }),
    );
    let client = session
        .client
        .with("traceparent", PARENT)
        .with("tracestate", "a=1");
    assert_eq!(meta(&client.post(body).await.answer().await), own);
    for broken in ["00-0-0-0", "\u{e9}", ""] {
        let client = session
            .client
            .with("traceparent", broken)
            .with("baggage", "a=\"");
        let answer = client.post(call(8, "seen", json!({}))).await.answer().await;
        assert_eq!(meta(&answer), Value::Null, "{broken:?}");
    }
    // A server that is started for the session again is told of no trace that is over.
    let traced = Session::open(&proxy.client().with("traceparent", PARENT), LATEST).await;
    traced.start("crash", json!({})).await.answer().await;
    let untraced = traced.client.without("traceparent");
    let answer = untraced
        .post(call(9, "seen", json!({})))
        .await
        .answer()
        .await;
    assert!(!text(&answer).contains(TRACE), "{answer}");
}
