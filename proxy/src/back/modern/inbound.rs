//! What the server wrote, and whom it is for.

use std::time::Duration;

use bytes::Bytes;
use mcp_wire::{ErrorCode, Id, Kind, Member, Message, Span, method, object};
use memchr::memmem;
use tokio::time::Instant;

use super::super::parting;
use super::machine::{InFlight, Machine, OURS, is_result_type};
use crate::exchange::level::severity;
use crate::exchange::{Event, Key, Outcome};
use crate::link::{End, EndReason, Link};

/// How long a server is kept for a client that has a question to answer or a task to ask after. A
/// person may be behind it.
const UNFINISHED: Duration = Duration::from_secs(5 * 60);

/// By what a notification or an answer names its subscription.
const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";

/// What the proxy itself has to see to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// The list of tools has changed.
    Tools,
    /// The server ended the proxy's own subscription.
    Unsubscribed,
}

impl Machine {
    /// One message of the server, and what it means for the proxy itself.
    pub(super) fn message(
        &mut self,
        message: Message,
        now: Instant,
        link: &dyn Link,
    ) -> Option<News> {
        match message.kind() {
            Kind::Result | Kind::Error => return self.response(message, now),
            Kind::Request => refuse(&message, link),
            Kind::Notification => match message.method().unwrap_or_default() {
                method::PROGRESS => self.progress(message),
                method::CANCELLED => return self.ended_by_server(&message),
                method::LOG_MESSAGE => self.log(message, now),
                _ => return self.news(message),
            },
        }
        None
    }

    fn response(&mut self, mut message: Message, now: Instant) -> Option<News> {
        let key = message.id().and_then(|id| id.as_u64());
        let Some((_, call)) = key.and_then(|key| self.calls.remove_entry(&key)) else {
            // Late, after a cancel or a timeout, or never ours. Nobody waits for it.
            if let Some(key) = key {
                self.forget(key);
            }
            tracing::debug!(target: "modern", "dropped an answer nobody waits for");
            return None;
        };
        if call.feed != OURS {
            self.last_used = now;
        }
        if message.kind() == Kind::Error {
            call.done(Outcome::Error(message));
            return None;
        }
        if call.feed == OURS && call.is_subscription() {
            return Some(News::Unsubscribed);
        }
        if let Some(id) = &call.subscription {
            restore_subscription(&mut message, id);
        }
        if call.may_ask && is_unfinished(&message) {
            self.needed = now + UNFINISHED;
        }
        if call.may_ask
            && let Some(principal) = self.principal(call.feed).cloned()
        {
            self.company.leave_mark(&principal, &mut message);
        }
        call.done(Outcome::Result(message));
        None
    }

    /// Progress goes to the call whose token it names, with the client's own token in it.
    fn progress(&self, mut message: Message) {
        let named = message.member(Member::ProgressedToken).and_then(key);
        let Some(call) = named.and_then(|key| self.calls.get(&key)) else {
            tracing::debug!(target: "modern", "dropped progress of a call that has ended");
            return;
        };
        if let Some(token) = &call.token {
            message.replace(Member::ProgressedToken, token.clone());
            call.outlet.push(call.exchange, Event::Notify(message));
        }
    }

    /// A log record names no call. It goes to the one that wants records of its severity; where
    /// several do, or a call was given up and may be meant, it reaches none: a
    /// record on another's stream would be a leak (2026-07-28, logging: only on the stream of the
    /// request it is about).
    fn log(&self, message: Message, now: Instant) {
        let severity = severity(&message);
        let mut wanting = self
            .calls
            .values()
            .filter(|call| call.level.is_some_and(|level| severity >= level));
        match (wanting.next(), wanting.next()) {
            (Some(call), None) if !self.may_mean_another(now) => {
                call.outlet.push(call.exchange, Event::Notify(message));
            }
            (Some(_), _) => {
                tracing::debug!(target: "modern", "dropped a log record several calls could mean");
            }
            (None, _) => {}
        }
    }

    /// Everything else belongs to a subscription, or to nobody.
    fn news(&self, mut message: Message) -> Option<News> {
        let named = message.member(Member::MetaSubscriptionId).and_then(key);
        let Some(call) = named.and_then(|key| self.calls.get(&key)) else {
            tracing::debug!(target: "modern", "dropped a notification of no subscription");
            return None;
        };
        if call.feed == OURS {
            let tools = message.method() == Some(method::TOOLS_LIST_CHANGED);
            return tools.then_some(News::Tools);
        }
        if let Some(id) = &call.subscription {
            message.replace(Member::MetaSubscriptionId, id.clone());
        }
        call.outlet.push(call.exchange, Event::Notify(message));
        None
    }

    /// On stdio a server ends a subscription by `notifications/cancelled`; towards HTTP that is
    /// the graceful answer (2026-07-28, subscriptions, "Graceful closure").
    fn ended_by_server(&mut self, message: &Message) -> Option<News> {
        let key = message.member(Member::RequestId).and_then(key)?;
        if self.calls.get(&key).is_some_and(InFlight::is_subscription)
            && let Some(call) = self.calls.remove(&key)
        {
            if call.feed == OURS {
                return Some(News::Unsubscribed);
            }
            let id = Id::number(key);
            let subscription = call.subscription.as_deref().unwrap_or_else(|| id.text());
            call.done(Outcome::Result(mcp_wire::subscription_ended(
                &id,
                subscription,
            )));
        }
        None
    }

    /// A line that could not be read was somebody's answer.
    pub(super) fn damaged(&mut self, id: &Id, fault: &str) {
        if let Some(call) = id.as_u64().and_then(|key| self.calls.remove(&key)) {
            call.done(Outcome::Lost(parting::unreadable(fault)));
        }
    }

    /// The server is gone, and every call in flight is lost.
    pub(super) fn closed(&mut self, end: &End) {
        self.gone = true;
        self.epitaph = (end.reason != EndReason::Stopped).then(|| end.sentence());
        for (_, call) in std::mem::take(&mut self.calls) {
            call.done(Outcome::Lost(parting::ended(end)));
        }
    }
}

/// Whether more is to come of a call: a round to be answered or a task to be followed.
fn is_unfinished(message: &Message) -> bool {
    let result = message.result().unwrap_or_default();
    // Looked for as bytes first, quotes included: nearly no result says so, and some are large.
    ["\"input_required\"", "\"task\""].iter().any(|quoted| {
        memmem::find(result, quoted.as_bytes()).is_some()
            && is_result_type(result, quoted.trim_matches('"'))
    })
}

/// A server of this era must not write requests (2026-07-28, stdio, "Receiving messages").
fn refuse(question: &Message, link: &dyn Link) {
    tracing::warn!(
        method = question.method(),
        "the server wrote a request, which 2026-07-28 does not allow; it was refused"
    );
    let reply = mcp_wire::error_message(
        question.id().as_ref(),
        ErrorCode::METHOD_NOT_FOUND,
        "a server of 2026-07-28 asks by its results",
        None,
    );
    let _unheard = link.send(&reply);
}

/// One of our own numbers; some servers hand numbers back as strings.
fn key(text: &[u8]) -> Option<Key> {
    let text = text
        .strip_prefix(b"\"")
        .and_then(|text| text.strip_suffix(b"\""))
        .unwrap_or(text);
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Puts the client's id back by which it knows its subscription.
fn restore_subscription(message: &mut Message, id: &Bytes) {
    let found = message.result_span().and_then(|whole| {
        let result = message.result()?;
        let meta = object::find(result, "_meta")?;
        let tag = object::find(meta.value, SUBSCRIPTION_ID)?;
        Some(within(within(tag.span, meta.span), whole))
    });
    if let Some(span) = found {
        message.replace_span(span, id.clone());
    }
}

/// A place inside a place.
fn within(inner: Span, outer: Span) -> Span {
    inner.shift(outer.start)
}
