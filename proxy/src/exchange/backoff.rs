//! When a server that keeps ending may be started again. Pure: time is an argument.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

use super::Refusal;

/// The first pause. A server that died of something passing is back before a person has noticed.
const FIRST: Duration = Duration::from_secs(1);

/// The longest pause: what a server that was repaired costs at most before it is found out.
const LONGEST: Duration = Duration::from_secs(60);

/// How long a server must have been up for what came before to be forgotten.
const SUSTAINED: Duration = Duration::from_secs(60);

/// Pauses between tries: one second, doubling to a minute, forgotten after a minute of uptime.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    /// Failures that cost no pause.
    free: u32,
    failures: u32,
    /// Since when a server is up, if one was since the last failure.
    up_since: Option<Instant>,
    /// When the next try may be.
    until: Option<Instant>,
}

impl Backoff {
    /// One whose first failure costs nothing: the next try may be at once.
    #[must_use]
    pub const fn with_one_free() -> Self {
        Self {
            free: 1,
            failures: 0,
            up_since: None,
            until: None,
        }
    }

    /// A server is up.
    pub fn began(&mut self, now: Instant) {
        self.up_since.get_or_insert(now);
        self.until = None;
    }

    /// A try failed, or the server that was up is not any more. Gives the pause from `at` on.
    pub fn failed(&mut self, at: Instant) -> Duration {
        let up = self.up_since.take();
        if up.is_some_and(|up| at.saturating_duration_since(up) >= SUSTAINED) {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        let pause = match self.failures.saturating_sub(self.free) {
            0 => Duration::ZERO,
            // Past six doublings the cap has been reached.
            counted => LONGEST.min(FIRST * (1 << (counted - 1).min(6))),
        };
        self.until = Some(at + pause);
        pause
    }

    /// How much of the pause is left.
    #[must_use]
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        let left = self.until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    /// Failures without a minute of uptime between them.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }
}

/// When a server ended by itself: filled once, by whoever holds the conversation with it, and never
/// where it was asked to end.
pub type Crash = Arc<OnceLock<Instant>>;

/// The servers that one client, or one group of them, has had: whether the next one may be started at
/// once.
///
/// The first crash costs nothing, because the request that finds it should be served. From the second
/// within a minute on there are pauses.
#[derive(Debug)]
pub struct Crashes {
    backoff: Backoff,
    current: Option<Crash>,
}

impl Default for Crashes {
    fn default() -> Self {
        Self {
            backoff: Backoff::with_one_free(),
            current: None,
        }
    }
}

impl Crashes {
    /// There is a server, and this is where its crash will stand.
    pub fn seated(&mut self, crash: Crash, now: Instant) {
        self.current = Some(crash);
        self.backoff.began(now);
    }

    /// Whether another server may be started.
    ///
    /// # Errors
    ///
    /// [`Refusal::Start`], with what is left of the pause.
    pub fn check(&mut self, now: Instant) -> Result<(), Refusal> {
        let crash = self.current.take_if(|crash| crash.get().is_some());
        if let Some(at) = crash.and_then(|crash| crash.get().copied()) {
            self.backoff.failed(at);
        }
        match self.backoff.wait(now) {
            None => Ok(()),
            Some(retry_after) => Err(Refusal::Start {
                sentence: format!(
                    "it has crashed {} times without a minute between",
                    self.backoff.failures()
                ),
                retry_after,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn pauses_double_to_a_minute() {
        let start = Instant::now();
        let mut backoff = Backoff::default();
        let pauses: Vec<u64> = (0..9).map(|_| backoff.failed(start).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn a_pause_counts_down_and_ends() {
        let start = Instant::now();
        let mut backoff = Backoff::default();
        assert_eq!(backoff.wait(start), None);
        backoff.failed(start);
        backoff.failed(start);
        assert_eq!(backoff.wait(start), Some(2 * SECOND));
        assert_eq!(backoff.wait(start + SECOND), Some(SECOND));
        assert_eq!(backoff.wait(start + 2 * SECOND), None);
    }

    #[test]
    fn a_minute_of_uptime_is_forgiveness_and_less_is_not() {
        for (uptime, pause) in [(59, 8), (60, 1)] {
            let start = Instant::now();
            let mut backoff = Backoff::default();
            for _ in 0..3 {
                backoff.failed(start);
            }
            backoff.began(start);
            // Another that is up does not make the first one younger.
            backoff.began(start + 30 * SECOND);
            assert_eq!(backoff.wait(start), None, "it is up");
            assert_eq!(backoff.failed(start + uptime * SECOND).as_secs(), pause);
        }
    }

    #[test]
    fn the_first_crash_is_free_and_the_second_within_a_minute_is_not() {
        let start = Instant::now();
        let mut crashes = Crashes::default();
        let crash = |crashes: &mut Crashes, began: u64, ended: u64| {
            let cell = Crash::default();
            crashes.seated(Arc::clone(&cell), start + Duration::from_secs(began));
            cell.set(start + Duration::from_secs(ended)).unwrap();
            crashes
                .check(start + Duration::from_secs(ended))
                .err()
                .map(|refusal| match refusal {
                    Refusal::Start { retry_after, .. } => retry_after.as_secs(),
                    other => panic!("{other}"),
                })
        };
        assert_eq!(crash(&mut crashes, 0, 1), None);
        assert_eq!(crash(&mut crashes, 1, 2), Some(1));
        assert_eq!(crash(&mut crashes, 3, 4), Some(2));
        assert_eq!(crash(&mut crashes, 6, 66), None, "it was up for a minute");
        assert_eq!(crash(&mut crashes, 66, 67), Some(1));
    }

    #[test]
    fn a_server_that_was_stopped_has_not_crashed() {
        let start = Instant::now();
        let mut crashes = Crashes::default();
        for _ in 0..5 {
            crashes.seated(Crash::default(), start);
            crashes.check(start).unwrap();
        }
    }
}
