//! Servers that write more than anybody wants to know.

use serde_json::json;

use super::super::client::{call, text};
use super::super::proxy::Proxy;
use super::super::session::{LATEST, Session};
use super::{Bystander, MIB, Memory, counted};
use crate::toy::within;

#[tokio::test]
async fn a_line_without_an_end_costs_what_a_line_may() {
    // The common server: whoever else is served has to be served by another.
    let proxy = Proxy::start(&[], &[]).await;
    let mut bystander = Bystander::at(&proxy).await;
    let memory = Memory::of(&proxy);
    let session = Session::open(&proxy.client(), LATEST).await;
    let body = call(
        "long",
        "long_line",
        json!({ "bytes": 256 * MIB, "newline": false }),
    );
    let client = session.client.clone();
    let flood = tokio::spawn(async move { client.post(body).await.answer().await });
    let read = r#"mcp_proxy_bytes_total{server="mcp-toy",direction="from_server"}"#;
    within("all of it has been read", async {
        while counted(&proxy, read).await < 256 * MIB {
            bystander.is_served().await;
        }
    })
    .await;
    // It goes on with an answer, which is a part of the line to us, and the line has no end.
    flood.abort();
    // The longest line, in a buffer that has doubled, and copied once when it did.
    memory.has_grown_at_most(3 * 32 * MIB + 8 * MIB);
    bystander.is_served().await;
    // It is the server of one session, and ends with that.
    assert_eq!(session.client.send("DELETE", "/mcp", "").await.status, 200);
}

#[tokio::test]
async fn half_lines_of_many_servers_are_given_up_over_the_budget() {
    let flags = ["--memory-budget", "40MiB", "--silence", "100ms"];
    let proxy = Proxy::start(&flags, &[]).await;
    let mut bystander = Bystander::at(&proxy).await;
    let memory = Memory::of(&proxy);
    let mut calls = Vec::new();
    for _ in 0..4 {
        let session = Session::open(&proxy.client(), LATEST).await;
        let arguments = json!({ "bytes": 20 * MIB, "id": true, "newline": false });
        let client = session.client.clone();
        let body = call("half", "long_line", arguments);
        calls.push((
            tokio::spawn(async move { client.post(body).await.answer().await }),
            session,
        ));
    }
    let cut = r#"mcp_proxy_budget_refusals_total{kind="memory"}"#;
    within("some are given up", async {
        while counted(&proxy, cut).await < 2 {
            bystander.is_served().await;
        }
    })
    .await;
    // Whose line was given up is told so when its end comes.
    let mut told = 0;
    for (answer, session) in calls {
        session
            .client
            .post(call(
                "end",
                "line",
                json!({ "line": "\"}}", "answer": false }),
            ))
            .await;
        let answer = within("an answer", answer).await.unwrap();
        let sentence = answer["error"]["message"].as_str().unwrap_or_default();
        told += u32::from(sentence.contains("--memory-budget"));
        assert!(
            answer["result"].is_object() || !sentence.is_empty(),
            "neither"
        );
    }
    // Another may have been cut when it was whole, as an answer nobody had read yet.
    assert!(told >= 1, "{told}");
    assert!(counted(&proxy, "mcp_proxy_held_bytes").await <= 40 * MIB);
    memory.has_grown_at_most(3 * 40 * MIB);
}

#[tokio::test]
async fn a_gibibyte_on_standard_error_is_read_and_dropped_and_counted() {
    let proxy = Proxy::start(&[], &[]).await;
    let mut bystander = Bystander::at(&proxy).await;
    let memory = Memory::of(&proxy);
    let session = Session::open(&proxy.client(), LATEST).await;
    let lines = (1 << 30) / 8192;
    let body = call("loud", "stderr", json!({ "lines": lines, "bytes": 8191 }));
    let client = session.client.clone();
    let loud = tokio::spawn(async move { client.post(body).await.answer().await });
    while !loud.is_finished() {
        bystander.is_served().await;
    }
    assert_eq!(text(&loud.await.unwrap()), "written");
    memory.has_grown_at_most(8 * MIB);
    let dropped = r#"mcp_proxy_stderr_dropped_lines_total{server="mcp-toy"}"#;
    let shown = || {
        proxy
            .said()
            .lines()
            .filter(|line| line.contains("eeee"))
            .count() as u64
    };
    within("all is read", async {
        while counted(&proxy, dropped).await + shown() < lines {
            bystander.is_served().await;
        }
    })
    .await;
    // Thirty-two at once, and eight a second.
    assert!((32..500).contains(&shown()), "{}", shown());
    let told = proxy.said().matches("faster than is logged").count();
    assert!((1..=4).contains(&told), "said {told} times");
    let status = proxy.client().status().await;
    let children = status["children"].as_array().unwrap().iter();
    let last = children.filter_map(|child| child["last_stderr"].as_array()?.last()?.as_str());
    let kept = last
        .filter(|line| line.starts_with(&format!("{lines} e")))
        .count();
    assert_eq!(kept, 1, "its very last line is kept");
}
