//! The line that is being read: a server that writes one without an end holds as much as a line may
//! be long, and every server may. So what has come of it counts towards the budget of all, and it can
//! be given up for the others' sake.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use tokio::sync::Notify;

use crate::budget::{self, Account, GRAIN, Greedy};
use crate::observe::metrics;

/// What has come of a line whose end has not.
#[derive(Debug)]
pub(super) struct Half {
    bytes: AtomicUsize,
    account: Account,
    asked: AtomicBool,
    told: Notify,
}

impl Half {
    pub(super) fn new() -> Arc<Self> {
        let half = Arc::new(Self {
            bytes: AtomicUsize::new(0),
            account: budget::PROCESS.account(),
            asked: AtomicBool::new(false),
            told: Notify::new(),
        });
        let weak: Weak<Self> = Arc::downgrade(&half);
        budget::PROCESS.enlist(weak);
        half
    }

    /// So much of it is here now.
    pub(super) fn is_now(&self, bytes: usize) {
        // What small lines leave in the buffer is not worth a look.
        if bytes >= GRAIN || self.is_long() {
            self.bytes.store(bytes, Ordering::Relaxed);
            self.account.set(bytes);
            budget::PROCESS.relieve();
        }
    }

    /// Whether so much of it is here that it may have to be given up.
    pub(super) fn is_long(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) >= GRAIN
    }

    /// Waits until somebody asks for it to be given up. That may have been asked of a line that has ended
    /// since: [`Half::is_to_be_given_up`] tells.
    ///
    /// # Cancel safety
    /// May be dropped and called again.
    pub(super) async fn asked(&self) {
        self.told.notified().await;
    }

    /// Whether it is to be given up; says so once.
    pub(super) fn is_to_be_given_up(&self) -> bool {
        self.asked.load(Ordering::Relaxed) && self.asked.swap(false, Ordering::Relaxed)
    }

    /// The line has ended, and another has begun of which nothing was asked.
    pub(super) fn ended(&self) {
        self.asked.store(false, Ordering::Relaxed);
    }
}

impl Greedy for Half {
    fn holds(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// What is counted is given back here, and what is held as soon as the reader has its turn.
    fn cut(&self) {
        self.asked.store(true, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
        self.account.set(0);
        metrics::budget("memory");
        self.told.notify_one();
    }
}
