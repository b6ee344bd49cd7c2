//! What goes on when nobody uses a session, or the proxy.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;

use super::{
    client::request,
    proxy::Proxy,
    session::{LATEST, Session, initialize},
};
use crate::toy::{eventually, runs, within};

#[tokio::test]
async fn an_unused_session_lives_on_without_its_child() {
    let proxy = Proxy::start(&["--child-idle-timeout", "1s"], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    session
        .request("logging/setLevel", json!({ "level": "error" }))
        .await;
    let before = session.pid().await;
    eventually("the end of the unused child", || !runs(before)).await;
    assert_eq!(proxy.client().status().await["sessions"], 1);
    let seen = session.seen().await.join("\n");
    assert!(seen.contains("logging/setLevel"), "{seen}");
    // One whose stream is read is used: its server may have something to say.
    let _standing = session.listen().await;
    let after = session.pid().await;
    assert_ne!(after, before);
    // Twice as long as it would take. That nothing happens has no fact.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(session.pid().await, after);
}

#[tokio::test]
async fn a_session_may_end_with_its_child() {
    let proxy = Proxy::start(&["--on-child-exit", "end"], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let standing = session.listen().await;
    let answer = session.start("crash", json!({})).await.answer().await;
    assert!(answer["error"].is_object(), "{answer}");
    let ping = || request("p", "ping", json!({}));
    session.post(ping()).await.refused(404).await;
    assert!(standing.rest().await.is_empty());
    assert_eq!(proxy.client().status().await["sessions"], 0);
    // Without another request, too.
    let session = Session::open(&proxy.client(), LATEST).await;
    let standing = session.listen().await;
    let child = session.pid().await;
    rustix::process::kill_process(super::proxy::pid(child), rustix::process::Signal::KILL).unwrap();
    assert!(standing.rest().await.is_empty());
    session.post(ping()).await.refused(404).await;
}

/// A number of `/proc/PID/status`, in KiB.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

#[tokio::test]
async fn ten_thousand_forgotten_sessions_keep_nothing() {
    // One child for all: what is measured is the proxy, not how quickly a machine can start processes.
    let bounds = ["--max-sessions", "1000", "--child-mode", "shared"];
    let proxy = Proxy::start(&bounds, &[]).await;
    let client = proxy.client();
    let mut connection = client.connect().await;
    let status = client.status().await;
    assert_eq!(status["sessions"], 0);
    let begin = resident(proxy.pid);
    let mut full = (0, 0);
    for number in 1..=10_000 {
        let reply = connection
            .send(&client, "POST", "/mcp", initialize(LATEST))
            .await;
        assert_eq!(reply.status, 200, "session {number}");
        reply.bytes().await;
        if number == 1_000 {
            full = (resident(proxy.pid), descriptors(proxy.pid));
        }
    }
    let end = (resident(proxy.pid), descriptors(proxy.pid));
    let status = client.status().await;
    assert_eq!(status["sessions"], 1_000);
    assert_eq!(status["children"].as_array().unwrap().len(), 1);
    // Of an idle session, in KiB: the bar is 20, here in a build without optimisation.
    let each = (full.0.saturating_sub(begin)) / 1_000;
    println!(
        "{each} KiB of memory for each idle session, {end:?} at the end, {full:?} with as many"
    );
    assert!(each <= 20, "{each} KiB for each session");
    // Nine thousand more have come and gone; an allocator may keep a little.
    assert!(end.0 < full.0 + 8 * 1024, "{full:?} grew to {end:?}");
    assert!(end.1 <= full.1 + 2, "{full:?} grew to {end:?}");
}

#[tokio::test]
async fn forgotten_sessions_give_their_children_back() {
    let bounds = ["--max-children", "4", "--child-idle-timeout", "1s"];
    let proxy = Proxy::start(&bounds, &[]).await;
    let mut sessions = Vec::new();
    for _ in 0..12 {
        let session = within("room for another child", async {
            loop {
                let reply = proxy.client().post(initialize(LATEST)).await;
                if reply.status == 200 {
                    return reply.header("mcp-session-id").unwrap().to_owned();
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        sessions.push(session);
    }
    let status = proxy.client().status().await;
    assert_eq!(status["sessions"], 12);
    // Those that have ended are written down for up to a second more.
    let children = status["children"].as_array().unwrap().iter();
    let running = children.filter(|child| child["state"] == "running").count();
    assert!(running <= 4, "{status}");
    within("no child at all", async {
        while proxy.client().status().await["children"] != json!([]) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!(proxy.client().status().await["sessions"], 12);
    let first = proxy.client().with("Mcp-Session-Id", &sessions[0]);
    let answer = first
        .post(request(1, "ping", json!({})))
        .await
        .answer()
        .await;
    assert_eq!(answer["result"], json!({}));
}

#[tokio::test]
async fn an_idle_proxy_exits_although_a_stream_is_open() {
    let flags = ["--idle-timeout", "2s", "--idle-action", "exit"];
    let mut proxy = Proxy::start(&flags, &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let child = session.pid().await;
    let _standing = session.listen().await;
    // A call is use for as long as it takes, and then some.
    session.call("sleep", json!({ "ms": 3_000 })).await;
    assert_eq!(session.call("count", json!({})).await, "1");
    proxy.says("nobody uses this proxy").await;
    assert_eq!(proxy.exit().await, Some(0));
    assert!(!runs(child));
}

#[tokio::test]
async fn a_stream_that_carries_nothing_is_ended_and_can_be_taken_up() {
    let proxy = Proxy::start(&["--max-stream-idle", "1s", "--silence", "100ms"], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let mut standing = session.listen().await;
    session.call("notify", json!({})).await;
    standing.message().await;
    while standing.next().await.is_some() {}
    let last = standing.last.clone().unwrap();
    let mut again = session.resume(&last).await.stream();
    session.call("notify", json!({})).await;
    again.message().await;
    // A call's stream has something to wait for.
    let asleep = session
        .start("sleep", json!({ "ms": 2_500 }))
        .await
        .stream();
    let answer = asleep.rest().await.pop().unwrap();
    assert!(answer["result"].is_object(), "{answer}");
}

/// Plays Fly's socket: answers the next request with this status, and gives its first line.
async fn fly(listener: &UnixListener, status: &str) -> String {
    within("a request to Fly", async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(socket.read_u8().await.unwrap());
        }
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\n{{}}");
        socket.write_all(answer.as_bytes()).await.unwrap();
        let head = String::from_utf8(head).unwrap();
        head.lines().next().unwrap().to_owned()
    })
    .await
}

#[tokio::test]
async fn an_idle_machine_is_put_away_and_stays_awake_when_that_fails() {
    // A socket's path is short, so it is not in the build's own folder.
    let path: PathBuf = std::env::temp_dir().join(format!("fly-{}", std::process::id()));
    let _socket = Gone(&path);
    let listener = UnixListener::bind(&path).unwrap();
    let env = [
        ("FLY_APP_NAME", "app"),
        ("FLY_MACHINE_ID", "e286"),
        ("MCP_PROXY_FLY_SOCKET", path.to_str().unwrap()),
    ];
    let flags = ["--idle-timeout", "1s", "--idle-action", "suspend"];
    let proxy = Proxy::start_with(&env, &flags, &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let asked = fly(&listener, "412 Precondition Failed").await;
    assert_eq!(asked, "POST /v1/apps/app/machines/e286/suspend HTTP/1.1");
    proxy.says("stays awake: Fly answered 412").await;
    // It serves, and tries again.
    assert_eq!(session.call("count", json!({})).await, "1");
    assert_eq!(fly(&listener, "200 OK").await, asked);
    proxy.says("is put away").await;
    // It woke up.
    let answer: Value = session.request("ping", json!({})).await;
    assert_eq!(answer["result"], json!({}));
    drop(listener);
    fs::remove_file(&path).unwrap();
    proxy.says("stays awake: No such file").await;
    assert_eq!(session.call("count", json!({})).await, "2");
}

/// A file that goes with the test.
struct Gone<'a>(&'a Path);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        let _left = fs::remove_file(self.0);
    }
}
