//! One call of the client, from the first request to the server until its last event.

use std::time::Duration;

use mcp_wire::{ErrorCode, Id, Member, Message, method, object};
use tokio::time::Instant;

use super::rounds::Round;
use crate::exchange::{Blame, Event, ExchangeId, Key, Loss, Outcome, Outlet, Retry};

/// What a call is, as far as its answer depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// `tools/call`: a failure can be told to the model. `wrapped`: what it gives is wrapped, whatever
    /// it is.
    Tool {
        /// Its schema was changed.
        wrapped: bool,
    },
    /// `tools/list`.
    Tools,
    /// Any other.
    Other,
}

/// How far a call has come.
#[derive(Debug)]
pub(super) enum Phase {
    /// The server has it, under this key of its own once that is known.
    Working(Option<Key>),
    /// The client has questions to answer. Until the deadline so much time is left; it stands still.
    Asking {
        /// The questions.
        round: Round,
        /// What is left.
        left: Duration,
    },
    /// `resources/subscribe` of this URI waits until the server has acknowledged it.
    Subscribing(String),
}

/// A call that has not ended.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) exchange: ExchangeId,
    pub(super) outlet: Outlet,
    pub(super) sort: Sort,
    /// The client's request, where the server may want to see it again.
    pub(super) original: Option<Message>,
    pub(super) deadline: Instant,
    pub(super) phase: Phase,
    /// How often the client was asked.
    pub(super) rounds: u32,
    /// The furthest progress the client was told of.
    pub(super) progress: Option<f64>,
}

impl InFlight {
    /// The last event of this call.
    pub(super) fn done(&self, outcome: Outcome) {
        self.outlet.push(self.exchange, Event::Done(outcome));
    }

    /// Ends it because it cannot come to an answer. A tool's failure is the model's to hear.
    pub(super) fn fail(&self, sentence: &str) {
        // The front puts the client's own id there.
        let id = Id::number(0);
        self.done(match self.sort {
            Sort::Tool { .. } => {
                let text = serde_json::to_string(sentence).unwrap_or_default();
                let result =
                    format!(r#"{{"content":[{{"type":"text","text":{text}}}],"isError":true}}"#);
                Outcome::Result(mcp_wire::result_message(&id, result.as_bytes()))
            }
            Sort::Tools | Sort::Other => {
                Outcome::Error(refused(ErrorCode::INTERNAL_ERROR, sentence))
            }
        });
    }

    /// Takes back what the client has not answered.
    pub(super) fn withdraw(&self) {
        let Phase::Asking { round, .. } = &self.phase else {
            return;
        };
        let open = round
            .questions
            .iter()
            .filter(|question| question.answer.is_none());
        for question in open {
            let ask = question.ask;
            let params = format!(r#"{{"requestId":{}}}"#, ask.0);
            let notice = mcp_wire::notification(method::CANCELLED, Some(params.as_bytes()));
            self.outlet
                .push(self.exchange, Event::Withdraw { ask, notice });
        }
    }

    /// Passes a notification on. Each round of a server counts its progress from the beginning, and a
    /// client is told only what is further than before: the value must increase (2025-11-25,
    /// progress).
    pub(super) fn notify(&mut self, message: Message) {
        if message.method() == Some(method::PROGRESS) {
            let progress = message
                .params()
                .and_then(|params| object::get(params, "progress"))
                .and_then(|text| std::str::from_utf8(text).ok()?.parse::<f64>().ok());
            if self.rounds > 0 && progress <= self.progress {
                return;
            }
            self.progress = progress.or(self.progress);
        }
        self.outlet.push(self.exchange, Event::Notify(message));
    }

    /// Whether somebody works on it: the server, or a client that is there.
    pub(super) fn is_worked_on(&self) -> bool {
        !matches!(self.phase, Phase::Asking { .. }) || self.outlet.is_attended()
    }
}

/// An error of our own.
pub(super) fn refused(code: ErrorCode, sentence: &str) -> Message {
    mcp_wire::error_message(Some(&Id::number(0)), code, sentence, None)
}

/// The server has ended while the client was asked.
pub(super) fn ended() -> Loss {
    Loss {
        blame: Blame::Child,
        retry: Retry::Unsafe,
        sentence: "the MCP server ended before it could hear the answers; send the request again"
            .to_owned(),
    }
}

/// The server has not acknowledged a subscription in time.
pub(super) fn late() -> Loss {
    Loss {
        blame: Blame::Child,
        retry: Retry::Safe,
        sentence: "the MCP server did not acknowledge the subscription in time".to_owned(),
    }
}

/// Takes the tag out by which the server named our subscription: these eras have none.
pub(super) fn untag(message: &mut Message) {
    let only = message
        .member(Member::Meta)
        .is_some_and(|meta| object::members(meta).count() == 1);
    if message.member(Member::MetaSubscriptionId).is_none() {
        return;
    }
    match message.params_span().filter(|_| only) {
        Some(params) => message.remove_member(params, Member::Meta.name()),
        None => message.remove_meta(Member::MetaSubscriptionId.name()),
    };
}
