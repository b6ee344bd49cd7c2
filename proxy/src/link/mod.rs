//! Links: the roads to where a server lives.
//!
//! A link carries whole JSON-RPC messages both ways and knows when the road ends. It never knows which era is spoken
//! on it, who asked, or what an id means: that is the work of the `back` above it. Today there is one road, a child
//! process that reads and writes lines.

pub mod child;
mod inbound;

use mcp_wire::Message;

pub use child::SendError;
pub use inbound::{End, EndReason, Inbound};

/// The road towards a server, as the back above it uses it. Nothing here waits.
pub trait Link: Send + Sync + 'static {
    /// Sends a message after everything that was sent before it.
    ///
    /// # Errors
    ///
    /// [`SendError`]: the message was not taken and will not arrive.
    fn send(&self, message: &Message) -> Result<(), SendError>;

    /// Starts ending the server, if it has not ended. The end is told through [`Inbound::closed`].
    fn stop(&self);
}

impl Link for child::Child {
    fn send(&self, message: &Message) -> Result<(), SendError> {
        Self::send(self, message)
    }

    fn stop(&self) {
        Self::stop(self);
    }
}
