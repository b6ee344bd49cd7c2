//! What is asked of a conversation by whoever starts and stops servers, whichever era it is of.

use std::sync::Arc;

use mcp_wire::Era;
use tokio::time::Instant;

use crate::link::{Inbound, Link};

/// One running server, as whoever starts and stops it sees it.
pub trait Conversation: Send + Sync + 'static {
    /// What the link calls with everything the server writes. It does not keep the conversation
    /// alive.
    fn inbound(self: &Arc<Self>) -> Box<dyn Inbound>
    where
        Self: Sized;

    /// Puts the link in. Only the first one counts.
    fn connect(&self, link: Box<dyn Link>);

    /// Ends the exchanges whose time is over. The pool calls it about once a second.
    fn expire(&self, now: Instant);

    /// How many exchanges are in progress, and how many seats are taken.
    fn load(&self) -> (usize, usize);

    /// How many exchanges have to end before the server may be stopped without anybody's loss. A
    /// subscription is carried to the next server.
    fn working(&self) -> usize {
        self.load().0
    }

    /// Which era is spoken.
    fn era(&self) -> Era;

    /// Whether the server has answered its greeting: it was started with success.
    fn is_greeted(&self) -> bool;

    /// How the server ended, if it did so by itself before that.
    fn failed_start(&self) -> Option<String>;

    /// Since when nobody needs it; `None` while somebody does, and where that is not for a back to
    /// know.
    fn idle_since(&self) -> Option<Instant>;

    /// Whether it has shown that it speaks 2026-07-28 and nothing older.
    fn refused_legacy(&self) -> bool;
}
