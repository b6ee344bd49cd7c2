//! Requests that come by no POST: one stream carries everything, and there are no headers.

use std::sync::Arc;

use mcp_wire::{Message, method};

use super::super::Fault;
use super::call::Wanted;
use super::stream::Keeper;
use super::{Stateless, is_for_servers};
use crate::exchange::{ExchangeId, Outlet, Whom};

impl Stateless {
    /// Looks at everything about a request that can be seen without a server.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, or no new work is taken.
    pub(in super::super) fn judge(&self, message: &Message) -> Result<(), Fault> {
        self.check(None, message)
    }

    /// Sends a request that was judged; its events go to this outlet under this name. Whoever drops
    /// what is returned cancels it.
    ///
    /// # Errors
    ///
    /// No server could be had, or it takes nothing.
    ///
    /// # Cancel safety
    ///
    /// A future dropped before the request was sent takes it back.
    pub(in super::super) async fn begin(
        self: &Arc<Self>,
        whom: &Whom,
        message: Message,
        towards: (ExchangeId, Outlet),
    ) -> Result<Keeper, Fault> {
        if message.method() == Some(method::LISTEN) {
            let listening = self.subscribe(whom.clone(), message, towards).await?;
            return Ok(Keeper::Listening(listening));
        }
        let handle = self.send(None, whom, message, towards).await?;
        Ok(Keeper::Call(Wanted::counted(handle, &self.in_flight)))
    }

    /// Passes a notification on, where the server is to know of it.
    ///
    /// # Errors
    ///
    /// No server could be had, or it takes nothing.
    pub(in super::super) async fn told(&self, whom: &Whom, message: Message) -> Result<(), Fault> {
        if is_for_servers(&message) {
            self.tell(whom, message).await?;
        }
        Ok(())
    }
}
