//! What went wrong once, at the edges of a child's or a client's life.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use tokio::time::Instant;

use super::{
    client::{call, notification},
    proxy::Proxy,
    session::{LATEST, Session, initialize},
};
use crate::toy::{eventually, runs, within};

/// Until the status page shows what is expected.
async fn shown(proxy: &Proxy, what: &str, field: &str, expected: u64) {
    let client = proxy.client();
    within(what, async {
        while client.status().await[field] != expected {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_crash_beside_a_stubborn_grandchild_does_not_freeze_the_proxy() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    session
        .call("grandchild", json!({ "ignore_term": true }))
        .await;
    session.start("crash", json!({})).await.answer().await;
    // The child takes nothing any more, and its group is not gone for seconds yet. More requests
    // than the proxy has threads used to turn in a circle here.
    let calls: Vec<_> = (0..8)
        .map(|n| {
            let client = session.client.clone();
            tokio::spawn(async move {
                let body = call(format!("c{n}"), "count", json!({}));
                client.post(body).await.answer().await
            })
        })
        .collect();
    within("the door", proxy.client().get("/health")).await;
    for call in calls {
        let answer = within("an answer", call).await.unwrap();
        assert!(answer["result"].is_object(), "{answer}");
    }
}

#[tokio::test]
async fn a_client_that_vanished_during_a_question_does_not_pin_its_child() {
    let proxy = Proxy::start(&["--session-idle-timeout", "1s"], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let child = session.pid().await;
    let mut stream = session
        .start("ask", json!({ "kind": "elicitation" }))
        .await
        .stream();
    stream.message().await;
    drop(stream);
    shown(&proxy, "the session's end", "sessions", 0).await;
    eventually("the child's end", || !runs(child)).await;
}

#[tokio::test]
async fn those_who_wait_for_a_server_wait_once() {
    let proxy = Proxy::start(&["--stateless", "--start-timeout", "1s"], &["--silent"]).await;
    let began = Instant::now();
    let calls: Vec<_> = (0..6)
        .map(|_| {
            let client = proxy.client();
            tokio::spawn(async move { client.post(initialize(LATEST)).await.status })
        })
        .collect();
    for call in calls {
        assert_eq!(within("a refusal", call).await.unwrap(), 503);
    }
    // One wait, and the second in which deadlines are looked at; not six of them.
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn the_place_of_a_child_that_is_stopping_is_waited_for() {
    let proxy = Proxy::start(
        &["--max-children", "1", "--close-wait", "500ms"],
        &["--linger", "300"],
    )
    .await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let second = proxy.client().post(initialize(LATEST)).await;
    second.refused(503).await;
    assert_eq!(session.client.send("DELETE", "/mcp", "").await.status, 200);
    let next = Session::open(&proxy.client(), LATEST).await;
    assert_eq!(next.call("count", json!({})).await, "1");
}

#[tokio::test]
async fn a_cancelled_call_nobody_reads_frees_its_id() {
    let proxy = Proxy::start(&["--silence", "50ms"], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let stream = session
        .post(call("x", "sleep", json!({ "ms": 60_000 })))
        .await
        .stream();
    drop(stream);
    // The stream is known to be unread when the standing one of the same connection count is.
    let cancel = notification("notifications/cancelled", json!({ "requestId": "x" }));
    assert_eq!(session.post(cancel).await.status, 202);
    shown(&proxy, "no call in flight", "calls_in_flight", 0).await;
    let again = session.post(call("x", "count", json!({}))).await;
    assert_eq!(again.answer().await["id"], "x");
}

#[tokio::test]
async fn a_terminal_that_is_closed_stops_the_children() {
    let mut proxy = Proxy::start(&["--close-wait", "200ms"], &["--ignore-eof"]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let child = session.pid().await;
    proxy.signal(Signal::HUP);
    assert_eq!(proxy.exit().await, Some(0));
    assert!(!runs(child));
}

#[tokio::test]
async fn readiness_comes_back_without_anybody_asking() {
    let proxy = Proxy::start(&[], &["--exit-at-start", "3"]).await;
    proxy
        .client()
        .post(initialize(LATEST))
        .await
        .refused(503)
        .await;
    let client = proxy.client();
    within("unready, and ready again", async {
        while client.get("/health/ready").await.status != 503 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        while client.get("/health/ready").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
}
