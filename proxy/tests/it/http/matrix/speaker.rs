//! A client in a conversation, whatever its era and transport: it says the script and answers every question.

use serde_json::{Value, json};

use super::{
    super::proxy::Proxy, pipe::AtPipe, session::InSession, sse::OverSse, stateless::Stateless,
};

/// Who talks to the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    /// 2026-07-28: every request says everything.
    Stateless,
    /// A session over Streamable HTTP, 2025-11-25.
    Session,
    /// The two endpoints of 2024-11-05, as an SDK of 2025-06-18 uses them.
    HttpSse,
    /// 2026-07-28 at a pipe.
    StatelessPipe,
    /// 2025-11-25 at a pipe, which is the session.
    SessionPipe,
}

impl Client {
    /// Whether it starts the proxy as its own, and needs no port.
    pub(super) const fn is_at_a_pipe(self) -> bool {
        matches!(self, Self::StatelessPipe | Self::SessionPipe)
    }
}

/// What came of a call.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Notifications that belong to the call, in order.
    pub(super) notes: Vec<Value>,
    /// The methods of the questions, in order.
    pub(super) questions: Vec<String>,
    /// How many requests the client had to send for it.
    pub(super) requests: usize,
    /// The message that ended it.
    pub(super) answer: Value,
}

/// One conversation.
pub(super) enum Speaker {
    Stateless(Stateless),
    Session(InSession),
    HttpSse(OverSse),
    Pipe(AtPipe),
}

macro_rules! each {
    ($speaker:expr, $one:ident => $deed:expr) => {
        match $speaker {
            Speaker::Stateless($one) => $deed,
            Speaker::Session($one) => $deed,
            Speaker::HttpSse($one) => $deed,
            Speaker::Pipe($one) => $deed,
        }
    };
}

impl Speaker {
    /// Begins: with this proxy, or at a pipe with one of its own in front of a toy of these words.
    pub(super) async fn open(proxy: Option<&Proxy>, client: Client, toy: &[&str]) -> Self {
        let proxy = || proxy.expect("a proxy with a port");
        match client {
            Client::Stateless => Self::Stateless(Stateless::open(proxy()).await),
            Client::Session => Self::Session(InSession::open(proxy()).await),
            Client::HttpSse => Self::HttpSse(OverSse::open(proxy()).await),
            Client::StatelessPipe => Self::Pipe(AtPipe::open(true, toy).await),
            Client::SessionPipe => Self::Pipe(AtPipe::open(false, toy).await),
        }
    }

    /// What a proxy that is its own wrote to standard error.
    pub(super) fn said(&self) -> String {
        match self {
            Self::Pipe(one) => one.said(),
            _ => String::new(),
        }
    }

    /// The version, the server's name and its instructions, as the beginning told them.
    pub(super) fn welcome(&self) -> (String, String, String) {
        let result = each!(self, one => &one.welcome)["result"].clone();
        let (version, server) = if result["protocolVersion"].is_string() {
            (&result["protocolVersion"], &result["serverInfo"])
        } else {
            let server = &result["_meta"]["io.modelcontextprotocol/serverInfo"];
            (&result["supportedVersions"][0], server)
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (
            text(version),
            text(&server["name"]),
            text(&result["instructions"]),
        )
    }

    /// Sends a request that nobody asks anything about, and gives its answer.
    pub(super) async fn request(&mut self, method: &str, params: Value) -> Value {
        each!(self, one => one.say(method, params).await).answer
    }

    /// Calls a tool, wanting progress under `"t"`, and answers every question.
    pub(super) async fn call(&mut self, tool: &str, arguments: Value) -> Heard {
        let params = with_token(tool, arguments);
        each!(self, one => one.say("tools/call", params).await)
    }

    /// Asks for log lines from this level on.
    pub(super) async fn hear_from(&mut self, level: &str) {
        match self {
            Self::Stateless(one) => one.level = Some(level.to_owned()),
            Self::Pipe(one) if one.modern => one.level = Some(level.to_owned()),
            Self::Session(_) | Self::HttpSse(_) | Self::Pipe(_) => {
                let answer = self
                    .request("logging/setLevel", json!({ "level": level }))
                    .await;
                assert!(answer["result"].is_object(), "{answer}");
            }
        }
    }

    /// Wants to hear of this resource and of all lists.
    pub(super) async fn watch(&mut self, uri: &str) {
        match self {
            Self::Stateless(one) => one.watch(uri).await,
            Self::Pipe(one) if one.modern => one.watch(uri).await,
            // Whoever is in a session is told of the lists unasked.
            Self::Session(_) | Self::HttpSse(_) | Self::Pipe(_) => {
                let answer = self
                    .request("resources/subscribe", json!({ "uri": uri }))
                    .await;
                assert!(answer["result"].is_object(), "{answer}");
            }
        }
    }

    /// The method of the next notification that belongs to no call.
    pub(super) async fn news(&mut self) -> String {
        let news = each!(self, one => one.news().await);
        news["method"].as_str().unwrap().to_owned()
    }

    /// Begins a call, and takes it back once it makes progress.
    pub(super) async fn abandon(&mut self, tool: &str, arguments: Value) {
        let params = with_token(tool, arguments);
        each!(self, one => one.abandon(params).await);
    }
}

fn with_token(tool: &str, arguments: Value) -> Value {
    json!({ "name": tool, "arguments": arguments, "_meta": { "progressToken": "t" } })
}

/// What the person, the model and the folder of this client have to say to a question.
pub(super) fn reply(question: &Value) -> Value {
    match question["method"].as_str() {
        Some("elicitation/create") => json!({ "action": "accept", "content": { "name": "Ada" } }),
        Some("sampling/createMessage") => {
            json!({ "role": "assistant", "content": { "type": "text", "text": "Ada" }, "model": "m" })
        }
        Some("roots/list") => json!({ "roots": [{ "uri": "file:///srv", "name": "srv" }] }),
        _ => panic!("nobody here can answer {question}"),
    }
}

impl Heard {
    /// Notes a question.
    pub(super) fn asked(&mut self, question: &Value) {
        let method = question["method"].as_str().unwrap();
        self.questions.push(method.to_owned());
    }
}
