//! A scripted server of the session eras and clients of 2026-07-28: no HTTP, no process, paused time.

mod listening;
mod rounds;
mod sharing;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mcp_wire::Message;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Desk, Doorbell, LegacyServer, Settings, Station, Turn};
use crate::back::legacy::Legacy;
use crate::exchange::{
    Call, Event, ExchangeId, FeedId, Handle, Item, Outcome, Outlet, Principal, Profile, Refusal,
    Seated, Tap,
};
use crate::flows::stage::{Stage, message};
use crate::translate::Keys;

/// How long a question waits in these tests.
const PATIENCE: Duration = Duration::from_secs(100);

fn settings(roots: Option<&'static str>) -> Arc<Settings> {
    Arc::new(Settings {
        keys: Keys::random(),
        machine: None,
        patience: PATIENCE,
        request: Duration::from_secs(60),
        roots: roots.map(Into::into),
    })
}

/// A server, and what stands before it.
struct Place {
    stage: Stage,
    station: Arc<Station>,
    /// It has asked something.
    asks: Arc<AtomicBool>,
}

impl Place {
    /// A server with these capabilities, greeted for clients of this profile.
    async fn open(desk: &Arc<Desk>, profile: Profile, capabilities: &str) -> Self {
        let asks = Arc::default();
        let legacy = Legacy::of_callers(Arc::clone(&asks));
        let mut stage = Stage::with(Arc::clone(&legacy));
        let doorbell = Arc::new(Doorbell::default());
        let feed = legacy.seat(doorbell.outlet());
        let greeted = Arc::clone(&legacy);
        let greeting =
            tokio::spawn(async move { greeted.introduce(profile, Duration::from_secs(1)).await });
        tokio::task::yield_now().await;
        let initialize = stage.hears_of("initialize");
        stage.answers(
            &initialize,
            &format!(
                r#"{{"protocolVersion":"2025-06-18","capabilities":{capabilities},"serverInfo":{{"name":"s","version":"1"}}}}"#
            ),
        );
        let welcomed = greeting.await.unwrap().unwrap();
        stage.hears_of("notifications/initialized");
        let server: Arc<dyn LegacyServer> = legacy;
        let changed = Arc::new(Notify::new());
        let station = Station::open(server, (feed, &doorbell), desk, profile, &welcomed, changed);
        Self {
            stage,
            station,
            asks,
        }
    }

    /// A server without any capability, for one principal who can be asked by a form.
    async fn asking() -> Self {
        Self::open(&Desk::new(settings(None), true), Profile::FORM, "{}").await
    }

    fn seat(&self, name: &str) -> Seated {
        Seated {
            server: Turn::new(Arc::clone(&self.station), Principal::named(name), None),
            feed: FeedId(0),
        }
    }

    /// A request of a client.
    fn send(&self, who: &str, method: &str, params: Value) -> Sent {
        self.try_send(who, method, params).unwrap()
    }

    fn try_send(&self, who: &str, method: &str, mut params: Value) -> Result<Sent, Refusal> {
        params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
        let text = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let (outlet, tap) = Outlet::new(1 << 20);
        let call = Call {
            message: message(&text.to_string()),
            exchange: ExchangeId(1),
            outlet,
            deadline: Instant::now() + Duration::from_secs(300),
        };
        let handle = Handle::call(&self.seat(who), call)?;
        Ok(Sent { handle, tap })
    }

    /// The server asks in a form, under an id of its own.
    fn asks(&mut self, id: u32, question: &str) {
        self.stage.says(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"elicitation/create","params":{{"message":"{question}","requestedSchema":{{"type":"object","properties":{{}}}}}}}}"#
        ));
    }
}

/// A request on its way.
struct Sent {
    handle: Handle,
    tap: Tap,
}

impl Sent {
    async fn event(&mut self) -> Event {
        match self.tap.next().await.unwrap() {
            Item::Event(tagged) => tagged.event,
            Item::Overflow => panic!("overflow"),
        }
    }

    /// The next notification.
    async fn told(&mut self) -> Value {
        match self.event().await {
            Event::Notify(message) => value(&message),
            other => panic!("{other:?}"),
        }
    }

    /// The answer, whole.
    async fn answer(mut self) -> Value {
        match self.event().await {
            Event::Done(Outcome::Result(message) | Outcome::Error(message)) => value(&message),
            other => panic!("{other:?}"),
        }
    }

    /// The answer is a round: its state, and the only key it asks for.
    async fn asked(self) -> (String, String) {
        let answer = self.answer().await;
        let result = &answer["result"];
        assert_eq!(result["resultType"], "input_required", "{answer}");
        let keys: Vec<_> = result["inputRequests"]
            .as_object()
            .unwrap()
            .keys()
            .collect();
        assert_eq!(keys.len(), 1, "{answer}");
        (
            result["requestState"].as_str().unwrap().to_owned(),
            keys[0].clone(),
        )
    }
}

fn value(message: &Message) -> Value {
    serde_json::from_slice(&message.to_bytes()).unwrap()
}

/// A call of a tool.
fn tool() -> Value {
    json!({"name": "t", "arguments": {"a": 1}})
}

/// The same with an answer to one question.
fn answered(state: &str, key: &str, answer: Value) -> Value {
    let mut params = tool();
    params["requestState"] = json!(state);
    params["inputResponses"] = json!({ key: answer });
    params
}

fn accept(text: &str) -> Value {
    json!({"action": "accept", "content": {"text": text}})
}
