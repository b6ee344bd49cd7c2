//! The proxy as process 1 of a container, where the dead are its to collect and nothing outlives it.

use std::{collections::BTreeSet, fs, path::PathBuf, process::Command, time::Duration};

use rustix::process::{Signal, kill_process};
use serde_json::json;

use super::{
    proxy::{Proxy, pid},
    session::{LATEST, Session},
};
use crate::toy::{eventually, runs};

/// Idle means: no call to wait for, so only closing is left to do.
const IDLE: Duration = Duration::from_secs(2);

/// Whether namespaces may be made here. Rootless machines often say no, and then these tests say so, aloud.
#[expect(
    clippy::print_stderr,
    reason = "a skipped test that says nothing looks like one that passed"
)]
fn may_unshare() -> bool {
    let made = Command::new("unshare")
        .args(["--pid", "--fork", "--mount-proc", "true"])
        .status();
    let may = made.is_ok_and(|status| status.success());
    if !may {
        eprintln!("SKIPPED: `unshare --pid --fork --mount-proc` is not permitted here");
    }
    may
}

/// The namespace a process lives in, by a name that differs for each.
fn namespace(process: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{process}/ns/pid")).ok()
}

/// Everybody in a namespace, by the numbers they have outside of it.
fn members(namespace_of: &PathBuf) -> BTreeSet<u32> {
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|process| namespace(*process).as_ref() == Some(namespace_of))
        .collect()
}

/// A proxy in a namespace with a server, and a process that left the server's group and lives for an hour.
async fn with_a_runaway() -> (Proxy, PathBuf) {
    let proxy = Proxy::as_process_one(&[], &[]).await;
    let inside = namespace(proxy.init()).unwrap();
    let session = Session::open(&proxy.client(), LATEST).await;
    session.call("grandchild", json!({ "setsid": true })).await;
    session.start("crash", json!({})).await.answer().await;
    assert!(
        members(&inside)
            .into_iter()
            .filter(|process| runs(*process))
            .count()
            >= 2
    );
    (proxy, inside)
}

#[tokio::test]
async fn it_obeys_and_nothing_survives_it() {
    if !may_unshare() {
        return;
    }
    for signal in [Signal::TERM, Signal::INT] {
        let (mut proxy, inside) = with_a_runaway().await;
        kill_process(pid(proxy.init()), signal).unwrap();
        assert_eq!(proxy.exit_within(IDLE).await, Some(0));
        eventually("the namespace is empty", || members(&inside).is_empty()).await;
    }
}

#[tokio::test]
async fn nothing_survives_its_violent_end() {
    if !may_unshare() {
        return;
    }
    let (mut proxy, inside) = with_a_runaway().await;
    kill_process(pid(proxy.init()), Signal::KILL).unwrap();
    proxy.exit_within(IDLE).await;
    eventually("the namespace is empty", || members(&inside).is_empty()).await;
}

#[tokio::test]
async fn it_collects_the_dead_it_never_started() {
    if !may_unshare() {
        return;
    }
    let proxy = Proxy::as_process_one(&[], &[]).await;
    let init = proxy.init();
    let inside = namespace(init).unwrap();
    let session = Session::open(&proxy.client(), LATEST).await;
    for _ in 0..5 {
        session
            .call("grandchild", json!({ "setsid": true, "seconds": 2 }))
            .await;
    }
    let orphans = members(&inside);
    assert!(orphans.len() >= 7, "{orphans:?}");
    session.client.send("DELETE", "/mcp", "").await;
    // Zombies count as members: only the proxy itself is left, and needs no guardian.
    eventually("all are collected", || members(&inside) == [init].into()).await;
    // Its own children are still waited for by those who started them.
    let again = Session::open(&proxy.client(), LATEST).await;
    let lost = again
        .start("crash", json!({ "code": 7 }))
        .await
        .answer()
        .await;
    let sentence = lost["error"]["message"].as_str().unwrap();
    assert!(sentence.contains("status 7"), "{sentence}");
}
