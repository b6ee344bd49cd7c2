//! The conversation: what is in flight, and who sits here.
//!
//! This file has the client's side (calls, cancellations, time); `inbound.rs` has the server's,
//! `company.rs` keeps apart what several clients or machines could confuse.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use mcp_wire::{ErrorCode, Member, Message, method, object};
use tokio::time::Instant;

use super::super::numbered::number;
use super::super::parting::{self, refusal, send_cancel};
use super::company::Company;
use super::seats::Seats;
use crate::exchange::{
    Call, Event, ExchangeId, FeedId, Key, Loss, Outcome, Outlet, Principal, Refusal, level,
};
use crate::link::{Link, SendError};

/// Calls one server may have in flight, standing subscriptions included. Far above what clients
/// send on purpose, and half of the connections there may be, so that there are some left to ask
/// after the proxy's health.
pub(super) const MAX_IN_FLIGHT: usize = 2048;

/// How long a server that was told of a cancellation is thought to write about the call all the
/// same. It should stop as soon as it can.
const ABANDONED: Duration = Duration::from_secs(10);

/// Calls given up that are remembered for that; the oldest are forgotten first.
const MAX_ABANDONED: usize = 256;

/// The seat of the proxy's own requests. Seats count from zero, so it is nobody else's.
pub(super) const OURS: FeedId = FeedId(u64::MAX);

/// The state of one conversation.
pub(super) struct Machine {
    /// Who sits here.
    pub(super) seats: Seats,
    next_key: Key,
    /// Ordered, so that the first is the oldest.
    pub(super) calls: BTreeMap<Key, InFlight>,
    pub(super) company: Company,
    /// The server has answered `server/discover` as one of this era does.
    pub(super) greeted: bool,
    /// The server takes nothing any more. Calls in flight may still be answered, until `gone`.
    pub(super) deaf: bool,
    /// The server has ended.
    pub(super) gone: bool,
    /// How it ended, in words, unless we ended it.
    pub(super) epitaph: Option<String>,
    /// When a client last wanted something of it.
    pub(super) last_used: Instant,
    /// Until when it is kept though nobody waits: a client has a question to answer, or a task to
    /// ask after.
    pub(super) needed: Instant,
    /// Calls that were given up, and when, of those that wanted log records. Their server may still
    /// work on them, and write of them.
    abandoned: VecDeque<(Key, Instant)>,
}

/// A call the server has not answered yet.
pub(super) struct InFlight {
    pub(super) feed: FeedId,
    pub(super) exchange: ExchangeId,
    pub(super) outlet: Outlet,
    /// The client's progress token, exactly as it wrote it.
    pub(super) token: Option<Bytes>,
    /// Severity from which the client wants log records about this call.
    pub(super) level: Option<usize>,
    /// `subscriptions/listen`: the client's id for it, by which it knows the subscription.
    pub(super) subscription: Option<Bytes>,
    /// The server may answer with a round for the client or with a task.
    pub(super) may_ask: bool,
    /// A subscription has none.
    pub(super) deadline: Option<Instant>,
}

impl InFlight {
    /// The last event of this call.
    pub(super) fn done(&self, outcome: Outcome) {
        self.outlet.push(self.exchange, Event::Done(outcome));
    }

    pub(super) fn is_subscription(&self) -> bool {
        self.deadline.is_none()
    }
}

impl Machine {
    pub(super) fn new(company: Company, now: Instant) -> Self {
        Self {
            seats: Seats::default(),
            next_key: 1,
            calls: BTreeMap::new(),
            company,
            greeted: false,
            deaf: false,
            gone: false,
            epitaph: None,
            last_used: now,
            needed: now,
            abandoned: VecDeque::new(),
        }
    }

    /// The seat of a principal: one, however many requests it sends.
    pub(super) fn seat(&mut self, principal: &Principal) -> FeedId {
        let calls = &self.calls;
        let busy = || calls.values().map(|call| call.feed).collect();
        self.seats.of(principal, busy)
    }

    /// Whose seat it is.
    pub(super) fn principal(&self, feed: FeedId) -> Option<&Principal> {
        self.seats.whose(feed)
    }

    pub(super) const fn is_gone(&self) -> bool {
        self.gone || self.deaf
    }

    /// The calls of clients; not the proxy's own.
    pub(super) fn client_calls(&self) -> impl Iterator<Item = (&Key, &InFlight)> {
        self.calls.iter().filter(|(_, call)| call.feed != OURS)
    }

    /// A client's request: sent on, unless it names what belongs to somebody else.
    pub(super) fn call(
        &mut self,
        feed: FeedId,
        mut call: Call,
        now: Instant,
        link: &dyn Link,
    ) -> Result<Key, Refusal> {
        self.last_used = now;
        if self.is_gone() {
            return Err(Refusal::Gone);
        }
        // Its seat was given away since it was taken: its front takes another.
        let principal = self.principal(feed).ok_or(Refusal::Gone)?;
        if let Err(sentence) = self.company.admit(principal, &mut call.message) {
            let error = mcp_wire::error_message(
                call.message.id().as_ref(),
                ErrorCode::INVALID_PARAMS,
                sentence,
                None,
            );
            call.outlet
                .push(call.exchange, Event::Done(Outcome::Error(error)));
            return Ok(0);
        }
        self.start(feed, call, link)
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
        let key = self.next_key;
        let token = number(&mut message, key);
        let name = message.method().unwrap_or_default();
        let listens = name == method::LISTEN;
        let in_flight = InFlight {
            feed,
            exchange,
            outlet,
            token,
            // A subscription's stream has no log records (2026-07-28, Streamable HTTP).
            level: message
                .string(Member::MetaLogLevel)
                .filter(|_| !listens)
                .and_then(|level| level::position(&level)),
            subscription: message
                .id_text()
                .filter(|_| listens)
                .map(Bytes::copy_from_slice),
            may_ask: method::properties(name).may_ask || name.starts_with("tasks/"),
            deadline: (!listens).then_some(deadline),
        };
        match self.send(&message, link) {
            // A server that died at once: its end, when it is told, says why, and this does not.
            Err(Refusal::Gone) if feed == OURS && !self.gone => {}
            sent => sent?,
        }
        self.next_key += 1;
        self.calls.insert(key, in_flight);
        Ok(key)
    }

    /// Sends, and remembers a link that takes nothing any more.
    pub(super) fn send(&mut self, message: &Message, link: &dyn Link) -> Result<(), Refusal> {
        link.send(message).map_err(|error| {
            self.deaf |= matches!(error, SendError::Gone);
            refusal(error)
        })
    }

    pub(super) fn cancel(
        &mut self,
        key: Key,
        notice: Option<Message>,
        now: Instant,
        link: &dyn Link,
    ) {
        if let Some(call) = self.calls.remove(&key) {
            self.abandon(key, &call, now);
            send_cancel(key, notice, link);
            call.done(Outcome::Cancelled);
        }
    }

    /// A call that wanted no log records is none that a record could be about.
    fn abandon(&mut self, key: Key, call: &InFlight, now: Instant) {
        if call.level.is_none() {
            return;
        }
        self.abandoned.push_back((key, now));
        if self.abandoned.len() > MAX_ABANDONED {
            self.abandoned.pop_front();
        }
    }

    /// The server has answered a call that was given up: it writes of it no more.
    pub(super) fn forget(&mut self, key: Key) {
        self.abandoned.retain(|(abandoned, _)| *abandoned != key);
    }

    /// Whether what the server writes now may be about a call that was given up.
    pub(super) fn may_mean_another(&self, now: Instant) -> bool {
        let last = self.abandoned.back();
        last.is_some_and(|(_, since)| now.duration_since(*since) < ABANDONED)
    }

    pub(super) fn attach(&mut self, key: Key, outlet: Outlet) {
        if let Some(call) = self.calls.get_mut(&key) {
            call.outlet = outlet.instead_of(&call.outlet);
        }
    }

    /// Ends the calls whose time is over.
    pub(super) fn expire(&mut self, now: Instant, link: &dyn Link) {
        let over: Vec<Key> = self
            .calls
            .iter()
            .filter(|(_, call)| call.deadline.is_some_and(|deadline| deadline <= now))
            .map(|(key, _)| *key)
            .collect();
        for key in over {
            if let Some(call) = self.calls.remove(&key) {
                self.abandon(key, &call, now);
                send_cancel(key, None, link);
                call.done(Outcome::Lost(parting::late()));
            }
        }
    }

    /// A client gives its seat up.
    pub(super) fn leave(&mut self, feed: FeedId, loss: &Loss, link: &dyn Link) {
        let keys: Vec<Key> = self
            .calls
            .iter()
            .filter(|(_, call)| call.feed == feed)
            .map(|(key, _)| *key)
            .collect();
        for key in keys {
            if let Some(call) = self.calls.remove(&key) {
                send_cancel(key, None, link);
                call.done(Outcome::Lost(loss.clone()));
            }
        }
    }
}

/// Whether a result is one of this kind (2026-07-28, "Result types").
pub(super) fn is_result_type(result: &[u8], kind: &str) -> bool {
    object::get(result, "resultType")
        .and_then(object::string)
        .is_some_and(|text| text == kind)
}
