//! How many children there may be, in all pools of a proxy together (`--max-children`).
//!
//! What a machine can carry does not grow with the number of servers somebody configured, so the
//! places are shared. A child keeps its place until it was collected. Where all are taken, one that is
//! about to be free is waited for, and a child that nobody needs gives up its own, whichever pool it
//! is of.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::back::Conversation;
use crate::exchange::Refusal;
use crate::link::child::{Child, State};

/// The places of children. Shared by the pools of one proxy.
pub struct Room {
    cap: usize,
    places: Arc<Semaphore>,
    taken: Mutex<HashMap<u64, Taken>>,
    next: AtomicU64,
    /// Those who wait for a place somebody is leaving.
    waiting: AtomicUsize,
}

/// Who has a place.
struct Taken {
    child: Child,
    conversation: Weak<dyn Conversation>,
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room")
            .field("cap", &self.cap)
            .field("free", &self.places.available_permits())
            .finish_non_exhaustive()
    }
}

impl Room {
    /// Room for so many children.
    #[must_use]
    pub fn new(cap: usize) -> Arc<Self> {
        Arc::new(Self {
            cap,
            places: Arc::new(Semaphore::new(cap)),
            taken: Mutex::default(),
            next: AtomicU64::new(1),
            waiting: AtomicUsize::new(0),
        })
    }

    /// How many children there may be.
    #[must_use]
    pub const fn cap(&self) -> usize {
        self.cap
    }

    /// How many places nobody has.
    #[must_use]
    pub(super) fn free(&self) -> usize {
        self.places.available_permits()
    }

    /// A place for one more child. A place that somebody is leaving is waited for, by no more than
    /// are leaving and at most for `patience`; a child that nobody needs is stopped for it.
    ///
    /// # Errors
    ///
    /// Every place is taken.
    ///
    /// # Cancel safety
    ///
    /// A dropped future takes no place.
    pub(super) async fn place(self: &Arc<Self>, patience: Duration) -> Result<Place, Refusal> {
        let full = Refusal::Full { cap: self.cap };
        if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(self.given(permit));
        }
        // Counted before it looks, so that two never wait for the same place.
        let waiting = Waiting::new(&self.waiting);
        if waiting.before >= self.leaving() && !self.stop_idlest() {
            return Err(full);
        }
        let permit = Arc::clone(&self.places).acquire_owned();
        match tokio::time::timeout(patience, permit).await {
            Ok(Ok(permit)) => Ok(self.given(permit)),
            Ok(Err(_)) | Err(_) => Err(full),
        }
    }

    /// Places that are about to be free: their child stops, or has ended and was not seen out yet.
    fn leaving(&self) -> usize {
        let taken = self.taken.lock();
        let states = taken.values().map(|taken| taken.child.status().state);
        states.filter(|state| *state != State::Running).count()
    }

    /// Stops the child that nobody has needed for longest; false if all are needed.
    fn stop_idlest(&self) -> bool {
        let taken = self.taken.lock();
        let idlest = taken
            .values()
            .filter(|taken| taken.child.status().state == State::Running)
            .filter_map(|taken| Some((taken.conversation.upgrade()?.idle_since()?, taken)))
            .min_by_key(|(since, _)| *since);
        let Some((_, idlest)) = idlest else {
            return false;
        };
        idlest.child.stop();
        true
    }

    fn given(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Place {
        Place {
            room: Arc::clone(self),
            number: self.next.fetch_add(1, Ordering::Relaxed),
            permit: Some(permit),
        }
    }
}

/// Somebody who waits for a place.
struct Waiting<'a> {
    count: &'a AtomicUsize,
    /// How many waited already.
    before: usize,
}

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        Self {
            before: count.fetch_add(1, Ordering::AcqRel),
            count,
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::AcqRel);
    }
}

/// One place. Dropping it makes it free.
pub(super) struct Place {
    room: Arc<Room>,
    number: u64,
    /// `None` once it was given back.
    permit: Option<OwnedSemaphorePermit>,
}

impl Place {
    /// This child has it now, for this conversation.
    pub(super) fn taken_by(self, child: Child, conversation: Weak<dyn Conversation>) -> Self {
        let taken = Taken {
            child,
            conversation,
        };
        self.room.taken.lock().insert(self.number, taken);
        self
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // The permit first: whoever finds nobody stopping must find the place free.
        drop(self.permit.take());
        // Bound, so that it is dropped after the lock: a last handle stops its child.
        let _taken = self.room.taken.lock().remove(&self.number);
    }
}
