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

/// How long a failed start makes the proxy unready. Longer would keep a machine out of its pool for
/// good: where no request comes, nothing tries again.
const UNREADY_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// The last start that failed.
#[derive(Debug)]
struct Failed {
    /// The child's number.
    number: u64,
    at: Instant,
    sentence: String,
}

type Failure = Arc<Mutex<Option<Failed>>>;

/// The children of one configured server.
pub struct Pool {
    settings: Settings,
    children: Mutex<BTreeMap<u64, Running>>,
    next: AtomicU64,
    room: Arc<Semaphore>,
    waiting: Semaphore,
    /// Children that serve several clients, by whom. One starts at a time for each.
    common: Mutex<HashMap<Option<Principal>, Slot>>,
    /// A child started ahead of its session (`--eager`).
    spare: Mutex<Option<Arc<Legacy>>>,
    /// Why a start failed, and the number of that child; void once a later one was greeted.
    failure: Failure,
    draining: AtomicBool,
}

/// The place of one common child; locked while it starts, so that others wait for it.
type Slot = Arc<tokio::sync::Mutex<Common>>;

#[derive(Default)]
struct Common {
    legacy: Weak<Legacy>,
    /// The last failure, for those who waited while it happened.
    failure: Option<(Instant, Refusal)>,
}

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
            spare: Mutex::default(),
            failure: Arc::default(),
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
                self.start(&legacy).await?;
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
                self.start(&legacy).await?;
                legacy
            }
        };
        let seated = Seated {
            feed: legacy.seat(seat.standing),
            server: Arc::<Legacy>::clone(&legacy),
        };
        // Whoever fills it first is this very call.
        let _first = seat.early.set(seated.clone());
        if let Some(revival) = seat.revival {
            let mut unfinished = StopUnlessKept(Some(Arc::clone(&legacy)));
            legacy.revive(&revival, self.settings.start).await?;
            unfinished.0 = None;
        }
        Ok(seated)
    }

    /// A child of several clients, greeted once.
    async fn common(&self, whose: Option<Principal>) -> Result<Arc<Legacy>, Refusal> {
        let arrived = Instant::now();
        let slot = Arc::clone(self.common.lock().entry(whose).or_default());
        let mut slot = slot.lock().await;
        if self.draining.load(Ordering::Relaxed) {
            return Err(Refusal::Draining);
        }
        if let Some(legacy) = slot.legacy.upgrade().filter(|legacy| !legacy.is_gone()) {
            return Ok(legacy);
        }
        if let Some((at, refusal)) = &slot.failure
            && *at > arrived
        {
            // It was tried for us, too: trying again for each would make the last one wait for
            // the sum of all.
            return Err(refusal.clone());
        }
        let greeted = self.greeted().await;
        match &greeted {
            Ok(legacy) => slot.legacy = Arc::downgrade(legacy),
            Err(refusal) => slot.failure = Some((Instant::now(), refusal.clone())),
        }
        greeted
    }

    async fn greeted(&self) -> Result<Arc<Legacy>, Refusal> {
        let legacy = Legacy::common();
        self.start(&legacy).await?;
        let mut unfinished = StopUnlessKept(Some(Arc::clone(&legacy)));
        legacy.welcome(self.settings.start).await?;
        unfinished.0 = None;
        Ok(legacy)
    }

    /// A place for one more child. While one is stopping, its place is waited for.
    async fn place(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let full = Refusal::Full {
            cap: self.settings.max_children,
        };
        if let Ok(place) = Arc::clone(&self.room).try_acquire_owned() {
            return Ok(place);
        }
        let stopping = self
            .children
            .lock()
            .values()
            .any(|running| running.child.status().state == State::Stopping);
        if !stopping {
            return Err(full);
        }
        let place = Arc::clone(&self.room).acquire_owned();
        match tokio::time::timeout(self.settings.start, place).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(full),
        }
    }

    /// Starts a process for `legacy` and sees to it that its place is given back when it ends.
    async fn start(&self, legacy: &Arc<Legacy>) -> Result<(), Refusal> {
        let place = self.place().await?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let child = Child::start(
            &self.settings.command,
            &self.settings.link,
            legacy.inbound(),
        )
        .map_err(|error| {
            tracing::warn!(child = number, "{error}");
            *self.failure.lock() = Some(Failed {
                number,
                at: Instant::now(),
                sentence: error.to_string(),
            });
            Refusal::Start {
                sentence: error.to_string(),
                retry_after: RETRY_AFTER_FAILED_START,
            }
        })?;
        legacy.connect(Box::new(child.clone()));
        self.children.lock().insert(
            number,
            Running {
                legacy: Arc::downgrade(legacy),
                child: child.clone(),
            },
        );
        tracing::debug!(child = number, pid = child.status().pid, "started");
        let (failure, legacy) = (Arc::clone(&self.failure), Arc::clone(legacy));
        let ended = child.clone();
        tokio::spawn(async move {
            ended.stopped().await;
            let mut failure = failure.lock();
            if legacy.is_greeted() {
                failure.take_if(|failed| failed.number < number);
            } else if let Some(end) = legacy.failed_start() {
                let sentence = format!("{end} before it answered initialize");
                tracing::warn!(
                    child = number,
                    "{sentence}; what it wrote to standard error is above"
                );
                *failure = Some(Failed {
                    number,
                    at: Instant::now(),
                    sentence,
                });
            }
            drop(place);
        });
        Ok(())
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
        let children = self.children.lock();
        let living = |(_, running): (&u64, &Running)| running.legacy.upgrade();
        // A server that has just ended is not written down yet; its client knows already.
        let ending = children.iter().filter_map(living).next_back();
        if let Some(end) = ending.and_then(|legacy| legacy.failed_start()) {
            return Some(format!("{end} before it answered initialize"));
        }
        let failure = self.failure.lock();
        let failed = failure
            .as_ref()
            .filter(|failed| failed.at.elapsed() < UNREADY_AFTER_FAILURE)?;
        let later = children
            .range(failed.number + 1..)
            .filter_map(living)
            .any(|legacy| legacy.is_greeted());
        (!later).then(|| failed.sentence.clone())
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
