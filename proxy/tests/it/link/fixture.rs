//! A child, what it said, and the words the tests of the link are told in.

use std::{collections::VecDeque, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use mcp_proxy::link::{
    End, EndReason, Inbound,
    child::{Child, Command, Settings, State, StopLadder},
};
use mcp_proxy::observe::mask::Masks;
use mcp_wire::{Id, Message};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::toy::{self, runs, within};

pub(super) const MIB: usize = 1024 * 1024;

/// A rung that must be climbed: short, because the test waits for it.
pub(super) const SHORT: Duration = Duration::from_millis(100);

/// A rung that must not be reached: longer than any deadline, so that reaching it fails the test.
pub(super) const NEVER: Duration = Duration::from_secs(3_600);

#[derive(Debug)]
pub(super) enum Event {
    Message(Box<Message>),
    Damaged(String, String),
    Closed(End),
}

/// What the link told, until the test takes it.
#[derive(Default)]
pub(super) struct Heard {
    pub(super) events: Mutex<VecDeque<Event>>,
    news: Notify,
}

pub(super) struct Listener(pub(super) Arc<Heard>);

impl Listener {
    fn tell(&self, event: Event) {
        self.0.events.lock().push_back(event);
        self.0.news.notify_one();
    }
}

impl Inbound for Listener {
    fn message(&mut self, message: Message) {
        self.tell(Event::Message(Box::new(message)));
    }

    fn damaged(&mut self, id: Id, fault: String) {
        self.tell(Event::Damaged(
            String::from_utf8(id.text().to_vec()).unwrap(),
            fault,
        ));
    }

    fn closed(&mut self, end: End) {
        self.tell(Event::Closed(end));
    }
}

/// A child and what it said.
pub(super) struct Fixture {
    pub(super) child: Child,
    pub(super) heard: Arc<Heard>,
    next_id: u64,
}

pub(super) fn settings() -> Settings {
    Settings {
        name: "toy".to_owned(),
        max_line: 32 << 20,
        max_queued: 32 << 20,
        stop: StopLadder {
            close_wait: NEVER,
            term_wait: NEVER,
        },
        show_stderr: true,
        masks: Masks::default(),
        guardian: None,
    }
}

pub(super) fn climbing(close_wait: Duration, term_wait: Duration) -> Settings {
    Settings {
        stop: StopLadder {
            close_wait,
            term_wait,
        },
        ..settings()
    }
}

pub(super) fn command(program: impl AsRef<Path>, args: &[&str]) -> Command {
    Command {
        program: program.as_ref().to_str().unwrap().to_owned(),
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        cwd: None,
        env: [("PATH", "/usr/local/bin:/usr/bin:/bin")]
            .into_iter()
            .collect(),
    }
}

impl Fixture {
    pub(super) fn start(command: &Command, settings: &Settings) -> Self {
        let heard = Arc::new(Heard::default());
        let child = Child::start(command, settings, Box::new(Listener(heard.clone()))).unwrap();
        Self {
            child,
            heard,
            next_id: 1,
        }
    }

    pub(super) fn toy(flags: &[&str], settings: &Settings) -> Self {
        Self::start(&command(toy::program(), flags), settings)
    }

    pub(super) async fn next(&self) -> Event {
        within("the next event", async {
            loop {
                if let Some(event) = self.heard.events.lock().pop_front() {
                    return event;
                }
                self.heard.news.notified().await;
            }
        })
        .await
    }

    pub(super) async fn next_message(&self) -> Value {
        match self.next().await {
            Event::Message(message) => parse(&message),
            other => panic!("expected a message, got {other:?}"),
        }
    }

    /// Skips what comes before the end, which must be the last thing that is told.
    pub(super) async fn end(&self) -> End {
        loop {
            if let Event::Closed(end) = self.next().await {
                within("stopped", self.child.stopped()).await;
                assert!(
                    self.heard.events.lock().is_empty(),
                    "nothing may come after the end"
                );
                assert_eq!(self.child.status().state, State::Ended(end.clone()));
                return end;
            }
        }
    }

    /// Sends a tool call and gives its id.
    pub(super) fn call(&mut self, tool: &str, arguments: Value) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.child.send(&call(id, tool, arguments)).unwrap();
        id
    }

    /// Calls a tool and gives the text of its answer, which must be the next message.
    pub(super) async fn text(&mut self, tool: &str, arguments: Value) -> String {
        let id = self.call(tool, arguments);
        let answer = self.next_message().await;
        assert_eq!(answer["id"], id, "{answer}");
        answer["result"]["content"][0]["text"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(super) async fn grandchild(&mut self, arguments: Value) -> u32 {
        let pid = self.text("grandchild", arguments).await.parse().unwrap();
        assert!(runs(pid));
        pid
    }
}

pub(super) fn parse(message: &Message) -> Value {
    serde_json::from_slice(&message.to_bytes()).unwrap()
}

pub(super) fn message(value: &Value) -> Message {
    Message::parse(Bytes::from(value.to_string())).unwrap()
}

pub(super) fn call(id: u64, tool: &str, arguments: Value) -> Message {
    let params = json!({ "name": tool, "arguments": arguments });
    message(&json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }))
}

pub(super) fn stopped() -> End {
    End::new(EndReason::Stopped)
}

pub(super) fn exited(code: i32) -> End {
    End::new(EndReason::Exited {
        code: Some(code),
        signal: None,
    })
}
