//! Children that serve several clients: one for each key, started by whoever comes first while the
//! others wait.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::Instrument as _;
use tracing::field::display;

use crate::exchange::{Crashes, Principal, Refusal, Server, Variables};

/// How soon a client may try again after a start that came to no end.
const RETRY_BROKEN: Duration = Duration::from_secs(1);

/// Slots of one era. Principals of an authorization server come and go; a slot without a child is
/// forgotten when there are as many.
const MAX_SLOTS: usize = 1024;

/// Children of one principal that differ in what their client's headers gave them. A person has a few
/// credentials; who varies them for its own sake must not have every place.
pub(super) const MAX_VARIANTS: usize = 8;

/// Whom a child serves: one principal, or everybody; and what it was given for that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Whose {
    /// `None` for everybody.
    pub(super) principal: Option<Principal>,
    /// What its client brought along for its environment.
    pub(super) brought: Variables,
    /// What the owner gives the principal's.
    pub(super) given: Variables,
}

impl Whose {
    /// Everybody's, or this principal's, with nothing of its own in its environment.
    pub(super) fn plain(principal: Option<Principal>) -> Self {
        Self {
            principal,
            ..Self::default()
        }
    }

    /// Whether a child of theirs is like any other of the server's.
    pub(super) const fn is_plain(&self) -> bool {
        self.brought.is_empty() && self.given.is_empty()
    }

    /// What it finds in its environment that no other's does. What the owner gives wins.
    pub(super) fn variables(&self) -> Variables {
        self.brought.and(&self.given)
    }
}

/// The common children of one era, by whom they serve.
pub(super) struct Slots<S>(Mutex<HashMap<Whose, Arc<Slot<S>>>>);

struct Slot<S> {
    whose: Whose,
    living: Mutex<Weak<S>>,
    /// A start in progress, and its end for all who wait for it.
    starting: Mutex<Option<Started<S>>>,
    /// How its children have ended.
    crashes: Mutex<Crashes>,
}

/// What a start came to, once it is over.
type Started<S> = watch::Receiver<Option<Result<Arc<S>, Refusal>>>;

impl<S> Default for Slots<S> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<S> Slot<S> {
    fn of(whose: &Whose) -> Self {
        Self {
            whose: whose.clone(),
            living: Mutex::default(),
            starting: Mutex::default(),
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
    ///
    /// # Cancel safety
    ///
    /// A start that was begun goes on without whoever began it: it is everybody's. Were it to end
    /// with the request, clients with little patience would keep a slow server from ever starting.
    pub(super) async fn get<F>(
        &self,
        whose: Whose,
        start: impl FnOnce() -> F,
    ) -> Result<Arc<S>, Refusal>
    where
        F: Future<Output = Result<Arc<S>, Refusal>> + Send + 'static,
    {
        let slot = self.slot(whose)?;
        if let Some(server) = slot.living() {
            return Ok(server);
        }
        let mut started = {
            let mut starting = slot.starting.lock();
            if let Some(server) = slot.living() {
                return Ok(server);
            }
            match &*starting {
                Some(started) => started.clone(),
                None => {
                    slot.crashes.lock().check(Instant::now())?;
                    let (over, started) = watch::channel(None);
                    *starting = Some(started.clone());
                    // Whoever else waits, it is this principal's child, or everybody's.
                    let whose = slot.whose.principal.as_ref();
                    let whose = whose.and_then(Principal::name).map(display);
                    let span = tracing::info_span!(parent: None, "common", principal = whose);
                    let (slot, start) = (Arc::clone(&slot), start());
                    let work = async move {
                        let mut unless_broken = Over(&slot);
                        let result = start.await;
                        if let Ok(server) = &result {
                            let slot = unless_broken.0;
                            *slot.living.lock() = Arc::downgrade(server);
                            slot.crashes.lock().seated(server.crash(), Instant::now());
                        }
                        unless_broken.settle();
                        over.send_replace(Some(result));
                    };
                    tokio::spawn(work.instrument(span));
                    started
                }
            }
        };
        let over = started.wait_for(Option::is_some).await;
        let result = over.ok().and_then(|result| result.clone());
        result.unwrap_or_else(|| {
            // The start panicked, which is reported where it happened.
            Err(Refusal::Start {
                sentence: "its start was given up".to_owned(),
                retry_after: RETRY_BROKEN,
            })
        })
    }
}

impl<S: Server> Slots<S> {
    fn slot(&self, whose: Whose) -> Result<Arc<Slot<S>>, Refusal> {
        let mut slots = self.0.lock();
        if let Some(slot) = slots.get(&whose) {
            return Ok(Arc::clone(slot));
        }
        if slots.len() >= MAX_SLOTS {
            let now = Instant::now();
            slots.retain(|_, slot| slot.is_needed(now));
            if slots.len() >= MAX_SLOTS {
                return Err(Refusal::Full { cap: MAX_SLOTS });
            }
        }
        if !whose.brought.is_empty() {
            let same = slots.iter().filter(|(other, _)| {
                other.principal == whose.principal && !other.brought.is_empty()
            });
            let taken = same.filter(|(_, slot)| slot.is_taken()).count();
            if taken >= MAX_VARIANTS {
                return Err(Refusal::Varied { cap: MAX_VARIANTS });
            }
        }
        let entry = slots.entry(whose);
        Ok(Arc::clone(
            entry.or_insert_with_key(|whose| Arc::new(Slot::of(whose))),
        ))
    }
}

/// Sees to it that a start that is over, even by a panic, is not waited for.
struct Over<'a, S>(&'a Slot<S>);

impl<S> Over<'_, S> {
    fn settle(&mut self) {
        self.0.starting.lock().take();
    }
}

impl<S> Drop for Over<'_, S> {
    fn drop(&mut self) {
        self.settle();
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
    /// Whether it has a child, or is about to.
    fn is_taken(&self) -> bool {
        self.starting.lock().is_some() || self.living().is_some()
    }

    /// Whether forgetting it would forget anything.
    fn is_needed(&self, now: Instant) -> bool {
        self.is_taken() || self.crashes.lock().check(now).is_err()
    }

    fn living(&self) -> Option<Arc<S>> {
        let server = self.living.lock().upgrade();
        server.filter(|server| !server.is_gone())
    }
}
