//! How much at once? The cap on requests one principal has in flight.
//!
//! A request is in flight from the moment it is let in until the last byte of its answer was taken,
//! so a call whose answer is a stream counts as long as that is open. Standing streams are no
//! requests in this sense: sessions bound those. A call of the session eras whose client left goes on
//! at its server, and is not counted any more.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::rate::Whose;

/// The requests in flight. Its entries are those, so it is bounded by what connections carry.
#[derive(Debug)]
pub struct InFlight {
    cap: usize,
    count: Mutex<HashMap<Whose, usize>>,
}

/// A request in flight; dropping it says that it has ended.
#[derive(Debug)]
pub struct Ticket {
    all: Arc<InFlight>,
    whose: Whose,
}

impl InFlight {
    /// At most so many for each.
    #[must_use]
    pub fn new(cap: usize) -> Arc<Self> {
        Arc::new(Self {
            cap,
            count: Mutex::default(),
        })
    }

    /// One more of somebody's, unless the cap is reached; then `None`.
    #[must_use]
    pub fn enter(self: &Arc<Self>, whose: Whose) -> Option<Ticket> {
        let mut count = self.count.lock();
        let here = count.entry(whose.clone()).or_default();
        if *here >= self.cap {
            return None;
        }
        *here += 1;
        Some(Ticket {
            all: Arc::clone(self),
            whose,
        })
    }

    /// The cap.
    #[must_use]
    pub const fn cap(&self) -> usize {
        self.cap
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut count = self.all.count.lock();
        if let Some(here) = count.get_mut(&self.whose) {
            *here -= 1;
            if *here == 0 {
                count.remove(&self.whose);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Principal;

    #[test]
    fn each_has_so_many_and_gets_them_back() {
        let all = InFlight::new(2);
        let alice = Whose::Principal(Principal::named("alice"));
        let bob = Whose::Principal(Principal::named("bob"));
        let one = all.enter(alice.clone()).unwrap();
        let _two = all.enter(alice.clone()).unwrap();
        assert!(all.enter(alice.clone()).is_none());
        let other = all.enter(bob.clone()).unwrap();
        drop(one);
        let again = all.enter(alice).unwrap();
        drop((other, again));
        assert_eq!(all.count.lock().len(), 1, "who has none has no entry");
    }
}
