//! Servers of the session eras for clients of 2026-07-28, where the server speaks nothing newer.
//!
//! Such a server was told once what its clients can be asked, so there is a crew of them for each
//! principal and each profile of capabilities (rule 2). Processes are kept warm without having been
//! told anything yet: any crew can take one.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use mcp_wire::Era;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::Pool;
use super::crew::Crew;
use super::slots::{MAX_VARIANTS, Whose};
use crate::back::legacy::Legacy;
use crate::exchange::{FeedId, Principal, Profile, Refusal, Seat, Seated};
use crate::translate::legacy_server::{Desk, Doorbell, LegacyServer, Settings, Station, Turn};

/// Crews and desks that are kept before those nobody uses are thrown away.
const MANY: usize = 1024;

/// What translation needs of a pool.
pub(super) struct Translation {
    settings: Arc<Settings>,
    /// How many processes are kept that nobody has greeted.
    warm: usize,
    crews: Mutex<HashMap<(Whose, Profile), Arc<Crew>>>,
    desks: Mutex<HashMap<Option<Principal>, Arc<Desk>>>,
    spares: Mutex<Vec<Arc<Legacy>>>,
    warming: AtomicUsize,
    /// The server has been seen to ask.
    asks: Arc<AtomicBool>,
}

impl Translation {
    pub(super) fn new(settings: Arc<Settings>, warm: usize) -> Self {
        Self {
            settings,
            warm,
            crews: Mutex::default(),
            desks: Mutex::default(),
            spares: Mutex::default(),
            warming: AtomicUsize::new(0),
            asks: Arc::default(),
        }
    }

    /// What a principal has parked is found whatever its servers are given by now.
    fn desk(&self, whose: &Whose) -> Arc<Desk> {
        let principal = &whose.principal;
        let mut desks = self.desks.lock();
        if desks.len() >= MANY {
            desks.retain(|_, desk| Arc::strong_count(desk) > 1);
        }
        let desk = desks
            .entry(principal.clone())
            .or_insert_with(|| Desk::new(Arc::clone(&self.settings), principal.is_some()));
        Arc::clone(desk)
    }

    fn crew(&self, whose: &Whose, profile: Profile) -> Result<Arc<Crew>, Refusal> {
        let mut crews = self.crews.lock();
        if crews.len() >= MANY {
            crews.retain(|_, crew| Arc::strong_count(crew) > 1 || !crew.is_empty());
        }
        let known = crews.contains_key(&(whose.clone(), profile));
        if !known && !whose.brought.is_empty() {
            let others = crews.iter().filter(|((other, _), crew)| {
                let varies = !other.brought.is_empty() && other.brought != whose.brought;
                varies && other.principal == whose.principal && !crew.is_empty()
            });
            let others: HashSet<_> = others.map(|((other, _), _)| &other.brought).collect();
            if others.len() >= MAX_VARIANTS {
                return Err(Refusal::Varied { cap: MAX_VARIANTS });
            }
        }
        Ok(Arc::clone(
            crews.entry((whose.clone(), profile)).or_default(),
        ))
    }
}

impl LegacyServer for Legacy {
    fn restless_until(&self) -> Option<Instant> {
        Self::restless_until(self)
    }

    fn hold(&self, needed: bool) {
        Self::hold(self, needed);
    }
}

impl Pool {
    /// A place for one request of a client of 2026-07-28 at a server that does not speak it.
    pub(super) async fn translated(&self, seat: Seat) -> Result<Seated, Refusal> {
        let whose = self.served_with(&seat);
        let needs = seat.needs;
        let parked = needs.resumes.as_ref().and_then(|state| {
            let desk = self.translation.desk(&whose);
            desk.station_of(state)
        });
        let (station, lease) = match parked {
            Some(station) => (station, None),
            None => {
                let crew = self.translation.crew(&whose, needs.profile)?;
                let asking = needs.may_ask && !needs.profile.is_none();
                let leased = asking && self.asks();
                let pool = self.me()?;
                let start = || {
                    let (pool, whose, crew) = (Arc::clone(&pool), whose.clone(), Arc::clone(&crew));
                    async move { pool.open_station(whose, needs.profile, &crew).await }
                };
                crew.seat(leased, start, self.settings.start).await?
            }
        };
        if needs.resumes.is_some() {
            // Whether the call may be made again stands there.
            station.know_tools().await;
        }
        Ok(Seated {
            server: Turn::new(station, seat.principal, lease),
            feed: FeedId(0),
        })
    }

    /// Whether the server asks, as far as it was seen, now or in an earlier life of this proxy.
    fn asks(&self) -> bool {
        let seen = self.translation.asks.load(Ordering::Relaxed);
        if seen {
            self.eras.note_asks();
        }
        seen || self.eras.asks()
    }

    /// Another server of a crew: a warm process, or a new one.
    async fn open_station(
        self: &Arc<Self>,
        whose: Whose,
        profile: Profile,
        crew: &Crew,
    ) -> Result<Arc<Station>, Refusal> {
        self.still_serving()?;
        // A package that was installed anew may be another server, which the next request finds out.
        self.known_eras().await?;
        // The warm ones were started with nobody's credentials.
        let spare = whose.is_plain().then(|| self.take_spare()).flatten();
        let legacy = match spare {
            Some(spare) => {
                self.adopt(&spare, &whose);
                spare
            }
            None => {
                let legacy = Legacy::of_callers(Arc::clone(&self.translation.asks));
                self.start(&legacy, false, &whose).await?;
                legacy
            }
        };
        if whose.is_plain() {
            self.keep_warm();
        }
        let mut unfinished = super::legacy::StopUnlessKept(Some(Arc::clone(&legacy)));
        let doorbell = Arc::new(Doorbell::default());
        let feed = legacy.seat(doorbell.outlet());
        let welcomed = legacy.introduce(profile, self.settings.start).await;
        self.learn_of(&legacy)?;
        let welcomed = welcomed?;
        self.eras.note(Era::Legacy, true);
        unfinished.0 = None;
        let desk = self.translation.desk(&whose);
        let server: Arc<dyn LegacyServer> = legacy;
        let seat = (feed, &*doorbell);
        Ok(Station::open(
            server,
            seat,
            &desk,
            profile,
            &welcomed,
            crew.changed(),
        ))
    }

    fn take_spare(&self) -> Option<Arc<Legacy>> {
        use crate::exchange::Server as _;

        let mut spares = self.translation.spares.lock();
        spares.retain(|spare| !spare.is_gone());
        spares.pop()
    }

    /// Starts processes that wait for their greeting, where there is room for more than them.
    fn keep_warm(self: &Arc<Self>) {
        let Translation {
            spares,
            warming,
            warm,
            ..
        } = &self.translation;
        let missing = warm.saturating_sub(spares.lock().len() + warming.load(Ordering::Acquire));
        if missing == 0 || self.settings.room.free() <= missing {
            return;
        }
        warming.fetch_add(missing, Ordering::AcqRel);
        for _ in 0..missing {
            let pool = Arc::clone(self);
            tokio::spawn(async move {
                let legacy = Legacy::of_callers(Arc::clone(&pool.translation.asks));
                // That one cannot be started is found out by whoever needs it.
                let started = pool.start(&legacy, true, &Whose::default()).await;
                let translation = &pool.translation;
                translation.warming.fetch_sub(1, Ordering::AcqRel);
                if started.is_ok() {
                    translation.spares.lock().push(legacy);
                }
            });
        }
    }
}
