//! What the server wrote, and whom it is for.

use std::sync::atomic::Ordering;

use mcp_wire::{Era, ErrorCode, Id, Kind, Member, Message, method};
use tokio::time::Instant;

use super::super::{parting, verdict};
use super::machine::{Asked, MAX_ASKS, MAX_TASK_TOKENS, Machine, TaskToken};
use crate::exchange::{AskId, Event, ExchangeId, Key, Outcome, Refusal};
use crate::link::{End, EndReason, Link};

impl Machine {
    /// One message of the server.
    pub(super) fn message(&mut self, message: Message, now: Instant, link: &dyn Link) {
        match message.kind() {
            Kind::Result | Kind::Error => self.response(message, now),
            Kind::Request => self.question(message, now, link),
            Kind::Notification => match message.method().unwrap_or_default() {
                method::PROGRESS => self.progress(message),
                method::CANCELLED => self.withdraw(&message, now),
                _ => self.notify(message),
            },
        }
    }

    fn response(&mut self, message: Message, now: Instant) {
        let key = message.id().and_then(|id| id.as_u64());
        if let Some(callers) = &mut self.callers {
            callers.last_used = now;
        }
        let Some((key, call)) = key.and_then(|key| self.calls.remove_entry(&key)) else {
            // Late, after a cancel or a timeout, or never ours. Nobody waits for it.
            if let Some((key, callers)) = key.zip(self.callers.as_mut()) {
                callers.forget(key);
            }
            tracing::debug!(target: "legacy", "dropped an answer nobody waits for");
            return;
        };
        let result = message.kind() == Kind::Result;
        self.greeted |= result && call.handshake;
        if result
            && call.task
            && let Some(token) = call.token.clone()
        {
            self.tasks.push_back(TaskToken {
                key,
                token,
                feed: call.feed,
            });
            if self.tasks.len() > MAX_TASK_TOKENS {
                self.tasks.pop_front();
            }
        }
        if !result && call.handshake && is_of_other_era(&message) {
            self.other_era = true;
            call.done(Outcome::Error(refused_version(&message)));
            return;
        }
        call.done(if result {
            Outcome::Result(message)
        } else {
            Outcome::Error(message)
        });
    }

    /// The server asks. Who is asked, and on which stream, is `routes.rs`'.
    fn question(&mut self, mut question: Message, now: Instant, link: &dyn Link) {
        let Some(id) = question.id() else { return };
        let name = question.method().unwrap_or_default();
        if let Some(callers) = &mut self.callers {
            if name == method::PING {
                let _unheard = link.send(&mcp_wire::result_message(&id, b"{}"));
                return;
            }
            callers.asks.store(true, Ordering::Relaxed);
        }
        let Some(route) = self.question_route(now) else {
            let reply = if name == method::PING {
                // The server asks whether its peer lives. We are its peer, and we do.
                mcp_wire::result_message(&id, b"{}")
            } else {
                mcp_wire::error_message(
                    Some(&id),
                    ErrorCode::METHOD_NOT_FOUND,
                    "no client can be asked through this connection",
                    None,
                )
            };
            let _unheard = link.send(&reply);
            return;
        };
        if name == method::PING && !route.outlet.is_attended() {
            let _unheard = link.send(&mcp_wire::result_message(&id, b"{}"));
            return;
        }
        self.forget_stale_ask();
        if self.asks.len() >= MAX_ASKS {
            let reply = mcp_wire::error_message(
                Some(&id),
                ErrorCode::INTERNAL_ERROR,
                "too many questions are open",
                None,
            );
            let _unheard = link.send(&reply);
            return;
        }
        let ask = AskId::next();
        question.set_id(ask.0);
        if let Some(call) = route.call.and_then(|key| self.calls.get_mut(&key)) {
            call.open_asks += 1;
            call.waiting_since.get_or_insert(now);
        }
        route
            .outlet
            .push(route.exchange, Event::Ask { ask, question });
        self.asks.insert(
            ask,
            Asked {
                id: id.compact(),
                feed: route.feed,
                call: route.call,
                outlet: route.outlet,
                exchange: route.exchange,
            },
        );
    }

    /// When the table is full, makes room by withdrawing the oldest question whose call has ended:
    /// a server that answered without waiting for it has lost interest.
    fn forget_stale_ask(&mut self) {
        if self.asks.len() < MAX_ASKS {
            return;
        }
        let stale = self
            .asks
            .iter()
            .filter(|(_, asked)| {
                asked
                    .call
                    .is_some_and(|call| !self.calls.contains_key(&call))
            })
            .map(|(ask, _)| *ask)
            .min();
        if let Some((ask, asked)) = stale.and_then(|ask| self.asks.remove_entry(&ask)) {
            let notice = parting::cancelled(&Id::number(ask.0));
            asked
                .outlet
                .push(asked.exchange, Event::Withdraw { ask, notice });
        }
    }

    /// Progress goes to the call whose token it names, with the client's own token in it.
    fn progress(&mut self, mut message: Message) {
        let key: Option<Key> = message
            .member(Member::ProgressedToken)
            .and_then(|token| std::str::from_utf8(token).ok())
            .and_then(|token| token.parse().ok());
        let Some(key) = key else { return };
        if let Some(call) = self.calls.get(&key) {
            if let Some(token) = &call.token {
                message.replace(Member::ProgressedToken, token.clone());
                call.outlet.push(call.exchange, Event::Notify(message));
            }
        } else if let Some(task) = self.tasks.iter().find(|task| task.key == key) {
            // 2025-11-25: the token of a task-augmented call stays good until the task ends.
            message.replace(Member::ProgressedToken, task.token.clone());
            if let Some(feed) = self.feeds.get(&task.feed) {
                feed.standing
                    .push(ExchangeId::STANDING, Event::Notify(message));
            }
        } else {
            tracing::debug!(target: "legacy", "dropped progress of a call that has ended");
        }
    }

    /// The server takes a question back.
    fn withdraw(&mut self, message: &Message, now: Instant) {
        let Some(text) = message.member(Member::RequestId) else {
            return;
        };
        let found = self
            .asks
            .iter()
            .find(|(_, asked)| asked.id.text() == text)
            .map(|(ask, _)| *ask);
        if let Some((ask, asked)) = found.and_then(|ask| self.asks.remove_entry(&ask)) {
            self.resume(asked.call, now);
            let mut notice = message.clone();
            notice.replace(Member::RequestId, ask.0);
            asked
                .outlet
                .push(asked.exchange, Event::Withdraw { ask, notice });
        }
    }

    /// A line that could not be read was somebody's answer.
    pub(super) fn damaged(&mut self, id: &Id, fault: &str) {
        if let Some(call) = id.as_u64().and_then(|key| self.calls.remove(&key)) {
            call.done(Outcome::Lost(parting::unreadable(fault)));
        }
    }

    /// The server is gone: open questions no longer stand, and every call in flight is lost.
    pub(super) fn closed(&mut self, end: &End) {
        self.gone = true;
        self.epitaph = (end.reason != EndReason::Stopped).then(|| end.sentence());
        for (ask, asked) in self.asks.drain() {
            let notice = parting::cancelled(&Id::number(ask.0));
            asked
                .outlet
                .push(asked.exchange, Event::Withdraw { ask, notice });
        }
        for (_, call) in std::mem::take(&mut self.calls) {
            call.done(Outcome::Lost(parting::ended(end)));
        }
        self.tasks.clear();
        if self.callers.is_some() {
            // Who gave out its time holds the server, and is held by its own seat.
            for (_, feed) in std::mem::take(&mut self.feeds) {
                let over = Event::Done(Outcome::Lost(parting::ended(end)));
                feed.standing.push(ExchangeId::STANDING, over);
            }
        }
    }
}

/// Whether an answer to `initialize` comes from a server that has none (2026-07-28, versioning).
fn is_of_other_era(error: &Message) -> bool {
    verdict::code(error.error().unwrap_or_default())
        == Some(ErrorCode::UNSUPPORTED_PROTOCOL_VERSION)
}

/// The same in the words of the session eras, whose clients do not know that code (2025-11-25,
/// lifecycle, "Error handling").
fn refused_version(error: &Message) -> Message {
    let refusal = Refusal::OtherEra {
        speaks: Era::Modern,
    };
    mcp_wire::error_message(
        error.id().as_ref(),
        ErrorCode::INVALID_PARAMS,
        &refusal.to_string(),
        Some(br#"{"supported":["2026-07-28"]}"#),
    )
}
