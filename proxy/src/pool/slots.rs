//! Children that serve several clients: one for each key, started by whoever comes first while the
//! others wait.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::exchange::{Crashes, Principal, Refusal, Server};

/// Whom a common child serves: one principal, or everybody.
pub(super) type Whose = Option<Principal>;

/// The common children of one era, by whom they serve.
pub(super) struct Slots<S>(Mutex<HashMap<Whose, Arc<Slot<S>>>>);

struct Slot<S> {
    living: Mutex<Weak<S>>,
    /// Held while a child starts. The last failure, for those who waited while it happened.
    starting: tokio::sync::Mutex<Option<(Instant, Refusal)>>,
    /// How its children have ended.
    crashes: Mutex<Crashes>,
}

impl<S> Default for Slots<S> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<S> Default for Slot<S> {
    fn default() -> Self {
        Self {
            living: Mutex::default(),
            starting: tokio::sync::Mutex::default(),
            crashes: Mutex::default(),
        }
    }
}

impl<S: Server> Slots<S> {
    /// The child of this key; `start` makes one where there is none.
    ///
    /// # Errors
    ///
    /// As `start`, which is not run for each of many that wait; and [`Refusal::Start`] for a while
    /// after children of this key have crashed one after the other.
    pub(super) async fn get<F>(&self, whose: Whose, start: F) -> Result<Arc<S>, Refusal>
    where
        F: Future<Output = Result<Arc<S>, Refusal>>,
    {
        let slot = Arc::clone(self.0.lock().entry(whose).or_default());
        if let Some(server) = slot.living() {
            return Ok(server);
        }
        let arrived = Instant::now();
        let mut failure = slot.starting.lock().await;
        if let Some(server) = slot.living() {
            return Ok(server);
        }
        if let Some((at, refusal)) = &*failure
            && *at > arrived
        {
            // It was tried for us, too: trying again for each would make the last one wait for
            // the sum of all.
            return Err(refusal.clone());
        }
        slot.crashes.lock().check(Instant::now())?;
        let started = start.await;
        match &started {
            Ok(server) => {
                *slot.living.lock() = Arc::downgrade(server);
                slot.crashes.lock().seated(server.crash(), Instant::now());
            }
            Err(refusal) => *failure = Some((Instant::now(), refusal.clone())),
        }
        started
    }
}

impl<S: Server> Slots<S> {
    /// Why the child of this key is not started now, if it is not: it crashed once too often.
    pub(super) fn paused(&self, whose: &Whose, now: Instant) -> Option<Refusal> {
        let slot = self.0.lock().get(whose).map(Arc::clone)?;
        slot.crashes.lock().check(now).err()
    }
}

impl<S: Server> Slot<S> {
    fn living(&self) -> Option<Arc<S>> {
        let server = self.living.lock().upgrade();
        server.filter(|server| !server.is_gone())
    }
}
