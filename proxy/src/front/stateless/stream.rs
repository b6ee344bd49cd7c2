//! An SSE stream of one request: notifications as they come, and the answer, which ends it.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use mcp_wire::{Id, Message};

use super::super::frames::Frames;
use super::call::{Wanted, last, overflowed};
use super::listen::Listening;
use crate::exchange::{Event, Item, Outcome, Tagged, Tap};

/// What ends when the client leaves.
#[derive(Debug)]
pub(in super::super) enum Keeper {
    /// A call at a server.
    Call(Wanted),
    /// The task that carries a subscription.
    Listening(#[expect(dead_code, reason = "held to be dropped")] Listening),
}

impl Keeper {
    /// The answer has come.
    pub(in super::super) fn answered(&mut self) {
        if let Self::Call(wanted) = self {
            wanted.answered();
        }
    }

    /// Its client has cancelled it.
    pub(in super::super) fn cancelled(mut self, notice: Message) {
        if let Self::Call(wanted) = &mut self {
            wanted.cancelled(notice);
        }
    }

    /// Whether somebody waits for its end.
    pub(in super::super) const fn is_call(&self) -> bool {
        matches!(self, Self::Call(_))
    }
}

impl From<Wanted> for Keeper {
    fn from(wanted: Wanted) -> Self {
        Self::Call(wanted)
    }
}

impl From<Listening> for Keeper {
    fn from(listening: Listening) -> Self {
        Self::Listening(listening)
    }
}

/// The body of an SSE response. Its events have no ids: in 2026-07-28 there is no coming back.
pub(super) struct ResponseStream {
    id: Id,
    tap: Tap,
    keeper: Keeper,
    frames: Frames,
    over: bool,
}

impl ResponseStream {
    pub(super) fn new(id: Id, tap: Tap, keeper: Keeper, keep_alive: Duration) -> Self {
        Self {
            id,
            tap,
            keeper,
            frames: Frames::new(keep_alive),
            over: false,
        }
    }

    /// The answer, as its client's; nothing for a cancelled call.
    pub(super) fn finish(&mut self, outcome: Outcome) -> Option<Message> {
        self.over = true;
        self.keeper.answered();
        last(&self.id, outcome)
    }

    /// The stream was not read fast enough: its client is told, and the call cancelled when this
    /// is dropped.
    pub(super) fn overflow(&mut self) -> Option<Message> {
        self.over = true;
        tracing::warn!("ended a stream that was not read fast enough");
        Some(overflowed(&self.id))
    }

    /// Writes what one event comes to.
    pub(super) fn take(&mut self, tagged: Tagged) {
        let message = match tagged.event {
            Event::Notify(message) => Some(message),
            // No back asks the clients of this era: their servers ask by results.
            Event::Ask { .. } | Event::Withdraw { .. } => None,
            Event::Done(outcome) => self.finish(outcome),
        };
        if let Some(message) = message {
            self.frames.event(None, &message);
        }
    }

    /// Takes what is there.
    fn gather(&mut self, cx: &mut Context<'_>) {
        while !self.over && self.frames.has_room() {
            match self.tap.poll_next(cx) {
                Poll::Pending => return,
                Poll::Ready(None) => self.over = true,
                Poll::Ready(Some(Item::Event(tagged))) => self.take(tagged),
                Poll::Ready(Some(Item::Overflow)) => {
                    if let Some(message) = self.overflow() {
                        self.frames.event(None, &message);
                    }
                }
            }
        }
    }
}

impl http_body::Body for ResponseStream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        this.gather(cx);
        this.frames.poll(cx, this.over, || {})
    }

    fn is_end_stream(&self) -> bool {
        self.over && self.frames.is_empty()
    }
}
