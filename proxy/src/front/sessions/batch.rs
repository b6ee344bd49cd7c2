//! Batches, which exist in 2025-03-26 only: several messages in one body, answered as one array,
//! or one after another on one stream.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Response};
use mcp_wire::{Kind, Message, ParseError, Version, method};

use super::super::{Fault, rescue};
use super::{Sessions, answer, post};
use crate::exchange::{Outlet, Principal};

impl Sessions {
    pub(super) async fn batch(
        self: &Arc<Self>,
        headers: &HeaderMap,
        principal: &Principal,
        messages: Vec<Result<Message, ParseError>>,
    ) -> Result<Response<Body>, Fault> {
        self.take_work()?;
        if self.settings.stateless {
            return Err(Fault::BatchUnknown);
        }
        if messages.iter().flatten().any(|message| {
            message.kind() == Kind::Request && message.method() == Some(method::INITIALIZE)
        }) {
            return Err(Fault::InitializeInBatch);
        }
        let session = self.find(headers, principal)?;
        if session.version() != Some(Version::V2025_03_26) {
            return Err(Fault::BatchUnknown);
        }
        // All calls of a batch share one outlet, so that the order of their events is the order
        // in which the server wrote them.
        let (outlet, tap) = Outlet::new(self.settings.session.outlet);
        let mut exchanges = Vec::new();
        let mut ready = Vec::new();
        for message in messages {
            match message {
                Err(fault) => ready.push(post::unreadable(&fault)),
                Ok(message) if message.kind() == Kind::Request => {
                    let id = message.id();
                    match self.send(&session, message, outlet.clone()).await {
                        Ok(exchange) => exchanges.push(exchange),
                        Err(fault) => ready.push(rescue::in_batch(id.as_ref(), &fault)),
                    }
                }
                Ok(message) => self.take(&session, message).await?,
            }
        }
        if exchanges.is_empty() && ready.is_empty() {
            return Ok(rescue::accepted());
        }
        Ok(answer::many(self, session, tap, exchanges, ready).await)
    }
}
