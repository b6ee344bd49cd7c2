//! When a server and its clients last had something to say to each other: what idling is measured
//! by (`--idle-timeout`).
//!
//! Every message of every era passes between a back and its link, so that is where it is noted. A
//! `ping`, of either side, says only that somebody is still there. Answers say nothing new: while
//! one is due, its call is in flight, which is looked at as well.

use std::fmt;
use std::sync::Arc;

use mcp_wire::{Id, Message, method};
use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::Span;
use tracing::level_filters::LevelFilter;

use crate::link::child::SendError;
use crate::link::{End, Inbound, Link};

/// When something was said last, at any server of a proxy. Cheap to clone.
#[derive(Clone)]
pub struct Heard(Arc<Mutex<Instant>>);

impl Heard {
    /// Counted from now.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    /// When that was.
    #[must_use]
    pub fn last(&self) -> Instant {
        *self.0.lock()
    }

    /// Something was said now.
    pub fn note(&self) {
        *self.0.lock() = Instant::now();
    }

    fn message(&self, message: &Message) {
        if message.method().is_some_and(|name| name != method::PING) {
            self.note();
        }
    }
}

impl Default for Heard {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Heard({:?} ago)", self.last().elapsed())
    }
}

/// A link, or what a link calls, with an ear to it.
pub(super) struct Ear<T> {
    at: T,
    heard: Heard,
    /// The child's number.
    child: u64,
}

impl<T> Ear<T> {
    /// An ear to what is said at this child.
    pub(super) const fn new(at: T, heard: Heard, child: u64) -> Self {
        Self { at, heard, child }
    }
}

impl<L: Link> Link for Ear<L> {
    fn send(&self, message: &Message) -> Result<(), SendError> {
        self.heard.message(message);
        if LevelFilter::current() >= LevelFilter::DEBUG {
            // The call's own span, which does not know yet to whom it goes.
            Span::current().record("child", self.child);
        }
        self.at.send(message)
    }

    fn stop(&self) {
        self.at.stop();
    }
}

impl Inbound for Ear<Box<dyn Inbound>> {
    fn message(&mut self, message: Message) {
        self.heard.message(&message);
        self.at.message(message);
    }

    fn damaged(&mut self, id: Id, fault: String) {
        self.at.damaged(id, fault);
    }

    fn closed(&mut self, end: End) {
        self.at.closed(end);
    }
}
