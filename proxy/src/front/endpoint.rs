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
use super::{Fault, conversation, era};
use crate::exchange::Principal;

/// The two fronts behind one path.
#[derive(Clone, Debug)]
pub struct McpEndpoint {
    /// 2025-03-26 to 2025-11-25.
    pub sessions: Arc<Sessions>,
    /// 2026-07-28.
    pub stateless: Arc<Stateless>,
}

impl McpEndpoint {
    /// Answers one request whose body has arrived.
    ///
    /// # Cancel safety
    ///
    /// Dropped when the client disconnects. What that means is its era's: a call of a session goes
    /// on, one of 2026-07-28 is cancelled.
    pub async fn handle(
        &self,
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
            return self.sessions.handle(parts, principal);
        }
        if let Err(fault) = headers::check_post(headers) {
            return fault.into_response(None);
        }
        let body = match Body::parse(body, conversation::MAX_BATCH) {
            Err(fault) => return Fault::Unreadable(fault).into_response(None),
            Ok(body) => body,
        };
        match (era::of(headers, &body), body) {
            (Err(fault), Body::One(message)) => fault.into_response(message.id().as_ref()),
            (Err(fault), Body::Batch(_)) => fault.into_response(None),
            (Ok(Era::Modern), Body::One(message)) => {
                self.stateless.post(headers, principal, message).await
            }
            (Ok(_), body) => self.sessions.post(headers, principal, body).await,
        }
    }
}
