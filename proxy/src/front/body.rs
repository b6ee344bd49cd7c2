//! Response bodies made of message pieces, without joining what is big.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use bytes::{BufMut, Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use mcp_wire::Message;

/// Up to here a message is copied into one buffer: one write is cheaper than several pieces.
const JOIN_BYTES: usize = 16 * 1024;

/// One message, or an array of them, as `application/json`.
pub(super) fn json(messages: &[Message], array: bool) -> Response<Body> {
    let mut response = Response::new(match messages {
        [message] if !array => of_message(message),
        _ => of_array(messages),
    });
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

fn of_message(message: &Message) -> Body {
    if message.len() <= JOIN_BYTES {
        Body::from(message.to_bytes())
    } else {
        Body::new(Pieces::from(message.pieces().collect::<VecDeque<_>>()))
    }
}

fn of_array(messages: &[Message]) -> Body {
    let mut pieces = VecDeque::new();
    let mut joined = BytesMut::from(&b"["[..]);
    for (n, message) in messages.iter().enumerate() {
        if n > 0 {
            joined.put_u8(b',');
        }
        if message.len() <= JOIN_BYTES {
            for piece in message.pieces() {
                joined.put_slice(&piece);
            }
        } else {
            pieces.push_back(joined.split().freeze());
            pieces.extend(message.pieces());
        }
    }
    joined.put_u8(b']');
    pieces.push_back(joined.freeze());
    Body::new(Pieces::from(pieces))
}

/// A body whose bytes are all there, in several buffers.
struct Pieces {
    pieces: VecDeque<Bytes>,
    left: u64,
}

impl From<VecDeque<Bytes>> for Pieces {
    fn from(pieces: VecDeque<Bytes>) -> Self {
        let left = pieces.iter().map(|piece| piece.len() as u64).sum();
        Self { pieces, left }
    }
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.pieces.pop_front();
        self.left -= piece.as_ref().map_or(0, |piece| piece.len() as u64);
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Exact, so that the response has a Content-Length.
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
