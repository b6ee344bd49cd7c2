//! The conversation with one client, without a server: this file has the client's side, `heard.rs`
//! the server's.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use mcp_wire::{ErrorCode, Id, Member, Message, method, object};
use smallvec::SmallVec;
use tokio::time::Instant;

use super::calls::{self, InFlight, Phase, Sort, refused};
use super::client::Client;
use super::listening::{Listening, Wished};
use super::results::Wrapped;
use super::rounds;
use super::welcome::{Offers, welcome};
use crate::exchange::{AskId, Call, Event, Key, Loss, Outcome, Outlet, Revival};

/// Our keys begin above those of any server that the same client may have had a call at before.
const FIRST_KEY: Key = 1 << 32;

/// What is to be done at the server, by whoever does not hold our lock nor is called by the server.
#[derive(Debug)]
pub(super) enum Work {
    /// A request of a call.
    Send(Sending),
    /// Nobody waits for this call of the server any more.
    Cancel(Key, Option<Message>),
    /// A subscription, under a number of ours.
    Listen(u64, Message),
    /// The server ended a subscription by itself: after a pause, another one.
    Rest,
    /// The server may have ended.
    Look,
    /// A notification.
    Tell(Message),
}

/// A request on its way to the server.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) key: Key,
    pub(super) round: u32,
    pub(super) message: Message,
    pub(super) deadline: Instant,
}

/// Nearly always one, or nothing.
pub(super) type Works = SmallVec<[Work; 1]>;

/// The state of one conversation.
#[derive(Debug)]
pub(super) struct Machine {
    /// Whether the client can be asked and told: it has a session.
    has_session: bool,
    discovered: Bytes,
    pub(super) offers: Offers,
    pub(super) client: Client,
    pub(super) calls: BTreeMap<Key, InFlight>,
    next: Key,
    pub(super) listening: Listening,
    pub(super) wrapped: Wrapped,
    pub(super) standing: Outlet,
}

impl Machine {
    pub(super) fn new(discovered: Bytes, standing: Outlet, has_session: bool) -> Self {
        let offers = Offers::of(&discovered);
        Self {
            has_session,
            discovered,
            offers,
            client: Client::unknown(),
            calls: BTreeMap::new(),
            next: FIRST_KEY,
            listening: Listening::new(offers),
            wrapped: Wrapped::default(),
            standing,
        }
    }

    /// A request of the client: its key, and what is to be done for it.
    pub(super) fn call(&mut self, call: Call) -> (Key, Works) {
        let name = call.message.method().unwrap_or_default();
        let outcome = match name {
            method::INITIALIZE => self.initialize(&call.message),
            method::PING => answered(b"{}"),
            method::SET_LEVEL => self.set_level(&call.message),
            method::RESOURCES_SUBSCRIBE => return self.subscribe(call),
            method::RESOURCES_UNSUBSCRIBE => {
                let uri = call.message.member(Member::Uri);
                self.listening.unwish(uri.unwrap_or_default());
                answered(b"{}")
            }
            // Names of the other era, or of what was not offered.
            method::DISCOVER | method::LISTEN => unknown(name),
            _ if name.starts_with("tasks/") => unknown(name),
            _ => return self.forward(call),
        };
        call.outlet.push(call.exchange, Event::Done(outcome));
        (0, self.follow())
    }

    fn initialize(&mut self, request: &Message) -> Outcome {
        if self.has_session {
            self.client = Client::of(request);
        }
        let asked = request.string(Member::ProtocolVersion);
        answered(&welcome(&self.discovered, asked.as_deref()))
    }

    fn set_level(&mut self, request: &Message) -> Outcome {
        if !self.offers.logging {
            return unknown(method::SET_LEVEL);
        }
        let level = request.string(Member::Level).unwrap_or(Cow::Borrowed(""));
        if self.client.wants(&level) {
            return answered(b"{}");
        }
        let sentence = "level has to be one of debug, info, notice, warning, error, critical, \
                        alert and emergency";
        Outcome::Error(refused(ErrorCode::INVALID_PARAMS, sentence))
    }

    fn subscribe(&mut self, call: Call) -> (Key, Works) {
        let wished = match call.message.member(Member::Uri) {
            _ if !self.has_session => Err(unknown(method::RESOURCES_SUBSCRIBE)),
            None => Err(invalid("params.uri is missing")),
            Some(uri) => match self.listening.wish(uri) {
                Wished::Heard => Err(answered(b"{}")),
                Wished::TooMany => Err(invalid("this session has too many subscriptions")),
                Wished::Unknown(uri) => Ok(uri),
            },
        };
        let uri = match wished {
            Ok(uri) => uri,
            Err(outcome) => {
                let done = Event::Done(outcome);
                call.outlet.push(call.exchange, done);
                return (0, Works::new());
            }
        };
        let key = self.enter(call, Sort::Other, None, Phase::Subscribing(uri));
        (key, self.follow())
    }

    /// A request for the server itself.
    fn forward(&mut self, mut call: Call) -> (Key, Works) {
        let name = call.message.method().unwrap_or_default();
        let sort = match name {
            method::TOOLS_CALL => Sort::Tool {
                wrapped: call
                    .message
                    .string(Member::Name)
                    .is_some_and(|tool| self.wrapped.has(&tool)),
            },
            method::TOOLS_LIST => Sort::Tools,
            _ => Sort::Other,
        };
        let may_ask = method::properties(name).may_ask;
        // Tasks of 2025-11-25 are not offered: such a call is one like any other.
        if call.message.member(Member::Task).is_some()
            && let Some(params) = call.message.params_span()
        {
            call.message.remove_member(params, Member::Task.name());
        }
        let original = may_ask.then(|| call.message.clone());
        let message = self.client.stamp(call.message.clone());
        let deadline = call.deadline;
        let key = self.enter(call, sort, original, Phase::Working(None));
        let sending = Sending {
            key,
            round: 0,
            message,
            deadline,
        };
        (key, Works::from_iter([Work::Send(sending)]))
    }

    fn enter(&mut self, call: Call, sort: Sort, original: Option<Message>, phase: Phase) -> Key {
        let key = self.next;
        self.next += 1;
        self.calls.insert(
            key,
            InFlight {
                exchange: call.exchange,
                outlet: call.outlet,
                sort,
                original,
                deadline: call.deadline,
                phase,
                rounds: 0,
                progress: None,
            },
        );
        key
    }

    /// The server has taken a request under this key. False if nobody waits for it any more.
    pub(super) fn sent(&mut self, key: Key, round: u32, inner: Key) -> bool {
        let Some(call) = self.calls.get_mut(&key) else {
            return false;
        };
        if call.rounds == round
            && let Phase::Working(known) = &mut call.phase
        {
            *known = Some(inner);
        }
        true
    }

    /// The server did not take the first request of a call.
    pub(super) fn unsent(&mut self, key: Key) {
        self.calls.remove(&key);
    }

    /// The server did not take a later one.
    pub(super) fn lost(&mut self, key: Key, loss: Loss) {
        if let Some(call) = self.calls.remove(&key) {
            call.done(Outcome::Lost(loss));
        }
    }

    /// A notification of the client. What it is about has mostly no name in 2026-07-28.
    pub(super) fn tell(&mut self, notification: Message) -> Works {
        match notification.method().unwrap_or_default() {
            method::INITIALIZED => {
                if self.has_session {
                    self.listening.begin();
                }
                self.follow()
            }
            method::ROOTS_LIST_CHANGED
            | method::CANCELLED
            | method::PROGRESS
            | method::TASKS_STATUS => Works::new(),
            _ => Works::from_iter([Work::Tell(notification)]),
        }
    }

    /// The client's answer to a question. `None` if nobody waits for it.
    pub(super) fn answer(&mut self, ask: AskId, reply: &Message, now: Instant) -> Option<Works> {
        let (key, question, whole) = self.calls.iter_mut().find_map(|(key, call)| {
            let Phase::Asking { round, .. } = &mut call.phase else {
                return None;
            };
            let mut open = round.questions.iter().enumerate();
            let (place, _) =
                open.find(|(_, question)| question.ask == ask && question.answer.is_none())?;
            Some((*key, place, round))
        })?;
        let question = &mut whole.questions[question];
        match rounds::answer(question.kind, reply) {
            Ok(text) => {
                question.answer = Some(text);
                let all = whole.is_answered();
                Some(if all {
                    self.retry(key, now)
                } else {
                    Works::new()
                })
            }
            Err(sentence) => {
                // It was answered, if not as the server needs it.
                question.answer = Some(Bytes::new());
                if let Some(call) = self.calls.remove(&key) {
                    call.withdraw();
                    call.fail(&sentence);
                }
                Some(Works::new())
            }
        }
    }

    /// Sends a request again, with what was answered. The time that took is given back.
    pub(super) fn retry(&mut self, key: Key, now: Instant) -> Works {
        let Some(call) = self.calls.get_mut(&key) else {
            return Works::new();
        };
        let Phase::Asking { round, left } = &call.phase else {
            return Works::new();
        };
        let again = call
            .original
            .as_ref()
            .and_then(|original| round.retry(original));
        let Some(message) = again else {
            call.fail("the MCP server's requestState cannot be sent back");
            self.calls.remove(&key);
            return Works::new();
        };
        call.deadline = now + *left;
        call.phase = Phase::Working(None);
        Works::from_iter([Work::Send(Sending {
            key,
            round: call.rounds,
            message: self.client.stamp(message),
            deadline: call.deadline,
        })])
    }

    /// The client gives a call up.
    pub(super) fn cancel(&mut self, key: Key, notice: Option<Message>) -> Works {
        let Some(call) = self.calls.remove(&key) else {
            return Works::new();
        };
        call.withdraw();
        call.done(Outcome::Cancelled);
        match call.phase {
            Phase::Working(Some(inner)) => Works::from_iter([Work::Cancel(inner, notice)]),
            // The server is told when it has taken it.
            Phase::Working(None) | Phase::Asking { .. } => Works::new(),
            Phase::Subscribing(uri) => {
                self.listening.forget(&[uri]);
                self.follow()
            }
        }
    }

    /// The client gives its place up.
    pub(super) fn leave(&mut self, loss: &Loss) -> Works {
        let mut works = Works::new();
        for (_, call) in std::mem::take(&mut self.calls) {
            if let Phase::Working(Some(inner)) = call.phase {
                works.push(Work::Cancel(inner, None));
            }
            call.done(Outcome::Lost(loss.clone()));
        }
        let listens = self.listening.end().into_iter();
        works.extend(listens.map(|key| Work::Cancel(key, None)));
        works
    }

    /// What the client told the predecessor of this server. A wish that is not honoured any more is
    /// let go: the client learns nothing from an error it did not cause.
    pub(super) fn revive(&mut self, revival: &Revival) -> Works {
        let read = |text: &Bytes| Message::parse(text.clone()).ok();
        if let Some(initialize) = read(&revival.initialize) {
            self.client = Client::of(&initialize);
        }
        if let Some(level) = revival.level.as_ref().and_then(read) {
            self.client
                .wants(&level.string(Member::Level).unwrap_or_default());
        }
        for request in revival.subscriptions.iter().filter_map(read) {
            if let Some(uri) = request.member(Member::Uri) {
                self.listening.wish(uri);
            }
        }
        self.listening.begin();
        self.follow()
    }

    /// Ends what waits in vain; called about once a second, and when the server has ended.
    pub(super) fn expire(&mut self, now: Instant, gone: bool) {
        let over: Vec<Key> = self
            .calls
            .iter()
            .filter(|(_, call)| match call.phase {
                // The server's own affair.
                Phase::Working(_) => false,
                Phase::Asking { .. } => gone,
                Phase::Subscribing(_) => gone || call.deadline <= now,
            })
            .map(|(key, _)| *key)
            .collect();
        for call in over.iter().filter_map(|key| self.calls.remove(key)) {
            call.withdraw();
            if let Phase::Subscribing(uri) = &call.phase {
                self.listening.forget(std::slice::from_ref(uri));
            }
            let loss = if gone { calls::ended() } else { calls::late() };
            call.done(Outcome::Lost(loss));
        }
    }

    /// A server that ended a subscription has had its rest.
    pub(super) fn again(&mut self) -> Works {
        self.listening.again();
        self.follow()
    }

    /// Opens another subscription where another one is wanted.
    pub(super) fn follow(&mut self) -> Works {
        let open = self.listening.open(&self.client.meta());
        let listen = open.map(|(number, request)| Work::Listen(number, request));
        listen.into_iter().collect()
    }
}

/// An answer of our own; the front puts the client's id there.
pub(super) fn answered(result: &[u8]) -> Outcome {
    Outcome::Result(mcp_wire::result_message(&Id::number(0), result))
}

fn invalid(sentence: &str) -> Outcome {
    Outcome::Error(refused(ErrorCode::INVALID_PARAMS, sentence))
}

fn unknown(name: &str) -> Outcome {
    let sentence = format!("Method not found: {name}");
    Outcome::Error(refused(ErrorCode::METHOD_NOT_FOUND, &sentence))
}

/// What a client would have to declare, by an error that says so.
pub(super) fn required(error: &Message) -> String {
    let names: Vec<String> = error
        .error()
        .and_then(|error| object::get(error, "data"))
        .and_then(|data| object::get(data, "requiredCapabilities"))
        .map(|required| {
            object::members(required)
                .map(|entry| entry.key.name().into_owned())
                .filter(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric()))
                .collect()
        })
        .unwrap_or_default();
    let what = if names.is_empty() {
        "something".to_owned()
    } else {
        names.join(" and ")
    };
    format!("this needs to ask the client for {what}, which it has not offered in initialize")
}
