//! What is answered where nothing went wrong, and pages.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use mcp_wire::{ErrorCode, Message, object};

use super::super::body;

/// The answer of a server of 2026-07-28, under the status that its error code wants (Streamable
/// HTTP, and the codes' own sections). An error of a tool or of a prompt is a message like any
/// other: the transport has done its work.
pub(in crate::front) fn answered(message: Message) -> Response<Body> {
    let code = message.error().and_then(|error| object::get(error, "code"));
    let code = code
        .and_then(|code| std::str::from_utf8(code).ok()?.parse().ok())
        .map(ErrorCode);
    let mut response = body::json(&[message], false);
    *response.status_mut() = match code {
        Some(ErrorCode::METHOD_NOT_FOUND) => StatusCode::NOT_FOUND,
        Some(
            ErrorCode::PARSE_ERROR
            | ErrorCode::INVALID_REQUEST
            | ErrorCode::HEADER_MISMATCH
            | ErrorCode::MISSING_REQUIRED_CLIENT_CAPABILITY
            | ErrorCode::UNSUPPORTED_PROTOCOL_VERSION,
        ) => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    };
    response
}

/// A notification or an answer was taken: 202 without a body (Streamable HTTP, sending messages).
pub(in crate::front) fn accepted() -> Response<Body> {
    empty(StatusCode::ACCEPTED)
}

/// A session was ended as its client wished.
pub(in crate::front) fn ended() -> Response<Body> {
    empty(StatusCode::OK)
}

pub(super) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// A stream of events. Nothing between here and the client may keep events back.
pub(in crate::front) fn event_stream(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("no-cache, no-transform"),
    );
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    response
}

/// The answer to a call its client cancelled: a stream that ends without one, because the client
/// expects none (2025-11-25, basic/utilities/cancellation).
pub(in crate::front) fn silent_stream() -> Response<Body> {
    event_stream(Body::empty())
}

/// A page for programs.
pub(in crate::front) fn page(value: &serde_json::Value) -> Response<Body> {
    with_type("application/json", format!("{value:#}\n"))
}

/// A page for people.
pub(in crate::front) fn text(text: String) -> Response<Body> {
    with_type("text/plain; charset=utf-8", text)
}

/// The page of metrics (Prometheus text format 0.0.4).
pub(in crate::front) fn metrics_page(text: String) -> Response<Body> {
    with_type("text/plain; version=0.0.4; charset=utf-8", text)
}

/// A page that tells a monitor to look elsewhere.
pub(in crate::front) fn unready(value: &serde_json::Value) -> Response<Body> {
    let mut response = page(value);
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}

fn with_type(kind: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
