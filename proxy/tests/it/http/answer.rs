//! JSON or a stream (rule 7): what comes first decides.

use serde_json::json;

use super::{
    client::{call, call_with_token, steps, text},
    proxy::Proxy,
    session::{LATEST, Session, VERSIONS},
};

#[tokio::test]
async fn an_answer_that_comes_first_is_json_with_its_length() {
    let proxy = Proxy::start(&[], &[]).await;
    for version in VERSIONS {
        let session = Session::open(&proxy.client(), version).await;
        for bytes in [0, 100, 1_000_000] {
            let reply = session.start("size", json!({ "bytes": bytes })).await;
            assert_eq!(reply.status, 200);
            assert_eq!(reply.header("content-type"), Some("application/json"));
            let length: usize = reply.header("content-length").unwrap().parse().unwrap();
            let body = reply.bytes().await;
            assert_eq!(body.len(), length);
            assert!(length > bytes);
        }
    }
}

#[tokio::test]
async fn a_notification_that_comes_first_makes_it_a_stream() {
    let proxy = Proxy::start(&[], &[]).await;
    for version in VERSIONS {
        let session = Session::open(&proxy.client(), version).await;
        let reply = session
            .post(call_with_token("a", "t", "progress", json!({ "n": 3 })))
            .await;
        let messages = reply.stream().rest().await;
        assert_eq!(steps(&messages), [1, 2, 3], "{version}");
        assert!(
            messages[..3]
                .iter()
                .all(|message| message["params"]["progressToken"] == "t"),
            "{messages:?}"
        );
        assert_eq!(messages.len(), 4);
        assert_eq!(messages[3]["id"], "a");
        assert_eq!(text(&messages[3]), "3 steps");
    }
}

/// Older clients choke on an event without data, so only 2025-11-25 gets one.
#[tokio::test]
async fn a_stream_begins_with_something_to_come_back_with_where_clients_know_it() {
    let proxy = Proxy::start(&[], &[]).await;
    for version in VERSIONS {
        let session = Session::open(&proxy.client(), version).await;
        let body = call_with_token(1, 1, "progress", json!({ "n": 1 }));
        let mut posted = session.post(body).await.stream();
        let first = posted.event().await.unwrap();
        assert!(first.id.is_some());
        let primes = version == LATEST;
        assert_eq!(first.data.is_empty(), primes, "{version}: {first:?}");
        assert_eq!(first.retry.is_some(), primes, "{version}: {first:?}");
        assert_eq!(posted.rest().await.len(), if primes { 2 } else { 1 });

        // The same on the standing stream, where an older client hears the first change first.
        let mut standing = session.listen().await;
        assert_eq!(session.call("notify", json!({})).await, "changed");
        let first = standing.event().await.unwrap();
        assert_eq!(first.data.is_empty(), primes, "{version}: {first:?}");
    }
}

#[tokio::test]
async fn silence_makes_it_a_stream_too() {
    let proxy = Proxy::start(&["--silence", "500ms", "--keep-alive", "1s"], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let reply = session.start("sleep", json!({ "ms": 2_500 })).await;
    let mut stream = reply.stream();
    assert!(stream.event().await.unwrap().data.is_empty());
    let answer = stream.message().await;
    assert_eq!(text(&answer), "slept");
    assert_eq!(stream.next().await, None);
    // What answers before the silence is over stays JSON.
    assert!(!session.post(call(9, "count", json!({}))).await.is_stream());
}

#[tokio::test]
async fn a_hundred_notifications_come_before_the_answer_in_order() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    for round in 0..5 {
        let body = call_with_token(round, round, "progress", json!({ "n": 100 }));
        let messages = session.post(body).await.stream().rest().await;
        assert_eq!(steps(&messages), (1..=100).collect::<Vec<_>>());
        assert_eq!(messages.len(), 101);
        assert_eq!(text(&messages[100]), "100 steps");
    }
}

#[tokio::test]
async fn a_token_nobody_gave_brings_no_progress() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let answer = session.start("progress", json!({})).await.json().await;
    assert_eq!(text(&answer), "no progress token was given");
}
