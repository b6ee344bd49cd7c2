//! Clients of the session eras, and of HTTP+SSE, before a server that has only 2026-07-28: what they
//! do not notice.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::super::client::{call_with_token, notification, steps, text};
use super::super::folder::Folder;
use super::super::http_sse::{self, Connection};
use super::super::metrics::Page;
use super::super::proxy::{Proxy, toy_path};
use super::super::session::{LATEST, Session, VERSIONS, initialize};
use super::super::stateless;
use crate::toy::within;

const MODERN: [&str; 2] = ["--era", "modern"];

async fn proxy() -> Proxy {
    Proxy::start(&[], &MODERN).await
}

/// Kind as the toy knows it, method, the client's result.
fn kinds() -> [(&'static str, &'static str, Value); 4] {
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
            json!({ "role": "assistant", "content": { "type": "text", "text": "Ada" }, "model": "m" }),
        ),
        (
            "roots",
            "roots/list",
            json!({ "roots": [{ "uri": "file:///srv" }] }),
        ),
    ]
}

async fn children(proxy: &Proxy) -> usize {
    let status = proxy.client().status().await;
    status["children"].as_array().unwrap().len()
}

/// Waits until so many processes are left.
async fn is_left(proxy: &Proxy, number: usize) {
    within("a child that is not wanted has ended", async {
        while children(proxy).await != number {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_session_is_opened_and_costs_one_process_more_the_first_time() {
    // The child that refuses is gone before the other needs its place.
    let proxy = Proxy::start(&["--max-children", "1"], &MODERN).await;
    let (session, welcome) = Session::greet(&proxy.client(), LATEST).await;
    let welcome = &welcome["result"];
    assert_eq!(welcome["protocolVersion"], LATEST);
    assert!(welcome["serverInfo"]["name"].is_string(), "{welcome}");
    assert_eq!(welcome["instructions"], "Misbehaves on request.");
    assert_eq!(welcome["capabilities"]["tools"]["listChanged"], true);
    assert!(welcome["capabilities"].get("extensions").is_none());
    session.notify("notifications/initialized", json!({})).await;
    assert_eq!(session.call("count", json!({})).await, "1");
    assert_eq!(proxy.client().status().await["starts"], 2);
    is_left(&proxy, 1).await;
    // Further sessions cost none, nor does a client of the newer era: they are one principal's.
    for version in VERSIONS {
        let session = Session::open(&proxy.client(), version).await;
        session.call("count", json!({})).await;
    }
    let said = stateless::tool(&proxy, 1, "count", json!({})).await;
    assert_eq!(text(&said.answer().await), "5");
    assert_eq!(proxy.client().status().await["starts"], 2);
}

#[tokio::test]
async fn lists_calls_progress_and_logs_are_those_of_an_older_server() {
    let proxy = proxy().await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let listed = session.request("tools/list", json!({})).await;
    let tools = listed["result"]["tools"].as_array().unwrap();
    assert!(tools.iter().any(|tool| tool["name"] == "echo"));
    for newer in ["resultType", "ttlMs", "cacheScope"] {
        assert!(listed["result"].get(newer).is_none(), "{newer}");
    }
    let read = session
        .request("resources/read", json!({ "uri": "toy://greeting" }))
        .await;
    assert!(read["result"]["contents"].is_array(), "{read}");
    assert!(read["result"].get("ttlMs").is_none(), "{read}");
    assert_eq!(session.call("echo", json!({ "text": "é" })).await, "é");
    assert_eq!(
        session.request("ping", json!({})).await["result"],
        json!({})
    );
    let unknown = session.request("no/such", json!({})).await;
    assert_eq!(unknown["error"]["code"], -32601);

    let progress = call_with_token("p", 1.5, "progress", json!({ "n": 5 }));
    let messages = session.post(progress).await.stream().rest().await;
    assert_eq!(steps(&messages), [1, 2, 3, 4, 5]);
    assert_eq!(messages[0]["params"]["progressToken"], 1.5);

    // Without a level there are none.
    let logs = session.start("log", json!({ "level": "error" })).await;
    assert!(!logs.is_stream());
    let level = json!({ "level": "warning" });
    let set = session.request("logging/setLevel", level).await;
    assert_eq!(set["result"], json!({}));
    for (level, expected) in [("info", 0), ("warning", 1), ("error", 1)] {
        let reply = session.start("log", json!({ "level": level })).await;
        let logs = if reply.is_stream() {
            reply.stream().rest().await.len() - 1
        } else {
            0
        };
        assert_eq!(logs, expected, "{level}");
    }
    let wrong = json!({ "level": "loud" });
    let refused = session.request("logging/setLevel", wrong).await;
    assert_eq!(refused["error"]["code"], -32602);
}

#[tokio::test]
async fn a_call_asks_and_gets_the_answer() {
    let proxy = proxy().await;
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
async fn rounds_follow_each_other_and_a_round_may_hold_several_questions() {
    let proxy = proxy().await;
    let session = Session::open(&proxy.client(), LATEST).await;
    for together in [false, true] {
        let arguments = json!({ "kind": "roots", "n": 2, "together": together });
        let mut stream = session.start("ask", arguments).await.stream();
        let first = stream.message().await;
        if together {
            let second = stream.message().await;
            assert_ne!(first["id"], second["id"]);
            session.reply(&second, json!({ "n": 1 })).await;
            session.reply(&first, json!({ "n": 0 })).await;
        } else {
            session.reply(&first, json!({ "n": 0 })).await;
            let second = stream.message().await;
            session.reply(&second, json!({ "n": 1 })).await;
        }
        let answer = stream.message().await;
        assert_eq!(text(&answer), "{\"n\":0}\n{\"n\":1}", "{together}");
    }
    // A prompt asks as a tool does.
    let body = json!({ "jsonrpc": "2.0", "id": "q", "method": "prompts/get", "params": { "name": "question" } });
    let mut stream = session.post(body).await.stream();
    let question = stream.message().await;
    let refusal =
        json!({ "jsonrpc": "2.0", "id": question["id"], "error": { "code": -1, "message": "no" } });
    session.post(refusal).await;
    let answer = stream.message().await;
    let said = answer["result"]["messages"][0]["content"]["text"].as_str();
    assert_eq!(said, Some(r#"{"action":"cancel"}"#), "{answer}");
}

#[tokio::test]
async fn a_cancelled_call_takes_its_question_back() {
    let proxy = proxy().await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let asking = super::super::client::call("c", "ask", json!({}));
    let mut stream = session.post(asking).await.stream();
    let question = stream.message().await;
    session
        .notify("notifications/cancelled", json!({ "requestId": "c" }))
        .await;
    let withdrawn = stream.message().await;
    assert_eq!(withdrawn["method"], "notifications/cancelled");
    assert_eq!(withdrawn["params"]["requestId"], question["id"]);
    assert_eq!(stream.next().await, None);
    session
        .reply(&question, json!({ "action": "accept" }))
        .await;
    let seen = session.seen().await;
    let asked = seen.iter().filter(|line| line.contains(r#""name":"ask""#));
    assert_eq!(asked.count(), 1, "nothing was sent again: {seen:?}");

    // While the server works, it is the server that is told.
    let sleeping = super::super::client::call("s", "sleep", json!({ "ms": 60_000 }));
    let mut connection = session.client.connect().await;
    let path = session.client.mcp();
    let (reply, ()) = tokio::join!(
        connection.send(&session.client, "POST", &path, sleeping),
        async {
            within("the server has it", async {
                while !session
                    .seen()
                    .await
                    .iter()
                    .any(|line| line.contains("60000"))
                {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            })
            .await;
            session
                .notify("notifications/cancelled", json!({ "requestId": "s" }))
                .await;
        }
    );
    assert!(reply.stream().rest().await.is_empty());
    assert_ne!(session.call("cancelled", json!({})).await, "[]");
}

#[tokio::test]
async fn news_reach_the_standing_stream_of_whom_they_concern() {
    let proxy = proxy().await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let other = Session::open(&proxy.client(), LATEST).await;
    let mut standing = session.listen().await;
    let uri = json!({ "uri": "toy://greeting" });
    let subscribed = session.request("resources/subscribe", uri.clone()).await;
    assert_eq!(subscribed["result"], json!({}));
    assert_eq!(other.call("notify", uri.clone()).await, "told 1");
    assert_eq!(
        standing.message().await,
        json!({ "jsonrpc": "2.0", "method": "notifications/resources/updated", "params": uri })
    );
    // Two sessions with three lists each, and the proxy itself, which wants to know of tools.
    within("what came before is ended", async {
        while other.call("listens", json!({})).await.split(',').count() != 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(session.call("notify", json!({})).await, "told 7");
    let mut told = Vec::new();
    for _ in 0..3 {
        let news = standing.message().await;
        assert!(news["params"].get("_meta").is_none(), "{news}");
        told.push(news["method"].as_str().unwrap().to_owned());
    }
    told.sort_unstable();
    let lists = ["prompts", "resources", "tools"];
    let expected = lists.map(|list| format!("notifications/{list}/list_changed"));
    assert_eq!(told, expected);
    session.request("resources/unsubscribe", uri.clone()).await;
    within("it is not told any more", async {
        while other.call("notify", uri.clone()).await != "told 0" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    // Whoever leaves is not listened for.
    assert_eq!(session.client.send("DELETE", "/mcp", "").await.status, 200);
    within("its subscription is ended", async {
        while other.call("listens", json!({})).await.split(',').count() != 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_that_ends_in_the_middle_is_replaced_and_told_what_it_has_to_know() {
    let proxy = proxy().await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let mut standing = session.listen().await;
    let level = json!({ "level": "error" });
    session.request("logging/setLevel", level).await;
    let uri = json!({ "uri": "toy://greeting" });
    session.request("resources/subscribe", uri.clone()).await;
    let mut asking = session.start("ask", json!({})).await.stream();
    let question = asking.message().await;

    let crash = session.start("crash", json!({})).await.answer().await;
    assert!(crash["error"]["code"].is_i64(), "{crash}");
    let withdrawn = asking.message().await;
    assert_eq!(withdrawn["params"]["requestId"], question["id"]);
    let lost = asking.message().await;
    let sentence = lost["error"]["message"].as_str().unwrap();
    assert!(sentence.contains("ended"), "{lost}");

    assert_eq!(session.call("count", json!({})).await, "1");
    within("the subscription is there again", async {
        while session.call("notify", uri.clone()).await != "told 1" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let updated = standing.message().await;
    assert_eq!(updated["method"], "notifications/resources/updated");
    let logs = session.start("log", json!({ "level": "error" })).await;
    assert!(logs.is_stream());
    let mut asking = session.start("ask", json!({})).await.stream();
    let question = asking.message().await;
    assert_eq!(question["method"], "elicitation/create");
}

#[tokio::test]
async fn a_call_of_several_rounds_is_one_call_to_those_who_count_and_choose() {
    let proxy = Proxy::start(&["--deny-tool", "echo"], &MODERN).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let arguments = json!({ "kind": "roots", "n": 3 });
    let mut stream = session.start("ask", arguments).await.stream();
    for _ in 0..3 {
        let question = stream.message().await;
        session.reply(&question, json!({ "roots": [] })).await;
    }
    stream.message().await;
    let page = Page::of(&proxy.client()).await;
    assert_eq!(page.calls("tools/call", "result", "legacy"), 1.0);
    assert_eq!(page.calls("initialize", "result", "legacy"), 1.0);
    let listed = session.request("tools/list", json!({})).await;
    let tools = listed["result"]["tools"].as_array().unwrap();
    assert!(!tools.iter().any(|tool| tool["name"] == "echo"));
    assert!(tools.iter().any(|tool| tool["name"] == "ask"));
}

#[tokio::test]
async fn what_is_structured_is_an_object() {
    let proxy = proxy().await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let result = r#"{"content":[],"structuredContent":[1.0,12345678901234567890],"resultType":"complete","x":1e3}"#;
    let raw = super::super::client::call(1, "raw", json!({ "result": result }));
    let answer = session.post(raw).await.text().await;
    assert!(
        answer.ends_with(
            r#""result":{"content":[],"structuredContent":{"result":[1.0,12345678901234567890]},"x":1e3}}"#
        ),
        "{answer}"
    );
}

#[tokio::test]
async fn sessions_at_one_server_are_asked_their_own_questions() {
    let proxy = Proxy::start(&["--child-mode", "shared"], &MODERN).await;
    let one = Session::open(&proxy.client(), LATEST).await;
    let other = Session::open(&proxy.client(), LATEST).await;
    let asks = json!({ "kind": "roots" });
    let mut first = one.start("ask", asks.clone()).await.stream();
    let mut second = other.start("ask", asks).await.stream();
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
    is_left(&proxy, 1).await;
}

#[tokio::test]
async fn without_a_session_nobody_is_asked() {
    let proxy = Proxy::start(&["--stateless"], &MODERN).await;
    let client = proxy.client();
    let welcome = client.post(initialize(LATEST)).await.json().await;
    assert_eq!(welcome["result"]["protocolVersion"], LATEST);
    let call = super::super::client::call;
    let answer = client.post(call(1, "count", json!({}))).await.json().await;
    assert_eq!(text(&answer), "1");
    let answer = client.post(call(2, "ask", json!({}))).await.json().await;
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    assert!(text(&answer).contains("elicitation"), "{answer}");
    assert_eq!(client.status().await["starts"], 2);
}

#[tokio::test]
async fn a_connection_of_the_oldest_transport_is_served_too() {
    let proxy = proxy().await;
    for version in http_sse::versions() {
        let mut connection = Connection::open(&proxy.client(), version).await;
        assert_eq!(connection.call("echo", json!({ "text": "a" })).await, "a");
        let call = super::super::client::call;
        connection
            .say(call("a", "ask", json!({ "kind": "roots", "n": 2 })))
            .await;
        for n in 0..2 {
            let question = connection.stream.message().await;
            assert_eq!(question["method"], "roots/list");
            let reply = json!({ "jsonrpc": "2.0", "id": question["id"], "result": { "n": n } });
            connection.say(reply).await;
        }
        let answer = connection.stream.message().await;
        assert_eq!(answer["id"], "a");
        assert_eq!(text(&answer), "{\"n\":0}\n{\"n\":1}");
        let uri = json!({ "uri": "toy://greeting" });
        connection.request("resources/subscribe", uri.clone()).await;
        connection.say(call("n", "notify", uri)).await;
        let messages = [
            connection.stream.message().await,
            connection.stream.message().await,
        ];
        assert_eq!(messages[0]["method"], "notifications/resources/updated");
        assert_eq!(messages[1]["id"], "n");
        connection
            .say(notification(
                "notifications/cancelled",
                json!({ "requestId": "n" }),
            ))
            .await;
    }
}

#[tokio::test]
async fn a_session_that_was_kept_goes_on_at_a_server_of_the_newer_era() {
    let folder = Folder::new("translated");
    let state = format!("--state-dir={}", folder.path("state").display());
    let mut first = Proxy::start(&[&state], &MODERN).await;
    let session = Session::open(&first.client(), LATEST).await;
    let level = json!({ "level": "error" });
    session.request("logging/setLevel", level).await;
    let port = first.address.port().to_string();
    first.signal(Signal::TERM);
    assert_eq!(first.exit().await, Some(0));

    let program = toy_path();
    let line = [&["--port", &port, &state, "--", &program][..], &MODERN].concat();
    let _next = Proxy::typed(&[], &line).await;
    assert_eq!(session.call("count", json!({})).await, "1");
    let logs = session.start("log", json!({ "level": "error" })).await;
    assert!(logs.is_stream());
}
