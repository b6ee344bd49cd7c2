//! A connection breaks, and its client comes back with the last event it has seen.

use serde_json::json;

use super::{
    client::{Stream, call_with_token, steps, text},
    proxy::Proxy,
    session::{LATEST, Session},
};
use crate::toy::within;

/// Reads until so many notifications of progress have come, then cuts the connection.
async fn cut_after(mut stream: Stream, count: usize) -> String {
    let mut messages = Vec::new();
    while messages.len() < count {
        messages.push(stream.message().await);
    }
    assert_eq!(steps(&messages).len(), count, "{messages:?}");
    stream.last.clone().unwrap()
}

#[tokio::test]
async fn a_cut_stream_brings_exactly_the_rest() {
    let proxy = Proxy::start(&[], &[]).await;
    for version in ["2025-06-18", LATEST] {
        let session = Session::open(&proxy.client(), version).await;
        let body = call_with_token("x", "t", "progress", json!({ "n": 12, "ms": 20 }));
        let last = cut_after(session.post(body).await.stream(), 3).await;
        let rest = session.resume(&last).await.stream().rest().await;
        assert_eq!(steps(&rest), (4..=12).collect::<Vec<_>>());
        assert_eq!(rest.len(), 10);
        assert_eq!(rest[9]["id"], "x");
        assert_eq!(text(&rest[9]), "12 steps");
    }
}

#[tokio::test]
async fn a_stream_can_be_cut_again_and_again() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let body = call_with_token(1, 1, "progress", json!({ "n": 9, "ms": 10 }));
    let mut last = cut_after(session.post(body).await.stream(), 2).await;
    for count in [3, 1, 2] {
        last = cut_after(session.resume(&last).await.stream(), count).await;
    }
    let rest = session.resume(&last).await.stream().rest().await;
    assert_eq!(steps(&rest), [9]);
    assert_eq!(rest.len(), 2);
}

#[tokio::test]
async fn what_ended_while_nobody_was_there_is_kept() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let body = call_with_token(1, 1, "progress", json!({ "n": 5, "ms": 50 }));
    let last = cut_after(session.post(body).await.stream(), 1).await;
    // The child has answered: its next answer is here.
    within("the end of the call at the child", async {
        while proxy.client().status().await["children"][0]["calls_in_flight"] != 0 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
    // What was read once can be read again.
    for _ in 0..2 {
        let rest = session.resume(&last).await.stream().rest().await;
        assert_eq!(steps(&rest), [2, 3, 4, 5]);
        assert_eq!(text(&rest[4]), "5 steps");
    }
}

#[tokio::test]
async fn a_stream_can_break_before_anything_was_said() {
    let proxy = Proxy::start(&["--silence", "20ms"], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let mut stream = session
        .start("sleep", json!({ "ms": 1_500 }))
        .await
        .stream();
    let priming = stream.event().await.unwrap();
    assert!(priming.data.is_empty());
    let last = priming.id.unwrap();
    drop(stream);
    let rest = session.resume(&last).await.stream().rest().await;
    assert_eq!(rest.len(), 1);
    assert_eq!(text(&rest[0]), "slept");
}

#[tokio::test]
async fn two_streams_never_mix() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let slow = |id: &str, n: u64| {
        session.post(call_with_token(
            id,
            id,
            "progress",
            json!({ "n": n, "ms": 20 }),
        ))
    };
    let (one, other) = (slow("one", 8).await, slow("other", 6).await);
    let after_one = cut_after(one.stream(), 2).await;
    let after_other = cut_after(other.stream(), 1).await;
    assert_ne!(
        after_one, after_other,
        "an event id names one event of the session"
    );
    let other = session.resume(&after_other).await.stream().rest().await;
    let one = session.resume(&after_one).await.stream().rest().await;
    assert_eq!(steps(&one), (3..=8).collect::<Vec<_>>());
    assert_eq!(steps(&other), (2..=6).collect::<Vec<_>>());
    assert_eq!(one.last().unwrap()["id"], "one");
    assert_eq!(other.last().unwrap()["id"], "other");
    for (id, messages) in [("one", &one), ("other", &other)] {
        let (_, progress) = messages.split_last().unwrap();
        assert!(
            progress
                .iter()
                .all(|message| message["params"]["progressToken"] == id)
        );
    }
}

#[tokio::test]
async fn event_ids_are_used_once_in_a_session() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let mut ids = Vec::new();
    let mut standing = session.listen().await;
    for n in 0..3 {
        let body = call_with_token(n, n, "progress", json!({ "n": 3 }));
        let mut stream = session.post(body).await.stream();
        while let Some(event) = stream.event().await {
            ids.push(event.id.expect("every event has an id"));
        }
        session.call("notify", json!({})).await;
        for _ in 0..3 {
            standing.message().await;
            ids.push(standing.last.clone().unwrap());
        }
    }
    let count = ids.len();
    assert_eq!(count, 3 * (5 + 3));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[tokio::test]
async fn the_standing_stream_has_one_reader_and_is_taken_over_by_who_knows_it() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let mut first = session.listen().await;
    let priming = first.event().await.unwrap().id.unwrap();
    session.client.get("/mcp").await.refused(409).await;
    session.call("notify", json!({})).await;
    let heard = first.message().await;
    assert_eq!(heard["method"], "notifications/tools/list_changed");
    let last = first.last.clone().unwrap();

    let mut second = session.resume(&last).await.stream();
    // The two that were on their way may have been read by either; the second reader has them all.
    assert_eq!(
        second.message().await["method"],
        "notifications/resources/list_changed"
    );
    assert_eq!(
        second.message().await["method"],
        "notifications/prompts/list_changed"
    );
    first.rest().await;

    // From the beginning it is all there, and nothing twice.
    let mut third = session.resume(&priming).await.stream();
    for list in ["tools", "resources", "prompts"] {
        let method = format!("notifications/{list}/list_changed");
        assert_eq!(third.message().await["method"], method);
    }
    session
        .call("notify", json!({ "uri": "toy://greeting", "force": true }))
        .await;
    assert_eq!(
        third.message().await["method"],
        "notifications/resources/updated"
    );
    second.rest().await;
}

#[tokio::test]
async fn what_is_no_longer_kept_is_said_to_be_gone() {
    let proxy = Proxy::start(&["--replay-bytes", "1KiB"], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let body = call_with_token(1, 1, "progress", json!({ "n": 50 }));
    let mut stream = session.post(body).await.stream();
    stream.message().await;
    let early = stream.last.clone().unwrap();
    let mut late = early.clone();
    while stream.next().await.is_some() {
        late.clone_from(stream.last.as_ref().unwrap());
    }
    session.resume(&early).await.refused(400).await;
    // The last event was read, so nothing is missing after it.
    assert!(session.resume(&late).await.stream().rest().await.is_empty());
    for foreign in ["", "x", "77-1", "1", "1-2-3"] {
        session.resume(foreign).await.refused(400).await;
    }
}

#[tokio::test]
async fn another_session_cannot_resume_a_stream() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let other = Session::open(&proxy.client(), LATEST).await;
    let body = call_with_token(1, 1, "progress", json!({ "n": 3 }));
    let mut stream = session.post(body).await.stream();
    stream.message().await;
    let last = stream.last.clone().unwrap();
    other.resume(&last).await.refused(400).await;
}
