//! How an HTTP+SSE session ends: with its connection, by a client that does not read, and with the
//! proxy. And what keeps it until then.

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    client::{call, request, text},
    http_sse::{Connection, versions},
    proxy::Proxy,
    session::{LATEST, initialize},
};
use crate::toy::{eventually, runs, within};

/// Waits until `/status` says this.
async fn status_says(proxy: &Proxy, what: &str, value: u64) {
    within(what, async {
        while proxy.client().status().await[what] != value {
            sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_end_of_the_connection_is_the_end_of_the_session() {
    let proxy = Proxy::start(&[], &[]).await;
    for version in versions() {
        let mut connection = Connection::open(&proxy.client(), version).await;
        let child = connection.pid().await;
        connection.say(call("x", "hang", json!({}))).await;
        status_says(&proxy, "calls_in_flight", 1).await;
        let Connection {
            client,
            stream,
            endpoint,
            ..
        } = connection;
        drop(stream);
        status_says(&proxy, "sessions", 0).await;
        status_says(&proxy, "calls_in_flight", 0).await;
        eventually("the child has ended", || !runs(child)).await;
        let reply = client
            .send("POST", &endpoint, request(1, "ping", json!({})))
            .await;
        assert_eq!(reply.refused(404).await["code"], -32001, "{version}");
    }
}

#[tokio::test]
async fn a_shared_child_hears_that_the_calls_of_a_broken_connection_are_off() {
    let proxy = Proxy::start(&["--child-mode", "shared"], &[]).await;
    let mut staying = Connection::open(&proxy.client(), LATEST).await;
    let leaving = Connection::open(&proxy.client(), LATEST).await;
    leaving.say(call("x", "hang", json!({}))).await;
    status_says(&proxy, "calls_in_flight", 1).await;
    drop(leaving);
    status_says(&proxy, "sessions", 1).await;
    let cancelled = staying.call("cancelled", json!({})).await;
    let ids: Vec<Value> = serde_json::from_str(&cancelled).unwrap();
    assert_eq!(ids.len(), 1, "{cancelled}");
}

#[tokio::test]
async fn a_slow_reader_loses_its_session_and_nobody_else_waits() {
    let proxy = Proxy::start(&["--outlet-bytes", "1MiB"], &[]).await;
    let mut slow = Connection::open(&proxy.client(), LATEST).await;
    let mut other = Connection::open(&proxy.client(), LATEST).await;
    let child = slow.pid().await;
    slow.say(call("hanging", "hang", json!({}))).await;
    // More than the socket and the outlet hold together.
    const ANSWERS: u64 = 24;
    for n in 0..ANSWERS {
        let body = call(n, "size", json!({ "bytes": 2_000_000 }));
        // Once the session has ended the rest is refused.
        if slow.post(body).await.status != 202 {
            break;
        }
    }
    proxy.says("was not read fast enough").await;
    status_says(&proxy, "sessions", 1).await;
    eventually("its child has ended", || !runs(child)).await;
    slow.post(request(1, "ping", json!({})))
        .await
        .refused(404)
        .await;
    assert_eq!(other.call("count", json!({})).await, "1");
    // The client reads on: what was under way arrives whole, and the end is visible.
    let messages = slow.stream.rest().await;
    let answered = messages
        .iter()
        .filter(|message| message["result"].is_object());
    assert!((answered.count() as u64) < ANSWERS);
    let lost = messages.iter().find(|message| message["id"] == "hanging");
    assert!(lost.is_some_and(|lost| lost["error"].is_object()));
}

#[tokio::test]
async fn connections_count_among_the_sessions() {
    let proxy = Proxy::start(&["--max-sessions", "1"], &[]).await;
    let client = proxy.client();
    let connection = Connection::open(&client, LATEST).await;
    assert_eq!(client.status().await["sessions"], 1);
    for reply in [
        client.get("/sse").await,
        client.post(initialize(LATEST)).await,
    ] {
        assert!(reply.header("retry-after").is_some());
        reply.refused(503).await;
    }
    drop(connection);
    status_says(&proxy, "sessions", 0).await;
    let mut next = Connection::open(&client, LATEST).await;
    assert_eq!(next.call("count", json!({})).await, "1");
}

#[tokio::test]
async fn a_silent_stream_shows_signs_of_life_and_is_not_unused() {
    let flags = ["--keep-alive", "1s", "--session-idle-timeout", "1s"];
    let proxy = Proxy::start(&flags, &[]).await;
    let mut connection = Connection::open(&proxy.client(), LATEST).await;
    for _ in 0..3 {
        connection.stream.comment().await;
    }
    assert_eq!(connection.call("count", json!({})).await, "1");
}

#[tokio::test]
async fn a_drain_answers_what_runs_refuses_what_is_new_and_closes_the_stream() {
    let mut proxy = Proxy::start(&[], &[]).await;
    let mut connection = Connection::open(&proxy.client(), LATEST).await;
    let child = connection.pid().await;
    connection
        .say(call("x", "sleep", json!({ "ms": 4_000 })))
        .await;
    status_says(&proxy, "calls_in_flight", 1).await;
    proxy.signal(Signal::TERM);
    proxy.says("stopping").await;
    proxy.client().get("/sse").await.refused(503).await;
    connection.say(request("new", "ping", json!({}))).await;
    let refused = connection.stream.message().await;
    assert_eq!(refused["id"], "new");
    assert_eq!(refused["error"]["data"]["retry"], "safe");
    assert_eq!(text(&connection.stream.message().await), "slept");
    assert_eq!(connection.stream.next().await, None);
    assert_eq!(proxy.exit().await, Some(0));
    assert!(!runs(child));
}
