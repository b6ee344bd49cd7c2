//! Clients of 2026-07-28.

mod abandoned;
mod answers;
mod eras;
mod ladder;
mod leaving;
mod listen;
mod principals;
mod relisted;
mod rounds;

use serde_json::{Value, json};

use super::client::{Client, Reply};
use super::proxy::Proxy;

pub(super) const VERSION: &str = "2026-07-28";

/// What a client says it can do in every request of these tests.
fn capabilities() -> Value {
    json!({
        "elicitation": { "form": {} }, "sampling": {}, "roots": {},
        "extensions": { "io.modelcontextprotocol/tasks": {} },
    })
}

/// The members every request carries.
fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": capabilities(),
    })
}

/// A whole request.
pub(super) fn whole(id: Value, method: &str, mut params: Value) -> Value {
    let mut all = meta();
    if let Some(own) = params.get("_meta").and_then(Value::as_object) {
        for (key, value) in own {
            all[key] = value.clone();
        }
    }
    params["_meta"] = all;
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

/// The headers that repeat what a request says.
pub(super) fn headers(client: &Client, message: &Value) -> Client {
    let method = message["method"].as_str().unwrap();
    let client = client
        .with("MCP-Protocol-Version", VERSION)
        .with("Mcp-Method", method);
    let params = &message["params"];
    let name = match method {
        "tools/call" | "prompts/get" => &params["name"],
        "resources/read" => &params["uri"],
        "tasks/get" | "tasks/update" | "tasks/cancel" => &params["taskId"],
        _ => return client,
    };
    client.with("Mcp-Name", name.as_str().unwrap())
}

/// Sends a whole request with its headers.
pub(super) async fn send(
    proxy: &Proxy,
    id: impl Into<Value>,
    method: &str,
    params: Value,
) -> Reply {
    let message = whole(id.into(), method, params);
    headers(&proxy.client(), &message).post(message).await
}

/// Calls a tool.
pub(super) async fn tool(
    proxy: &Proxy,
    id: impl Into<Value>,
    name: &str,
    arguments: Value,
) -> Reply {
    let params = json!({ "name": name, "arguments": arguments });
    send(proxy, id, "tools/call", params).await
}

/// The text of a tool's result.
async fn said(proxy: &Proxy, name: &str, arguments: Value) -> String {
    let answer = tool(proxy, 1, name, arguments).await.answer().await;
    super::client::text(&answer).to_owned()
}

/// What the proxy's children are.
async fn pids(proxy: &Proxy) -> Vec<u64> {
    let status = proxy.client().status().await;
    let children = status["children"].as_array().unwrap().iter();
    children
        .map(|child| child["pid"].as_u64().unwrap())
        .collect()
}
