//! A client of the session eras before a scripted server of 2026-07-28.

mod news;
mod rounds;

use std::sync::Arc;

use bytes::Bytes;
use mcp_wire::{ErrorCode, Id, Message};

use super::Interpreter;
use crate::back::modern::{Modern, Neighbours};
use crate::exchange::{AskId, Handle, Revival, Seated};
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
