//! A client of the session eras before a scripted server of 2026-07-28.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mcp_wire::{ErrorCode, Id, Member, Message};
use tokio::time::Instant;

use super::Interpreter;
use crate::back::Conversation as _;
use crate::back::modern::{Modern, Neighbours};
use crate::exchange::{AskId, Call, Handle, Loss, Refusal, Revival, Seated};
use crate::flows::stage::{Stage, message, start, text, tools_call};
use crate::flows::toys::Connection;

const PLENTY: usize = 64 << 20;

const DISCOVERED: &str = r#"{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true},"resources":{"subscribe":true},"logging":{},"extensions":{}},"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"1"}}}"#;

/// One client, its interpreter, and the server.
struct Scene {
    stage: Stage<Modern>,
    interpreter: Arc<Interpreter>,
    seated: Seated,
    /// The standing stream.
    standing: Connection,
    /// A stream for calls.
    client: Connection,
}

fn neighbours(shared: bool) -> Neighbours {
    Neighbours {
        shared,
        machine: None,
        key: Arc::new([7; 32]),
        generation: 1,
    }
}

impl Scene {
    /// Of a client that has said nothing.
    fn silent(shared: bool) -> Self {
        let stage = Stage::modern(neighbours(shared));
        let standing = Connection::new(PLENTY);
        let interpreter = Interpreter::of_session(
            stage.seat_of("anna"),
            Bytes::from_static(DISCOVERED.as_bytes()),
            standing.outlet.clone(),
        );
        Self {
            stage,
            seated: interpreter.seat(),
            interpreter,
            standing,
            client: Connection::new(PLENTY),
        }
    }

    /// Of a client that can be asked anything, and has yet to say `initialized`.
    async fn open() -> Self {
        let mut scene = Self::silent(false);
        scene.sends(1, "initialize", r#"{"protocolVersion":"2025-11-25","clientInfo":{"name":"c"},"capabilities":{"elicitation":{},"sampling":{},"roots":{"listChanged":true}}}"#).detach();
        scene.client.reads().await;
        scene
    }

    fn sends(&mut self, exchange: u64, method: &str, params: &str) -> Handle {
        let id = exchange.to_string();
        self.client.knows(exchange, &id);
        let mut call = tools_call(&id, exchange, &self.client.outlet);
        call.message = message(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#
        ));
        start(&self.seated, call)
    }

    fn tells(&self, method: &str) {
        let notification = mcp_wire::notification(method, None);
        self.seated
            .server
            .tell(self.seated.feed, notification)
            .unwrap();
    }

    fn answers(&self, ask: AskId, result: &str) -> bool {
        let reply = mcp_wire::result_message(&Id::number(ask.0), result.as_bytes());
        self.seated.server.answer(self.seated.feed, ask, reply)
    }

    fn refuses(&self, ask: AskId) -> bool {
        let id = Id::number(ask.0);
        let reply = mcp_wire::error_message(Some(&id), ErrorCode::INTERNAL_ERROR, "no", None);
        self.seated.server.answer(self.seated.feed, ask, reply)
    }

    /// The server acknowledges a subscription that it heard, with this filter.
    fn acknowledges(&mut self, listen: &Message, filter: &str) {
        self.stage.says(&format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{{"notifications":{filter},{}}}}}"#,
            tag(listen)
        ));
    }

    /// The server tells of a change on a subscription.
    fn changes(&mut self, listen: &Message, method: &str, members: &str) {
        self.stage.says(&format!(
            r#"{{"jsonrpc":"2.0","method":"{method}","params":{{{members}{}}}}}"#,
            tag(listen)
        ));
    }
}

fn tag(listen: &Message) -> String {
    let key = text(&listen.id().unwrap());
    format!(r#""_meta":{{"io.modelcontextprotocol/subscriptionId":{key}}}"#)
}

fn params(message: &Message) -> serde_json::Value {
    serde_json::from_slice(message.params().unwrap()).unwrap()
}

const ASKS_A_NAME: &str = r#"{"resultType":"input_required","requestState":"s\/1","inputRequests":{"name":{"method":"elicitation/create","params":{"message":"Who?"}}}}"#;
const ACCEPTED: &str = r#"{"action":"accept","content":{"name":"\u0041da"}}"#;

/// Lets spawned tasks run.
async fn settle() {
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_newer_era_has_no_words_for_is_answered_here() {
    let mut scene = Scene::silent(false);
    for (exchange, method, params, answer) in [
        (
            1,
            "initialize",
            r#"{"protocolVersion":"2025-06-18","capabilities":{}}"#,
            r#""result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true},"resources":{"subscribe":true},"logging":{}},"serverInfo":{"name":"s","version":"1"}}}"#,
        ),
        (2, "ping", "{}", r#""result":{}}"#),
        (
            3,
            "logging/setLevel",
            r#"{"level":"info"}"#,
            r#""result":{}}"#,
        ),
    ] {
        scene.sends(exchange, method, params).detach();
        assert_eq!(
            scene.client.reads().await,
            format!(r#"{{"jsonrpc":"2.0","id":{exchange},{answer}"#)
        );
    }
    for (method, params, code) in [
        ("logging/setLevel", r#"{"level":"loud"}"#, -32602),
        ("tasks/list", "{}", -32601),
        ("tasks/get", "{}", -32601),
        ("server/discover", "{}", -32601),
        ("subscriptions/listen", "{}", -32601),
        ("resources/subscribe", "{}", -32602),
    ] {
        scene.sends(4, method, params).detach();
        let answer = scene.client.reads().await;
        assert!(answer.contains(&format!(r#""code":{code}"#)), "{answer}");
    }
    scene.tells("notifications/roots/list_changed");
    scene.tells("notifications/progress");
    scene.stage.hears_nothing();
}

#[tokio::test(start_paused = true)]
async fn a_request_says_what_its_client_said_once() {
    let mut scene = Scene::open().await;
    scene
        .sends(2, "logging/setLevel", r#"{"level":"warning"}"#)
        .detach();
    scene.client.reads().await;
    let asked =
        r#"{"name":"t","task":{"ttl":1},"arguments":{"n":0.10},"_meta":{"progressToken":"p"}}"#;
    scene.sends(3, "tools/call", asked).detach();
    let heard = scene.stage.hears_of("tools/call");
    let said = params(&heard);
    let meta = &said["_meta"];
    assert_eq!(
        meta["io.modelcontextprotocol/protocolVersion"],
        "2026-07-28"
    );
    assert_eq!(meta["io.modelcontextprotocol/clientInfo"]["name"], "c");
    assert_eq!(meta["io.modelcontextprotocol/logLevel"], "warning");
    let capabilities = serde_json::json!({ "elicitation": {}, "sampling": {}, "roots": {} });
    assert_eq!(
        meta["io.modelcontextprotocol/clientCapabilities"],
        capabilities
    );
    assert!(said.get("task").is_none());
    let source = std::str::from_utf8(heard.source()).unwrap();
    assert!(source.contains(r#""arguments":{"n":0.10}"#), "{source}");

    let log = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error"}}"#;
    scene.stage.progresses(&heard, 1);
    scene.stage.says(log);
    scene.stage.answers(
        &heard,
        r#"{"content":[],"ttlMs":1,"resultType":"complete","structuredContent":[1.0]}"#,
    );
    assert_eq!(
        scene.client.reads().await,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":1}}"#
    );
    assert_eq!(scene.client.reads().await, log);
    assert_eq!(
        scene.client.reads().await,
        r#"{"jsonrpc":"2.0","id":3,"result":{"content":[],"structuredContent":{"result":[1.0]}}}"#
    );
}

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
async fn one_subscription_carries_what_a_session_wants_to_hear() {
    let mut scene = Scene::open().await;
    scene.tells("notifications/initialized");
    let first = scene.stage.hears_of("subscriptions/listen");
    assert_eq!(
        params(&first)["notifications"],
        serde_json::json!({ "toolsListChanged": true })
    );
    scene.acknowledges(&first, r#"{"toolsListChanged":true}"#);
    scene.changes(&first, "notifications/tools/list_changed", "");
    assert_eq!(
        scene.standing.reads().await,
        r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{}}"#
    );

    let uri = r#"{"uri":"a:\/\/b"}"#;
    scene.sends(2, "resources/subscribe", uri).detach();
    let second = scene.stage.hears_of("subscriptions/listen");
    scene.stage.hears_nothing();
    // The one before is heard until the other is acknowledged.
    scene.changes(&second, "notifications/tools/list_changed", "");
    scene.changes(&first, "notifications/tools/list_changed", r#""n":1,"#);
    scene.acknowledges(&second, r#"{"resourceSubscriptions":["a://b"]}"#);
    assert_eq!(
        scene.client.reads().await,
        r#"{"jsonrpc":"2.0","id":2,"result":{}}"#
    );
    settle().await;
    let ended = scene.stage.hears_of("notifications/cancelled");
    let first_id = text(&first.id().unwrap());
    assert_eq!(ended.member(Member::RequestId), Some(first_id.as_bytes()));
    let updated = "notifications/resources/updated";
    scene.changes(&second, updated, r#""uri":"a:\/\/b","#);
    assert_eq!(
        [scene.standing.reads().await, scene.standing.reads().await],
        [
            r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"n":1}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a:\/\/b"}}"#,
        ]
    );
    assert_eq!(scene.seated.server.in_flight(scene.seated.feed), 0);

    // What is not honoured is an error of whoever wished for it.
    scene
        .sends(3, "resources/subscribe", r#"{"uri":"c"}"#)
        .detach();
    let third = scene.stage.hears_of("subscriptions/listen");
    scene.acknowledges(&third, r#"{"resourceSubscriptions":["a://b"]}"#);
    assert!(scene.client.reads().await.contains(r#""code":-32602"#));
    settle().await;
    scene.stage.hears_of("notifications/cancelled");

    scene.sends(4, "resources/unsubscribe", uri).detach();
    assert_eq!(
        scene.client.reads().await,
        r#"{"jsonrpc":"2.0","id":4,"result":{}}"#
    );
    let fourth = scene.stage.hears_of("subscriptions/listen");
    assert!(
        params(&fourth)["notifications"]
            .get("resourceSubscriptions")
            .is_none()
    );
    scene
        .seated
        .server
        .leave(scene.seated.feed, &Loss::session_ended());
    scene.stage.hears_of("notifications/cancelled");
    scene.stage.hears_of("notifications/cancelled");
    scene.stage.hears_nothing();
}

#[tokio::test(start_paused = true)]
async fn a_subscription_the_server_ends_is_opened_again_after_a_pause() {
    let mut scene = Scene::open().await;
    scene.tells("notifications/initialized");
    let first = scene.stage.hears_of("subscriptions/listen");
    scene.acknowledges(&first, "{}");
    scene.stage.answers(&first, r#"{"resultType":"complete"}"#);
    settle().await;
    scene.stage.hears_nothing();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let second = scene.stage.hears_of("subscriptions/listen");
    // One that takes none is left alone.
    let id = text(&second.id().unwrap());
    scene.stage.says(&format!(
        r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"message":"m"}}}}"#
    ));
    tokio::time::sleep(Duration::from_secs(2)).await;
    scene.stage.hears_nothing();
}

#[tokio::test(start_paused = true)]
async fn a_subscription_nobody_acknowledges_is_not_waited_for_for_ever() {
    let mut scene = Scene::open().await;
    scene
        .sends(2, "resources/subscribe", r#"{"uri":"a"}"#)
        .detach();
    scene.stage.hears_of("subscriptions/listen");
    scene
        .interpreter
        .sweep(Instant::now() + Duration::from_secs(299));
    assert_eq!(scene.seated.server.in_flight(scene.seated.feed), 1);
    scene
        .interpreter
        .sweep(Instant::now() + Duration::from_secs(301));
    let lost = scene.client.reads().await;
    assert!(lost.contains("did not acknowledge"), "{lost}");
}

#[tokio::test(start_paused = true)]
async fn a_successor_is_told_what_the_client_told_its_predecessor() {
    let mut scene = Scene::silent(false);
    scene.interpreter.revive(&Revival {
        initialize: Bytes::from_static(
            br#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"clientInfo":{"name":"c"},"capabilities":{"roots":{}}}}"#,
        ),
        level: Some(Bytes::from_static(
            br#"{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"error"}}"#,
        )),
        subscriptions: vec![Bytes::from_static(
            br#"{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"a"}}"#,
        )],
    });
    let listen = scene.stage.hears_of("subscriptions/listen");
    assert_eq!(
        params(&listen)["notifications"]["resourceSubscriptions"],
        serde_json::json!(["a"])
    );
    scene.sends(2, "tools/list", "{}").detach();
    let meta = params(&scene.stage.hears_of("tools/list"))["_meta"].clone();
    assert_eq!(meta["io.modelcontextprotocol/logLevel"], "error");
    assert_eq!(meta["io.modelcontextprotocol/clientInfo"]["name"], "c");
}

#[tokio::test(start_paused = true)]
async fn without_a_session_nobody_can_be_asked_or_told() {
    let mut scene = Scene::silent(false);
    let discovered = Bytes::from_static(DISCOVERED.as_bytes());
    let interpreter = Interpreter::of_requests(scene.stage.seat_of("anna"), discovered);
    scene.seated = interpreter.seat();
    scene
        .sends(1, "initialize", r#"{"capabilities":{"roots":{}}}"#)
        .detach();
    scene.client.reads().await;
    scene.tells("notifications/initialized");
    scene
        .sends(2, "resources/subscribe", r#"{"uri":"a"}"#)
        .detach();
    assert!(scene.client.reads().await.contains("-32601"));
    scene.stage.hears_nothing();
    scene.sends(3, "tools/list", "{}").detach();
    let meta = params(&scene.stage.hears())["_meta"].clone();
    assert_eq!(
        meta["io.modelcontextprotocol/clientCapabilities"],
        serde_json::json!({})
    );
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
