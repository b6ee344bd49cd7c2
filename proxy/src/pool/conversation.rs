//! What the pool needs of a conversation, whichever era it is of.

use std::sync::Arc;

use mcp_wire::Era;
use tokio::time::Instant;

use crate::back::legacy::Legacy;
use crate::back::modern::Modern;
use crate::link::{Inbound, Link};

/// One running server, as the pool sees it.
pub(super) trait Conversation: Send + Sync + 'static {
    /// What the link is to call.
    fn inbound(self: &Arc<Self>) -> Box<dyn Inbound>
    where
        Self: Sized;

    /// Puts the link in.
    fn connect(&self, link: Box<dyn Link>);

    /// Ends what has taken too long.
    fn expire(&self, now: Instant);

    /// Calls in progress, and seats taken.
    fn load(&self) -> (usize, usize);

    /// Which era is spoken.
    fn era(&self) -> Era;

    /// Whether it has answered its greeting.
    fn is_greeted(&self) -> bool;

    /// How it ended by itself before that.
    fn failed_start(&self) -> Option<String>;

    /// Since when nobody needs it, where that can be known: a session's server is its session's
    /// affair.
    fn idle_since(&self) -> Option<Instant>;

    /// Whether it has shown that it speaks 2026-07-28 and nothing older.
    fn refused_legacy(&self) -> bool;
}

impl Conversation for Legacy {
    fn inbound(self: &Arc<Self>) -> Box<dyn Inbound> {
        Self::inbound(self)
    }

    fn connect(&self, link: Box<dyn Link>) {
        Self::connect(self, link);
    }

    fn expire(&self, now: Instant) {
        Self::expire(self, now);
    }

    fn load(&self) -> (usize, usize) {
        Self::load(self)
    }

    fn era(&self) -> Era {
        Era::Legacy
    }

    fn is_greeted(&self) -> bool {
        Self::is_greeted(self)
    }

    fn failed_start(&self) -> Option<String> {
        Self::failed_start(self)
    }

    fn idle_since(&self) -> Option<Instant> {
        None
    }

    fn refused_legacy(&self) -> bool {
        Self::is_of_other_era(self)
    }
}

impl Conversation for Modern {
    fn inbound(self: &Arc<Self>) -> Box<dyn Inbound> {
        Self::inbound(self)
    }

    fn connect(&self, link: Box<dyn Link>) {
        Self::connect(self, link);
    }

    fn expire(&self, now: Instant) {
        Self::expire(self, now);
    }

    fn load(&self) -> (usize, usize) {
        Self::load(self)
    }

    fn era(&self) -> Era {
        Era::Modern
    }

    fn is_greeted(&self) -> bool {
        Self::is_greeted(self)
    }

    fn failed_start(&self) -> Option<String> {
        Self::failed_start(self)
    }

    fn idle_since(&self) -> Option<Instant> {
        Self::idle_since(self)
    }

    fn refused_legacy(&self) -> bool {
        false
    }
}
