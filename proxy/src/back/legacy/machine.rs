//! The conversation: what is in flight, what was asked, who sits here.
//!
//! This file has the client's side (calls, answers, cancellations, time); `inbound.rs` has the
//! server's, `routes.rs` decides which stream an event belongs on, `common.rs` keeps what several
//! clients of one server must not see of each other.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::Bytes;
use mcp_wire::{Id, Member, Message, method};
use tokio::time::Instant;

use super::super::numbered::number;
use super::super::parting::{self, refusal, send_cancel};
use super::callers::Callers;
use super::common::Welcome;
use crate::exchange::{
    AskId, Call, Event, ExchangeId, FeedId, Key, Loss, Outcome, Outlet, Refusal, Retry,
};
use crate::link::{Link, SendError};

/// Calls one server may have in flight. Far above what a client sends on purpose; it bounds the
/// table, and a loop that never reads its answers.
pub(super) const MAX_IN_FLIGHT: usize = 4096;

/// Questions one server may have open. Each is a person's attention or a model's.
pub(super) const MAX_ASKS: usize = 256;

/// The seat of the proxy's own requests. Seats count from zero, so it is nobody else's.
pub(super) const OURS: FeedId = FeedId(u64::MAX);

/// How soon a client may try again with a server that ended before it was greeted. The pool knows
/// better once the failure is written down.
const RETRY_START: Duration = Duration::from_secs(1);

/// Progress tokens kept for tasks of 2025-11-25, whose progress goes on after the call was
/// answered. The oldest is forgotten first.
pub(super) const MAX_TASK_TOKENS: usize = 256;

/// The state of one conversation.
pub(super) struct Machine {
    /// How a common server greets; `None` for a server of one client.
    pub(super) common: Option<Welcome>,
    /// Its calls are of several callers, and each may be asked what its own call led to.
    pub(super) callers: Option<Callers>,
    pub(super) feeds: BTreeMap<FeedId, Feed>,
    next_feed: u64,
    next_key: Key,
    /// Ordered, so that the first is the oldest.
    pub(super) calls: BTreeMap<Key, InFlight>,
    pub(super) asks: HashMap<AskId, Asked>,
    pub(super) tasks: VecDeque<TaskToken>,
    /// The server has accepted an `initialize`.
    pub(super) greeted: bool,
    /// The server has refused an `initialize` as only one of 2026-07-28 does.
    pub(super) other_era: bool,
    /// The server takes nothing any more. Calls in flight may still be answered, until `gone`.
    pub(super) deaf: bool,
    /// The server has ended.
    pub(super) gone: bool,
    /// How it ended, in words, unless we ended it.
    pub(super) epitaph: Option<String>,
}

/// One client's standing side.
pub(super) struct Feed {
    pub(super) standing: Outlet,
    /// Severity from which this client of a common server wants logs.
    pub(super) level: Option<usize>,
    /// URIs this client of a common server has subscribed to, as JSON text.
    pub(super) uris: Vec<Bytes>,
}

/// A call the server has not answered yet.
pub(super) struct InFlight {
    pub(super) feed: FeedId,
    pub(super) exchange: ExchangeId,
    pub(super) outlet: Outlet,
    /// The client's progress token, exactly as it wrote it.
    pub(super) token: Option<Bytes>,
    /// The client wants a task: its token stays good after the answer.
    pub(super) task: bool,
    /// Whether the specification lets a server ask during it.
    pub(super) may_ask: bool,
    pub(super) handshake: bool,
    pub(super) deadline: Instant,
    /// Questions open because of it, and since when the first of them waits.
    pub(super) open_asks: usize,
    pub(super) waiting_since: Option<Instant>,
}

/// A question the client has not answered yet.
pub(super) struct Asked {
    /// The id the server gave it.
    pub(super) id: Id,
    pub(super) feed: FeedId,
    pub(super) call: Option<Key>,
    pub(super) outlet: Outlet,
    pub(super) exchange: ExchangeId,
}

/// A progress token that outlives its call.
pub(super) struct TaskToken {
    pub(super) key: Key,
    pub(super) token: Bytes,
    pub(super) feed: FeedId,
}

impl Machine {
    pub(super) fn of_one() -> Self {
        Self {
            common: None,
            callers: None,
            feeds: BTreeMap::new(),
            next_feed: 0,
            next_key: 1,
            calls: BTreeMap::new(),
            asks: HashMap::new(),
            tasks: VecDeque::new(),
            greeted: false,
            other_era: false,
            deaf: false,
            gone: false,
            epitaph: None,
        }
    }

    pub(super) fn common() -> Self {
        Self {
            common: Some(Welcome::default()),
            ..Self::of_one()
        }
    }

    pub(super) fn of_callers(asks: Arc<AtomicBool>, now: Instant) -> Self {
        Self {
            callers: Some(Callers::new(asks, now)),
            ..Self::of_one()
        }
    }

    pub(super) fn seat(&mut self, standing: Outlet) -> FeedId {
        let feed = FeedId(self.next_feed);
        self.next_feed += 1;
        self.feeds.insert(
            feed,
            Feed {
                standing,
                level: None,
                uris: Vec::new(),
            },
        );
        feed
    }

    /// The exchanges of a seat that somebody works on. One that waits for a client who is not
    /// there is not among them: nobody may ever answer.
    pub(super) fn in_flight(&self, feed: FeedId) -> usize {
        self.calls
            .iter()
            .filter(|(key, call)| {
                call.feed == feed && (call.waiting_since.is_none() || self.can_be_answered(**key))
            })
            .count()
    }

    /// Whether a client reads the stream of one of this call's questions.
    fn can_be_answered(&self, key: Key) -> bool {
        self.asks
            .values()
            .any(|asked| asked.call == Some(key) && asked.outlet.is_attended())
    }

    /// The calls clients wait for; not the proxy's own.
    pub(super) fn client_calls(&self) -> impl Iterator<Item = (&Key, &InFlight)> {
        self.calls.iter().filter(|(_, call)| call.feed != OURS)
    }

    /// Whether a new seat is needed: a server that takes nothing is as good as gone, and its end
    /// may be told much later.
    pub(super) fn is_gone(&self) -> bool {
        self.gone || self.deaf
    }

    /// A client's request: answered from memory where a common server was greeted already,
    /// otherwise sent on.
    pub(super) fn call(
        &mut self,
        feed: FeedId,
        mut call: Call,
        link: &dyn Link,
    ) -> Result<Key, Refusal> {
        if self.is_gone() {
            return Err(match &self.epitaph {
                // It did not live to see its first call: that is a start that failed.
                Some(_) if !self.greeted => Refusal::Start {
                    sentence: self.last_words(),
                    retry_after: RETRY_START,
                },
                _ => Refusal::Gone,
            });
        }
        if self.common.is_some()
            && let Some(outcome) = self.answer_common(feed, &mut call)
        {
            call.outlet.push(call.exchange, Event::Done(outcome));
            return Ok(0);
        }
        self.start(feed, call, link)
    }

    /// How the server ended, where it did not live to answer.
    pub(super) fn last_words(&self) -> String {
        let epitaph = self.epitaph.as_deref().unwrap_or("the server ended");
        format!("{epitaph} before it answered")
    }

    /// Sends a request under an id of our own and remembers whose it is.
    pub(super) fn start(
        &mut self,
        feed: FeedId,
        call: Call,
        link: &dyn Link,
    ) -> Result<Key, Refusal> {
        if self.calls.len() >= MAX_IN_FLIGHT {
            return Err(Refusal::Busy { cap: MAX_IN_FLIGHT });
        }
        let Call {
            mut message,
            exchange,
            outlet,
            deadline,
        } = call;
        if let Some(callers) = &mut self.callers {
            callers.last_used = Instant::now();
        }
        let key = self.next_key;
        let token = number(&mut message, key);
        let name = message.method().unwrap_or_default();
        match self.send(&message, link) {
            // A server that died at once: its end, when it is told, says why, and this does not.
            Err(Refusal::Gone) if name == method::INITIALIZE && !self.gone => {}
            sent => sent?,
        }
        self.next_key += 1;
        self.calls.insert(
            key,
            InFlight {
                feed,
                exchange,
                outlet,
                token,
                task: message.member(Member::Task).is_some(),
                may_ask: method::properties(name).may_ask,
                handshake: name == method::INITIALIZE,
                deadline,
                open_asks: 0,
                waiting_since: None,
            },
        );
        Ok(key)
    }

    /// A client's notification about its standing side.
    pub(super) fn tell(
        &mut self,
        _feed: FeedId,
        notification: &Message,
        link: &dyn Link,
    ) -> Result<(), Refusal> {
        if self.is_gone() {
            return Err(Refusal::Gone);
        }
        if self.common.is_some() || self.callers.is_some() {
            // Such a server was told `initialized` by us, and which roots one of its clients has is
            // not its business.
            return Ok(());
        }
        self.send(notification, link)
    }

    /// Sends, and remembers a link that takes nothing any more.
    pub(super) fn send(&mut self, message: &Message, link: &dyn Link) -> Result<(), Refusal> {
        link.send(message).map_err(|error| {
            self.deaf |= matches!(error, SendError::Gone);
            refusal(error)
        })
    }

    /// The client's answer goes to the server under the id the server chose.
    pub(super) fn answer(
        &mut self,
        feed: FeedId,
        ask: AskId,
        mut reply: Message,
        now: Instant,
        link: &dyn Link,
    ) -> bool {
        if self.asks.get(&ask).is_none_or(|asked| asked.feed != feed) {
            return false;
        }
        let Some(asked) = self.asks.remove(&ask) else {
            return false;
        };
        self.resume(asked.call, now);
        reply.set_id(asked.id);
        link.send(&reply).is_ok()
    }

    /// A question of this call was answered or withdrawn: when it was the last, its clock runs
    /// again, and the time a person took is given back.
    pub(super) fn resume(&mut self, call: Option<Key>, now: Instant) {
        let Some(call) = call.and_then(|key| self.calls.get_mut(&key)) else {
            return;
        };
        call.open_asks = call.open_asks.saturating_sub(1);
        if call.open_asks == 0
            && let Some(since) = call.waiting_since.take()
        {
            call.deadline += now.saturating_duration_since(since);
        }
    }

    pub(super) fn cancel(&mut self, key: Key, notice: Option<Message>, link: &dyn Link) {
        // `initialize` cannot be cancelled (2025-11-25, basic/utilities/cancellation).
        if self.calls.get(&key).is_none_or(|call| call.handshake) {
            return;
        }
        if let Some(call) = self.calls.remove(&key) {
            self.abandon(key, &call, Instant::now());
            send_cancel(key, notice, link);
            call.done(Outcome::Cancelled);
        }
    }

    /// A call was given up. Its server may still work on it, and ask because of it.
    fn abandon(&mut self, key: Key, call: &InFlight, now: Instant) {
        if let Some(callers) = &mut self.callers
            && call.may_ask
        {
            callers.abandon(key, now);
            self.asks.retain(|_, asked| asked.call != Some(key));
        }
    }

    pub(super) fn attach(&mut self, key: Key, outlet: Outlet) {
        if let Some(call) = self.calls.get_mut(&key) {
            call.outlet = outlet.instead_of(&call.outlet);
        }
    }

    /// Ends the calls whose time is over. A call that waits for a person is not over.
    pub(super) fn expire(&mut self, now: Instant, link: &dyn Link) {
        let over: Vec<Key> = self
            .calls
            .iter()
            .filter(|(_, call)| call.waiting_since.is_none() && call.deadline <= now)
            .map(|(key, _)| *key)
            .collect();
        for key in over {
            if let Some(call) = self.calls.remove(&key) {
                if !call.handshake {
                    self.abandon(key, &call, now);
                    send_cancel(key, None, link);
                }
                call.done(Outcome::Lost(if call.handshake {
                    parting::by_child(
                        Retry::Unsafe,
                        "the MCP server did not answer initialize in time; \
                         --start-timeout gives it longer"
                            .to_owned(),
                    )
                } else {
                    parting::late()
                }));
            }
        }
    }

    /// A client gives its seat up. True if nobody is left for whom this server was started.
    pub(super) fn leave(&mut self, feed: FeedId, loss: &Loss, link: &dyn Link) -> bool {
        let keys: Vec<Key> = self
            .calls
            .iter()
            .filter(|(_, call)| call.feed == feed)
            .map(|(key, _)| *key)
            .collect();
        for key in keys {
            if let Some(call) = self.calls.remove(&key) {
                if self.common.is_some() {
                    send_cancel(key, None, link);
                }
                call.done(Outcome::Lost(loss.clone()));
            }
        }
        self.asks.retain(|_, asked| asked.feed != feed);
        self.tasks.retain(|task| task.feed != feed);
        if let Some(feed) = self.feeds.remove(&feed) {
            self.unsubscribe_all(&feed, link);
        }
        self.common.is_none() && self.feeds.is_empty()
    }
}

impl InFlight {
    /// The last event of this call.
    pub(super) fn done(&self, outcome: Outcome) {
        self.outlet.push(self.exchange, Event::Done(outcome));
    }
}
