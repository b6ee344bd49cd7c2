//! How a child ends: by itself, by each rung of the stop ladder, with its runtime.

use std::sync::Arc;

use mcp_proxy::link::{
    End, EndReason, Inbound,
    child::{Child, SendError, State},
};
use mcp_wire::{Id, Message};
use parking_lot::Mutex;
use serde_json::json;
use tokio::time::Instant;

use super::fixture::{
    Event, Fixture, NEVER, SHORT, call, climbing, command, exited, message, settings, stopped,
};
use crate::toy::{self, eventually, runs, within};
#[tokio::test]
async fn a_crash_delivers_everything_before_it() {
    let mut toy = Fixture::toy(&[], &settings());
    let id = toy.call(
        "crash",
        json!({ "lines": 2_000, "answer": true, "code": 3 }),
    );
    for step in 1..=2_000 {
        assert_eq!(toy.next_message().await["params"]["step"], step);
    }
    assert_eq!(toy.next_message().await["id"], id);
    let end = toy.end().await;
    assert_eq!(end, exited(3));
    assert_eq!(end.sentence(), "the server exited with status 3");
    assert_eq!(
        toy.child.send(&call(9, "echo", json!({}))),
        Err(SendError::Gone)
    );
}

#[tokio::test]
async fn a_signal_is_told_by_its_name() {
    let mut toy = Fixture::toy(&[], &settings());
    toy.call("crash", json!({ "signal": 6 }));
    assert_eq!(
        toy.end().await.sentence(),
        "the server was killed by signal 6 (SIGABRT)"
    );
}

#[tokio::test]
async fn half_an_answer_before_a_crash_is_damage() {
    let mut toy = Fixture::toy(&[], &settings());
    let id = toy.call("crash", json!({ "half": true }));
    match toy.next().await {
        Event::Damaged(damaged, _) => assert_eq!(damaged, id.to_string()),
        other => panic!("expected damage, got {other:?}"),
    }
    assert_eq!(toy.end().await, exited(1));
}

#[tokio::test]
async fn the_last_words_are_known_when_the_end_is_told() {
    let words = Fixture::toy(&["--exit-at-start", "7"], &settings());
    assert_eq!(words.end().await, exited(7));
    assert_eq!(
        words.child.last_words(),
        ["mcp-toy: exits at start, as it was told to"]
    );
}

#[tokio::test]
async fn a_polite_child_ends_when_its_input_does() {
    let mut toy = Fixture::toy(&[], &settings());
    toy.text("pid", json!({})).await;
    toy.child.stop();
    assert_eq!(toy.end().await, stopped());
}

#[tokio::test]
async fn what_is_queued_is_still_written_before_the_input_is_closed() {
    let toy = Fixture::toy(&[], &settings());
    for id in 0..100 {
        toy.child
            .send(&message(
                &json!({ "jsonrpc": "2.0", "id": id, "method": "ping" }),
            ))
            .unwrap();
    }
    toy.child.stop();
    for id in 0..100 {
        assert_eq!(toy.next_message().await["id"], id);
    }
    assert_eq!(toy.end().await, stopped());
}

#[tokio::test]
async fn a_child_that_ignores_the_end_of_its_input_gets_sigterm() {
    let mut toy = Fixture::toy(&["--ignore-eof"], &climbing(SHORT, NEVER));
    toy.text("pid", json!({})).await;
    let asked = Instant::now();
    toy.child.stop();
    assert_eq!(toy.end().await, stopped());
    assert!(asked.elapsed() >= SHORT, "SIGTERM came before its time");
}

#[tokio::test]
async fn a_stubborn_child_gets_sigkill() {
    let mut toy = Fixture::toy(&["--stubborn"], &climbing(SHORT, SHORT));
    let pid = toy.text("pid", json!({})).await.parse().unwrap();
    let asked = Instant::now();
    toy.child.stop();
    toy.child.stop();
    assert_eq!(toy.child.status().state, State::Stopping);
    assert_eq!(toy.end().await, stopped());
    assert!(asked.elapsed() >= 2 * SHORT, "SIGKILL came before its time");
    assert!(!runs(pid));
    // And once more, for good measure.
    toy.child.stop();
    assert_eq!(toy.child.status().state, State::Ended(stopped()));
}

#[tokio::test]
async fn dropping_the_last_handle_stops_the_child() {
    let mut toy = Fixture::toy(&[], &settings());
    let pid = toy.text("pid", json!({})).await.parse().unwrap();
    let Fixture { child, heard, .. } = toy;
    drop(child.clone());
    assert_eq!(child.status().state, State::Running);
    drop(child);
    eventually(
        "the listener hears the end",
        || matches!(heard.events.lock().front(), Some(Event::Closed(end)) if *end == stopped()),
    )
    .await;
    assert!(!runs(pid));
}

#[test]
fn the_group_does_not_outlive_the_runtime() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (toy, pids) = runtime.block_on(async {
        let mut toy = Fixture::toy(&["--stubborn"], &settings());
        let leader: u32 = toy.text("pid", json!({})).await.parse().unwrap();
        let grandchild = toy.grandchild(json!({ "ignore_term": true })).await;
        (toy, [leader, grandchild])
    });
    drop(runtime);
    let waiting = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    waiting.block_on(eventually("the group ends", || !pids.into_iter().any(runs)));
    drop(toy);
}

#[tokio::test]
async fn a_child_that_closes_its_output_is_of_no_use() {
    let script = "exec 1>&-; exec sleep 3600";
    let mute = Fixture::start(
        &command("/bin/sh", &["-c", script]),
        &climbing(SHORT, NEVER),
    );
    let end = mute.end().await;
    assert_eq!(
        end.sentence(),
        "the server closed its standard output but kept running"
    );
    assert!(!runs(mute.child.status().pid));
}

#[tokio::test]
async fn a_child_that_closes_its_input_is_of_no_use() {
    let script = "exec 0<&-; echo '{\"jsonrpc\":\"2.0\",\"method\":\"ready\"}'; exec sleep 3600";
    let numb = Fixture::start(
        &command("/bin/sh", &["-c", script]),
        &climbing(SHORT, NEVER),
    );
    assert_eq!(numb.next_message().await["method"], "ready");
    numb.child.send(&call(1, "echo", json!({}))).unwrap();
    assert_eq!(
        numb.end().await.sentence(),
        "the server closed its standard input but kept running"
    );
}

#[tokio::test]
async fn a_listener_that_panics_ends_its_child_and_still_hears_of_the_end() {
    struct Fragile(Arc<Mutex<Vec<String>>>);
    impl Inbound for Fragile {
        fn message(&mut self, _: Message) {
            self.0.lock().push("a message".to_owned());
            panic!("on purpose");
        }
        fn damaged(&mut self, _: Id, _: String) {}
        fn closed(&mut self, end: End) {
            self.0.lock().push(end.sentence());
        }
    }
    let heard = Arc::<Mutex<Vec<String>>>::default();
    let child = Child::start(
        &command(toy::program(), &[]),
        &settings(),
        Box::new(Fragile(Arc::clone(&heard))),
    )
    .unwrap();
    for id in 0..10 {
        child.send(&call(id, "pid", json!({}))).unwrap();
    }
    within("stopped", child.stopped()).await;
    let State::Ended(End {
        reason: EndReason::Broken(_),
        ..
    }) = child.status().state
    else {
        panic!("expected a broken link, got {:?}", child.status().state);
    };
    let heard = heard.lock();
    assert_eq!(heard.len(), 2, "{heard:?}");
    assert!(heard[1].contains("failed here"), "{heard:?}");
}
