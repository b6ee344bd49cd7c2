//! The server asks: during a call on that call's stream, otherwise on the standing one.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    client::text,
    proxy::Proxy,
    session::{LATEST, Session, VERSIONS},
};
use crate::toy::within;

/// Kind as the toy knows it, method, the client's result.
fn kinds() -> [(&'static str, &'static str, Value); 5] {
    [
        (
            "elicitation",
            "elicitation/create",
            json!({ "action": "accept", "content": { "name": "Ada" } }),
        ),
        ("url", "elicitation/create", json!({ "action": "decline" })),
        (
            "sampling",
            "sampling/createMessage",
            json!({ "role": "assistant", "content": { "type": "text", "text": "Ada" }, "model": "m", "unknown": 1 }),
        ),
        (
            "roots",
            "roots/list",
            json!({ "roots": [{ "uri": "file:///srv", "name": "srv" }] }),
        ),
        ("ping", "ping", json!({})),
    ]
}

#[tokio::test]
async fn a_call_asks_and_gets_the_answer() {
    let proxy = Proxy::start(&[], &[]).await;
    for version in VERSIONS {
        let session = Session::open(&proxy.client(), version).await;
        for (kind, method, result) in kinds() {
            let mut stream = session.start("ask", json!({ "kind": kind })).await.stream();
            let question = stream.message().await;
            assert_eq!(question["method"], method, "{kind}");
            session.reply(&question, result.clone()).await;
            let answer = stream.message().await;
            let heard: Value = serde_json::from_str(text(&answer)).unwrap();
            assert_eq!(heard, result, "{kind}");
            assert_eq!(stream.next().await, None);
        }
    }
}

#[tokio::test]
async fn several_questions_of_one_call_come_one_after_another() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let asking = session.start("ask", json!({ "kind": "roots", "n": 3 }));
    let mut stream = asking.await.stream();
    let mut ids = Vec::new();
    for n in 0..3 {
        let question = stream.message().await;
        ids.push(question["id"].clone());
        session
            .reply(&question, json!({ "roots": [], "n": n }))
            .await;
    }
    ids.dedup();
    assert_eq!(ids.len(), 3);
    let answer = stream.message().await;
    let lines: Vec<Value> = text(&answer)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        lines
            .iter()
            .map(|line| line["n"].clone())
            .collect::<Vec<_>>(),
        [0, 1, 2]
    );
}

#[tokio::test]
async fn calls_that_ask_at_the_same_time_each_get_their_own_answer() {
    let proxy = Proxy::start(&[], &[]).await;
    let one = Session::open(&proxy.client(), LATEST).await;
    let other = Session::open(&proxy.client(), LATEST).await;
    let mut first = one.start("ask", json!({ "kind": "roots" })).await.stream();
    let mut second = other
        .start("ask", json!({ "kind": "roots" }))
        .await
        .stream();
    let (asked_one, asked_other) = (first.message().await, second.message().await);
    // An answer to another session's question is nobody's.
    one.reply(&asked_other, json!({ "roots": ["crossed"] }))
        .await;
    other
        .reply(&asked_other, json!({ "roots": ["other"] }))
        .await;
    one.reply(&asked_one, json!({ "roots": ["one"] })).await;
    assert_eq!(text(&first.message().await), r#"{"roots":["one"]}"#);
    assert_eq!(text(&second.message().await), r#"{"roots":["other"]}"#);
}

#[tokio::test]
async fn an_error_is_an_answer() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let mut stream = session.start("ask", json!({})).await.stream();
    let question = stream.message().await;
    let refusal = format!(
        r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":-1,"message":"the user rejected it","data":{{"x":0.10}}}}}}"#,
        question["id"]
    );
    assert_eq!(session.post(refusal).await.status, 202);
    assert_eq!(
        text(&stream.message().await),
        r#"{"code":-1,"message":"the user rejected it","data":{"x":0.10}}"#
    );
}

#[tokio::test]
async fn a_question_before_any_call_waits_for_the_standing_stream() {
    let proxy = Proxy::start(&[], &["--ask-first"]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    // Two lines: the answer to initialize, and the question. A call in flight would get it, and
    // there is none.
    let client = proxy.client();
    within("the question was written", async {
        while client.status().await["children"][0]["lines_read"].as_u64() < Some(2) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let mut standing = session.listen().await;
    let question = standing.message().await;
    assert_eq!(question["method"], "roots/list");
    session.reply(&question, json!({ "roots": ["late"] })).await;
    let seen = session.seen().await;
    assert!(
        seen.iter().any(|line| line.contains(r#""roots":["late"]"#)),
        "{seen:?}"
    );
}

#[tokio::test]
async fn an_answer_nobody_waits_for_is_taken_and_forgotten() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    for id in [json!(1), json!("x"), json!(1.5), json!(99_999)] {
        session.reply(&json!({ "id": id }), json!({})).await;
    }
    let seen = session.seen().await;
    assert_eq!(seen.len(), 3, "initialize, initialized and this: {seen:?}");
}
