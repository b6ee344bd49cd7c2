//! A response body that holds something until it has ended.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::Response;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// A body and what it holds, here the ticket of a request in flight.
struct Held<T> {
    body: Body,
    _until_then: T,
}

/// The response, whose body drops `held` when it was taken to its end or was dropped itself.
pub(super) fn until_taken<T: Send + Unpin + 'static>(
    response: Response<Body>,
    held: T,
) -> Response<Body> {
    response.map(|body| {
        Body::new(Held {
            body,
            _until_then: held,
        })
    })
}

impl<T: Unpin> http_body::Body for Held<T> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
