//! The servers of the session eras that work for clients of 2026-07-28 who can be asked the same.
//!
//! Most servers never ask, and then one of them takes every call. One that has been seen to ask is
//! given one call at a time that may lead to a question, so that there is no doubt whose question it
//! is; then more callers have more servers, up to a bound, and wait for each other beyond it. A server
//! whose call waits for a person may do so for minutes: when all do, a caller is told at once (rule 3).

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::exchange::{Crashes, Refusal};
use crate::translate::legacy_server::{Lease, Station};

/// Servers of one crew. Each is a process, and most of them wait for a person.
const MAX_STATIONS: usize = 8;

/// How long no further server is started after there was no room for one.
const CROWDED: Duration = Duration::from_secs(1);

/// Between two looks at what nobody reports, such as an end of a pause.
const LOOK: Duration = Duration::from_secs(1);

/// The servers of one group of callers.
#[derive(Default)]
pub(super) struct Crew {
    state: Mutex<State>,
    /// Told when a server has come, is free, waits for its client, or has gone.
    changed: Arc<Notify>,
    /// Callers that look for a server.
    looking: AtomicUsize,
}

#[derive(Default)]
struct State {
    stations: Vec<Arc<Station>>,
    starting: usize,
    crashes: Crashes,
    /// Starts that failed, and how the last of them did.
    failures: u64,
    failure: Option<Refusal>,
    crowded: Option<Instant>,
}

/// What a caller finds.
enum Look {
    Found(Arc<Station>, Option<Lease>),
    Start,
    Wait,
}

impl Crew {
    /// What its stations tell when they change.
    pub(super) fn changed(&self) -> Arc<Notify> {
        Arc::clone(&self.changed)
    }

    /// Whether it has no servers and is about to have none.
    pub(super) fn is_empty(&self) -> bool {
        let mut state = self.state.lock();
        state.stations.retain(|station| !station.is_gone());
        state.stations.is_empty() && state.starting == 0
    }

    /// A server for one call; `leased`, so that it has no other call that may lead to questions.
    /// `start` makes another server.
    ///
    /// # Errors
    ///
    /// As `start`; [`Refusal::Asking`] when every server waits for its client, or none came free
    /// within `patience`.
    ///
    /// # Cancel safety
    ///
    /// A start that was begun goes on: it is everybody's.
    pub(super) async fn seat<F>(
        self: &Arc<Self>,
        leased: bool,
        start: impl Fn() -> F,
        patience: Duration,
    ) -> Result<(Arc<Station>, Option<Lease>), Refusal>
    where
        F: Future<Output = Result<Arc<Station>, Refusal>> + Send + 'static,
    {
        if !leased && let Some(station) = self.first() {
            return Ok((station, None));
        }
        let _looking = Looking::new(&self.looking);
        let failures = self.state.lock().failures;
        let deadline = Instant::now() + patience;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            match self.look(leased, failures)? {
                Look::Found(station, lease) => return Ok((station, lease)),
                Look::Start => {
                    self.start(start());
                    continue;
                }
                Look::Wait => {}
            }
            let now = Instant::now();
            if now >= deadline {
                return Err(self.busy());
            }
            let _looked = tokio::time::timeout_at(deadline.min(now + LOOK), changed).await;
        }
    }

    /// What takes every call that nobody waits for, without a look at the others.
    fn first(&self) -> Option<Arc<Station>> {
        let state = self.state.lock();
        let first = state.stations.first();
        first.filter(|station| !station.is_gone()).map(Arc::clone)
    }

    fn look(&self, leased: bool, failures: u64) -> Result<Look, Refusal> {
        let now = Instant::now();
        let mut state = self.state.lock();
        state.stations.retain(|station| !station.is_gone());
        if leased {
            for station in &state.stations {
                if let Some(lease) = station.lease() {
                    return Ok(Look::Found(Arc::clone(station), Some(lease)));
                }
            }
        } else if let Some(station) = state.stations.first() {
            return Ok(Look::Found(Arc::clone(station), None));
        }
        let none = state.stations.is_empty();
        if state.failures > failures
            && let Some(failure) = &state.failure
            && (none || !matches!(failure, Refusal::Full { .. }))
        {
            return Err(failure.clone());
        }
        let wanted = if leased {
            self.looking.load(Ordering::Acquire)
        } else {
            1
        };
        let crowded = state.crowded.is_some_and(|until| now < until);
        let room = state.stations.len() + state.starting < MAX_STATIONS && !crowded;
        if room && state.starting < wanted {
            if none {
                state.crashes.check(now)?;
            }
            state.starting += 1;
            return Ok(Look::Start);
        }
        let waiting = state
            .stations
            .iter()
            .all(|station| station.waits_for().is_some());
        if state.starting == 0 && waiting && !none {
            drop(state);
            return Err(self.busy());
        }
        Ok(Look::Wait)
    }

    fn start<F>(self: &Arc<Self>, start: F)
    where
        F: Future<Output = Result<Arc<Station>, Refusal>> + Send + 'static,
    {
        let crew = Arc::clone(self);
        tokio::spawn(async move {
            // Counted back even if the start panics.
            let counted = Starting(&crew);
            let started = start.await;
            let now = Instant::now();
            {
                let mut state = crew.state.lock();
                match started {
                    Ok(station) => {
                        state.crashes.seated(station.crash(), now);
                        state.stations.push(station);
                    }
                    Err(refusal) => {
                        if matches!(refusal, Refusal::Full { .. }) {
                            state.crowded = Some(now + CROWDED);
                        }
                        state.failures += 1;
                        state.failure = Some(refusal);
                    }
                }
            }
            drop(counted);
        });
    }

    fn busy(&self) -> Refusal {
        let waiting: Vec<String> = {
            let state = self.state.lock();
            state
                .stations
                .iter()
                .filter_map(|station| station.waits_for())
                .collect()
        };
        Refusal::Asking {
            pending: waiting.join("; "),
        }
    }
}

/// Somebody who looks for a server.
struct Looking<'a>(&'a AtomicUsize);

impl<'a> Looking<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count)
    }
}

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A start in progress.
struct Starting<'a>(&'a Crew);

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        self.0.state.lock().starting -= 1;
        self.0.changed.notify_waiters();
    }
}
