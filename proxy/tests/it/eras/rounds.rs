//! Results that ask, and the state that comes back.

use serde_json::{Value, json};

use super::talk::{CAPABILITIES, Talk, code, text};

fn retry(name: &str, arguments: &Value, state: &Value, responses: Value) -> Value {
    json!({ "name": name, "arguments": arguments, "requestState": state, "inputResponses": responses })
}

#[tokio::test]
async fn a_call_asks_until_it_knows_enough() {
    let mut toy = Talk::start("--era modern");
    let arguments = json!({ "n": 2 });
    let first = toy.call(1, "ask", arguments.clone()).await;
    assert_eq!(first["result"]["resultType"], "input_required");
    let requests = first["result"]["inputRequests"].as_object().unwrap();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests["q1"]["method"], "elicitation/create");

    let answer = json!({ "q1": { "action": "accept", "content": { "name": "Ada" } } });
    let params = retry("ask", &arguments, &first["result"]["requestState"], answer);
    let second = toy.modern(2, "tools/call", params).await;
    assert!(second["result"]["inputRequests"]["q2"].is_object());
    assert_ne!(
        second["result"]["requestState"],
        first["result"]["requestState"]
    );

    let answer = json!({ "q2": { "action": "decline" }, "extra": 1 });
    let params = retry("ask", &arguments, &second["result"]["requestState"], answer);
    let last = toy.modern(3, "tools/call", params).await;
    assert_eq!(
        text(&last),
        "{\"action\":\"accept\",\"content\":{\"name\":\"Ada\"}}\n{\"action\":\"decline\"}"
    );
    assert_eq!(last["result"]["resultType"], "complete");
}

#[tokio::test]
async fn several_questions_come_in_one_round_and_missing_answers_are_asked_for_again() {
    let mut toy = Talk::start("--era modern");
    let arguments = json!({ "n": 3, "together": true, "kind": "roots" });
    let first = toy.call(1, "ask", arguments.clone()).await;
    assert_eq!(
        first["result"]["inputRequests"].as_object().unwrap().len(),
        3
    );
    let answers = json!({ "q1": { "roots": [] } });
    let params = retry("ask", &arguments, &first["result"]["requestState"], answers);
    let again = toy.modern(2, "tools/call", params).await;
    let asked = again["result"]["inputRequests"].as_object().unwrap();
    assert_eq!(asked.keys().collect::<Vec<_>>(), ["q2", "q3"]);
}

#[tokio::test]
async fn a_state_that_is_altered_foreign_or_for_something_else_is_refused() {
    let mut toy = Talk::start("--era modern");
    let mut other = Talk::start("--era modern");
    let nothing = json!({});
    let answer = json!({ "q1": { "action": "decline" } });
    let first = toy.call(1, "ask", nothing.clone()).await;
    let state = first["result"]["requestState"].clone();

    let altered = json!(format!("{}-", state.as_str().unwrap()));
    for params in [
        retry("ask", &nothing, &altered, answer.clone()),
        retry("ask", &json!({ "n": 1 }), &state, answer.clone()),
    ] {
        assert_eq!(code(&toy.modern(2, "tools/call", params).await), -32602);
    }
    let params = retry("ask", &nothing, &state, answer.clone());
    assert_eq!(
        code(&other.modern(3, "tools/call", params.clone()).await),
        -32602
    );
    assert_eq!(
        text(&toy.modern(4, "tools/call", params).await),
        r#"{"action":"decline"}"#
    );

    // Answers without a state answer nothing: this is a first call.
    let stateless = json!({ "name": "ask", "arguments": {}, "inputResponses": answer });
    let asked = toy.modern(5, "tools/call", stateless).await;
    assert_eq!(asked["result"]["resultType"], "input_required");
}

#[tokio::test]
async fn prompts_and_resources_ask_too() {
    let mut toy = Talk::start("--era modern");
    for (method, what, result) in [
        ("prompts/get", json!({ "name": "question" }), "messages"),
        (
            "resources/read",
            json!({ "uri": "toy://question" }),
            "contents",
        ),
    ] {
        let first = toy.modern(1, method, what.clone()).await;
        assert_eq!(first["result"]["resultType"], "input_required", "{first}");
        let mut params = what;
        params["requestState"] = first["result"]["requestState"].clone();
        params["inputResponses"] = json!({ "q1": { "action": "decline" } });
        let last = toy.modern(2, method, params).await;
        assert!(
            last["result"][result].to_string().contains("decline"),
            "{last}"
        );
    }
}

#[tokio::test]
async fn a_client_that_declared_nothing_is_told_what_is_missing() {
    let mut toy = Talk::start("--era modern");
    let meta = json!({ (CAPABILITIES): { "roots": {} } });
    let ask = |arguments: Value| json!({ "name": "ask", "arguments": arguments, "_meta": meta });
    let answer = toy
        .modern(1, "tools/call", ask(json!({ "kind": "sampling" })))
        .await;
    assert_eq!(code(&answer), -32021);
    assert_eq!(
        answer["error"]["data"]["requiredCapabilities"],
        json!({ "sampling": {} })
    );
    let anyway = json!({ "kind": "sampling", "undeclared": true });
    let answer = toy.modern(2, "tools/call", ask(anyway)).await;
    assert_eq!(answer["result"]["resultType"], "input_required");
}

#[tokio::test]
async fn an_old_client_is_asked_in_the_middle_of_the_call() {
    let mut toy = Talk::start("--era dual");
    toy.initialize(1).await;
    let asked = toy
        .legacy(2, "tools/call", json!({ "name": "ask", "arguments": {} }))
        .await;
    assert_eq!(asked["method"], "elicitation/create");
    let answer = json!({ "jsonrpc": "2.0", "id": asked["id"], "result": { "action": "cancel" } });
    toy.say(&answer).await;
    assert_eq!(text(&toy.hear().await), r#"{"action":"cancel"}"#);
}
