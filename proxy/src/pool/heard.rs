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
pub(super) struct Ear<T>(pub(super) T, pub(super) Heard);

impl<L: Link> Link for Ear<L> {
    fn send(&self, message: &Message) -> Result<(), SendError> {
        self.1.message(message);
        self.0.send(message)
    }

    fn stop(&self) {
        self.0.stop();
    }
}

impl Inbound for Ear<Box<dyn Inbound>> {
    fn message(&mut self, message: Message) {
        self.1.message(&message);
        self.0.message(message);
    }

    fn damaged(&mut self, id: Id, fault: String) {
        self.0.damaged(id, fault);
    }

    fn closed(&mut self, end: End) {
        self.0.closed(end);
    }
}
