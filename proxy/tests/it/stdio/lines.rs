//! What a line may be: a message of either era, an array, far too long, or nothing at all.

use serde_json::{Value, json};

use super::pipe::{LATEST, Pipe, call, request, text, whole, whole_call};

const MODERN: [&str; 2] = ["--era", "modern"];

#[tokio::test]
async fn garbage_is_answered_and_the_next_line_is_heard() {
    let mut pipe = Pipe::start(&[], &[]);
    for (line, code, id) in [
        ("not json", -32700, Value::Null),
        ("\u{feff}{}", -32700, Value::Null),
        ("17", -32600, Value::Null),
        ("[]", -32600, Value::Null),
        (r#"{"jsonrpc":"2.0","id":5}"#, -32600, json!(5)),
        // Before anything was settled.
        (
            r#"{"jsonrpc":"2.0","id":6,"method":"tools/list"}"#,
            -32600,
            json!(6),
        ),
    ] {
        pipe.write(&format!("{line}\n")).await;
        let answer = pipe.message().await;
        assert_eq!(answer["error"]["code"], code, "{line}: {answer}");
        assert_eq!(answer["id"], id, "{line}");
    }
    // Nobody waits for these, so nobody is answered.
    pipe.write("\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n")
        .await;
    pipe.greet(LATEST).await;
    pipe.write("{\"jsonrpc\":\n").await;
    assert_eq!(pipe.message().await["error"]["code"], -32700);
    let answer = pipe
        .ask(call(1, "echo", json!({ "text": "still here" })))
        .await;
    assert_eq!(text(&answer), "still here");
}

#[tokio::test]
async fn eight_mebibytes_come_back_in_either_era() {
    let long = "0123456789abcdef".repeat(512 << 10);
    let (mut pipe, _) = Pipe::session(&[], &[], LATEST).await;
    let answer = pipe.ask(call(1, "echo", json!({ "text": long }))).await;
    assert!(text(&answer) == long, "another text came back");
    let mut pipe = Pipe::start(&[], &MODERN);
    let answer = pipe
        .ask(whole_call(1, "echo", json!({ "text": long })))
        .await;
    assert!(text(&answer) == long, "another text came back");
}

#[tokio::test]
async fn a_line_that_is_too_long_is_refused_by_its_id_and_the_next_is_heard() {
    let flags = ["--max-line-size", "4KiB"];
    let (mut pipe, _) = Pipe::session(&flags, &[], LATEST).await;
    let answer = pipe
        .ask(call(7, "echo", json!({ "text": "x".repeat(5000) })))
        .await;
    assert_eq!(answer["error"]["code"], -32600, "{answer}");
    let sentence = answer["error"]["message"].as_str().unwrap();
    assert!(sentence.contains("--max-line-size"), "{sentence}");
    let answer = pipe.ask(call(8, "echo", json!({ "text": "short" }))).await;
    assert_eq!(text(&answer), "short");
}

#[tokio::test]
async fn batches_are_of_one_version_alone() {
    let batch = json!([
        call(1, "echo", json!({ "text": "one" })),
        17,
        { "jsonrpc": "2.0", "method": "notifications/whatever" },
        call("2", "echo", json!({ "text": "two" })),
    ]);
    let (mut pipe, _) = Pipe::session(&[], &[], "2025-03-26").await;
    pipe.send(&batch).await;
    assert_eq!(text(&pipe.answer(&json!(1)).await), "one");
    assert_eq!(text(&pipe.answer(&json!("2")).await), "two");
    assert_eq!(pipe.answer(&Value::Null).await["error"]["code"], -32600);

    let (mut pipe, _) = Pipe::session(&[], &[], LATEST).await;
    pipe.send(&batch).await;
    assert_eq!(pipe.answer(&Value::Null).await["error"]["code"], -32600);
    let mut pipe = Pipe::start(&[], &MODERN);
    pipe.ask(whole(1, "tools/list", json!({}))).await;
    pipe.send(&batch).await;
    assert_eq!(pipe.answer(&Value::Null).await["error"]["code"], -32600);
}

#[tokio::test]
async fn an_id_in_flight_is_not_given_away_again() {
    let slow = json!({ "ms": 300 });
    let (mut pipe, _) = Pipe::session(&[], &[], LATEST).await;
    pipe.send(&call(1, "sleep", slow.clone())).await;
    let answer = pipe.ask(call(1, "echo", json!({ "text": "again" }))).await;
    assert_eq!(answer["error"]["code"], -32600, "{answer}");
    assert!(pipe.answer(&json!(1)).await["result"].is_object());

    let mut pipe = Pipe::start(&[], &MODERN);
    pipe.send(&whole_call(1, "sleep", slow)).await;
    let answer = pipe
        .ask(whole_call(1, "echo", json!({ "text": "again" })))
        .await;
    assert_eq!(answer["error"]["code"], -32600, "{answer}");
    assert!(pipe.answer(&json!(1)).await["result"].is_object());
    let answer = pipe
        .ask(whole_call(1, "echo", json!({ "text": "free" })))
        .await;
    assert_eq!(text(&answer), "free");
}

#[tokio::test]
async fn asking_what_is_spoken_settles_nothing() {
    for era in ["legacy", "modern", "dual"] {
        let mut pipe = Pipe::start(&[], &["--era", era]);
        let told = pipe.ask(whole("probe", "server/discover", json!({}))).await;
        assert_eq!(
            told["result"]["supportedVersions"],
            json!(["2026-07-28"]),
            "{told}"
        );
        let welcome = pipe.greet(LATEST).await;
        assert_eq!(
            welcome["result"]["protocolVersion"], LATEST,
            "{era}: {welcome}"
        );
        let answer = pipe.ask(call(1, "echo", json!({ "text": era }))).await;
        assert_eq!(text(&answer), era);
    }
}

#[tokio::test]
async fn a_request_that_is_not_whole_settles_nothing() {
    let mut pipe = Pipe::start(&[], &[]);
    let version = "io.modelcontextprotocol/protocolVersion";
    for (claimed, code) in [("2027-01-01", -32022), ("2026-07-28", -32602)] {
        let params = json!({ "_meta": { version: claimed } });
        let answer = pipe.ask(request(json!(1), "tools/list", params)).await;
        assert_eq!(answer["error"]["code"], code, "{answer}");
    }
    pipe.greet(LATEST).await;
    let answer = pipe
        .ask(call(2, "echo", json!({ "text": "a session" })))
        .await;
    assert_eq!(text(&answer), "a session");
}

#[tokio::test]
async fn tools_that_are_not_offered_are_not_there() {
    let flags = ["--deny-tool", "echo"];
    let (mut pipe, _) = Pipe::session(&flags, &[], LATEST).await;
    let told = pipe.ask(request(json!(1), "tools/list", json!({}))).await;
    let tools = told["result"]["tools"].as_array().unwrap();
    assert!(tools.iter().any(|tool| tool["name"] == "size"));
    assert!(tools.iter().all(|tool| tool["name"] != "echo"));
    let answer = pipe.ask(call(2, "echo", json!({ "text": "x" }))).await;
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
}
