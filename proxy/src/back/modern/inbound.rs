//! What the server wrote, and whom it is for.

use bytes::Bytes;
use mcp_wire::{ErrorCode, Id, Kind, Member, Message, Span, method, object};
use tokio::time::Instant;

use super::super::level::severity;
use super::super::parting;
use super::machine::{InFlight, Machine, OURS};
use crate::exchange::{Event, Key, Outcome};
use crate::link::{End, EndReason, Link};

/// By what a notification or an answer names its subscription.
const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";

impl Machine {
    /// One message of the server. True when the server's tools have changed.
    pub(super) fn message(&mut self, message: Message, now: Instant, link: &dyn Link) -> bool {
        match message.kind() {
            Kind::Result | Kind::Error => self.response(message, now),
            Kind::Request => refuse(&message, link),
            Kind::Notification => match message.method().unwrap_or_default() {
                method::PROGRESS => self.progress(message),
                method::CANCELLED => self.ended_by_server(&message),
                method::LOG_MESSAGE => self.log(message),
                _ => return self.news(message),
            },
        }
        false
    }

    fn response(&mut self, mut message: Message, now: Instant) {
        let key = message.id().and_then(|id| id.as_u64());
        let Some((_, call)) = key.and_then(|key| self.calls.remove_entry(&key)) else {
            // Late, after a cancel or a timeout, or never ours. Nobody waits for it.
            tracing::debug!(target: "modern", "dropped an answer nobody waits for");
            return;
        };
        if call.feed != OURS {
            self.last_used = now;
        }
        if message.kind() == Kind::Error {
            call.done(Outcome::Error(message));
            return;
        }
        if let Some(id) = &call.subscription {
            restore_subscription(&mut message, id);
        }
        if call.may_ask
            && let Some(principal) = self.principal(call.feed).cloned()
        {
            self.company.leave_mark(&principal, &mut message);
        }
        call.done(Outcome::Result(message));
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
    /// several do it could be any's, and reaches none: a record on another's stream would be a
    /// leak (2026-07-28, logging: only on the stream of the request it is about).
    fn log(&self, message: Message) {
        let severity = severity(&message);
        let mut wanting = self
            .calls
            .values()
            .filter(|call| call.level.is_some_and(|level| severity >= level));
        match (wanting.next(), wanting.next()) {
            (Some(call), None) => {
                call.outlet.push(call.exchange, Event::Notify(message));
            }
            (Some(_), Some(_)) => {
                tracing::debug!(target: "modern", "dropped a log record several calls could mean");
            }
            (None, _) => {}
        }
    }

    /// Everything else belongs to a subscription, or to nobody.
    fn news(&self, mut message: Message) -> bool {
        let named = message.member(Member::MetaSubscriptionId).and_then(key);
        let Some(call) = named.and_then(|key| self.calls.get(&key)) else {
            tracing::debug!(target: "modern", "dropped a notification of no subscription");
            return false;
        };
        if call.feed == OURS {
            return message.method() == Some(method::TOOLS_LIST_CHANGED);
        }
        if let Some(id) = &call.subscription {
            message.replace(Member::MetaSubscriptionId, id.clone());
        }
        call.outlet.push(call.exchange, Event::Notify(message));
        false
    }

    /// On stdio a server ends a subscription by `notifications/cancelled`; towards HTTP that is
    /// the graceful answer (2026-07-28, subscriptions, "Graceful closure").
    fn ended_by_server(&mut self, message: &Message) {
        let named = message.member(Member::RequestId).and_then(key);
        let Some(key) = named else { return };
        if self.calls.get(&key).is_some_and(InFlight::is_subscription)
            && let Some(call) = self.calls.remove(&key)
        {
            let id = Id::number(key);
            let subscription = call.subscription.as_deref().unwrap_or_else(|| id.text());
            call.done(Outcome::Result(mcp_wire::subscription_ended(
                &id,
                subscription,
            )));
        }
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
