//! The proxy is killed, and nobody asks what for: its servers go all the same.

use std::{fs, time::Duration};

use rustix::process::{Signal, kill_process};
use serde_json::json;
use tokio::time::Instant;

use super::{
    proxy::{Proxy, pid},
    session::{LATEST, Session},
};
use crate::toy::{eventually, runs};

/// From the end of the proxy to that of everything it started.
const SOON: Duration = Duration::from_secs(3);

/// What a guardian may hold for itself, in KiB; the program's own pages are shared with the proxy.
const PRIVATE_KIB: u64 = 2048;

/// The guardians of a proxy, zombies left out.
fn guardians(proxy: u32) -> Vec<u32> {
    let children = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|process| {
            let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
            let (name, rest) = stat.rsplit_once(") ").unwrap_or_default();
            let parent = rest.split(' ').nth(1);
            name.ends_with("(mcp-guardian") && parent == Some(&proxy.to_string())
        });
    children.filter(|process| runs(*process)).collect()
}

/// The only guardian of a proxy, once it is at its post.
async fn guardian(proxy: &Proxy) -> u32 {
    eventually("a guardian is at its post", || {
        guardians(proxy.pid).len() == 1
    })
    .await;
    guardians(proxy.pid)[0]
}

/// A server that nothing but SIGKILL ends, with a child of the same kind.
async fn stubborn(proxy: &Proxy) -> [u32; 2] {
    let session = Session::open(&proxy.client(), LATEST).await;
    let grandchild = session
        .call("grandchild", json!({ "ignore_term": true }))
        .await;
    [session.pid().await, grandchild.parse().unwrap()]
}

/// Kills the proxy and waits for what it started.
async fn killed(mut proxy: Proxy, started: &[u32]) {
    let at = Instant::now();
    proxy.signal(Signal::KILL);
    assert_eq!(proxy.exit().await, None);
    eventually("nothing is left", || !started.iter().copied().any(runs)).await;
    assert!(at.elapsed() < SOON, "after {:?}", at.elapsed());
}

#[tokio::test]
async fn nothing_survives_a_proxy_that_is_killed() {
    let proxy = Proxy::start(&[], &["--stubborn"]).await;
    assert_eq!(
        guardians(proxy.pid),
        [0; 0],
        "nothing is guarded before there is something"
    );
    let [leader, grandchild] = stubborn(&proxy).await;
    let other = stubborn(&proxy).await;
    let guardian = guardian(&proxy).await;
    killed(proxy, &[leader, grandchild, other[0], other[1], guardian]).await;
}

#[tokio::test]
async fn what_a_crashed_server_left_in_its_group_goes_with_the_proxy() {
    // The leader is gone and collected, its child holds the group, and the proxy is killed while it gives that half a
    // second.
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let leader = session.pid().await;
    let grandchild = session
        .call("grandchild", json!({ "ignore_term": true }))
        .await
        .parse()
        .unwrap();
    let guardian = guardian(&proxy).await;
    kill_process(pid(leader), Signal::KILL).unwrap();
    eventually("the leader has ended", || !runs(leader)).await;
    killed(proxy, &[grandchild, guardian]).await;
}

#[tokio::test]
async fn a_guardian_goes_with_a_proxy_that_stops() {
    let mut proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let child = session.pid().await;
    let guardian = guardian(&proxy).await;
    proxy.signal(Signal::TERM);
    assert_eq!(proxy.exit().await, Some(0));
    eventually("the guardian has gone", || !runs(guardian)).await;
    assert!(!runs(child));
}

#[tokio::test]
async fn a_guardian_that_fell_is_replaced_and_its_successor_knows_everything() {
    let proxy = Proxy::start(&[], &["--stubborn"]).await;
    let before = stubborn(&proxy).await;
    let fallen = guardian(&proxy).await;
    // A supervisor that signals everybody does not mean it.
    kill_process(pid(fallen), Signal::TERM).unwrap();
    kill_process(pid(fallen), Signal::INT).unwrap();
    kill_process(pid(fallen), Signal::KILL).unwrap();
    let line = proxy.says("the guardian ended").await;
    assert!(line.contains("signal: 9"), "only SIGKILL ends it: {line}");
    let successor = guardian(&proxy).await;
    assert_ne!(successor, fallen);
    let after = stubborn(&proxy).await;
    killed(
        proxy,
        &[before[0], before[1], after[0], after[1], successor],
    )
    .await;
}

#[tokio::test]
async fn a_guardian_is_small_and_holds_nothing_but_its_pipe() {
    let proxy = Proxy::start(&[], &[]).await;
    for _ in 0..50 {
        let session = Session::open(&proxy.client(), LATEST).await;
        assert_eq!(session.client.send("DELETE", "/mcp", "").await.status, 200);
    }
    let guardian = guardian(&proxy).await;
    let held = || {
        let mut held: Vec<String> = fs::read_dir(format!("/proc/{guardian}/fd"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        held.sort();
        held
    };
    assert_eq!(held(), ["0", "1", "2"]);
    // A group of its own: what ends the proxy's does not reach it.
    let stat = fs::read_to_string(format!("/proc/{guardian}/stat")).unwrap();
    let group = stat.rsplit_once(") ").unwrap().1.split(' ').nth(2);
    assert_eq!(group, Some(guardian.to_string().as_str()));
    let environment = fs::read(format!("/proc/{guardian}/environ")).unwrap();
    assert!(environment.is_empty(), "it needs no variable");
    let memory = fs::read_to_string(format!("/proc/{guardian}/smaps_rollup")).unwrap();
    let private: u64 = memory
        .lines()
        .filter_map(|line| line.strip_prefix("Private_"))
        .filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
        .sum();
    assert!(private <= PRIVATE_KIB, "{private} KiB\n{memory}");
}
