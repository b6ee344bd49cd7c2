//! The proxy is told to stop: what runs is answered, and nothing is left behind.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use super::{
    client::{call, request, text},
    proxy::Proxy,
    session::{LATEST, Session},
};
use crate::toy::{eventually, runs, within};

/// Idle means: no call to wait for, so only closing is left to do.
const IDLE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_call_is_answered_before_the_end() {
    let mut proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let child = session.pid().await;
    let grandchild: u32 = session.call("grandchild", json!({})).await.parse().unwrap();
    let client = session.client.clone();
    let sleeping = tokio::spawn(async move {
        client
            .post(call("x", "sleep", json!({ "ms": 2_000 })))
            .await
            .answer()
            .await
    });
    within("the call in flight", async {
        while proxy.client().status().await["calls_in_flight"] != 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    proxy.signal(Signal::TERM);
    proxy.says("stopping").await;
    // Nothing new is taken meanwhile, and monitors are told.
    let refused = session.post(request(1, "ping", json!({}))).await;
    assert!(refused.header("retry-after").is_some());
    refused.refused(503).await;
    let unready = proxy.client().get("/health/ready").await;
    assert_eq!(unready.status, 503);
    let told = unready.json().await;
    assert!(told["reason"].as_str().unwrap().contains("shutting down"));
    assert_eq!(proxy.client().get("/health/live").await.status, 200);
    let answer = within("the answer", sleeping).await.unwrap();
    assert_eq!(text(&answer), "slept");
    assert_eq!(proxy.exit().await, Some(0));
    assert!(!runs(child) && !runs(grandchild));
}

#[tokio::test]
async fn open_streams_do_not_hold_it_up() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut proxy = Proxy::start(&[], &[]).await;
        let mut children = Vec::new();
        let mut streams = Vec::new();
        for _ in 0..3 {
            let session = Session::open(&proxy.client(), LATEST).await;
            children.push(session.pid().await);
            streams.push(session.listen().await);
        }
        proxy.signal(signal);
        assert_eq!(proxy.exit_within(IDLE).await, Some(0));
        for stream in streams {
            assert!(stream.rest().await.is_empty());
        }
        assert!(children.into_iter().all(|child| !runs(child)));
    }
}

#[tokio::test]
async fn a_drain_has_an_end() {
    let mut proxy = Proxy::start(&["--drain-timeout", "300ms"], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let child = session.pid().await;
    let client = session.client.clone();
    let sleeping = tokio::spawn(async move {
        client
            .post(call("x", "sleep", json!({ "ms": 60_000 })))
            .await
            .answer()
            .await
    });
    within("the call in flight", async {
        while proxy.client().status().await["calls_in_flight"] != 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    proxy.signal(Signal::TERM);
    let answer = within("the answer", sleeping).await.unwrap();
    assert!(
        answer["error"].is_object(),
        "a lost call is told so: {answer}"
    );
    assert_eq!(proxy.exit().await, Some(0));
    assert!(!runs(child));
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut proxy = Proxy::start(&["--drain-timeout", "1h"], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let child = session.pid().await;
    let client = session.client.clone();
    let sleeping = tokio::spawn(async move {
        let _cut = client
            .post(call("x", "sleep", json!({ "ms": 600_000 })))
            .await;
    });
    within("the call in flight", async {
        while proxy.client().status().await["calls_in_flight"] != 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    proxy.signal(Signal::TERM);
    proxy.says("stopping").await;
    proxy.signal(Signal::TERM);
    proxy.exit_within(IDLE).await;
    eventually("the child has ended", || !runs(child)).await;
    sleeping.abort();
}

#[tokio::test]
async fn a_stubborn_child_is_stopped_all_the_same() {
    let ladder = ["--close-wait", "100ms", "--term-wait", "100ms"];
    let mut proxy = Proxy::start(&ladder, &["--stubborn"]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let child = session.pid().await;
    let grandchild = session
        .call("grandchild", json!({ "ignore_term": true }))
        .await;
    let grandchild: u32 = grandchild.parse().unwrap();
    proxy.signal(Signal::TERM);
    assert_eq!(proxy.exit().await, Some(0));
    assert!(!runs(child) && !runs(grandchild));
}

/// Drain, ladder and the time the kernel gets, one after the other, and no more.
#[tokio::test]
async fn the_longest_stop_is_the_sum_of_its_waits() {
    let waits = [
        "--drain-timeout",
        "300ms",
        "--close-wait",
        "200ms",
        "--term-wait",
        "200ms",
    ];
    let mut proxy = Proxy::start(&waits, &["--stubborn"]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let child = session.pid().await;
    let client = session.client.clone();
    let sleeping = tokio::spawn(async move {
        let _cut = client
            .post(call("x", "sleep", json!({ "ms": 600_000 })))
            .await;
    });
    within("the call in flight", async {
        while proxy.client().status().await["calls_in_flight"] != 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    proxy.signal(Signal::TERM);
    let limit = Duration::from_millis(300 + 200 + 200) + Duration::from_millis(2_500);
    assert_eq!(proxy.exit_within(limit).await, Some(0));
    assert!(!runs(child));
    sleeping.abort();
}

#[tokio::test]
async fn an_eager_child_is_the_first_sessions() {
    let proxy = Proxy::start(&["--eager"], &[]).await;
    let pid = within("the eager child", async {
        loop {
            if let Some(pid) = proxy.client().status().await["children"][0]["pid"].as_u64() {
                return pid;
            }
        }
    })
    .await;
    let first = Session::open(&proxy.client(), LATEST).await;
    assert_eq!(u64::from(first.pid().await), pid);
    let second = Session::open(&proxy.client(), LATEST).await;
    assert_ne!(u64::from(second.pid().await), pid);
}
