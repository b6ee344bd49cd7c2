//! Tools that the owner keeps from clients are not there for them, in either era.

use serde_json::{Value, json};

use super::proxy::Proxy;
use super::session::{LATEST, Session};
use super::stateless;

const RULES: [&str; 4] = ["--allow-tool", "echo,c*", "--deny-tool", "crash,cw?"];

fn names(answer: &Value) -> Vec<&str> {
    let tools = answer["result"]["tools"].as_array().unwrap().iter();
    tools.map(|tool| tool["name"].as_str().unwrap()).collect()
}

fn is_unknown(answer: &Value, tool: &str) {
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    assert_eq!(answer["error"]["message"], format!("Unknown tool: {tool}"));
}

#[tokio::test]
async fn a_denied_tool_is_on_no_list_and_unknown_when_called() {
    let proxy = Proxy::start(&RULES, &["--era", "dual"]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let list = session.request("tools/list", json!({})).await;
    assert_eq!(names(&list), ["echo", "cancelled", "count"]);
    assert!(
        list["result"]["tools"][0]["inputSchema"].is_object(),
        "{list}"
    );
    assert_eq!(session.call("echo", json!({ "text": "x" })).await, "x");
    for tool in ["crash", "cwd", "hang", "nonsense"] {
        is_unknown(&session.start(tool, json!({})).await.answer().await, tool);
    }
    assert_eq!(
        session.call("count", json!({})).await,
        "1",
        "the same child"
    );

    let list = stateless::send(&proxy, 1, "tools/list", json!({}))
        .await
        .answer()
        .await;
    assert_eq!(names(&list), ["echo", "cancelled", "count"]);
    assert_eq!(list["id"], 1);
    let answer = stateless::tool(&proxy, "a", "hang", json!({}))
        .await
        .answer()
        .await;
    is_unknown(&answer, "hang");
    assert_eq!(answer["id"], "a");
    let page = proxy.client().get("/metrics").await.text().await;
    let refused = r#"mcp_proxy_calls_total{server="mcp-toy",method="tools/call",outcome="refused",era="legacy"} 4"#;
    assert!(page.contains(refused), "{page}");
}
