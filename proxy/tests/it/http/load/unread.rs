//! Clients that never read, while their server goes on and on.

use serde_json::json;

use super::super::client::{Stream, call_with_token};
use super::super::proxy::Proxy;
use super::super::session::{LATEST, Session};
use super::{Bystander, MIB, Memory, counted};
use crate::toy::within;

/// More than the budget of all, with what each may have waiting.
const READERS: usize = 12;

const OUTLET: u64 = 8;
const BUDGET: u64 = 40;

/// Of 400 bytes each: twice what one may have waiting.
const NOTIFICATIONS: usize = 40_000;

const TOKEN: &str = "a token of some length, so that fewer notifications fill what there is to fill, and the toy need not write for long; a token of some length, so that fewer notifications fill what there is to fill";

/// A client of its own session that has asked for a lot and reads none of it.
async fn never_reads(proxy: &Proxy) -> (Session, Stream) {
    let session = Session::open(&proxy.client(), LATEST).await;
    let client = session.client.with_receive_buffer(64 << 10);
    let body = call_with_token("much", TOKEN, "progress", json!({ "n": NOTIFICATIONS }));
    let stream = client.post(body).await.stream();
    (session, stream)
}

#[tokio::test]
async fn one_who_never_reads_costs_what_one_may_have_waiting() {
    let outlet = format!("{OUTLET}MiB");
    let flags = ["--child-mode", "shared", "--outlet-bytes", &outlet];
    let proxy = Proxy::start(&flags, &[]).await;
    let mut bystander = Bystander::at(&proxy).await;
    let memory = Memory::of(&proxy);
    let (_session, unread) = never_reads(&proxy).await;
    let overflowed = r#"mcp_proxy_budget_refusals_total{kind="outlet"}"#;
    within("the stream is cut", async {
        while counted(&proxy, overflowed).await == 0 {
            bystander.is_served().await;
        }
    })
    .await;
    memory.has_grown_at_most(3 * OUTLET * MIB);
    let last = unread.rest().await.pop().unwrap();
    assert!(
        last["error"]["message"]
            .as_str()
            .unwrap()
            .contains("not read"),
        "{last}"
    );
}

/// Each is within its own bound, and all together are not.
#[tokio::test]
async fn many_who_never_read_cost_the_budget_of_all_and_the_greediest_is_cut() {
    let (outlet, budget) = (format!("{OUTLET}MiB"), format!("{BUDGET}MiB"));
    let flags = [
        "--outlet-bytes",
        &outlet,
        "--memory-budget",
        &budget,
        "--max-line-size",
        "1MiB",
        // What is kept to be sent again would count, too.
        "--replay-bytes",
        "0",
    ];
    let proxy = Proxy::start(&flags, &[]).await;
    let mut bystander = Bystander::at(&proxy).await;
    let memory = Memory::of(&proxy);
    let mut unread = Vec::new();
    // What waits for each is short of its own bound.
    for _ in 0..READERS {
        let session = Session::open(&proxy.client(), LATEST).await;
        let client = session.client.with_receive_buffer(64 << 10);
        let body = call_with_token("much", TOKEN, "progress", json!({ "n": 18_000 }));
        unread.push((client.post(body).await.stream(), session));
    }
    let cut = r#"mcp_proxy_budget_refusals_total{kind="memory"}"#;
    within("the greediest are cut", async {
        while counted(&proxy, cut).await < 2 {
            bystander.is_served().await;
        }
    })
    .await;
    bystander.is_served().await;
    assert_eq!(
        counted(&proxy, r#"mcp_proxy_budget_refusals_total{kind="outlet"}"#).await,
        0
    );
    let held = counted(&proxy, "mcp_proxy_held_bytes").await;
    assert!(held <= BUDGET * MIB, "{held}");
    memory.has_grown_at_most(3 * BUDGET * MIB);
    let mut ends = [0, 0];
    for (stream, _session) in unread {
        let last = stream.rest().await.pop().unwrap();
        ends[usize::from(last["error"].is_object())] += 1;
    }
    assert!(ends[0] > 0 && ends[1] > 1, "whole and cut: {ends:?}");
    // When everything was read, nothing is held.
    within("everything is given back", async {
        while counted(&proxy, "mcp_proxy_held_bytes").await > MIB {
            bystander.is_served().await;
        }
    })
    .await;
}

/// The answers are in the hands of the HTTP library, where no queue of ours sees them.
#[tokio::test]
async fn big_answers_nobody_takes_are_counted_and_their_connections_cut() {
    let flags = ["--child-mode", "shared", "--memory-budget", "40MiB"];
    let proxy = Proxy::start(&flags, &[]).await;
    let mut bystander = Bystander::at(&proxy).await;
    let memory = Memory::of(&proxy);
    let session = Session::open(&proxy.client(), LATEST).await;
    let client = session.client.with_receive_buffer(64 << 10);
    let mut untaken = Vec::new();
    for _ in 0..8 {
        // 8 MiB each, of which the kernel takes in some.
        untaken.push(
            client
                .post(super::super::client::call(
                    session.next_id(),
                    "size",
                    json!({ "bytes": 8 * MIB }),
                ))
                .await,
        );
        bystander.is_served().await;
    }
    assert!(counted(&proxy, r#"mcp_proxy_budget_refusals_total{kind="memory"}"#).await > 0);
    assert!(counted(&proxy, "mcp_proxy_held_bytes").await <= 40 * MIB);
    memory.has_grown_at_most(3 * 40 * MIB);
    drop(untaken);
    within("everything is given back", async {
        while counted(&proxy, "mcp_proxy_held_bytes").await > MIB {
            bystander.is_served().await;
        }
    })
    .await;
}
