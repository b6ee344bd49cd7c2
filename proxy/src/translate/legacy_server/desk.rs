//! What outlives single servers: parked calls, subscriptions, and what clients have said of their
//! roots.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::Settings;
use super::listen::Listeners;
use super::long;
use super::round::Round;
use super::state::ParkId;
use crate::exchange::Profile;

/// How long the end of a parked call is remembered, for a client whose connection broke before it
/// heard and who sends its retry again.
const GRACE: Duration = Duration::from_secs(60);

/// Calls that have become tasks, ten minutes beyond their end. Further ones are answered plainly.
const MAX_LONG: usize = 64;

/// Ends that are remembered; the oldest are forgotten first.
const MAX_ENDED: usize = 64;

/// What the servers of one principal, or of all of them, have in common.
pub struct Desk {
    pub(super) settings: Arc<Settings>,
    of_one: bool,
    parks: Mutex<HashMap<ParkId, Parked>>,
    pub(super) listeners: Mutex<Listeners>,
    roots: Mutex<HashMap<Profile, Bytes>>,
    /// Calls that have become tasks, and are kept.
    long: AtomicUsize,
}

struct Parked {
    round: Arc<Round>,
    /// Since when its call is over.
    ended: Option<Instant>,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk")
            .field("of_one", &self.of_one)
            .finish_non_exhaustive()
    }
}

impl Desk {
    /// A desk for the servers of one principal (`of_one`), or for those everybody shares.
    #[must_use]
    pub fn new(settings: Arc<Settings>, of_one: bool) -> Arc<Self> {
        Arc::new(Self {
            settings,
            of_one,
            parks: Mutex::default(),
            listeners: Mutex::default(),
            roots: Mutex::default(),
            long: AtomicUsize::new(0),
        })
    }

    /// Whether everything here is one principal's.
    pub(super) const fn is_of_one(&self) -> bool {
        self.of_one
    }

    /// The server at which the call that a state names waits. `state` is the JSON text of it, and
    /// need not be anything.
    #[must_use]
    pub fn station_of(&self, state: &[u8]) -> Option<Arc<super::Station>> {
        let round = self.find(super::state::park(state)?)?;
        Some(Arc::clone(&round.station)).filter(|station| !station.is_gone())
    }

    pub(super) fn parked(&self, park: ParkId, round: &Arc<Round>) {
        let round = Arc::clone(round);
        let mut parks = self.parks.lock();
        while parks
            .values()
            .filter(|parked| parked.ended.is_some())
            .count()
            >= MAX_ENDED
        {
            let oldest = parks
                .iter()
                .filter_map(|(park, parked)| Some((parked.ended?, *park)))
                .min_by_key(|(ended, _)| *ended);
            let Some((_, oldest)) = oldest else { break };
            parks.remove(&oldest);
        }
        parks.insert(park, Parked { round, ended: None });
    }

    /// Keeps a call that has become a task, for a while beyond its end.
    pub(super) fn keep_long(&self, id: ParkId, round: &Arc<Round>) {
        self.long.fetch_add(1, Ordering::AcqRel);
        self.parked(id, round);
    }

    /// Such a call is over: its client has a while to ask how it ended.
    pub(super) fn long_ended(self: &Arc<Self>, id: ParkId) {
        let desk = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep(long::KEPT).await;
            if let Some(desk) = desk.upgrade() {
                let _round = desk.parks.lock().remove(&id);
                desk.long.fetch_sub(1, Ordering::AcqRel);
            }
        });
    }

    /// Whether one more call may become a task.
    pub(super) fn has_room_for_tasks(&self) -> bool {
        self.long.load(Ordering::Acquire) < MAX_LONG
    }

    pub(super) fn find(&self, park: ParkId) -> Option<Arc<Round>> {
        let parks = self.parks.lock();
        parks.get(&park).map(|parked| Arc::clone(&parked.round))
    }

    /// A parked call is over. One whose end was `unheard` is as good as never made.
    pub(super) fn ended(self: &Arc<Self>, park: ParkId, unheard: bool) {
        let mut parks = self.parks.lock();
        if unheard {
            // Bound, so that it is dropped after the lock.
            let _round = parks.remove(&park);
        } else if let Some(parked) = parks.get_mut(&park) {
            parked.ended = Some(Instant::now());
            let desk = Arc::downgrade(self);
            tokio::spawn(async move {
                tokio::time::sleep(GRACE).await;
                if let Some(desk) = desk.upgrade() {
                    let _round = desk.parks.lock().remove(&park);
                }
            });
        }
    }

    /// What answers a question for roots that nobody else can answer: what the configuration says, or
    /// what a client of this profile said last.
    pub(super) fn roots(&self, profile: Profile) -> Option<Bytes> {
        let configured = self.settings.roots.clone();
        configured.or_else(|| self.roots.lock().get(&profile).cloned())
    }

    pub(super) fn remember_roots(&self, profile: Profile, answer: Bytes) {
        self.roots.lock().insert(profile, answer);
    }
}
