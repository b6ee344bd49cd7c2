//! Batches: 2025-03-26 has them, and no other version.

use serde_json::{Value, json};

use super::{
    client::{call, call_with_token, notification, request, steps, text},
    proxy::Proxy,
    session::{Session, VERSIONS, initialize},
};

const WITH_BATCHES: &str = "2025-03-26";

fn array(messages: &[String]) -> String {
    format!("[{}]", messages.join(","))
}

#[tokio::test]
async fn a_batch_of_everything_is_answered_as_an_array() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), WITH_BATCHES).await;
    let body = array(&[
        notification("notifications/roots/list_changed", json!({})),
        call("a", "echo", json!({ "text": "one" })),
        r#"{"jsonrpc":"2.0","id":4711,"result":{}}"#.to_owned(),
        call("b", "count", json!({})),
    ]);
    let reply = session.post(body).await;
    assert_eq!(reply.status, 200);
    let answers = reply.json().await;
    let answers = answers.as_array().unwrap();
    assert_eq!(answers.len(), 2);
    let of = |id: &str| answers.iter().find(|answer| answer["id"] == id).unwrap();
    assert_eq!(text(of("a")), "one");
    assert_eq!(text(of("b")), "1");
    // The child read single messages, in the order of the batch; the answer was nobody's.
    let methods: Vec<Value> = session.seen().await[2..]
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["method"].clone())
        .collect();
    assert_eq!(
        methods,
        [
            "notifications/roots/list_changed",
            "tools/call",
            "tools/call",
            "tools/call"
        ]
    );
}

#[tokio::test]
async fn a_batch_without_requests_is_accepted() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), WITH_BATCHES).await;
    let changed = notification("notifications/roots/list_changed", json!({}));
    let reply = session.post(array(&[changed.clone(), changed])).await;
    assert_eq!(reply.status, 202);
    assert!(reply.bytes().await.is_empty());
    assert_eq!(session.seen().await.len(), 5);
}

#[tokio::test]
async fn one_request_in_a_batch_is_answered_in_an_array() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), WITH_BATCHES).await;
    let answers = session
        .post(array(&[call(1, "count", json!({}))]))
        .await
        .json()
        .await;
    assert_eq!(answers.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn progress_in_a_batch_makes_it_a_stream_in_the_order_of_the_server() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), WITH_BATCHES).await;
    let body = array(&[
        call_with_token("a", "ta", "progress", json!({ "n": 20 })),
        call_with_token("b", "tb", "progress", json!({ "n": 30 })),
        call("c", "count", json!({})),
    ]);
    let messages = session.post(body).await.stream().rest().await;
    assert_eq!(messages.len(), 20 + 30 + 3);
    for (id, token, count) in [("a", "ta", 20), ("b", "tb", 30)] {
        let mine: Vec<Value> = messages
            .iter()
            .filter(|message| message["params"]["progressToken"] == token || message["id"] == id)
            .cloned()
            .collect();
        assert_eq!(steps(&mine), (1..=count).collect::<Vec<_>>());
        assert_eq!(text(mine.last().unwrap()), format!("{count} steps"));
    }
    assert!(messages.iter().any(|message| message["id"] == "c"));
}

#[tokio::test]
async fn what_cannot_be_read_is_answered_in_its_place_and_the_rest_runs() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), WITH_BATCHES).await;
    let body = array(&[
        r#"{"jsonrpc":"1.0","id":"old","method":"ping"}"#.to_owned(),
        "42".to_owned(),
        call("good", "echo", json!({ "text": "fine" })),
        call("good", "echo", json!({ "text": "the same id" })),
        "[]".to_owned(),
    ]);
    let answers = session.post(body).await.json().await;
    let answers = answers.as_array().unwrap();
    assert_eq!(answers.len(), 5, "{answers:?}");
    let codes_of = |id: Value| -> Vec<i64> {
        let mine = answers.iter().filter(|answer| answer["id"] == id);
        mine.filter_map(|answer| answer["error"]["code"].as_i64())
            .collect()
    };
    assert_eq!(codes_of(json!("old")), [-32600]);
    assert_eq!(codes_of(Value::Null), [-32600, -32600]);
    assert_eq!(codes_of(json!("good")), [-32600]);
    let good = answers
        .iter()
        .find(|answer| answer["id"] == "good" && answer["error"].is_null());
    assert_eq!(text(good.unwrap()), "fine");
}

#[tokio::test]
async fn batches_that_are_none_are_refused_whole() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), WITH_BATCHES).await;
    let count = call(1, "count", json!({}));
    for body in [
        "[]".to_owned(),
        array(&[initialize(WITH_BATCHES), count.clone()]),
        format!("[{count}"),
        format!("[{count},]"),
        array(&vec![request(1, "ping", json!({})); 101]),
    ] {
        session.post(&body).await.refused(400).await;
    }
    // Without a session there is no version that has batches.
    proxy
        .client()
        .post(array(&[initialize(WITH_BATCHES)]))
        .await
        .refused(400)
        .await;
    proxy
        .client()
        .post(array(std::slice::from_ref(&count)))
        .await
        .refused(400)
        .await;
    assert_eq!(
        session.call("count", json!({})).await,
        "1",
        "none of it ran"
    );
}

#[tokio::test]
async fn other_versions_have_no_batches() {
    let proxy = Proxy::start(&[], &[]).await;
    for version in VERSIONS
        .into_iter()
        .filter(|version| *version != WITH_BATCHES)
    {
        let session = Session::open(&proxy.client(), version).await;
        session
            .post(array(&[call(1, "count", json!({}))]))
            .await
            .refused(400)
            .await;
        assert_eq!(session.call("count", json!({})).await, "1");
    }
}

/// The client is gone after the first of three answers; nobody cancelled anything.
#[tokio::test]
async fn a_batch_that_breaks_half_way_sees_its_calls_to_their_end() {
    let proxy = Proxy::start(&["--silence", "50ms"], &[]).await;
    let session = Session::open(&proxy.client(), WITH_BATCHES).await;
    let body = array(&[
        call("a", "echo", json!({ "text": "one" })),
        call("b", "sleep", json!({ "ms": 900 })),
        call("c", "sleep", json!({ "ms": 1_000 })),
    ]);
    let mut stream = session.post(body).await.stream();
    assert_eq!(stream.message().await["id"], "a");
    let last = stream.last.clone();
    drop(stream);
    let status = proxy.client().status().await;
    assert_eq!(status["children"][0]["calls_in_flight"], 2, "{status}");
    crate::toy::within("the end of the calls at the child", async {
        while proxy.client().status().await["children"][0]["calls_in_flight"] != 0 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
    assert_eq!(session.call("cancelled", json!({})).await, "[]");
    // What they came to waits for their client.
    let rest = session.resume(&last.unwrap()).await.stream().rest().await;
    let mut said: Vec<(&str, &str)> = rest
        .iter()
        .map(|answer| (answer["id"].as_str().unwrap(), text(answer)))
        .collect();
    said.sort_unstable();
    assert_eq!(said, [("b", "slept"), ("c", "slept")]);
}
