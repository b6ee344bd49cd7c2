//! Batches, which exist in 2025-03-26 only: several messages in one body, answered as one array,
//! or one after another on one stream.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Response};
use mcp_wire::{Kind, Message, ParseError};

use super::super::{Fault, conversation, rescue};
use super::Sessions;
use super::answer::Answering;
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
        conversation::check_batch(&messages)?;
        let session = self.find(headers, principal)?;
        conversation::takes_batches(&session)?;
        // All calls of a batch share one outlet, so that the order of their events is the order
        // in which the server wrote them. Whatever ends this early, what was sent is seen to.
        let (outlet, tap) = Outlet::new(self.settings.session.outlet);
        let mut answering = Answering::new(self, Arc::clone(&session), tap, Vec::new());
        let mut ready = Vec::new();
        let mut silent = true;
        for message in messages {
            match message {
                Err(fault) => {
                    silent = false;
                    ready.push(conversation::unreadable(&fault));
                }
                Ok(message) if message.kind() == Kind::Request => {
                    silent = false;
                    let id = message.id();
                    match self.send(&session, message, outlet.clone()).await {
                        Ok(exchange) => answering.add(exchange),
                        Err(fault) => ready.push(rescue::refused(id.as_ref(), &fault)),
                    }
                }
                Ok(message) => {
                    if let Err(fault) = self.take(&session, message).await {
                        // A notification has no answer in which this could be said.
                        tracing::debug!(%fault, "could not pass on a notification of a batch");
                    }
                }
            }
        }
        if silent {
            return Ok(rescue::accepted());
        }
        Ok(answering.respond_all(ready).await)
    }
}
