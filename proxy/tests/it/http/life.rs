//! A session from its first request to its last, and what is refused outside of one.

use serde_json::json;

use super::{
    client::{call, request, text},
    proxy::Proxy,
    session::{LATEST, Session, VERSIONS, initialize},
};

#[tokio::test]
async fn a_session_lives_from_initialize_to_delete() {
    let proxy = Proxy::start(&[], &[]).await;
    for version in VERSIONS {
        let session = Session::open(&proxy.client(), version).await;
        assert!(
            session.id.bytes().all(|byte| (0x21..=0x7e).contains(&byte)),
            "{:?}",
            session.id
        );
        assert_eq!(
            session.call("echo", json!({ "text": version })).await,
            version
        );

        assert_eq!(session.client.send("DELETE", "/mcp", "").await.status, 200);
        session
            .post(call(1, "echo", json!({})))
            .await
            .refused(404)
            .await;
        session.client.get("/mcp").await.refused(404).await;
        let again = session.client.send("DELETE", "/mcp", "").await;
        again.refused(404).await;
    }
}

#[tokio::test]
async fn two_sessions_have_a_child_each() {
    let proxy = Proxy::start(&[], &[]).await;
    let one = Session::open(&proxy.client(), LATEST).await;
    let other = Session::open(&proxy.client(), LATEST).await;
    assert_ne!(one.id, other.id);
    assert_ne!(one.pid().await, other.pid().await);
    assert_eq!(one.call("count", json!({})).await, "1");
    assert_eq!(other.call("count", json!({})).await, "1");
}

#[tokio::test]
async fn an_older_server_has_the_last_word_on_the_version() {
    let proxy = Proxy::start(&[], &["--only-version", "2025-03-26"]).await;
    let (session, answer) = Session::greet(&proxy.client(), LATEST).await;
    assert_eq!(answer["result"]["protocolVersion"], "2025-03-26");
    let client = session.client.without("MCP-Protocol-Version");
    let reply = client
        .post(call(1, "echo", json!({ "text": "fine" })))
        .await;
    assert_eq!(text(&reply.json().await), "fine");
}

#[tokio::test]
async fn requests_outside_a_session_are_told_what_is_missing() {
    let proxy = Proxy::start(&[], &[]).await;
    let client = proxy.client();
    let ping = request(1, "ping", json!({}));
    let error = client.post(&ping).await.refused(400).await;
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("Mcp-Session-Id")
    );
    let stranger = client.with("Mcp-Session-Id", "0123456789abcdef0123456789abcdef");
    stranger.post(&ping).await.refused(404).await;
    stranger.post(initialize(LATEST)).await.refused(404).await;
    client.get("/mcp").await.refused(400).await;
    client.send("DELETE", "/mcp", "").await.refused(400).await;
}

#[tokio::test]
async fn initialize_is_said_once_in_a_session() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    session.post(initialize(LATEST)).await.refused(400).await;
    assert_eq!(session.call("count", json!({})).await, "1", "it lives on");
}

#[tokio::test]
async fn unknown_versions_in_the_header_are_refused() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let client = session.client.with("MCP-Protocol-Version", "1999-01-01");
    client
        .post(call(1, "count", json!({})))
        .await
        .refused(400)
        .await;
    client.get("/mcp").await.refused(400).await;
    assert_eq!(session.call("count", json!({})).await, "1");
}

/// Rule 1.
#[tokio::test]
async fn a_claim_of_2026_07_28_outside_a_session_is_served_and_inside_the_session_wins() {
    let proxy = Proxy::start(&[], &[]).await;
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let claiming = request(7, "tools/list", json!({ "_meta": meta }));
    let header = proxy
        .client()
        .with("MCP-Protocol-Version", "2026-07-28")
        .with("Mcp-Method", "tools/list");
    let answer = header.post(&claiming).await.json().await;
    assert_eq!(answer["id"], 7);
    assert_eq!(answer["result"]["resultType"], "complete", "{answer}");
    // A widely used connector sends the claim in a session too; the session wins.
    let session = Session::open(&proxy.client(), LATEST).await;
    let answer = session.post(&claiming).await.json().await;
    assert!(answer["result"]["tools"].is_array(), "{answer}");
    let answer = session
        .client
        .without("MCP-Protocol-Version")
        .post(&claiming)
        .await;
    assert!(answer.json().await["result"]["tools"].is_array());
}
