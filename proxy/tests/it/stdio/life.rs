//! How it ends: with its client, with a signal, with whoever started it, and never by hanging.

use std::{fs, time::Duration};

use rustix::process::Signal;
use serde_json::json;

use super::pipe::{LATEST, Pipe, call, text, whole_call};
use crate::toy::{eventually, runs};

/// Two seconds from the end of the client, and one that a loaded machine may take.
const SOON: Duration = Duration::from_secs(3);

/// With `--close-wait 0 --term-wait 0` the ladder takes no time.
const QUICK: [&str; 4] = ["--close-wait", "0", "--term-wait", "0"];

async fn server(pipe: &mut Pipe) -> u32 {
    text(&pipe.ask(call("pid", "pid", json!({}))).await)
        .parse()
        .unwrap()
}

#[tokio::test]
async fn it_ends_with_its_input_and_its_server_with_it() {
    let (mut pipe, _) = Pipe::session(&[], &[], LATEST).await;
    let server = server(&mut pipe).await;
    pipe.close_input();
    assert_eq!(pipe.exit_within(SOON).await, Some(0));
    assert!(!runs(server));
    assert_eq!(pipe.next().await, None);
    // One that has said nothing, and one without a server.
    let mut pipe = Pipe::start(&[], &[]);
    pipe.close_input();
    assert_eq!(pipe.exit_within(SOON).await, Some(0));
}

#[tokio::test]
async fn what_a_script_piped_in_is_answered_before_the_end() {
    let mut pipe = Pipe::start(&[], &["--era", "modern"]);
    for n in 0..10 {
        pipe.send(&whole_call(n, "echo", json!({ "text": n.to_string() })))
            .await;
    }
    pipe.close_input();
    for n in 0..10 {
        assert_eq!(text(&pipe.answer(&json!(n)).await), n.to_string());
    }
    assert_eq!(pipe.exit_within(SOON).await, Some(0));
}

#[tokio::test]
async fn a_call_that_goes_on_does_not_keep_it_from_ending() {
    let (mut pipe, _) = Pipe::session(&QUICK, &["--stubborn"], LATEST).await;
    let server = server(&mut pipe).await;
    pipe.send(&call(1, "hang", json!({}))).await;
    pipe.close_input();
    assert_eq!(pipe.exit_within(SOON).await, Some(0));
    assert!(!runs(server));

    let mut pipe = Pipe::start(&QUICK, &["--era", "modern", "--stubborn"]);
    pipe.ask(whole_call(1, "echo", json!({ "text": "up" })))
        .await;
    pipe.send(&whole_call(2, "hang", json!({}))).await;
    pipe.close_input();
    assert_eq!(pipe.exit_within(SOON).await, Some(0));
}

#[tokio::test]
async fn a_signal_lets_calls_end() {
    for signal in [Signal::TERM, Signal::INT] {
        let (mut pipe, _) = Pipe::session(&[], &[], LATEST).await;
        pipe.send(&call(1, "sleep", json!({ "ms": 500 }))).await;
        pipe.send(&call(2, "count", json!({}))).await;
        pipe.answer(&json!(2)).await;
        pipe.signal(signal);
        pipe.says("stopping").await;
        let refused = pipe.ask(call(3, "count", json!({}))).await;
        assert!(refused["error"]["code"].is_i64(), "{refused}");
        assert!(pipe.answer(&json!(1)).await["result"].is_object());
        assert_eq!(pipe.exit_within(SOON).await, Some(0));
    }
}

#[tokio::test]
async fn a_call_that_outlasts_the_drain_is_answered_as_lost() {
    let flags = ["--drain-timeout", "100ms"];
    let (mut pipe, _) = Pipe::session(&flags, &[], LATEST).await;
    pipe.send(&call(1, "hang", json!({}))).await;
    pipe.send(&call(2, "count", json!({}))).await;
    pipe.answer(&json!(2)).await;
    pipe.signal(Signal::TERM);
    let lost = pipe.answer(&json!(1)).await;
    assert_eq!(lost["error"]["code"], -32603, "{lost}");
    assert_eq!(pipe.exit_within(SOON).await, Some(0));
}

#[tokio::test]
async fn it_ends_with_its_parent_although_the_pipes_stay_open() {
    let mut pipe = Pipe::below_a_shell(&[], &[]);
    pipe.greet(LATEST).await;
    let server = server(&mut pipe).await;
    let children = format!("/proc/{0}/task/{0}/children", pipe.pid());
    let proxy: u32 = fs::read_to_string(children)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    assert!(runs(proxy) && runs(server));
    // The shell alone: the test still holds the other ends of the pipes.
    pipe.signal(Signal::KILL);
    assert_eq!(pipe.exit_within(SOON).await, None);
    eventually("the end of both", || !runs(proxy) && !runs(server)).await;
    assert!(pipe.said().contains("has ended"), "{}", pipe.said());
}

#[tokio::test]
async fn a_client_that_does_not_read_ends_it_visibly() {
    let flags = ["--outlet-bytes", "64KiB", "--close-wait", "0"];
    for modern in [false, true] {
        let mut pipe = if modern {
            Pipe::start(&flags, &["--era", "modern"])
        } else {
            Pipe::session(&flags, &[], LATEST).await.0
        };
        for n in 0..20 {
            let arguments = json!({ "bytes": 100_000 });
            let call = if modern {
                whole_call(n, "size", arguments)
            } else {
                call(n, "size", arguments)
            };
            pipe.send(&call).await;
        }
        assert_eq!(pipe.exit_within(SOON).await, Some(1), "modern: {modern}");
        assert!(pipe.said().contains("--outlet-bytes"), "{}", pipe.said());
    }
}

#[tokio::test]
async fn a_server_that_crashes_is_replaced() {
    let (mut pipe, _) = Pipe::session(&[], &[], LATEST).await;
    let before = server(&mut pipe).await;
    let lost = pipe.ask(call(1, "crash", json!({}))).await;
    assert!(lost["error"]["code"].is_i64(), "{lost}");
    assert_ne!(server(&mut pipe).await, before);
    // Unless it is to end with it.
    let flags = ["--on-child-exit", "end"];
    let (mut pipe, _) = Pipe::session(&flags, &[], LATEST).await;
    pipe.ask(call(1, "crash", json!({}))).await;
    assert_eq!(pipe.exit_within(SOON).await, Some(1));
}

#[tokio::test]
async fn it_listens_nowhere_and_ends_when_nobody_uses_it() {
    let flags = ["--idle-action", "exit", "--idle-timeout", "1s"];
    let (mut pipe, _) = Pipe::session(&flags, &[], LATEST).await;
    let sockets = fs::read_dir(format!("/proc/{}/fd", pipe.pid())).unwrap();
    let targets = sockets.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    let inodes: Vec<String> = targets
        .filter_map(|target| {
            let name = target.to_str()?.to_owned();
            Some(name.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect();
    let tables = ["tcp", "tcp6"].map(|table| {
        fs::read_to_string(format!("/proc/{}/net/{table}", pipe.pid())).unwrap_or_default()
    });
    for line in tables.iter().flat_map(|table| table.lines()) {
        let ours = line
            .split_whitespace()
            .any(|word| inodes.iter().any(|inode| inode == word));
        assert!(!ours, "{line}");
    }
    assert_eq!(pipe.exit_within(Duration::from_secs(10)).await, Some(0));
}
