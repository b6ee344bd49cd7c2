//! Several people at one door: what one of them has, no other can reach.

use serde_json::{Value, json};

use super::{
    client::{Client, call, call_with_token, request, steps},
    folder::Folder,
    proxy::Proxy,
    session::{LATEST, Session, initialize},
};
use crate::toy::within;

const ALICE: &str = "correct-horse-of-alice";
const BOB: &str = "battery-staple-of-bob";
const TOKENS: (&str, &str) = (
    "MCP_PROXY_AUTH_TOKENS",
    "alice:correct-horse-of-alice,bob:battery-staple-of-bob",
);

fn bearing(proxy: &Proxy, token: &str) -> Client {
    proxy
        .client()
        .with("Authorization", &format!("Bearer {token}"))
}

/// The same session, in the hands of another.
fn stolen(session: &Session, token: &str) -> Client {
    session
        .client
        .with("Authorization", &format!("Bearer {token}"))
}

#[tokio::test]
async fn a_session_of_another_is_not_there() {
    for mode in ["session", "shared"] {
        let proxy = Proxy::start_with(&[TOKENS], &["--child-mode", mode], &[]).await;
        let alice = Session::open(&bearing(&proxy, ALICE), LATEST).await;
        let bob = stolen(&alice, BOB);
        bob.post(call(1, "count", json!({})))
            .await
            .refused(404)
            .await;
        bob.get("/mcp").await.refused(404).await;
        bob.send("DELETE", "/mcp", "").await.refused(404).await;
        // A stranger is asked who it is, and not told whether there is such a session.
        let stranger = stolen(&alice, "neither-of-them");
        stranger.send("DELETE", "/mcp", "").await.refused(401).await;
        assert_eq!(alice.call("count", json!({})).await, "1", "{mode}");
        // Each has children of her own where they are not shared.
        let bob = Session::open(&bearing(&proxy, BOB), LATEST).await;
        let same = alice.pid().await == bob.pid().await;
        assert_eq!(same, mode == "shared");
    }
}

#[tokio::test]
async fn a_stream_of_another_is_not_replayed() {
    let proxy = Proxy::start_with(&[TOKENS], &[], &[]).await;
    let alice = Session::open(&bearing(&proxy, ALICE), LATEST).await;
    let body = call_with_token(1, "t", "progress", json!({ "n": 3 }));
    let mut stream = alice.post(body).await.stream();
    stream.event().await.unwrap();
    let last = stream.last.clone().unwrap();
    drop(stream);
    let bob = stolen(&alice, BOB).with("Last-Event-ID", &last);
    bob.get("/mcp").await.refused(404).await;
    // Nor in a session of his own: the number means another stream there, or none.
    let own = Session::open(&bearing(&proxy, BOB), LATEST).await;
    let reply = own.resume(&last).await;
    let found = if reply.status == 200 {
        steps(&reply.stream().rest().await)
    } else {
        Vec::new()
    };
    assert!(found.is_empty(), "{found:?}");
    let rest = alice.resume(&last).await.stream().rest().await;
    assert_eq!(steps(&rest), [1, 2, 3]);
}

#[tokio::test]
async fn an_http_sse_session_of_another_is_not_there() {
    let proxy = Proxy::start_with(&[TOKENS], &[], &[]).await;
    let alice = bearing(&proxy, ALICE);
    let mut stream = alice.get("/sse").await.stream();
    let event = stream.event().await.unwrap();
    let path = String::from_utf8(event.data.to_vec()).unwrap();
    let bob = bearing(&proxy, BOB);
    let ping = request(1, "ping", json!({}));
    bob.send("POST", &path, ping).await.refused(404).await;
    let greeting = initialize("2024-11-05");
    assert_eq!(alice.send("POST", &path, greeting).await.status, 202);
    assert_eq!(stream.message().await["id"], "init");
}

#[tokio::test]
async fn without_sessions_each_has_a_server() {
    let proxy = Proxy::start_with(&[TOKENS], &["--stateless"], &[]).await;
    let mut pids = Vec::new();
    for token in [ALICE, BOB, ALICE] {
        let client = bearing(&proxy, token);
        let answer: Value = client.post(call(1, "pid", json!({}))).await.json().await;
        pids.push(super::client::text(&answer).to_owned());
    }
    assert_eq!(pids[0], pids[2]);
    assert_ne!(pids[0], pids[1]);
}

#[tokio::test]
async fn a_token_that_was_rotated_is_refused_and_its_sessions_stay() {
    let folder = Folder::new("rotated");
    let file = folder.path("tokens");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write(&format!("alice:{ALICE}\nbob:{BOB}\n"));
    let path = file.to_str().unwrap();
    let proxy = Proxy::start(&["--auth-token-file", path], &[]).await;
    let alice = Session::open(&bearing(&proxy, ALICE), LATEST).await;
    let mut standing = alice.listen().await;
    assert_eq!(alice.call("count", json!({})).await, "1");

    const NEW: &str = "another-horse-of-alice";
    write(&format!("# rotated\nalice:{NEW}\nbob:{BOB}\n"));
    let status = async |client: &Client| client.get("/status").await.status;
    within("the old token is refused", async {
        while status(&bearing(&proxy, ALICE)).await != 401 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    proxy.says("the tokens were read again").await;
    alice
        .post(call(9, "count", json!({})))
        .await
        .refused(401)
        .await;
    assert_eq!(status(&bearing(&proxy, BOB)).await, 200);
    let client = stolen(&alice, NEW);
    let answer = client
        .post(call(10, "count", json!({})))
        .await
        .answer()
        .await;
    assert_eq!(
        super::client::text(&answer),
        "2",
        "the same server, of the same session"
    );
    client
        .post(call(11, "notify", json!({})))
        .await
        .answer()
        .await;
    assert_eq!(
        standing.message().await["method"],
        "notifications/tools/list_changed"
    );

    // A file that is wrong, or gone, changes nothing.
    write("alice:one\nalice:two\n");
    let said = proxy.says("the tokens stay as they were").await;
    assert!(said.contains("the name stands there twice"), "{said}");
    assert_eq!(status(&client).await, 200);
    std::fs::remove_file(&file).unwrap();
    proxy.says("No such file").await;
    assert_eq!(status(&client).await, 200);
    for secret in [ALICE, BOB, NEW] {
        assert!(!proxy.said().contains(secret), "{}", proxy.said());
    }
}

#[tokio::test]
async fn tokens_from_a_pipe_are_read_once() {
    let folder = Folder::new("pipe");
    let pipe = folder.path("tokens");
    let path = pipe.to_str().unwrap().to_owned();
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, 0o600.into()).unwrap();
    let writing = tokio::task::spawn_blocking(move || {
        std::fs::write(&pipe, format!("alice:{ALICE}\n")).unwrap();
    });
    let mut proxy = Proxy::start(&["--auth-token-file", &path], &[]).await;
    writing.await.unwrap();
    let client = bearing(&proxy, ALICE);
    assert_eq!(client.get("/status").await.status, 200);
    // Nobody waits for a second reading.
    proxy.signal(rustix::process::Signal::TERM);
    assert_eq!(proxy.exit().await, Some(0));
}
