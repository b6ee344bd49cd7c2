//! Answers, and what comes before them: each to its own client, with its own id and token.

use serde_json::{Value, json};

use super::super::client::text;
use super::super::proxy::Proxy;
use super::{headers, meta, pids, said, send, tool, whole};

const MODERN: [&str; 2] = ["--era", "modern"];

#[tokio::test]
async fn an_answer_is_json_with_the_id_as_it_was_spelled_and_every_byte_of_the_server() {
    let proxy = Proxy::start(&[], &MODERN).await;
    let params = json!({ "name": "strange", "arguments": {}, "_meta": meta() });
    let mut bodies = Vec::new();
    for id in ["1", "1.0", "\"1\"", "18446744073709551616", r#""\u0061""#] {
        let body =
            format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{params}}}"#);
        let client = headers(
            &proxy.client(),
            &whole(json!(1), "tools/call", params.clone()),
        );
        let reply = client.post(body).await;
        assert_eq!(reply.status, 200);
        let text = reply.text().await;
        assert!(text.contains(&format!(r#""id":{id}"#)), "{text}");
        bodies.push(text.replace(&format!(r#""id":{id}"#), ""));
    }
    assert!(
        bodies[0].contains("0.10") || bodies[0].contains("1e"),
        "{}",
        bodies[0]
    );
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
}

#[tokio::test]
async fn requests_of_one_principal_share_a_child_and_sessions_have_their_own() {
    let proxy = Proxy::start(&[], &["--era", "dual"]).await;
    assert_eq!(said(&proxy, "count", json!({})).await, "1");
    assert_eq!(said(&proxy, "count", json!({})).await, "2");
    let [shared] = pids(&proxy).await[..] else {
        panic!("one child");
    };
    let session =
        super::super::session::Session::open(&proxy.client(), super::super::session::LATEST).await;
    assert_eq!(session.call("count", json!({})).await, "1");
    assert_eq!(pids(&proxy).await.len(), 2);
    assert_eq!(said(&proxy, "count", json!({})).await, "3");
    assert!(pids(&proxy).await.contains(&shared));
}

#[tokio::test]
async fn progress_comes_before_the_answer_on_a_stream_without_event_ids() {
    let proxy = Proxy::start(&[], &MODERN).await;
    let params = json!({
        "name": "progress", "arguments": { "n": 20 }, "_meta": { "progressToken": "ü/1" },
    });
    let mut stream = send(&proxy, "p", "tools/call", params).await.stream();
    for step in 1..=20 {
        let event = stream.event().await.unwrap();
        assert_eq!(event.id, None);
        let message: Value = serde_json::from_slice(&event.data).unwrap();
        assert_eq!(message["method"], "notifications/progress");
        assert_eq!(message["params"]["progressToken"], "ü/1");
        assert_eq!(message["params"]["progress"], step);
    }
    let answer = stream.message().await;
    assert_eq!(answer["id"], "p");
    assert!(stream.next().await.is_none(), "the answer ends the stream");
}

#[tokio::test]
async fn two_clients_with_the_same_id_and_token_never_meet() {
    let proxy = Proxy::start(&[], &MODERN).await;
    // The child is up before the crowd comes.
    said(&proxy, "count", json!({})).await;
    let one = |n: usize| {
        let proxy = &proxy;
        async move {
            let params = json!({
                "name": "progress",
                "arguments": { "n": n, "ms": 5 },
                "_meta": { "progressToken": 1 },
            });
            let messages = send(proxy, 1, "tools/call", params)
                .await
                .stream()
                .rest()
                .await;
            assert_eq!(messages.len(), n + 1);
            assert!(
                messages[..n]
                    .iter()
                    .all(|m| m["params"]["progressToken"] == 1)
            );
            assert_eq!(messages[n]["id"], 1);
        }
    };
    tokio::join!(one(3), one(10), one(7), one(1));
}

#[tokio::test]
async fn log_records_reach_the_one_call_that_wants_them() {
    let proxy = Proxy::start(&[], &MODERN).await;
    let call = |level: Option<&str>| {
        let mut params =
            json!({ "name": "log", "arguments": { "level": "warning", "n": 2, "unasked": true } });
        if let Some(level) = level {
            params["_meta"] = json!({ "io.modelcontextprotocol/logLevel": level });
        }
        send(&proxy, 1, "tools/call", params)
    };
    assert!(!call(None).await.is_stream(), "nobody asked");
    assert!(!call(Some("error")).await.is_stream(), "not severe enough");
    let messages = call(Some("info")).await.stream().rest().await;
    assert_eq!(messages.len(), 3);
    assert_eq!(messages[0]["method"], "notifications/message");
}

#[tokio::test]
async fn an_error_has_the_status_its_code_wants() {
    let proxy = Proxy::start(&[], &MODERN).await;
    for (code, status) in [
        (32603, 200),
        (32602, 200),
        (32601, 404),
        (32021, 400),
        (32000, 200),
    ] {
        let reply = tool(&proxy, 1, "error", json!({ "code": code })).await;
        assert_eq!(reply.status, status, "-{code}");
        assert_eq!(reply.json().await["error"]["code"], -code);
    }
    // What a tool says of itself is a result.
    let reply = tool(&proxy, 1, "fail", json!({ "text": "no" })).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json().await["result"]["isError"], true);
}

#[tokio::test]
async fn a_server_that_dies_is_one_honest_error_and_the_next_request_has_another() {
    let proxy = Proxy::start(&[], &MODERN).await;
    let answer = tool(&proxy, 1, "crash", json!({ "code": 3 }))
        .await
        .json()
        .await;
    assert!(
        answer["error"]["message"]
            .as_str()
            .unwrap()
            .contains("exited with status 3"),
        "{answer}"
    );
    assert_eq!(answer["error"]["data"]["retry"], "unsafe");
    let again = tool(&proxy, 2, "echo", json!({ "text": "back" }))
        .await
        .json()
        .await;
    assert_eq!(text(&again), "back");
}

#[tokio::test]
async fn a_silent_answer_becomes_a_stream_and_a_late_one_an_error() {
    let proxy = Proxy::start(
        &["--silence", "20ms", "--request-timeout", "300ms"],
        &MODERN,
    )
    .await;
    let mut stream = tool(&proxy, 1, "hang", json!({})).await.stream();
    let answer = stream.message().await;
    assert!(
        answer["error"]["message"]
            .as_str()
            .unwrap()
            .contains("--request-timeout"),
        "{answer}"
    );
    assert!(stream.next().await.is_none());
}
