//! Follows the keys of an authorization server: one task that fetches them, and requests that wait for
//! it where they need a key that is not there.

use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::RwLock;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::fetch::Fetcher;
use super::keys::Keys;
use crate::config::Issuer;
use crate::observe::metrics;

/// Between two looks at the keys when nothing is missing: how long a key that was taken back goes on
/// opening this door.
const REFRESH: Duration = Duration::from_secs(10 * 60);

/// The same while the authorization server cannot be reached and nobody asks.
const RETRY: Duration = Duration::from_secs(60);

/// The least time between two looks, whoever asks: tokens with invented keys cost nothing to make.
const PAUSE: Duration = Duration::from_secs(5);

/// How long keys are good while their server cannot be asked for them. A server that is down for a
/// night must not lock everybody out, and one that is gone must not be believed for ever.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a request waits for a key. Looking takes up to three documents, mostly milliseconds each.
const PATIENCE: Duration = Duration::from_secs(10);

/// Requests that may wait for keys at once; further ones are answered by what is known.
const MAX_WAITING: usize = 256;

/// The keys, and whoever fetches them.
pub struct Following {
    keys: RwLock<Known>,
    /// Somebody misses a key.
    missing: Arc<Notify>,
    looks: watch::Sender<Looks>,
    waiting: Semaphore,
    task: RwLock<Option<AbortHandle>>,
}

#[derive(Clone, Default)]
struct Known {
    keys: Arc<Keys>,
    /// When they were fetched.
    at: Option<Instant>,
    /// Counts the sets, so that what was judged by an earlier one is judged again.
    edition: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Looks {
    over: u64,
    busy: bool,
    last: Option<Instant>,
}

impl std::fmt::Debug for Following {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Following")
            .field(&self.keys.read().keys.names())
            .finish()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().take() {
            task.abort();
        }
    }
}

impl Following {
    /// Follows the keys of this issuer, from now on. Must be called in a runtime.
    pub(super) fn start(issuer: &Issuer) -> Arc<Self> {
        let following = Arc::new(Self {
            keys: RwLock::default(),
            missing: Arc::default(),
            looks: watch::Sender::new(Looks {
                busy: true,
                ..Looks::default()
            }),
            waiting: Semaphore::new(MAX_WAITING),
            task: RwLock::default(),
        });
        let fetcher = Fetcher::new(issuer.clone());
        let missing = Arc::clone(&following.missing);
        let task = tokio::spawn(follow(Arc::downgrade(&following), fetcher, missing));
        *following.task.write() = Some(task.abort_handle());
        following
    }

    /// The keys of this moment, and which edition they are; `None` while there are none that are good.
    pub(super) fn now(&self) -> Option<(Arc<Keys>, u64)> {
        let known = self.keys.read();
        let good = known.at.is_some_and(|at| at.elapsed() < STALE);
        (good && !known.keys.is_empty()).then(|| (Arc::clone(&known.keys), known.edition))
    }

    /// Waits until the keys were looked at again, unless that was just now.
    ///
    /// # Cancel safety
    ///
    /// May be dropped; the look goes on.
    pub async fn look(&self) {
        let Ok(_waiting) = self.waiting.try_acquire() else {
            return;
        };
        let mut looks = self.looks.subscribe();
        let seen = *looks.borrow_and_update();
        let too_soon = seen.last.is_some_and(|last| last.elapsed() < PAUSE);
        if too_soon && !seen.busy {
            return;
        }
        if !seen.busy {
            self.missing.notify_one();
        }
        let over = looks.wait_for(|looks| looks.over > seen.over);
        // An error means that the proxy ends.
        let _looked = tokio::time::timeout(PATIENCE, over).await;
    }

    fn begin(&self) {
        self.looks.send_modify(|looks| looks.busy = true);
    }

    /// A look is over. Returns whether it came to something.
    fn end(&self, found: Result<Keys, String>) -> bool {
        let success = found.is_ok();
        metrics::looked_for_keys(success);
        match found {
            Ok(keys) => self.take(keys),
            Err(why) => {
                let kept = self.now().is_some();
                tracing::warn!(
                    target: "guard",
                    "the keys of the authorization server cannot be had: {why}; {}",
                    if kept {
                        "those that are known stay good for a day"
                    } else {
                        "its tokens are refused until then"
                    }
                );
            }
        }
        self.looks.send_modify(|looks| {
            *looks = Looks {
                over: looks.over + 1,
                busy: false,
                last: Some(Instant::now()),
            };
        });
        success
    }

    fn take(&self, keys: Keys) {
        let mut known = self.keys.write();
        if known.keys.names() != keys.names() {
            tracing::info!(target: "guard", keys = ?keys.names(), "the keys of the authorization server are known");
        }
        *known = Known {
            keys: Arc::new(keys),
            at: Some(Instant::now()),
            edition: known.edition + 1,
        };
    }
}

/// Looks at once, then whenever a key is missed or the last look is long ago.
async fn follow(following: Weak<Following>, mut fetcher: Fetcher, missing: Arc<Notify>) {
    loop {
        let Some(begun) = following.upgrade() else {
            return;
        };
        begun.begin();
        // Not held while it fetches, or nobody could drop it.
        drop(begun);
        let found = fetcher.keys().await;
        let Some(ended) = following.upgrade() else {
            return;
        };
        let rest = if ended.end(found) { REFRESH } else { RETRY };
        drop(ended);
        tokio::time::sleep(PAUSE).await;
        tokio::select! {
            () = missing.notified() => {}
            () = tokio::time::sleep(rest.saturating_sub(PAUSE)) => {}
        }
    }
}
