//! Connections that say nothing, too little, or read nothing; and one that leaves unseen.

use std::fs;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::client::{call, call_with_token};
use super::proxy::Proxy;
use super::session::{LATEST, Session};
use super::stateless::{VERSION, whole};
use crate::toy::{eventually, within};

/// How long a connection lives on which only this was said.
async fn life_of(proxy: &Proxy, said: &[u8]) -> Duration {
    let mut stream = TcpStream::connect(proxy.address).await.unwrap();
    let since = Instant::now();
    stream.write_all(said).await.unwrap();
    within("the end of the connection", async {
        // A reset is an end, too.
        let _end = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    since.elapsed()
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed_whatever_it_began_with() {
    let proxy = Proxy::start(&["--header-timeout", "600ms"], &[]).await;
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let begun = [
        "",
        "P",
        "PR",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n",
        preface,
        "G",
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\n",
    ];
    // Side by side, so that the test takes the time of one.
    let lives = begun.map(|begun| life_of(&proxy, begun.as_bytes()));
    for (life, begun) in futures(lives).await.into_iter().zip(begun) {
        let (least, most) = (Duration::from_millis(500), Duration::from_secs(20));
        assert!((least..most).contains(&life), "{begun:?} lived {life:?}");
    }
    // One that has made a request may go on to hear of it.
    let session = Session::open(&proxy.client(), LATEST).await;
    assert_eq!(session.call("sleep", json!({ "ms": 1_500 })).await, "slept");
}

/// All of them at once, in their order.
async fn futures<const N: usize>(all: [impl Future<Output = Duration>; N]) -> Vec<Duration> {
    let mut all = all.map(Box::pin);
    let mut done = [None; N];
    std::future::poll_fn(|cx| {
        for (one, done) in all.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(life) = one.as_mut().poll(cx)
            {
                *done = Some(life);
            }
        }
        match done.iter().all(Option::is_some) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

/// The sockets of a process.
fn sockets(pid: u32) -> usize {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let links = open.filter_map(|entry| fs::read_link(entry.path()).ok());
    links
        .filter(|link| link.to_string_lossy().starts_with("socket:"))
        .count()
}

#[tokio::test]
async fn a_connection_that_is_not_read_is_cut() {
    let flags = ["--unread-timeout", "1s", "--child-mode", "shared"];
    let proxy = Proxy::start(&flags, &[]).await;
    let before = sockets(proxy.pid);
    let session = Session::open(&proxy.client(), LATEST).await;
    let client = session.client.with_receive_buffer(16 << 10);
    let body = call_with_token("unread", "t", "progress", json!({ "n": 50_000 }));
    let mut unread = client.post(body).await.stream();
    unread.message().await;
    assert!(sockets(proxy.pid) > before);
    eventually("it is cut", || sockets(proxy.pid) <= before).await;
    // Its session lives on, and so does its call, whose events wait for it.
    assert_eq!(session.call("count", json!({})).await, "1");
    drop(unread);
}

/// Bytes of a next request are read already, so the HTTP library looks at the connection no more.
#[tokio::test]
async fn a_client_that_leaves_behind_half_a_next_request_has_left() {
    let proxy = Proxy::start(&[], &["--era", "modern"]).await;
    let arguments = json!({ "name": "hang", "arguments": {} });
    let body = whole(json!(5), "tools/call", arguments).to_string();
    let request = format!(
        "POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: {VERSION}\r\n\
         Mcp-Method: tools/call\r\nMcp-Name: hang\r\nContent-Length: {}\r\n\r\n{body}GET /hea",
        proxy.address,
        body.len()
    );
    let mut stream = TcpStream::connect(proxy.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let calls = async |wanted: u64| {
        within("the call", async {
            while proxy.client().status().await["calls_in_flight"] != wanted {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    };
    calls(1).await;
    // It is in flight as long as its client is there.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    calls(1).await;
    drop(stream);
    calls(0).await;
}

/// The next request may be whole, too, and is answered after the first.
#[tokio::test]
async fn a_pipelined_request_is_answered_in_its_turn() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let body = call(1, "sleep", json!({ "ms": 1_200 }));
    let request = format!(
        "POST /mcp HTTP/1.1\r\nHost: {0}\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nMcp-Session-Id: {1}\r\n\
         MCP-Protocol-Version: {LATEST}\r\nContent-Length: {2}\r\n\r\n{body}\
         GET /health HTTP/1.1\r\nHost: {0}\r\nConnection: close\r\n\r\n",
        proxy.address,
        session.id,
        body.len()
    );
    let mut stream = TcpStream::connect(proxy.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answers = String::new();
    within("both answers", stream.read_to_string(&mut answers))
        .await
        .unwrap();
    assert!(answers.contains("slept"), "{answers}");
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");
}
