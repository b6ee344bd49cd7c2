//! An SSE stream of a session: the body that writes events as they come, and numbers them.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use bytes::Bytes;
use http_body::Frame;
use mcp_wire::{Message, Version, sse};

use super::super::frames::Frames;
use super::super::render::{self, Rendered};
use super::super::rescue;
use super::post::Opening;
use super::sessionless::Transient;
use crate::exchange::{Item, Tap};
use crate::session::{Session, StreamId, Turn};

/// How long a client should wait before it comes back to a stream that broke, in milliseconds (the
/// SSE `retry` field). Short, because what it waits for is kept in memory.
const RETRY_MS: u64 = 1000;

/// The body of an SSE response.
///
/// When it is dropped the stream is detached, not cancelled: the session keeps its outlet and its
/// events until the client comes back or the session ends.
pub(super) struct EventStream {
    session: Arc<Session>,
    id: StreamId,
    turn: Turn,
    tap: Tap,
    frames: Frames,
    over: bool,
    _transient: Option<Transient>,
    /// This stream answers an `initialize`; it is a session's when that was accepted.
    opening: Option<Opening>,
}

/// The response that carries a stream.
pub(super) fn response(stream: EventStream) -> Response<Body> {
    rescue::event_stream(Body::new(stream))
}

impl EventStream {
    /// The stream `id` of a session, from what `tap` yields next.
    pub(super) fn new(session: Arc<Session>, id: StreamId, tap: Tap, keep_alive: Duration) -> Self {
        Self {
            turn: session.turn(id),
            session,
            id,
            tap,
            frames: Frames::new(keep_alive),
            over: false,
            _transient: None,
            opening: None,
        }
    }

    /// Begins with the event that gives the client something to come back with before anything
    /// was said. Only for clients that know it: older ones choke on an event without data
    /// (2025-11-25, Streamable HTTP, sending messages).
    pub(super) fn primed(mut self) -> Self {
        if self
            .session
            .version()
            .is_some_and(|version| version >= Version::V2025_11_25)
        {
            let sequence = self.session.record_event(self.id, None);
            let priming = sse::priming(&self.event_id(sequence), Some(RETRY_MS));
            self.frames.written(&priming);
        }
        self
    }

    /// Continues with messages that were taken from the tap already.
    pub(super) fn after(mut self, messages: Vec<Message>) -> Self {
        for message in &messages {
            self.write(message);
        }
        self.over =
            self.id != StreamId::STANDING && self.session.open_exchanges(self.id).is_empty();
        self
    }

    /// Writes again what the client has missed. `over`: nothing will follow.
    pub(super) fn replaying(mut self, events: Vec<(u64, Bytes)>, over: bool) -> Self {
        for (sequence, text) in events {
            if let Ok(message) = Message::parse(text) {
                let id = self.event_id(sequence);
                self.frames.event(Some(&id), &message);
            }
        }
        self.over = over;
        self
    }

    /// Belongs to a request without a session, which ends with it.
    pub(super) fn of(mut self, transient: Option<Transient>) -> Self {
        self._transient = transient;
        self
    }

    /// Answers an `initialize` that is not settled.
    pub(super) fn beginning(mut self, opening: Option<Opening>) -> Self {
        self.opening = opening;
        self
    }

    /// Ends when it carried nothing for so long, if it is the standing stream: its client can come
    /// back, and has not lost anything. A call's stream waits for its answer.
    pub(super) fn at_most_silent_for(mut self, limit: Option<Duration>) -> Self {
        if let Some(limit) = limit.filter(|_| self.id == StreamId::STANDING) {
            self.frames.end_after(limit);
        }
        self
    }

    fn event_id(&self, sequence: u64) -> String {
        format!("{}-{sequence}", self.id.0)
    }

    fn write(&mut self, message: &Message) {
        let sequence = self.session.record_event(self.id, Some(message));
        let id = self.event_id(sequence);
        self.frames.event(Some(&id), message);
    }

    /// Takes what is there.
    fn gather(&mut self, cx: &mut Context<'_>) {
        let turn = Turn::clone(&self.turn);
        let _turn = turn.lock();
        while !self.over && self.frames.has_room() {
            match self.tap.poll_next(cx) {
                Poll::Pending => return,
                Poll::Ready(None) => self.over = true,
                Poll::Ready(Some(Item::Event(tagged))) => {
                    let Rendered { message, done } = render::render(&self.session, tagged);
                    if let Some(message) = message {
                        self.write(&message);
                        if done.is_some()
                            && let Some(opening) = self.opening.take()
                        {
                            opening.answered(&message);
                        }
                    }
                    if let Some(done) = done {
                        self.over = self.session.close_exchange(self.id, done);
                    }
                }
                Poll::Ready(Some(Item::Overflow)) => {
                    tracing::warn!(
                        session = self.session.id().short(),
                        "ended a stream that was not read fast enough"
                    );
                    for exchange in self.session.open_exchanges(self.id) {
                        if let Some(message) = render::overflow(&self.session, exchange) {
                            self.write(&message);
                        }
                        let _last = self.session.close_exchange(self.id, exchange);
                    }
                    self.over = true;
                }
            }
        }
    }
}

impl http_body::Body for EventStream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        this.gather(cx);
        this.frames.poll(cx, this.over, || this.session.touch())
    }

    fn is_end_stream(&self) -> bool {
        self.over && self.frames.is_empty()
    }
}
