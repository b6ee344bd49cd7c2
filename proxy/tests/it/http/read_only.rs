//! `--read-only`: tools that do not say that they only read are not there, in either era.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Client, call, notification, text};
use super::proxy::Proxy;
use super::session::{LATEST, Session};
use super::stateless;

const READING: [&str; 8] = [
    "echo", "mirrored", "args", "cwd", "pid", "count", "seen", "relist",
];

fn names(answer: &Value) -> Vec<&str> {
    let tools = answer["result"]["tools"].as_array().unwrap().iter();
    tools.map(|tool| tool["name"].as_str().unwrap()).collect()
}

fn is_unknown(answer: &Value, tool: &str) {
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    assert_eq!(answer["error"]["message"], format!("Unknown tool: {tool}"));
}

/// How many lines with this text the server has read.
async fn asked(session: &Session, method: &str) -> usize {
    let seen = session.seen().await;
    seen.iter().filter(|line| line.contains(method)).count()
}

#[tokio::test]
async fn only_tools_that_read_are_listed_and_called_in_both_eras() {
    let proxy = Proxy::start(&["--read-only"], &["--era", "dual"]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    // Before anybody has listed anything.
    assert_eq!(session.call("echo", json!({ "text": "x" })).await, "x");
    let list = session.request("tools/list", json!({})).await;
    assert_eq!(names(&list), READING);
    for tool in ["crash", "hang", "nonsense"] {
        is_unknown(&session.start(tool, json!({})).await.answer().await, tool);
    }
    assert_eq!(
        session.call("count", json!({})).await,
        "1",
        "the same child"
    );

    let answer = stateless::tool(&proxy, "a", "echo", json!({ "text": "y" })).await;
    assert_eq!(text(&answer.answer().await), "y");
    let list = stateless::send(&proxy, 1, "tools/list", json!({})).await;
    assert_eq!(names(&list.answer().await), READING);
    let answer = stateless::tool(&proxy, "b", "crash", json!({})).await;
    assert_eq!(answer.status, 200);
    let answer = answer.answer().await;
    is_unknown(&answer, "crash");
    assert_eq!(answer["id"], "b");
    let page = proxy.client().get("/metrics").await.text().await;
    assert!(
        page.contains(r#"mcp_proxy_refusals_total{kind="tool"} 4"#),
        "{page}"
    );
    assert!(
        page.contains(r#"method="tools/call",outcome="refused",era="legacy"} 3"#),
        "{page}"
    );
    assert!(
        page.contains(r#"mcp_proxy_calls_in_flight{server="mcp-toy"} 0"#),
        "{page}"
    );
}

#[tokio::test]
async fn a_client_that_lists_first_costs_no_other_list() {
    let proxy = Proxy::start(&["--read-only"], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    session.request("tools/list", json!({})).await;
    for _ in 0..3 {
        session.call("count", json!({})).await;
    }
    assert_eq!(asked(&session, "tools/list").await, 1);
}

/// A list that is older than the tool refused what its server had long allowed.
#[tokio::test]
async fn a_stale_list_is_read_again_before_a_call_is_refused() {
    let proxy = Proxy::start(&["--read-only"], &["--era", "dual"]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    is_unknown(
        &session.start("fail", json!({})).await.answer().await,
        "fail",
    );
    let now = json!({ "tool": "fail", "read_only": true });
    session.call("relist", now.clone()).await;
    let answer = session
        .start("fail", json!({ "text": "no" }))
        .await
        .answer()
        .await;
    assert_eq!(answer["result"]["isError"], true, "{answer}");

    is_unknown(
        &stateless::tool(&proxy, 1, "fail", json!({}))
            .await
            .answer()
            .await,
        "fail",
    );
    stateless::tool(&proxy, 2, "relist", now)
        .await
        .answer()
        .await;
    let answer = stateless::tool(&proxy, 3, "fail", json!({ "text": "no" }))
        .await
        .answer()
        .await;
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    // What a client is shown of the list is what it says now, the other way round as well.
    session
        .call("relist", json!({ "tool": "echo", "read_only": false }))
        .await;
    let list = session.request("tools/list", json!({})).await;
    assert!(
        names(&list).contains(&"fail") && !names(&list).contains(&"echo"),
        "{list}"
    );
    is_unknown(
        &session
            .start("echo", json!({ "text": "x" }))
            .await
            .answer()
            .await,
        "echo",
    );
}

#[tokio::test]
async fn a_call_that_waits_for_the_list_can_be_cancelled_and_lost() {
    // A server that answers initialize and nothing else.
    let script = r#"read -r line
        id=$(printf %s "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
        echo '{"jsonrpc":"2.0","id":'$id',"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"x","version":"1"}}}'
        while read -r line; do case "$line" in *die*) exit 0;; esac; done"#;
    let line = [
        "--port",
        "0",
        "--read-only",
        "--silence",
        "10ms",
        "--",
        "sh",
        "-c",
        script,
    ];
    let proxy = Proxy::typed(&[], &line).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let waiting = session.post(call("mine", "echo", json!({}))).await.stream();
    assert_eq!(proxy.client().status().await["calls_in_flight"], 1);
    let notice = notification("notifications/cancelled", json!({ "requestId": "mine" }));
    assert_eq!(session.post(notice).await.status, 202);
    assert!(
        waiting.rest().await.is_empty(),
        "a cancelled call has no answer"
    );

    // The server dies while its list is waited for.
    let lost = session.post(call("lost", "echo", json!({}))).await.stream();
    session.notify("notifications/die", json!({})).await;
    let answer = lost.rest().await.pop().unwrap();
    assert_eq!(answer["id"], "lost");
    let sentence = answer["error"]["message"].as_str().unwrap();
    assert!(sentence.contains("--read-only needs it"), "{sentence}");
    assert_eq!(answer["error"]["data"]["retry"], "safe");
}

#[tokio::test]
async fn many_calls_at_once_read_the_list_once() {
    let proxy = Proxy::start(&["--read-only"], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let one = |client: Client, id: u64| async move {
        let answer = client
            .post(call(id, "echo", json!({ "text": "x" })))
            .await
            .answer()
            .await;
        assert_eq!(text(&answer), "x");
    };
    let calls = (100..120).map(|id| tokio::spawn(one(session.client.clone(), id)));
    for call in calls.collect::<Vec<_>>() {
        tokio::time::timeout(Duration::from_secs(30), call)
            .await
            .unwrap()
            .unwrap();
    }
    assert_eq!(asked(&session, "tools/list").await, 1);
}
