//! Where a configured server is in its life, whichever processes of it there are. Pure: time is an
//! argument, and the pool performs what is decided here.
//!
//! ```text
//!              ┌────────── greeted ──────────┐
//!              ▼                             │
//!   ready ──failed──▶ backoff ──a request──▶ starting (one at a time)
//!                        ▲                   │
//!                        └──── failed ───────┤
//!                     failed ◀─ five times ──┘
//! ```
//!
//! Every failure begins an epoch, and what a start of an earlier epoch comes to is not counted again:
//! twenty clients that met the same broken server at once have seen one failure, not twenty.

use std::time::Duration;

use tokio::time::Instant;

use crate::exchange::Backoff;

/// Failed starts in a row after which nobody believes in the next one: half a minute of tries.
const HOPELESS: u32 = 5;

/// How soon to try again while somebody else's try is being made.
const SOMEBODY_TRIES: Duration = Duration::from_secs(1);

/// How often a failed server is tried, by whoever comes, or by the proxy itself where nobody does.
const FAILED_PAUSE: Duration = Duration::from_secs(60);

/// Where a server is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing is known to be wrong. Whether a process runs is another matter: one starts when
    /// somebody comes.
    Ready,
    /// The first one starts before anybody asked (`--eager`), or one is tried after `failure`.
    Starting {
        /// Why it has to be tried.
        failure: Option<String>,
    },
    /// Nothing is started until then; after that, whoever comes first tries.
    Backoff {
        /// The end of the pause.
        until: Instant,
        /// What the last start came to.
        failure: String,
    },
    /// The same after so many failures that monitors are told until a start succeeds.
    Failed {
        /// The end of the pause.
        until: Instant,
        /// What the last start came to.
        failure: String,
    },
    /// Nothing is started any more.
    Draining,
}

impl State {
    /// The words for all of them.
    pub(super) const WORDS: [&'static str; 5] =
        ["ready", "starting", "backoff", "failed", "draining"];

    /// The state in one word, of [`State::WORDS`].
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Starting { .. } => "starting",
            Self::Backoff { .. } => "backoff",
            Self::Failed { .. } => "failed",
            Self::Draining => "draining",
        }
    }
}

/// The epoch a start belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Epoch(u64);

/// Why nothing is started now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NotNow {
    pub(super) wait: Duration,
    pub(super) sentence: String,
}

/// The life of one configured server.
#[derive(Debug)]
pub(super) struct Life {
    state: State,
    epoch: Epoch,
    backoff: Backoff,
    /// Failed starts in a row.
    row: u32,
}

impl Life {
    /// A server that nobody has started. `eager` when one is about to be.
    pub(super) fn new(eager: bool) -> Self {
        Self {
            state: if eager {
                State::Starting { failure: None }
            } else {
                State::Ready
            },
            epoch: Epoch(0),
            backoff: Backoff::default(),
            row: 0,
        }
    }

    pub(super) const fn state(&self) -> &State {
        &self.state
    }

    pub(super) fn is_draining(&self) -> bool {
        self.state == State::Draining
    }

    /// Somebody wants to start a process. After a failure there is one try at a time, whose
    /// outcome is waited for; a `probe` is no try, because its failure says nothing.
    pub(super) fn ask(&mut self, now: Instant, probe: bool) -> Result<Epoch, NotNow> {
        let failure = match &self.state {
            State::Ready | State::Starting { failure: None } | State::Draining => {
                return Ok(self.epoch);
            }
            State::Starting {
                failure: Some(failure),
            } => {
                if probe {
                    return Ok(self.epoch);
                }
                return Err(NotNow {
                    wait: SOMEBODY_TRIES,
                    sentence: format!("{failure}; it is being tried again"),
                });
            }
            State::Backoff { until, failure } | State::Failed { until, failure } => {
                let wait = until.saturating_duration_since(now);
                if !wait.is_zero() {
                    return Err(NotNow {
                        wait,
                        sentence: failure.clone(),
                    });
                }
                failure.clone()
            }
        };
        if !probe {
            self.epoch.0 += 1;
            self.state = State::Starting {
                failure: Some(failure),
            };
        }
        Ok(self.epoch)
    }

    /// A server that was started in this epoch has answered its greeting.
    pub(super) fn greeted(&mut self, epoch: Epoch, now: Instant) {
        if epoch != self.epoch || self.is_draining() {
            return;
        }
        self.row = 0;
        self.backoff.began(now);
        self.state = State::Ready;
    }

    /// A start of this epoch came to nothing.
    pub(super) fn failed(&mut self, epoch: Epoch, failure: String, now: Instant) {
        if epoch != self.epoch || self.is_draining() {
            return;
        }
        self.epoch.0 += 1;
        self.row += 1;
        let pause = self.backoff.failed(now);
        self.state = if self.row >= HOPELESS {
            State::Failed {
                until: now + FAILED_PAUSE,
                failure,
            }
        } else {
            State::Backoff {
                until: now + pause,
                failure,
            }
        };
    }

    /// A start of this epoch was given up before it came to anything: the next one may try at once.
    pub(super) fn abandoned(&mut self, epoch: Epoch, now: Instant) {
        if epoch != self.epoch {
            return;
        }
        if let State::Starting {
            failure: Some(failure),
        } = &self.state
        {
            let failure = failure.clone();
            self.state = if self.row >= HOPELESS {
                State::Failed {
                    until: now,
                    failure,
                }
            } else {
                State::Backoff {
                    until: now,
                    failure,
                }
            };
        }
    }

    /// The first start ahead of everybody is over. What runs then was started, and is greeted by its
    /// first client.
    pub(super) fn warmed(&mut self) {
        if self.state == (State::Starting { failure: None }) {
            self.state = State::Ready;
        }
    }

    /// Nothing is started any more.
    pub(super) fn drain(&mut self) {
        self.state = State::Draining;
    }

    /// Why monitors should send nobody here, if they should not.
    ///
    /// After the pause of a backoff that is nothing: somebody has to come for it to be tried. A failed
    /// server is tried by the proxy itself, and stays unready until that succeeds.
    pub(super) fn unready(&self, now: Instant) -> Option<String> {
        match &self.state {
            State::Ready => None,
            State::Draining => Some("the proxy is shutting down".to_owned()),
            State::Starting { failure: None } => Some("the server is starting".to_owned()),
            State::Starting {
                failure: Some(failure),
            } => Some(format!("{failure}; it is being tried again")),
            State::Backoff { until, failure } => {
                let wait = until.saturating_duration_since(now);
                (!wait.is_zero())
                    .then(|| format!("{failure}; the next try may be in {} s", whole(wait)))
            }
            State::Failed { .. } => self.hopeless(),
        }
    }

    /// Why the server is given up, if it is.
    pub(super) fn hopeless(&self) -> Option<String> {
        match &self.state {
            State::Failed { failure, .. } => {
                Some(format!("{failure}; {} starts in a row failed", self.row))
            }
            _ => None,
        }
    }

    /// How much is left of a pause.
    pub(super) fn pause(&self, now: Instant) -> Option<Duration> {
        match &self.state {
            State::Backoff { until, .. } | State::Failed { until, .. } => {
                let wait = until.saturating_duration_since(now);
                (!wait.is_zero()).then_some(wait)
            }
            _ => None,
        }
    }

    /// Whether the proxy should try a failed server itself, since nobody else did.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        matches!(&self.state, State::Failed { until, .. } if now >= *until)
    }
}

/// Whole seconds, rounded up: who comes back after them finds the pause over.
fn whole(wait: Duration) -> u64 {
    wait.as_millis()
        .div_ceil(1000)
        .try_into()
        .unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn failing(life: &mut Life, now: Instant) -> Duration {
        let epoch = life.ask(now, false).unwrap();
        life.failed(epoch, "it exited".to_owned(), now);
        life.pause(now).unwrap()
    }

    #[test]
    fn nothing_wrong_is_ready_without_any_process() {
        let now = Instant::now();
        let mut life = Life::new(false);
        assert_eq!(life.unready(now), None);
        for _ in 0..100 {
            life.ask(now, false).unwrap();
        }
    }

    #[test]
    fn failures_are_paused_and_the_fifth_in_a_row_is_the_last_straw() {
        let mut now = Instant::now();
        let mut life = Life::new(false);
        let mut pauses = Vec::new();
        for _ in 0..4 {
            let pause = failing(&mut life, now);
            pauses.push(pause.as_secs());
            assert!(life.unready(now).unwrap().contains("it exited"));
            let refused = life.ask(now, false).unwrap_err();
            assert_eq!(
                (refused.wait, refused.sentence.as_str()),
                (pause, "it exited")
            );
            now += pause;
            assert_eq!(life.unready(now), None, "somebody has to come");
            assert!(life.hopeless().is_none() && !life.is_due(now));
        }
        assert_eq!(pauses, [1, 2, 4, 8]);
        assert_eq!(failing(&mut life, now), 60 * SECOND);
        assert!(life.hopeless().is_some());
        assert!(!life.is_due(now + 59 * SECOND));
        now += 60 * SECOND;
        assert!(life.is_due(now));
        assert!(life.unready(now).unwrap().contains("5 starts in a row"));
        assert_eq!(failing(&mut life, now), 60 * SECOND);
    }

    #[test]
    fn a_success_ends_all_that() {
        let mut now = Instant::now();
        let mut life = Life::new(false);
        for _ in 0..6 {
            now += failing(&mut life, now);
        }
        let epoch = life.ask(now, false).unwrap();
        assert_eq!(life.state().word(), "starting");
        life.greeted(epoch, now);
        assert_eq!((life.unready(now), life.hopeless()), (None, None));
        // The row is broken, the pauses are not until it has been up for a minute.
        assert_eq!(failing(&mut life, now), 60 * SECOND);
        assert!(life.hopeless().is_none());
        now += 60 * SECOND;
        let epoch = life.ask(now, false).unwrap();
        life.greeted(epoch, now);
        assert_eq!(failing(&mut life, now + 60 * SECOND), SECOND);
    }

    #[test]
    fn many_that_fail_together_have_failed_once() {
        let now = Instant::now();
        let mut life = Life::new(false);
        let together: Vec<Epoch> = (0..20).map(|_| life.ask(now, false).unwrap()).collect();
        for epoch in &together {
            life.failed(*epoch, "it exited".to_owned(), now);
        }
        assert_eq!(life.pause(now), Some(SECOND));
        // Nor does a success from before the failure say anything about what comes after it.
        life.greeted(together[0], now);
        assert_eq!(life.state().word(), "backoff");
    }

    #[test]
    fn after_a_pause_one_tries_and_the_others_wait_for_that() {
        let mut now = Instant::now();
        let mut life = Life::new(false);
        now += failing(&mut life, now);
        let trying = life.ask(now, false).unwrap();
        for _ in 0..100 {
            assert_eq!(life.ask(now, false).unwrap_err().wait, SECOND);
        }
        assert!(life.unready(now).unwrap().contains("tried again"));
        life.abandoned(trying, now);
        let again = life.ask(now, false).unwrap();
        assert_ne!(again, trying);
        life.greeted(again, now);
        assert_eq!(*life.state(), State::Ready);
    }

    #[test]
    fn a_probe_neither_takes_a_turn_nor_breaks_a_pause() {
        let mut now = Instant::now();
        let mut life = Life::new(false);
        let pause = failing(&mut life, now);
        assert_eq!(life.ask(now, true).unwrap_err().wait, pause);
        now += pause;
        let probe = life.ask(now, true).unwrap();
        life.abandoned(probe, now);
        let trying = life.ask(now, false).unwrap();
        life.ask(now, true).unwrap();
        life.greeted(trying, now);
        assert_eq!(*life.state(), State::Ready);
    }

    #[test]
    fn eagerness_is_unready_until_the_first_one_is_there() {
        let now = Instant::now();
        let mut life = Life::new(true);
        assert_eq!(life.unready(now).as_deref(), Some("the server is starting"));
        life.ask(now, false).unwrap();
        life.warmed();
        assert_eq!(life.unready(now), None);
        let mut broken = Life::new(true);
        failing(&mut broken, now);
        broken.warmed();
        assert_eq!(broken.state().word(), "backoff");
    }

    #[test]
    fn a_drain_is_final() {
        let now = Instant::now();
        let mut life = Life::new(false);
        let epoch = life.ask(now, false).unwrap();
        life.drain();
        life.failed(epoch, "it exited".to_owned(), now);
        life.greeted(epoch, now);
        assert_eq!(life.state().word(), "draining");
        assert!(life.unready(now).is_some());
    }
}
