//! Who sits at a server: one seat for each principal, however many requests it sends.
//!
//! A principal gives its seat up by not coming any more. An authorization server has any number of
//! them, so the seat that was not used for longest is given to the next, unless a call of it is in
//! flight.

use std::collections::{HashMap, HashSet};

use crate::exchange::{FeedId, Principal};

/// Seats of one server. More than the calls it may have in flight, so that there is always one to give
/// away.
const MAX_SEATS: usize = 4096;

/// The seats that are taken.
#[derive(Default)]
pub(super) struct Seats {
    seats: HashMap<Principal, Taken>,
    /// Whose each is.
    principals: HashMap<FeedId, Principal>,
    /// Counts uses, and with them the seats.
    uses: u64,
}

struct Taken {
    feed: FeedId,
    used: u64,
}

impl Seats {
    /// The seat of a principal; `busy` are those with calls in flight. Seats count from zero, and no
    /// number is given twice.
    pub(super) fn of(
        &mut self,
        principal: &Principal,
        busy: impl FnOnce() -> HashSet<FeedId>,
    ) -> FeedId {
        let used = self.uses;
        self.uses += 1;
        if let Some(taken) = self.seats.get_mut(principal) {
            taken.used = used;
            return taken.feed;
        }
        if self.seats.len() >= MAX_SEATS {
            self.free_one(&busy());
        }
        let feed = FeedId(used);
        self.seats.insert(principal.clone(), Taken { feed, used });
        self.principals.insert(feed, principal.clone());
        feed
    }

    /// Whose seat it is; `None` where it was given away.
    pub(super) fn whose(&self, feed: FeedId) -> Option<&Principal> {
        self.principals.get(&feed)
    }

    pub(super) fn len(&self) -> usize {
        self.seats.len()
    }

    fn free_one(&mut self, busy: &HashSet<FeedId>) {
        let idle = self.seats.iter();
        let idle = idle.filter(|(_, taken)| !busy.contains(&taken.feed));
        let oldest = idle.min_by_key(|(_, taken)| taken.used);
        if let Some(principal) = oldest.map(|(principal, _)| principal.clone())
            && let Some(taken) = self.seats.remove(&principal)
        {
            self.principals.remove(&taken.feed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_of_principals_is_bounded_and_takes_no_seat_that_is_in_use() {
        let principal = |n: usize| Principal::named(&n.to_string());
        let mut seats = Seats::default();
        let first = seats.of(&principal(0), HashSet::new);
        let second = seats.of(&principal(1), HashSet::new);
        assert_eq!(seats.of(&principal(0), HashSet::new), first);
        for n in 2..MAX_SEATS * 2 {
            let feed = seats.of(&principal(n), || HashSet::from([second]));
            assert_eq!(seats.whose(feed), Some(&principal(n)));
            assert!(seats.len() <= MAX_SEATS);
        }
        assert_eq!(seats.whose(second), Some(&principal(1)));
        // It was not used for longest, and whoever still has its number is told nothing of another.
        assert_eq!(seats.whose(first), None);
        assert_ne!(seats.of(&principal(0), HashSet::new), first);
    }
}
