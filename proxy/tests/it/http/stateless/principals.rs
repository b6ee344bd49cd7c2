//! Several people at one server of 2026-07-28: rounds and tasks are each one's own.

use serde_json::{Value, json};

use super::super::client::{Client, text};
use super::super::proxy::Proxy;
use super::{headers, whole};

const TOKENS: (&str, &str) = (
    "MCP_PROXY_AUTH_TOKENS",
    "alice:correct-horse-of-alice,bob:battery-staple-of-bob",
);
const MODERN: [&str; 2] = ["--era", "modern"];

/// What one of them is answered.
async fn answer(client: &Client, method: &str, params: Value) -> Value {
    let message = whole(json!(1), method, params);
    let reply = headers(client, &message).post(message).await;
    reply.answer().await
}

async fn tool(client: &Client, name: &str, arguments: Value) -> Value {
    let params = json!({ "name": name, "arguments": arguments });
    answer(client, "tools/call", params).await
}

fn both(proxy: &Proxy) -> [Client; 2] {
    ["correct-horse-of-alice", "battery-staple-of-bob"].map(|token| {
        let bearer = format!("Bearer {token}");
        proxy.client().with("Authorization", &bearer)
    })
}

#[tokio::test]
async fn a_round_at_a_common_server_is_finished_by_whoever_began_it() {
    let proxy = Proxy::start_with(&[TOKENS], &["--child-mode", "shared"], &MODERN).await;
    let [alice, bob] = both(&proxy);
    let asked = tool(&alice, "ask", json!({})).await;
    let state = &asked["result"]["requestState"];
    assert!(state.is_string(), "{asked}");
    let retry = json!({
        "name": "ask", "arguments": {}, "requestState": state,
        "inputResponses": { "q1": { "action": "accept", "content": { "name": "Ada" } } },
    });
    let refused = answer(&bob, "tools/call", retry.clone()).await;
    assert_eq!(refused["error"]["code"], -32602, "{refused}");
    let finished = answer(&alice, "tools/call", retry).await;
    assert!(text(&finished).contains("Ada"), "{finished}");
}

#[tokio::test]
async fn a_task_at_a_common_server_is_its_owners() {
    let proxy = Proxy::start_with(&[TOKENS], &["--child-mode", "shared"], &MODERN).await;
    let [alice, bob] = both(&proxy);
    let made = tool(&alice, "task", json!({ "ms": 20 })).await;
    let id = &made["result"]["taskId"];
    assert!(id.is_string(), "{made}");
    for method in ["tasks/get", "tasks/cancel"] {
        let refused = answer(&bob, method, json!({ "taskId": id })).await;
        assert_eq!(refused["error"]["code"], -32602, "{refused}");
    }
    let got = answer(&alice, "tasks/get", json!({ "taskId": id })).await;
    assert!(got["error"].is_null(), "{got}");
}

#[tokio::test]
async fn where_nothing_is_shared_each_has_a_server() {
    let proxy = Proxy::start_with(&[TOKENS], &[], &MODERN).await;
    let mut pids = Vec::new();
    for client in both(&proxy) {
        let first = text(&tool(&client, "pid", json!({})).await).to_owned();
        let again = text(&tool(&client, "pid", json!({})).await).to_owned();
        assert_eq!(first, again);
        pids.push(first);
    }
    assert_ne!(pids[0], pids[1]);
}
