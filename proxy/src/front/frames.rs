//! What is ready to be written on an SSE stream, and the comments that break its silence.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Frame;
use mcp_wire::{Message, sse};
use tokio::time::{Instant, Interval, MissedTickBehavior, Sleep};

/// Events that are ready together are written together, up to about this much.
const BATCH_BYTES: usize = 16 * 1024;

/// The writing half of an SSE body.
pub(super) struct Frames {
    ready: VecDeque<Bytes>,
    buffer: BytesMut,
    keep_alive: Interval,
    /// Ends the stream, unless something is carried before.
    silence: Option<(Duration, Pin<Box<Sleep>>)>,
}

impl Frames {
    /// Of a stream that is never silent for longer than `keep_alive`.
    pub(super) fn new(keep_alive: Duration) -> Self {
        let mut keep_alive = tokio::time::interval(keep_alive);
        keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        keep_alive.reset();
        Self {
            ready: VecDeque::new(),
            buffer: BytesMut::new(),
            keep_alive,
            silence: None,
        }
    }

    /// The stream ends when it has carried nothing for so long. Comments do not count.
    pub(super) fn end_after(&mut self, limit: Duration) {
        self.silence = Some((limit, Box::pin(tokio::time::sleep(limit))));
    }

    /// Appends the event of a message. Small ones are gathered in the buffer; a big one goes out
    /// in its own pieces, after what was gathered before it.
    pub(super) fn event(&mut self, id: Option<&str>, message: &Message) {
        if message.len() <= BATCH_BYTES {
            sse::write_event(id, message, &mut self.buffer);
        } else {
            self.flush();
            self.ready.extend(sse::event(id, message));
        }
    }

    /// Appends an event that was written already.
    pub(super) fn written(&mut self, event: &[u8]) {
        self.buffer.extend_from_slice(event);
    }

    /// Whether nothing waits to be written.
    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.buffer.is_empty()
    }

    /// Whether more should be gathered before something is written.
    pub(super) fn has_room(&self) -> bool {
        self.ready.is_empty() && self.buffer.len() < BATCH_BYTES
    }

    /// What an HTTP body says next: what is ready, the end if it is `over`, or after long silence
    /// a comment, which no client sees and every middle box does. `on_comment` runs then.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        over: bool,
        on_comment: impl FnOnce(),
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.ready.is_empty() {
            self.flush();
        }
        if let Some(piece) = self.ready.pop_front() {
            self.keep_alive.reset();
            if let Some((limit, silence)) = &mut self.silence {
                silence.as_mut().reset(Instant::now() + *limit);
            }
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if over {
            return Poll::Ready(None);
        }
        if let Some((_, silence)) = &mut self.silence
            && silence.as_mut().poll(cx).is_ready()
        {
            tracing::debug!("ended a stream that carried nothing (--max-stream-idle)");
            return Poll::Ready(None);
        }
        self.keep_alive.poll_tick(cx).map(|_| {
            on_comment();
            Some(Ok(Frame::data(sse::comment())))
        })
    }

    fn flush(&mut self) {
        if !self.buffer.is_empty() {
            self.ready.push_back(self.buffer.split().freeze());
        }
    }
}
