//! Results that ask: whom, how often, and what becomes of the questions.

use std::time::Duration;

use mcp_wire::{Id, Member};
use tokio::time::Instant;

use super::{ACCEPTED, ASKS_A_NAME, PLENTY, Scene, params, settle};
use crate::back::Conversation as _;
use crate::exchange::{Call, Refusal};
use crate::flows::stage::{message, start, text, tools_call};
use crate::flows::toys::Connection;

#[tokio::test(start_paused = true)]
async fn a_round_is_a_question_on_the_stream_of_its_call() {
    let mut scene = Scene::open().await;
    let request = r#"{"name":"t","arguments":{"n":1.0},"_meta":{"progressToken":"p"}}"#;
    scene.sends(2, "tools/call", request).detach();
    let first = scene.stage.hears();
    scene.stage.progresses(&first, 2);
    scene.stage.answers(&first, ASKS_A_NAME);
    scene.client.reads().await;
    let (ask, question) = scene.client.is_asked().await;
    assert_eq!(question.method(), Some("elicitation/create"));
    assert_eq!(question.params(), Some(&br#"{"message":"Who?"}"#[..]));
    assert_eq!(question.id(), Some(Id::number(ask.0)));
    scene.stage.hears_nothing();

    assert!(scene.answers(ask, ACCEPTED));
    assert!(!scene.answers(ask, ACCEPTED), "once");
    let second = scene.stage.hears();
    assert_ne!(second.id(), first.id());
    let source = std::str::from_utf8(second.source()).unwrap();
    assert!(source.contains(r#""requestState":"s\/1""#), "{source}");
    let responses = format!(r#""inputResponses":{{"name":{ACCEPTED}}}"#);
    assert!(source.contains(&responses), "{source}");
    assert!(source.contains(r#""arguments":{"n":1.0}"#), "{source}");
    assert_eq!(
        params(&second)["_meta"]["io.modelcontextprotocol/protocolVersion"],
        "2026-07-28"
    );
    // The server begins to count again; a client's progress never goes back.
    for step in 1..=3 {
        scene.stage.progresses(&second, step);
    }
    scene.stage.answers(&second, r#"{"resultType":"complete"}"#);
    assert_eq!(
        scene.client.reads().await,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":3}}"#
    );
    assert_eq!(
        scene.client.reads().await,
        r#"{"jsonrpc":"2.0","id":2,"result":{}}"#
    );
}

#[tokio::test(start_paused = true)]
async fn two_questions_of_one_round_are_answered_in_any_order() {
    let mut scene = Scene::open().await;
    scene.sends(2, "prompts/get", r#"{"name":"p"}"#).detach();
    let heard = scene.stage.hears();
    scene.stage.answers(
        &heard,
        r#"{"resultType":"input_required","inputRequests":{"a":{"method":"roots/list"},"b":{"method":"sampling/createMessage","params":{}}}}"#,
    );
    let (roots, _) = scene.client.is_asked().await;
    let (sampling, _) = scene.client.is_asked().await;
    assert!(scene.answers(sampling, r#"{"model":"m"}"#));
    scene.stage.hears_nothing();
    assert!(scene.answers(roots, r#"{"roots":[]}"#));
    let again = scene.stage.hears();
    let responses = &params(&again)["inputResponses"];
    assert_eq!(responses["a"]["roots"], serde_json::json!([]));
    assert_eq!(responses["b"]["model"], "m");
    assert!(again.member(Member::RequestState).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_state_without_questions_is_sent_back_at_once_and_not_for_ever() {
    let mut scene = Scene::open().await;
    scene.sends(2, "tools/call", r#"{"name":"t"}"#).detach();
    for _ in 0..=10 {
        let heard = scene.stage.hears();
        let state = r#"{"resultType":"input_required","requestState":"again"}"#;
        scene.stage.answers(&heard, state);
        settle().await;
    }
    scene.stage.hears_nothing();
    let answer = scene.client.reads().await;
    assert!(answer.contains(r#""isError":true"#), "{answer}");
    assert!(answer.contains("asked 10 times"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_person_who_refuses_cancels_and_a_model_that_refuses_ends_the_call() {
    let mut scene = Scene::open().await;
    scene.sends(2, "tools/call", r#"{"name":"t"}"#).detach();
    let heard = scene.stage.hears();
    scene.stage.answers(&heard, ASKS_A_NAME);
    let (ask, _) = scene.client.is_asked().await;
    assert!(scene.refuses(ask));
    let again = scene.stage.hears();
    assert_eq!(params(&again)["inputResponses"]["name"]["action"], "cancel");
    scene.stage.answers(
        &again,
        r#"{"resultType":"input_required","inputRequests":{"r":{"method":"roots/list"},"s":{"method":"sampling/createMessage","params":{}}}}"#,
    );
    let (_roots, _) = scene.client.is_asked().await;
    let (sampling, _) = scene.client.is_asked().await;
    assert!(scene.refuses(sampling));
    assert_eq!(scene.client.reads().await, "withdraw");
    let answer = scene.client.reads().await;
    assert!(answer.contains(r#""isError":true"#), "{answer}");
    scene.stage.hears_nothing();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_takes_its_questions_back() {
    let mut scene = Scene::open().await;
    let call = scene.sends(2, "tools/call", r#"{"name":"t"}"#);
    let heard = scene.stage.hears();
    scene.stage.answers(&heard, ASKS_A_NAME);
    let (ask, _) = scene.client.is_asked().await;
    call.cancel(None);
    assert_eq!(scene.client.reads().await, "withdraw");
    assert_eq!(scene.client.reads().await, "cancelled 2");
    assert!(!scene.answers(ask, ACCEPTED));
    scene.stage.hears_nothing();

    // One the server works on is cancelled there, in the client's words and under its own id.
    let call = scene.sends(3, "tools/call", r#"{"name":"t"}"#);
    let heard = scene.stage.hears();
    let notice = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":3,"reason":"r"}}"#;
    call.cancel(Some(message(notice)));
    assert_eq!(scene.client.reads().await, "cancelled 3");
    let told = scene.stage.hears_of("notifications/cancelled");
    let id = text(&heard.id().unwrap());
    assert_eq!(told.member(Member::RequestId), Some(id.as_bytes()));
    assert_eq!(params(&told)["reason"], "r");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ends_while_its_client_is_asked_takes_its_questions_back() {
    let mut scene = Scene::open().await;
    scene.sends(2, "tools/call", r#"{"name":"t"}"#).detach();
    let heard = scene.stage.hears();
    scene.stage.answers(&heard, ASKS_A_NAME);
    let (ask, _) = scene.client.is_asked().await;
    scene.interpreter.sweep(Instant::now());
    scene.stage.dies();
    scene.interpreter.sweep(Instant::now());
    assert_eq!(scene.client.reads().await, "withdraw");
    let answer = scene.client.reads().await;
    assert!(
        answer.starts_with("lost 2: the MCP server ended"),
        "{answer}"
    );
    assert!(!scene.answers(ask, ACCEPTED));
    assert!(scene.seated.server.is_gone());
    let refused = scene
        .seated
        .server
        .call(scene.seated.feed, tools_call("3", 3, &scene.client.outlet));
    assert_eq!(refused, Err(Refusal::Gone), "another server is to be had");
}

#[tokio::test(start_paused = true)]
async fn the_time_a_person_takes_is_not_request_time() {
    let mut scene = Scene::open().await;
    let second = Duration::from_secs(1);
    scene.sends(2, "tools/call", r#"{"name":"t"}"#).detach();
    let heard = scene.stage.hears();
    tokio::time::advance(100 * second).await;
    scene.stage.answers(&heard, ASKS_A_NAME);
    let (ask, _) = scene.client.is_asked().await;
    tokio::time::advance(10_000 * second).await;
    scene.stage.server.expire(Instant::now());
    scene.interpreter.sweep(Instant::now());
    assert!(scene.answers(ask, ACCEPTED));
    // 200 of 300 seconds are left.
    scene.stage.hears();
    scene.stage.server.expire(Instant::now() + 199 * second);
    scene.stage.hears_nothing();
    scene.stage.server.expire(Instant::now() + 200 * second);
    scene.stage.hears_of("notifications/cancelled");
    assert!(scene.client.reads().await.starts_with("lost 2"));
}

#[tokio::test(start_paused = true)]
async fn a_client_is_not_asked_what_it_has_not_offered() {
    let mut scene = Scene::silent(false);
    for (exchange, method, error) in [
        (1, "tools/call", r#""isError":true"#),
        (2, "resources/read", r#""code":-32603"#),
    ] {
        scene.sends(exchange, method, "{}").detach();
        let heard = scene.stage.hears();
        let id = text(&heard.id().unwrap());
        scene.stage.says(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32021,"message":"m","data":{{"requiredCapabilities":{{"elicitation":{{}}}}}}}}}}"#
        ));
        let answer = scene.client.reads().await;
        assert!(
            answer.contains(error) && answer.contains("ask the client for elicitation"),
            "{answer}"
        );
    }
    // A server that asks all the same.
    scene.sends(3, "tools/call", "{}").detach();
    let heard = scene.stage.hears();
    scene.stage.answers(&heard, ASKS_A_NAME);
    let answer = scene.client.reads().await;
    assert!(answer.contains("has not offered"), "{answer}");
    // And one that answers with what belongs to an extension.
    scene.sends(4, "tools/call", "{}").detach();
    let heard = scene.stage.hears();
    scene
        .stage
        .answers(&heard, r#"{"resultType":"task","taskId":"t"}"#);
    let answer = scene.client.reads().await;
    assert!(answer.contains(r#""isError":true"#), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_state_that_was_marked_on_its_way_comes_back_as_the_server_wrote_it() {
    let mut scene = Scene::silent(true);
    scene
        .sends(1, "initialize", r#"{"capabilities":{"elicitation":{}}}"#)
        .detach();
    scene.client.reads().await;
    scene.sends(2, "tools/call", r#"{"name":"t"}"#).detach();
    let heard = scene.stage.hears();
    scene.stage.answers(&heard, ASKS_A_NAME);
    let (ask, _) = scene.client.is_asked().await;
    assert!(scene.answers(ask, ACCEPTED));
    let again = scene.stage.hears();
    assert_eq!(again.member(Member::RequestState), Some(&br#""s\/1""#[..]));
}

#[tokio::test(start_paused = true)]
async fn equal_ids_of_two_calls_never_meet_and_their_streams_stay_theirs() {
    let mut scene = Scene::open().await;
    let mut other = Connection::new(PLENTY);
    scene.sends(2, "tools/call", r#"{"name":"t"}"#).detach();
    other.knows(2, "2");
    let call: Call = tools_call("2", 2, &other.outlet);
    start(&scene.seated, call).detach();
    let (first, second) = (scene.stage.hears(), scene.stage.hears());
    assert_ne!(first.id(), second.id());
    scene.stage.answers(&second, ASKS_A_NAME);
    let (ask, _) = other.is_asked().await;
    scene.stage.answers(&first, r#"{"n":1}"#);
    assert!(scene.client.reads().await.contains(r#""n":1"#));
    assert!(scene.answers(ask, ACCEPTED));
    let again = scene.stage.hears();
    scene.stage.answers(&again, r#"{"n":2}"#);
    assert!(other.reads().await.contains(r#""n":2"#));
}
