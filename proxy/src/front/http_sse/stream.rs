//! The body of `GET /sse`: the one stream of a connection.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;

use super::super::frames::Frames;
use super::super::render;
use super::open::Connection;
use crate::exchange::{Item, Tap};

/// The body of an SSE response that is a session. When it is dropped the session ends.
pub(super) struct ConnectionStream {
    connection: Connection,
    tap: Tap,
    frames: Frames,
    over: bool,
}

impl ConnectionStream {
    /// A stream that begins with `endpoint`.
    pub(super) fn new(
        connection: Connection,
        tap: Tap,
        keep_alive: Duration,
        endpoint: &[u8],
    ) -> Self {
        let mut frames = Frames::new(keep_alive);
        frames.written(endpoint);
        Self {
            connection,
            tap,
            frames,
            over: false,
        }
    }

    /// Takes what is there.
    fn gather(&mut self, cx: &mut Context<'_>) {
        let session = &self.connection.session;
        while !self.over && self.frames.has_room() {
            match self.tap.poll_next(cx) {
                Poll::Pending => return,
                Poll::Ready(None) => self.over = true,
                Poll::Ready(Some(Item::Event(tagged))) => {
                    if let Some(message) = render::render(session, tagged).message {
                        self.frames.event(None, &message);
                    }
                }
                Poll::Ready(Some(Item::Overflow)) => {
                    // What was queued is gone, so every call in flight is answered as lost before
                    // the stream ends, and with it the session.
                    for exchange in session.exchanges() {
                        if let Some(message) = render::overflow(session, exchange) {
                            self.frames.event(None, &message);
                        }
                    }
                    self.connection.end();
                    self.over = true;
                }
            }
        }
    }
}

impl http_body::Body for ConnectionStream {
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
