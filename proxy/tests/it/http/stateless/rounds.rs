//! Results that ask pass through, and the answers reach the server that asked.

use serde_json::{Value, json};

use super::super::client::text;
use super::super::proxy::Proxy;
use super::{send, tool};

const MODERN: [&str; 2] = ["--era", "modern"];

async fn retry(proxy: &Proxy, state: &Value) -> super::Reply {
    let params = json!({
        "name": "ask", "arguments": {}, "requestState": state,
        "inputResponses": { "q1": { "action": "accept", "content": { "name": "Ada" } } },
    });
    send(proxy, 2, "tools/call", params).await
}

async fn asked(proxy: &Proxy) -> Value {
    let asked = tool(proxy, 1, "ask", json!({})).await.json().await;
    assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
    assert_eq!(
        asked["result"]["inputRequests"]["q1"]["method"],
        "elicitation/create"
    );
    asked["result"]["requestState"].clone()
}

#[tokio::test]
async fn a_round_is_finished_by_the_server_that_began_it() {
    let proxy = Proxy::start(&[], &MODERN).await;
    let state = asked(&proxy).await;
    assert!(
        !state.as_str().unwrap().starts_with("mp1."),
        "nobody else could be meant"
    );
    let answer = retry(&proxy, &state).await.json().await;
    assert!(text(&answer).contains("Ada"), "{answer}");
}

#[tokio::test]
async fn a_server_that_began_a_round_and_died_leaves_an_error_and_no_harm() {
    let proxy = Proxy::start(&[], &MODERN).await;
    let state = asked(&proxy).await;
    tool(&proxy, 3, "crash", json!({})).await.json().await;
    let answer = retry(&proxy, &state).await.json().await;
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
}

#[tokio::test]
async fn a_machine_with_a_name_marks_states_and_knows_its_own() {
    let env = [("MCP_PROXY_MACHINE", "m7")];
    let proxy = Proxy::start_with(&env, &[], &MODERN).await;
    let state = asked(&proxy).await;
    assert!(state.as_str().unwrap().starts_with("mp1.m7."), "{state}");
    let tampered = json!(state.as_str().unwrap().replace("mp1.m7.", "mp1.m8."));
    for wrong in [tampered, json!("mp1"), json!("x"), json!(7)] {
        let answer = retry(&proxy, &wrong).await.json().await;
        assert_eq!(answer["error"]["code"], -32602, "{wrong}");
    }
    let answer = retry(&proxy, &state).await.json().await;
    assert!(text(&answer).contains("Ada"), "{answer}");
}

#[tokio::test]
async fn a_task_is_followed_at_the_server_that_made_it() {
    let proxy = Proxy::start(&["--child-mode", "shared"], &MODERN).await;
    let made = tool(&proxy, 1, "task", json!({ "ms": 20 }))
        .await
        .json()
        .await;
    assert_eq!(made["result"]["resultType"], "task", "{made}");
    let id = made["result"]["taskId"].clone();
    let mut status = String::new();
    while status != "completed" {
        let got = send(&proxy, 2, "tasks/get", json!({ "taskId": id }))
            .await
            .json()
            .await;
        status = got["result"]["status"].as_str().unwrap().to_owned();
        assert_ne!(status, "failed");
    }
    let unknown = send(&proxy, 3, "tasks/get", json!({ "taskId": "nobody's" })).await;
    assert_eq!(unknown.json().await["error"]["code"], -32602);
}

#[tokio::test]
async fn a_server_in_the_middle_of_a_round_makes_no_room_for_others() {
    let proxy = Proxy::start(&["--max-children", "1"], &["--era", "dual"]).await;
    let state = asked(&proxy).await;
    let initialize = super::super::session::initialize(super::super::session::LATEST);
    proxy.client().post(&initialize).await.refused(503).await;
    let answer = retry(&proxy, &state).await.json().await;
    assert!(text(&answer).contains("Ada"), "{answer}");
}
