//! Children that somebody's own variables keep from starting.
//!
//! A wrong credential ends many servers at once. That is no reason to keep everybody else from theirs,
//! so such starts do not count where the server's life is told; each client's have pauses of their own.

use std::collections::HashMap;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::slots::Whose;
use crate::exchange::{Backoff, Refusal};

/// Clients whose failures are remembered. Those who may try again are forgotten first.
const MAX_REMEMBERED: usize = 1024;

/// Pauses, by whom they are for.
#[derive(Default)]
pub(super) struct Faltering(Mutex<HashMap<Whose, Backoff>>);

impl Faltering {
    /// Whether a child of theirs may be started now.
    ///
    /// # Errors
    ///
    /// [`Refusal::Start`] with what is left of the pause.
    pub(super) fn check(&self, whose: &Whose, now: Instant) -> Result<(), Refusal> {
        let all = self.0.lock();
        match all.get(whose).and_then(|backoff| backoff.wait(now)) {
            None => Ok(()),
            Some(retry_after) => Err(Refusal::Start {
                sentence:
                    "it ended before it answered initialize, with the variables that are this \
                           client's own"
                        .to_owned(),
                retry_after,
            }),
        }
    }

    /// A start of theirs has failed.
    pub(super) fn failed(&self, whose: &Whose, now: Instant) {
        let mut all = self.0.lock();
        if all.len() >= MAX_REMEMBERED {
            all.retain(|_, backoff| backoff.wait(now).is_some());
        }
        if all.len() < MAX_REMEMBERED || all.contains_key(whose) {
            all.entry(whose.clone()).or_default().failed(now);
        }
    }

    /// A child of theirs has been greeted.
    pub(super) fn greeted(&self, whose: &Whose) {
        self.0.lock().remove(whose);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::exchange::{Principal, Variables};

    fn whose(name: &str, key: &str) -> Whose {
        Whose {
            principal: Some(Principal::named(name)),
            brought: Variables::of([("KEY".to_owned(), key.to_owned())]),
            given: Variables::default(),
        }
    }

    #[test]
    fn pauses_are_of_those_who_fail() {
        let faltering = Faltering::default();
        let now = Instant::now();
        let alice = whose("alice", "wrong");
        faltering.failed(&alice, now);
        assert!(faltering.check(&alice, now).is_err());
        assert!(faltering.check(&whose("alice", "right"), now).is_ok());
        assert!(faltering.check(&whose("bob", "wrong"), now).is_ok());
        let later = now + Duration::from_secs(1);
        assert!(faltering.check(&alice, later).is_ok());
        faltering.failed(&alice, later);
        assert!(
            faltering
                .check(&alice, later + Duration::from_secs(1))
                .is_err()
        );
        faltering.greeted(&alice);
        assert!(faltering.check(&alice, later).is_ok());
    }

    #[test]
    fn who_varies_for_ever_is_not_remembered_for_ever() {
        let faltering = Faltering::default();
        let now = Instant::now();
        for n in 0..MAX_REMEMBERED * 2 {
            faltering.failed(&whose("mallory", &n.to_string()), now);
        }
        assert_eq!(faltering.0.lock().len(), MAX_REMEMBERED);
        let later = now + Duration::from_secs(60);
        let alice = whose("alice", "wrong");
        faltering.failed(&alice, later);
        assert!(faltering.check(&alice, later).is_err());
    }
}
