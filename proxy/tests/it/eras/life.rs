//! What else a toy of 2026-07-28 does: notifications, subscriptions, cancellation, tasks, and odd results.

use serde_json::{Value, json};

use super::talk::{CAPABILITIES, SUBSCRIPTION, Talk, claimed, code, request, text};

#[tokio::test]
async fn progress_has_the_token_of_its_request_and_logs_only_come_when_asked_for() {
    let mut toy = Talk::start("--era modern");
    let progress =
        json!({ "name": "progress", "arguments": { "n": 2 }, "_meta": { "progressToken": "1.0" } });
    let mut heard = toy.modern(1, "tools/call", progress).await;
    for step in 1..=2 {
        assert_eq!(heard["params"]["progressToken"], "1.0");
        assert_eq!(heard["params"]["progress"], step);
        heard = toy.hear().await;
    }
    assert_eq!(text(&heard), "2 steps");

    let log =
        |meta: Value| json!({ "name": "log", "arguments": { "level": "warning" }, "_meta": meta });
    let key = "io.modelcontextprotocol/logLevel";
    for meta in [json!({}), json!({ (key): "error" })] {
        assert_eq!(
            text(&toy.modern(2, "tools/call", log(meta)).await),
            "logged"
        );
    }
    let line = toy
        .modern(3, "tools/call", log(json!({ (key): "warning" })))
        .await;
    assert_eq!(line["method"], "notifications/message");
    assert_eq!(text(&toy.hear().await), "logged");
    let answer = toy
        .modern(4, "tools/call", log(json!({ (key): "loud" })))
        .await;
    assert_eq!(code(&answer), -32602);
}

#[tokio::test]
async fn a_stream_is_acknowledged_first_and_hears_what_it_asked_for() {
    let mut toy = Talk::start("--era modern");
    let filter = json!({ "toolsListChanged": true, "promptsListChanged": false, "resourceSubscriptions": ["toy://a"], "odd": 1 });
    let ack = toy
        .modern(
            7,
            "subscriptions/listen",
            json!({ "notifications": filter }),
        )
        .await;
    assert_eq!(ack["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(ack["params"]["_meta"][SUBSCRIPTION], 7);
    let honoured = json!({ "toolsListChanged": true, "resourceSubscriptions": ["toy://a"] });
    assert_eq!(ack["params"]["notifications"], honoured);

    let news = toy.call(8, "notify", json!({})).await;
    assert_eq!(news["method"], "notifications/tools/list_changed");
    assert_eq!(news["params"]["_meta"][SUBSCRIPTION], 7);
    assert_eq!(text(&toy.hear().await), "told 1");
    assert_eq!(
        text(&toy.call(9, "notify", json!({ "uri": "toy://b" })).await),
        "told 0"
    );
    let news = toy.call(10, "notify", json!({ "uri": "toy://a" })).await;
    assert_eq!(news["params"]["uri"], "toy://a");
    assert_eq!(text(&toy.hear().await), "told 1");

    assert_eq!(text(&toy.call(11, "listens", json!({})).await), "[7]");
    let end = toy.call(12, "listens", json!({ "end": true })).await;
    assert_eq!(
        (&end["id"], &end["result"]["_meta"][SUBSCRIPTION]),
        (&json!(7), &json!(7))
    );
    assert_eq!(text(&toy.hear().await), "ended 1");
}

#[tokio::test]
async fn a_cancelled_request_is_not_answered_and_is_counted() {
    let mut toy = Talk::start("--era modern");
    let cancel = |id: u64| json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
    let sleep = json!({ "name": "sleep", "arguments": { "ms": 60_000 } });
    toy.say(&request(1, "tools/call", claimed(sleep))).await;
    let listen = json!({ "notifications": { "toolsListChanged": true } });
    assert!(toy.modern(2, "subscriptions/listen", listen).await["method"].is_string());
    toy.say(&cancel(1)).await;
    toy.say(&cancel(2)).await;
    assert_eq!(text(&toy.call(3, "cancelled", json!({})).await), "[1,2]");
    assert_eq!(text(&toy.call(4, "listens", json!({})).await), "[]");
    assert_eq!(text(&toy.call(5, "notify", json!({})).await), "told 0");
}

#[tokio::test]
async fn a_task_is_created_answered_and_collected() {
    let mut toy = Talk::start("--era modern");
    let created = toy.call(1, "task", json!({ "ms": 0, "ask": true })).await;
    assert_eq!(created["result"]["resultType"], "task");
    let task = json!({ "taskId": created["result"]["taskId"] });
    let waiting = toy.modern(2, "tasks/get", task.clone()).await;
    assert_eq!(waiting["result"]["status"], "input_required");
    assert!(waiting["result"]["inputRequests"]["q1"]["params"].is_object());
    let mut update = task.clone();
    update["inputResponses"] = json!({ "q1": { "action": "decline" } });
    assert_eq!(
        toy.modern(3, "tasks/update", update).await["result"]["resultType"],
        "complete"
    );
    let done = toy.modern(4, "tasks/get", task).await;
    assert_eq!(done["result"]["status"], "completed");
    assert_eq!(
        done["result"]["result"]["content"][0]["text"],
        r#"{"action":"decline"}"#
    );

    let created = toy.call(5, "task", json!({ "ms": 60_000 })).await;
    let task = json!({ "taskId": created["result"]["taskId"] });
    assert!(toy.modern(6, "tasks/cancel", task.clone()).await["result"].is_object());
    assert_eq!(
        toy.modern(7, "tasks/get", task.clone()).await["result"]["status"],
        "cancelled"
    );

    let created = toy.call(8, "task", json!({ "ms": 0, "fail": true })).await;
    let failed = json!({ "taskId": created["result"]["taskId"] });
    let failed = toy.modern(9, "tasks/get", failed).await;
    assert_eq!(failed["result"]["status"], "failed");
    assert!(failed["result"]["error"]["code"].is_i64());

    // Another process knows nothing of it, and a client without the extension gets no task.
    let mut other = Talk::start("--era modern");
    assert_eq!(
        code(&other.modern(1, "tasks/get", task.clone()).await),
        -32602
    );
    let mut plain = task;
    plain["_meta"] = json!({ (CAPABILITIES): {} });
    assert_eq!(code(&other.modern(2, "tasks/get", plain).await), -32021);
    let call = json!({ "name": "task", "arguments": { "ms": 0 }, "_meta": { (CAPABILITIES): {} } });
    assert_eq!(text(&other.modern(3, "tools/call", call).await), "done");
}

#[tokio::test]
async fn results_are_strange_and_stamped() {
    let mut toy = Talk::start("--era modern");
    let call = json!({ "name": "strange", "arguments": {} });
    toy.say(&request(1, "tools/call", claimed(call))).await;
    let line = toy.line().await.unwrap();
    for part in [
        "[1.0,1e3,0.10,-0, 12345678901234567890123456789]",
        r#""\u00e9\/""#,
        "9007199254740993",
        r#""resultType":"complete""#,
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
    let call = json!({ "name": "mirrored", "arguments": { "region": "eu" } });
    assert_eq!(
        text(&toy.modern(2, "tools/call", call).await),
        r#"{"region":"eu"}"#
    );
    let list = toy.modern(3, "tools/list", json!({})).await;
    assert_eq!(list["result"]["cacheScope"], "private");
    let tools = list["result"]["tools"].as_array().unwrap();
    let mirrored = tools
        .iter()
        .find(|tool| tool["name"] == "mirrored")
        .unwrap();
    assert_eq!(
        mirrored["inputSchema"]["properties"]["dry"]["x-mcp-header"],
        "Dry-Run"
    );
    let failed = toy
        .modern(4, "resources/read", json!({ "uri": "toy://none" }))
        .await;
    assert_eq!(code(&failed), -32602);
}
