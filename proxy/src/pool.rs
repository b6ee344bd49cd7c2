//! Which child serves whom (rule 2), and how many there may be.
//!
//! A session owns its child. With `--child-mode shared` one child serves every session, and with
//! `--stateless` one child serves every request of a principal; both are greeted by the proxy.
//! The pool joins back and link: it is the only place that knows a [`Legacy`] conversation runs
//! over a [`Child`] process.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::back::legacy::Legacy;
use crate::exchange::{Principal, Refusal, Seat, Seated, Server, Servers};
use crate::link::child::{Child, Command, Settings as LinkSettings, State, Status};

/// How soon a client may try again after a server could not be started.
const RETRY_AFTER_FAILED_START: Duration = Duration::from_secs(2);

/// Whom a child serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// One session.
    Session,
    /// Everybody.
    All,
    /// Every request of one principal.
    Principal,
}

/// What the pool needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How a child is started.
    pub command: Command,
    /// How a child is supervised.
    pub link: LinkSettings,
    /// Whom a child serves.
    pub sharing: Sharing,
    /// Children alive at once.
    pub max_children: usize,
    /// Requests that may wait for a child to start.
    pub max_starting: usize,
    /// From spawning a child until it answered `initialize`.
    pub start: Duration,
}

/// The children of one configured server.
pub struct Pool {
    settings: Settings,
    children: Mutex<BTreeMap<u64, Running>>,
    next: AtomicU64,
    room: Arc<Semaphore>,
    waiting: Semaphore,
    /// Children that serve several clients, by whom. One starts at a time for each.
    common: Mutex<HashMap<Option<Principal>, Slot>>,
    /// Keeps common children alive while nobody sits at them.
    kept: Mutex<Vec<Arc<Legacy>>>,
    /// A child started ahead of its session (`--eager`).
    spare: Mutex<Option<Arc<Legacy>>>,
    /// Why the last start failed; `None` after one that did not.
    failure: Mutex<Option<String>>,
    draining: AtomicBool,
}

/// The place of one common child; locked while it starts, so that others wait for it.
type Slot = Arc<tokio::sync::Mutex<Weak<Legacy>>>;

struct Running {
    legacy: Weak<Legacy>,
    child: Child,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("children", &self.children.lock().len())
            .finish_non_exhaustive()
    }
}

impl Pool {
    /// A pool that has started nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> Arc<Self> {
        Arc::new(Self {
            room: Arc::new(Semaphore::new(settings.max_children)),
            waiting: Semaphore::new(settings.max_starting),
            settings,
            children: Mutex::default(),
            next: AtomicU64::new(1),
            common: Mutex::default(),
            kept: Mutex::default(),
            spare: Mutex::default(),
            failure: Mutex::default(),
            draining: AtomicBool::new(false),
        })
    }

    /// Starts a child before anybody asks for one.
    ///
    /// # Errors
    ///
    /// Why it could not be started; the next request tries again.
    pub async fn warm(self: &Arc<Self>) -> Result<(), Refusal> {
        match self.settings.sharing {
            Sharing::Session => {
                let legacy = Legacy::of_one();
                self.start(&legacy)?;
                *self.spare.lock() = Some(legacy);
                Ok(())
            }
            Sharing::All => self.common(None).await.map(drop),
            Sharing::Principal => self.common(Some(Principal::anonymous())).await.map(drop),
        }
    }

    /// A child of one client.
    async fn own(&self, seat: Seat) -> Result<Seated, Refusal> {
        let spare = self.spare.lock().take().filter(|legacy| !legacy.is_gone());
        let legacy = match spare {
            Some(legacy) => legacy,
            None => {
                let legacy = Legacy::of_one();
                self.start(&legacy)?;
                legacy
            }
        };
        let feed = legacy.seat(seat.standing);
        if let Some(revival) = seat.revival {
            let mut unfinished = StopUnlessKept(Some(Arc::clone(&legacy)));
            let revived = legacy.revive(&revival, self.settings.start).await;
            self.note(revived.as_ref().err());
            revived?;
            unfinished.0 = None;
        }
        Ok(Seated {
            server: legacy,
            feed,
        })
    }

    /// A child of several clients, greeted once.
    async fn common(&self, whose: Option<Principal>) -> Result<Arc<Legacy>, Refusal> {
        let slot = Arc::clone(self.common.lock().entry(whose).or_default());
        let mut slot = slot.lock().await;
        if let Some(legacy) = slot.upgrade().filter(|legacy| !legacy.is_gone()) {
            return Ok(legacy);
        }
        let legacy = Legacy::common();
        self.start(&legacy)?;
        let mut unfinished = StopUnlessKept(Some(Arc::clone(&legacy)));
        let welcomed = legacy.welcome(self.settings.start).await;
        self.note(welcomed.as_ref().err());
        welcomed?;
        unfinished.0 = None;
        *slot = Arc::downgrade(&legacy);
        let mut kept = self.kept.lock();
        kept.retain(|legacy| !legacy.is_gone());
        kept.push(Arc::clone(&legacy));
        Ok(legacy)
    }

    /// Starts a process for `legacy` and sees to it that its place is given back when it ends.
    fn start(&self, legacy: &Arc<Legacy>) -> Result<(), Refusal> {
        let room = Arc::clone(&self.room)
            .try_acquire_owned()
            .map_err(|_| Refusal::Full {
                cap: self.settings.max_children,
            })?;
        let child = Child::start(
            &self.settings.command,
            &self.settings.link,
            legacy.inbound(),
        )
        .map_err(|error| Refusal::Start {
            sentence: error.to_string(),
            retry_after: RETRY_AFTER_FAILED_START,
        });
        self.note(child.as_ref().err());
        let child = child?;
        legacy.connect(Box::new(child.clone()));
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.children.lock().insert(
            number,
            Running {
                legacy: Arc::downgrade(legacy),
                child: child.clone(),
            },
        );
        Self::watch(number, child, room);
        Ok(())
    }

    fn watch(number: u64, child: Child, room: OwnedSemaphorePermit) {
        // The task takes only the permit; the entry is forgotten by the next sweep.
        tracing::debug!(child = number, pid = child.status().pid, "started");
        tokio::spawn(async move {
            child.stopped().await;
            drop(room);
        });
    }

    fn note(&self, failure: Option<&Refusal>) {
        *self.failure.lock() = failure.map(ToString::to_string);
    }

    /// Ends calls whose time is over and forgets children that have ended. Called about once a
    /// second.
    pub fn sweep(&self, now: Instant) {
        let living: Vec<Arc<Legacy>> = {
            let mut children = self.children.lock();
            children.retain(|_, running| !matches!(running.child.status().state, State::Ended(_)));
            children
                .values()
                .filter_map(|running| running.legacy.upgrade())
                .collect()
        };
        for legacy in living {
            legacy.expire(now);
        }
    }

    /// Why new clients cannot be served right now, if they cannot.
    #[must_use]
    pub fn unready(&self) -> Option<String> {
        if self.draining.load(Ordering::Relaxed) {
            return Some(Refusal::Draining.to_string());
        }
        self.failure.lock().clone()
    }

    /// What every child is doing.
    #[must_use]
    pub fn status(&self) -> Vec<(Status, usize, usize)> {
        self.children
            .lock()
            .values()
            .map(|running| {
                let (calls, seats) = running
                    .legacy
                    .upgrade()
                    .map_or((0, 0), |legacy| legacy.load());
                (running.child.status(), calls, seats)
            })
            .collect()
    }

    /// Stops every child and resolves when all are collected. Nothing starts any more.
    ///
    /// # Cancel safety
    ///
    /// The children go on stopping when this is dropped.
    pub async fn stop(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.spare.lock().take();
        self.kept.lock().clear();
        for running in self.children.lock().values() {
            running.child.stop();
        }
        let all = u32::try_from(self.settings.max_children).unwrap_or(u32::MAX);
        // An error would mean a closed semaphore, and nobody closes it.
        let _all = self.room.acquire_many(all).await;
    }
}

impl Servers for Pool {
    fn seat<'a>(
        &'a self,
        seat: Seat,
    ) -> Pin<Box<dyn Future<Output = Result<Seated, Refusal>> + Send + 'a>> {
        Box::pin(async move {
            if self.draining.load(Ordering::Relaxed) {
                return Err(Refusal::Draining);
            }
            let _waiting = self.waiting.try_acquire().map_err(|_| Refusal::Queue {
                cap: self.settings.max_starting,
            })?;
            let whose = match self.settings.sharing {
                Sharing::Session => return self.own(seat).await,
                Sharing::All => None,
                Sharing::Principal => Some(seat.principal),
            };
            let legacy = self.common(whose).await?;
            let feed = legacy.seat(seat.standing);
            if let Some(revival) = seat.revival {
                legacy.remember(feed, &revival, self.settings.start);
            }
            Ok(Seated {
                server: legacy,
                feed,
            })
        })
    }

    fn greeted(&self, failure: Option<&Refusal>) {
        self.note(failure);
    }
}

/// Stops a child whose greeting did not come to its end.
struct StopUnlessKept(Option<Arc<Legacy>>);

impl Drop for StopUnlessKept {
    fn drop(&mut self) {
        if let Some(legacy) = &self.0 {
            legacy.stop();
        }
    }
}
