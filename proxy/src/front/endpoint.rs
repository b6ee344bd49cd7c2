//! The MCP endpoint: one path for clients of every era that speaks Streamable HTTP.

use std::sync::Arc;

use axum::body::Body as HttpBody;
use axum::http::request::Parts;
use axum::http::{Method, Response};
use bytes::Bytes;
use mcp_wire::{Body, Era};

use super::headers::{self, Claim};
use super::sessions::Sessions;
use super::stateless::Stateless;
use super::{Fault, conversation, era, trace};
use crate::exchange::Principal;
use crate::guard::{Grant, Refusal};
use crate::observe::metrics;
use crate::policy::scopes::ToolScopes;

/// Answers one request to the MCP endpoint whose body has arrived.
///
/// # Cancel safety
///
/// Dropped when the client disconnects. What that means is its era's: a call of a session goes
/// on, one of 2026-07-28 is cancelled.
pub(super) async fn handle(
    sessions: &Arc<Sessions>,
    stateless: &Arc<Stateless>,
    scopes: &ToolScopes,
    parts: &Parts,
    principal: &Principal,
    body: Bytes,
) -> Response<HttpBody> {
    let headers = &parts.headers;
    if parts.method != Method::POST {
        let modern = matches!(headers::version(headers), Claim::Modern(_));
        if modern && headers::session_id(headers).is_none() {
            return Fault::WrongMethod { allowed: "POST" }.into_response(None);
        }
        return sessions.handle(parts, principal);
    }
    if let Err(fault) = headers::check_post(headers) {
        return fault.into_response(None);
    }
    let mut body = match Body::parse(body, conversation::MAX_BATCH) {
        Err(fault) => return Fault::Unreadable(fault).into_response(None),
        Ok(body) => body,
    };
    match &mut body {
        Body::One(message) => trace::carry(headers, message),
        Body::Batch(messages) => messages
            .iter_mut()
            .flatten()
            .for_each(|message| trace::carry(headers, message)),
    }
    if let Err(refusal) = scopes.check(parts.extensions.get::<Grant>(), &body) {
        return scope_fault(refusal, &body);
    }
    match (era::of(headers, &body), body) {
        (Err(fault), Body::One(message)) => fault.into_response(message.id().as_ref()),
        (Err(fault), Body::Batch(_)) => fault.into_response(None),
        (Ok(Era::Modern), Body::One(message)) => stateless.post(headers, principal, message).await,
        (Ok(_), body) => sessions.post(headers, principal, body).await,
    }
}

/// A call that its token does not cover.
fn scope_fault(refusal: Refusal, body: &Body) -> Response<HttpBody> {
    metrics::refused(refusal.kind(), refusal.why());
    let id = match body {
        Body::One(message) => message.id(),
        Body::Batch(_) => None,
    };
    Fault::Door(refusal).into_response(id.as_ref())
}
