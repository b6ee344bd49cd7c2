//! The child dies, or does not start: who is told, and what goes on.

use serde_json::{Value, json};

use super::{
    client::{call, request, text},
    proxy::Proxy,
    session::{LATEST, Session, initialize},
};
use crate::toy::{eventually, runs, within};

#[tokio::test]
async fn a_call_is_told_how_its_child_died() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    for (arguments, how) in [
        (json!({ "code": 7 }), "the server exited with status 7"),
        (
            json!({ "signal": 9 }),
            "the server was killed by signal 9 (SIGKILL",
        ),
    ] {
        let answer = session
            .post(call("x", "crash", arguments))
            .await
            .answer()
            .await;
        assert_eq!(answer["id"], "x");
        let sentence = answer["error"]["message"].as_str().unwrap();
        assert!(sentence.contains(how), "{sentence:?} does not say {how:?}");
        assert_eq!(
            answer["error"]["data"],
            json!({ "blame": "server", "retry": "unsafe" })
        );
    }
    // The second one within a minute costs a second.
    let reply = session.start("count", json!({})).await;
    assert_eq!(reply.header("retry-after"), Some("1"));
    reply.refused(503).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(session.call("count", json!({})).await, "1");
}

#[tokio::test]
async fn what_was_said_before_the_end_is_delivered_before_it() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let stream = session
        .start("crash", json!({ "lines": 20 }))
        .await
        .stream();
    let messages = stream.rest().await;
    assert_eq!(messages.len(), 21);
    assert!(messages[20]["error"].is_object());
    // A farewell counts as the answer.
    let answer = session
        .start("crash", json!({ "answer": true }))
        .await
        .answer()
        .await;
    assert_eq!(text(&answer), "farewell");
}

#[tokio::test]
async fn its_successor_is_told_what_the_client_said() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let mut standing = session.listen().await;
    session
        .request("logging/setLevel", json!({ "level": "debug" }))
        .await;
    session
        .request("logging/setLevel", json!({ "level": "warning" }))
        .await;
    for uri in ["toy://greeting", "toy://empty"] {
        session
            .request("resources/subscribe", json!({ "uri": uri }))
            .await;
    }
    session
        .request("resources/unsubscribe", json!({ "uri": "toy://empty" }))
        .await;
    // What a server refused is not repeated.
    let refused = session
        .request("logging/setLevel", json!({ "level": "loud" }))
        .await;
    assert!(refused["error"].is_object());
    let before = session.pid().await;
    session.start("crash", json!({})).await.answer().await;

    let seen = session.seen().await;
    let heard: Vec<(String, Value)> = seen
        .iter()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            (
                line["method"].as_str().unwrap().to_owned(),
                line["params"].clone(),
            )
        })
        .collect();
    let methods: Vec<&str> = heard.iter().map(|(method, _)| method.as_str()).collect();
    assert_eq!(
        methods,
        [
            "initialize",
            "notifications/initialized",
            "logging/setLevel",
            "resources/subscribe",
            "tools/call"
        ]
    );
    assert_eq!(heard[0].1["protocolVersion"], LATEST);
    assert_eq!(heard[0].1["clientInfo"]["name"], "test");
    assert_eq!(heard[2].1, json!({ "level": "warning" }));
    assert_eq!(heard[3].1, json!({ "uri": "toy://greeting" }));
    assert_ne!(session.pid().await, before);

    // The standing stream is the session's, and outlives the child.
    assert_eq!(
        session
            .call("notify", json!({ "uri": "toy://greeting" }))
            .await,
        "updated"
    );
    let news = standing.message().await;
    assert_eq!(news["method"], "notifications/resources/updated");
}

#[tokio::test]
async fn many_requests_at_once_revive_one_child() {
    let proxy = Proxy::start(&[], &["--start-delay", "200"]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    session.start("crash", json!({})).await.answer().await;
    let mut calls = Vec::new();
    for n in 0..20 {
        let client = session.client.clone();
        calls.push(tokio::spawn(async move {
            client
                .post(call(format!("c{n}"), "pid", json!({})))
                .await
                .answer()
                .await
        }));
    }
    let mut pids = Vec::new();
    for call in calls {
        let answer = within("an answer", call).await.unwrap();
        pids.push(text(&answer).to_owned());
    }
    pids.dedup();
    assert_eq!(pids.len(), 1, "{pids:?}");
}

#[tokio::test]
async fn a_shared_child_is_replaced_for_everybody() {
    let proxy = Proxy::start(&["--child-mode", "shared"], &[]).await;
    let one = Session::open(&proxy.client(), LATEST).await;
    let other = Session::open(&proxy.client(), LATEST).await;
    let mut standing = other.listen().await;
    other
        .request("resources/subscribe", json!({ "uri": "toy://greeting" }))
        .await;
    let before = one.pid().await;
    one.start("crash", json!({})).await.answer().await;
    let after = one.pid().await;
    assert_ne!(before, after);
    assert_eq!(other.pid().await, after);
    assert_eq!(
        one.call("notify", json!({ "uri": "toy://greeting" })).await,
        "updated"
    );
    assert_eq!(
        standing.message().await["method"],
        "notifications/resources/updated"
    );
}

#[tokio::test]
async fn a_child_that_does_not_start_is_a_503_and_not_ready() {
    let proxy = Proxy::start(&[], &["--exit-at-start", "3"]).await;
    let client = proxy.client();
    assert_eq!(
        client.get("/health/ready").await.status,
        200,
        "nothing has failed yet"
    );
    let reply = client.post(initialize(LATEST)).await;
    let waits = reply
        .header("retry-after")
        .map(|wait| wait.parse::<u64>().unwrap());
    assert!(waits.is_some_and(|wait| wait >= 1), "{waits:?}");
    assert_eq!(reply.header("mcp-session-id"), None);
    let error = reply.refused(503).await;
    let sentence = error["message"].as_str().unwrap();
    assert!(sentence.contains("exited with status 3"), "{sentence}");
    let ready = client.get("/health/ready").await;
    assert_eq!(ready.status, 503);
    assert!(
        ready.json().await["reason"]
            .as_str()
            .unwrap()
            .contains("status 3")
    );
    assert_eq!(client.get("/health/live").await.status, 200);
    assert_eq!(client.status().await["sessions"], 0);
}

#[tokio::test]
async fn a_child_that_says_nothing_is_given_up_in_time() {
    let proxy = Proxy::start(
        &["--start-timeout", "1s", "--close-wait", "1s"],
        &["--silent"],
    )
    .await;
    let client = proxy.client();
    let answer = client.post(initialize(LATEST)).await;
    assert_eq!(answer.header("mcp-session-id"), None);
    let body = answer.answer().await;
    assert!(
        body["error"]["message"]
            .as_str()
            .unwrap()
            .contains("--start-timeout"),
        "{body}"
    );
    within("the end of the silent child", async {
        while client.status().await["children"] != json!([]) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_told_so_and_cancelled() {
    let proxy = Proxy::start(&["--request-timeout", "1s"], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let answer = session
        .start("sleep", json!({ "ms": 60_000 }))
        .await
        .answer()
        .await;
    let sentence = answer["error"]["message"].as_str().unwrap();
    assert!(sentence.contains("--request-timeout"), "{sentence}");
    assert_ne!(session.call("cancelled", json!({})).await, "[]");
    // Waiting for a person is not request time (rule 13).
    let mut asking = session
        .start("ask", json!({ "kind": "roots" }))
        .await
        .stream();
    let question = asking.message().await;
    // Longer than a request may take and the sweep that would end it: that nothing happens has no fact.
    tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
    session.reply(&question, json!({ "roots": [] })).await;
    assert_eq!(text(&asking.message().await), r#"{"roots":[]}"#);
}

#[tokio::test]
async fn deleting_a_session_ends_its_calls_and_its_child() {
    let proxy = Proxy::start(&["--silence", "50ms"], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let child = session.pid().await;
    let grandchild: u32 = session.call("grandchild", json!({})).await.parse().unwrap();
    let standing = session.listen().await;
    let asleep = session
        .post(call("x", "sleep", json!({ "ms": 60_000 })))
        .await
        .stream();
    assert_eq!(session.client.send("DELETE", "/mcp", "").await.status, 200);
    let told = asleep.rest().await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["id"], "x");
    assert!(told[0]["error"].is_object(), "{told:?}");
    assert!(standing.rest().await.is_empty());
    eventually("the child and its child have ended", || {
        !runs(child) && !runs(grandchild)
    })
    .await;
    session
        .post(request(1, "ping", json!({})))
        .await
        .refused(404)
        .await;
}

#[tokio::test]
async fn a_session_nobody_uses_is_ended() {
    let proxy = Proxy::start(&["--session-idle-timeout", "2s"], &[]).await;
    let idle = Session::open(&proxy.client(), LATEST).await;
    let read = Session::open(&proxy.client(), LATEST).await;
    let mut standing = read.listen().await;
    let child = idle.pid().await;
    eventually("the idle session's child has ended", || !runs(child)).await;
    idle.post(request(1, "ping", json!({})))
        .await
        .refused(404)
        .await;
    // One whose stream is read is used.
    assert_eq!(read.call("notify", json!({})).await, "changed");
    standing.message().await;
}
