//! Requests that never come to their end.

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::super::client::call;
use super::super::proxy::Proxy;
use super::{Bystander, MIB, Memory};
use crate::toy::within;

const HALVES: usize = 1_000;

/// For a connection with its buffers.
const EACH: u64 = 48 << 10;

/// Sends this over so many connections, waits until all are taken, and then until all are closed.
async fn sent_by_many(proxy: &Proxy, sent: &[u8], bystander: &mut Bystander) -> Vec<String> {
    let mut halves = Vec::new();
    for _ in 0..HALVES {
        let mut stream = TcpStream::connect(proxy.address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        halves.push(stream);
    }
    bystander.is_served().await;
    let mut answers = Vec::new();
    for mut half in halves {
        let mut answer = String::new();
        within("the end of the connection", async {
            // A reset is an end, too.
            let _end = half.read_to_string(&mut answer).await;
        })
        .await;
        answers.push(answer);
    }
    bystander.is_served().await;
    answers
}

#[tokio::test]
async fn a_thousand_half_sent_heads_are_closed_and_cost_little() {
    let flags = ["--header-timeout", "2s", "--child-mode", "shared"];
    let proxy = Proxy::start(&flags, &[]).await;
    let mut bystander = Bystander::at(&proxy).await;
    let memory = Memory::of(&proxy);
    let head = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: applica";
    let answers = sent_by_many(&proxy, head.as_bytes(), &mut bystander).await;
    assert!(answers.iter().all(|answer| !answer.contains(" 200 ")));
    memory.has_grown_at_most(HALVES as u64 * EACH);
}

#[tokio::test]
async fn a_thousand_half_sent_bodies_are_refused_and_cost_what_was_sent() {
    let flags = ["--body-timeout", "3s", "--child-mode", "shared"];
    let proxy = Proxy::start(&flags, &[]).await;
    let mut bystander = Bystander::at(&proxy).await;
    let memory = Memory::of(&proxy);
    let body = call(1, "echo", json!({ "text": "x".repeat(1_000) }));
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nContent-Length: {}\r\n\r\n{body}",
        proxy.address,
        4 << 20
    );
    let answers = sent_by_many(&proxy, head.as_bytes(), &mut bystander).await;
    let late = answers
        .iter()
        .filter(|answer| answer.starts_with("HTTP/1.1 408 "));
    assert_eq!(late.count(), HALVES);
    memory.has_grown_at_most(HALVES as u64 * EACH);
}

/// Each within its own limit, and all together not: those that come when there is no room are told.
#[tokio::test]
async fn bodies_beyond_the_budget_are_told_to_come_back() {
    let flags = [
        "--body-timeout",
        "4s",
        "--memory-budget",
        "8MiB",
        "--max-line-size",
        "1MiB",
    ];
    let proxy = Proxy::start(&flags, &[]).await;
    let mut bystander = Bystander::at(&proxy).await;
    let memory = Memory::of(&proxy);
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nContent-Length: {}\r\n\r\n",
        proxy.address,
        4 << 20
    );
    let mut halves = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(proxy.address).await.unwrap();
        let sending = [head.as_bytes(), &vec![b' '; 1 << 20]].concat();
        // Refused before all was sent, it may be reset meanwhile.
        let _reset = stream.write_all(&sending).await;
        halves.push(stream);
    }
    let (mut refused, mut late) = (0, 0);
    for mut half in halves {
        let mut answer = Vec::new();
        within("the end of the connection", async {
            let _end = half.read_to_end(&mut answer).await;
        })
        .await;
        let answer = String::from_utf8_lossy(&answer);
        refused += u32::from(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after"));
        late += u32::from(answer.starts_with("HTTP/1.1 408 "));
    }
    assert!(refused >= 5 && late >= 5, "refused {refused}, late {late}");
    memory.has_grown_at_most(4 * 8 * MIB);
    bystander.is_served().await;
}
