//! What is held for clients, counted in one place (`--memory-budget`).
//!
//! # Theory of operation
//!
//! Every queue has a bound of its own, but there are many queues: sixteen clients that read nothing
//! hold sixteen times what one may. So there is one number for all of them, the process's, as the
//! log and the metrics are.
//!
//! What is big counts itself: the body of a request and the line of a server are put into a
//! [`counted`](Budget::counted) buffer when they are whole, and are given back when the last slice
//! of them is gone, wherever that went: a queue, an outbox, the hands of the HTTP library. What is
//! small is counted by the queue that holds it, in steps of [`GRAIN`] bytes. A holder of less than
//! one step is not counted at all, so a small call costs no shared counter; how many such holders
//! there can be is what the other bounds say.
//!
//! Over the limit nobody waits. Whoever went over it calls [`relieve`](Budget::relieve), which cuts
//! the greediest holders, one after the other, until the rest fits. New bodies are refused while it
//! does not. Replay rings keep nothing while it is nearly reached.

use std::sync::Weak;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;

/// In which steps is counted, in bytes, and from which size on a buffer counts itself: what is below
/// it is copied rather than shared everywhere on the way.
pub const GRAIN: usize = 16 * 1024;

/// Where there is no limit of a container: room for a few of the longest answers at a time, and
/// little beside the servers, of which one of Node.js takes 70 MiB.
pub const DEFAULT: usize = 256 << 20;

/// The share of a small container's memory. The proxy itself takes 10 MiB, its servers the rest.
const SHARE: u64 = 4;

/// The budget of this process.
pub static PROCESS: Budget = Budget::new(usize::MAX);

/// So many bytes, and who holds how many of them.
#[derive(Debug)]
pub struct Budget {
    limit: AtomicUsize,
    held: AtomicUsize,
    /// Who has held much, and may be cut.
    greedy: Mutex<Vec<Weak<dyn Greedy>>>,
    /// One relief at a time: two would cut twice as much as is needed.
    relief: Mutex<()>,
}

/// Somebody who may hold much, and can be made to let go of it.
pub trait Greedy: Send + Sync + std::fmt::Debug {
    /// What would be free without it, in bytes.
    fn holds(&self) -> usize;

    /// Lets go of all of it, visibly to whom it was held for. Called without any lock of the budget.
    fn cut(&self);
}

/// The count of one holder. Dropping it gives everything back.
#[derive(Debug)]
pub struct Account {
    budget: &'static Budget,
    counted: AtomicUsize,
}

/// The budget that suits a machine: `memory` is the limit of its container in bytes, where there is
/// one, and `least` is what one message of every kind needs.
#[must_use]
pub fn suitable(memory: Option<u64>, least: usize) -> usize {
    let share = memory.and_then(|memory| usize::try_from(memory / SHARE).ok());
    share.map_or(DEFAULT, |share| share.min(DEFAULT)).max(least)
}

impl Budget {
    /// A budget of `limit` bytes.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self {
            limit: AtomicUsize::new(limit),
            held: AtomicUsize::new(0),
            greedy: Mutex::new(Vec::new()),
            relief: Mutex::new(()),
        }
    }

    /// From now on it is this much.
    pub fn limit_to(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// The limit, in bytes.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// What is held, in bytes, as far as it is counted.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Whether more is held than may be.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.held() > self.limit()
    }

    /// Whether so much is held that nothing should be kept which is only useful perhaps.
    #[must_use]
    pub fn is_tight(&self) -> bool {
        let limit = self.limit();
        self.held() > limit - limit / 8
    }

    /// The account of a new holder.
    #[must_use]
    pub const fn account(&'static self) -> Account {
        Account {
            budget: self,
            counted: AtomicUsize::new(0),
        }
    }

    /// The same bytes, counted until the last slice of them is dropped. Small ones are left as they
    /// are: whoever queues them counts them.
    #[must_use]
    pub fn counted(&'static self, bytes: Bytes) -> Bytes {
        if bytes.len() < GRAIN {
            return bytes;
        }
        let account = self.account();
        account.set(bytes.len());
        Bytes::from_owner(Counted {
            bytes,
            _account: account,
        })
    }

    /// Remembers somebody who has come to hold [`GRAIN`] bytes or more, until it is dropped. To be
    /// called once for each.
    pub fn enlist(&self, greedy: Weak<dyn Greedy>) {
        let mut all = self.greedy.lock();
        if all.len() == all.capacity() {
            // As often as the list would have grown, so that this costs little in the long run.
            all.retain(|one| one.strong_count() > 0);
        }
        all.push(greedy);
    }

    /// Cuts the greediest holders until the rest fits. Nothing happens within the limit. The caller
    /// holds no lock that a [`Greedy`] takes.
    pub fn relieve(&self) {
        if !self.is_over() {
            return;
        }
        let Some(_one) = self.relief.try_lock() else {
            return;
        };
        // Kept to be dropped at the end: the last owner of a holder may be here.
        let all: Vec<_> = {
            let all = self.greedy.lock();
            all.iter().filter_map(Weak::upgrade).collect()
        };
        while self.is_over() {
            let greediest = all
                .iter()
                .map(|one| (one.holds(), one))
                .filter(|(holds, _)| *holds >= GRAIN)
                .max_by_key(|(holds, _)| *holds);
            let Some((_, greediest)) = greediest else {
                return;
            };
            greediest.cut();
        }
    }
}

impl Account {
    /// Of which budget it is a part.
    #[must_use]
    pub const fn budget(&self) -> &'static Budget {
        self.budget
    }

    /// From now on this holder has so many bytes.
    pub fn set(&self, bytes: usize) {
        let counted = bytes - bytes % GRAIN;
        if self.counted.load(Ordering::Relaxed) == counted {
            return;
        }
        let before = self.counted.swap(counted, Ordering::Relaxed);
        let held = &self.budget.held;
        if counted > before {
            held.fetch_add(counted - before, Ordering::Relaxed);
        } else {
            held.fetch_sub(before - counted, Ordering::Relaxed);
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// Bytes and their account, as the owner of a buffer.
struct Counted {
    bytes: Bytes,
    _account: Account,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// A budget of its own for each test.
    fn budget(limit: usize) -> &'static Budget {
        Box::leak(Box::new(Budget::new(limit)))
    }

    #[derive(Debug)]
    struct Holder {
        account: Account,
        bytes: AtomicUsize,
    }

    impl Holder {
        fn of(budget: &'static Budget, bytes: usize) -> Arc<Self> {
            let account = budget.account();
            account.set(bytes);
            let bytes = AtomicUsize::new(bytes);
            let holder = Arc::new(Self { account, bytes });
            let weak: Weak<Self> = Arc::downgrade(&holder);
            budget.enlist(weak);
            holder
        }

        fn has(&self) -> usize {
            self.bytes.load(Ordering::Relaxed)
        }
    }

    impl Greedy for Holder {
        fn holds(&self) -> usize {
            self.has()
        }

        fn cut(&self) {
            self.bytes.store(0, Ordering::Relaxed);
            self.account.set(0);
        }
    }

    #[test]
    fn what_is_small_is_not_counted_and_what_is_dropped_is_given_back() {
        let budget = budget(usize::MAX);
        let account = budget.account();
        account.set(GRAIN - 1);
        assert_eq!(budget.held(), 0);
        account.set(3 * GRAIN + 5);
        assert_eq!(budget.held(), 3 * GRAIN);
        let other = budget.account();
        other.set(GRAIN);
        account.set(GRAIN);
        assert_eq!(budget.held(), 2 * GRAIN);
        drop((account, other));
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn a_buffer_counts_until_its_last_slice_is_gone() {
        let budget = budget(usize::MAX);
        let bytes = budget.counted(Bytes::from(vec![b'x'; 4 * GRAIN]));
        let slice = bytes.slice(1..2);
        drop(bytes);
        assert_eq!(budget.held(), 4 * GRAIN);
        drop(slice);
        assert_eq!(budget.held(), 0);
        let small = budget.counted(Bytes::from(vec![b'x'; GRAIN - 1]));
        assert_eq!((small.len(), budget.held()), (GRAIN - 1, 0));
    }

    #[test]
    fn the_greediest_are_cut_until_the_rest_fits() {
        let budget = budget(10 * GRAIN);
        let [little, most, more] = [2, 9, 7].map(|grains| Holder::of(budget, grains * GRAIN));
        drop(Holder::of(budget, 20 * GRAIN));
        assert!(budget.is_over());
        budget.relieve();
        assert_eq!(
            (little.has(), most.has(), more.has()),
            (2 * GRAIN, 0, 7 * GRAIN)
        );
        assert_eq!(budget.held(), 9 * GRAIN);
        assert!(budget.is_tight());
        budget.relieve();
        assert_eq!(more.has(), 7 * GRAIN, "within the limit nobody is cut");
    }

    #[test]
    fn relief_ends_where_nobody_can_be_cut() {
        let budget = budget(GRAIN);
        let account = budget.account();
        account.set(5 * GRAIN);
        budget.relieve();
        assert!(budget.is_over());
    }

    #[test]
    fn those_who_left_are_forgotten() {
        let budget = budget(usize::MAX);
        for _ in 0..10_000 {
            drop(Holder::of(budget, GRAIN));
        }
        assert!(budget.greedy.lock().len() < 100);
    }

    #[test]
    fn a_small_machine_has_a_quarter_and_enough_for_one_message() {
        const MIB: usize = 1 << 20;
        for (memory, expected) in [
            (None, 256),
            (Some(64 << 30), 256),
            (Some(512 << 20), 128),
            (Some(256 << 20), 64),
            (Some(64 << 20), 36),
        ] {
            assert_eq!(suitable(memory, 36 * MIB), expected * MIB, "{memory:?}");
        }
    }
}
