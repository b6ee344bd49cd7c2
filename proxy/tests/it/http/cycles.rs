//! Sessions come and go, and leave nothing: no process, no descriptor, no memory.

use std::{collections::BTreeSet, fs};

use serde_json::json;

use super::{
    proxy::Proxy,
    session::{LATEST, Session},
};
use crate::toy::{eventually, within};

const CYCLES: usize = 500;

/// Sessions open at once; what is measured is measured when all of them have ended.
const AT_ONCE: usize = 10;

/// The descriptors a process holds.
fn descriptors(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/fd")).unwrap().count()
}

/// The processes a process has started and not collected, by all of its threads.
fn children(process: u32) -> BTreeSet<String> {
    fs::read_dir(format!("/proc/{process}/task"))
        .unwrap()
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|children| {
            children
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect()
}

/// What a process holds in memory, in KiB.
fn resident(process: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.unwrap().split_whitespace().next().unwrap();
    number.parse().unwrap()
}

async fn cycle(client: super::client::Client) {
    let session = Session::open(&client, LATEST).await;
    assert_eq!(session.call("count", json!({})).await, "1");
    assert_eq!(session.client.send("DELETE", "/mcp", "").await.status, 200);
}

/// Runs some cycles and gives the memory after each handful of them.
async fn cycles(proxy: &Proxy, count: usize) -> Vec<f64> {
    let mut measured = Vec::new();
    for _ in 0..count / AT_ONCE {
        let running: Vec<_> = (0..AT_ONCE)
            .map(|_| tokio::spawn(cycle(proxy.client())))
            .collect();
        for one in running {
            within("a cycle", one).await.unwrap();
        }
        measured.push(resident(proxy.pid));
    }
    measured
}

fn mean(measured: &[f64]) -> f64 {
    measured.iter().sum::<f64>() / f64::from(u32::try_from(measured.len()).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_sessions_leave_nothing() {
    let proxy = Proxy::start(&[], &[]).await;
    let first = cycles(&proxy, 100).await;
    let settled = || {
        // The guardian is the only child that stays.
        children(proxy.pid).len() == 1
    };
    eventually("the first sessions' servers are collected", settled).await;
    let (held, guardian) = (descriptors(proxy.pid), children(proxy.pid));
    cycles(&proxy, CYCLES - 200).await;
    let last = cycles(&proxy, 100).await;
    eventually("all servers are collected", settled).await;
    assert_eq!(children(proxy.pid), guardian);
    // A connection of the last cycle may be closing still.
    eventually("no descriptor is left", || descriptors(proxy.pid) <= held).await;
    let growth = mean(&last) / mean(&first);
    assert!(
        growth < 1.1,
        "memory grew to {growth:.2} of what it was: {first:?} {last:?}"
    );
}
