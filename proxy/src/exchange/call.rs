//! One client request, as a server needs to know it.

use mcp_wire::Message;
use tokio::time::Instant;

use super::{ExchangeId, Outlet};

/// One client request on its way to a server.
///
/// The message keeps the client's bytes. Who the client is and what it can do were settled when
/// its [`Seat`](super::Seat) was taken; progress token and log level are located in the message.
#[derive(Debug)]
pub struct Call {
    /// A request: it has an id and a method.
    pub message: Message,
    /// How the events of this call are tagged in the outlet.
    pub exchange: ExchangeId,
    /// Where its events go.
    pub outlet: Outlet,
    /// When the server has had long enough. Time in which the server waits for an answer of the
    /// client does not count.
    pub deadline: Instant,
}
