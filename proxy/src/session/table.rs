//! Finds sessions, bounds their number, and ends those nobody uses.
//!
//! A proxy has one bound for the sessions of all its servers, and each server sees its own sessions
//! only: an id that one server gave out is as unknown at another as one that never was.
//!
//! What was kept over a restart is here, too, as long as nobody has asked for it: by the digest of
//! an id nobody has presented yet. Such a session counts as any other, and is made when its client
//! comes.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use parking_lot::RwLock;
use tokio::time::Instant;

use super::kept::{Kept, Key};
use super::{Session, SessionId, SessionLimits};
use crate::exchange::{Loss, Principal};
use crate::observe::metrics;

/// What the sessions of a proxy are held to.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How many there may be.
    pub cap: usize,
    /// How long one may be unused.
    pub idle: Duration,
    /// How long one may be unused until its server is stopped and it lives on without;
    /// `None`: as long as it lives.
    pub child_idle: Option<Duration>,
    /// How long one is unused before its server may be stopped for another's sake.
    pub yield_after: Duration,
    /// What one may hold.
    pub session: SessionLimits,
}

/// All living sessions of one server, among those of its neighbours.
#[derive(Debug)]
pub struct Table {
    all: Arc<All>,
    /// Which of the neighbours this is.
    owner: u64,
    /// The server's name among those that are configured.
    server: Arc<str>,
}

/// The sessions of all servers.
#[derive(Debug)]
struct All {
    sessions: RwLock<Sessions>,
    next_owner: AtomicU64,
    bounds: Bounds,
}

#[derive(Debug, Default)]
struct Sessions {
    living: HashMap<SessionId, Owned>,
    dormant: HashMap<Key, Dormant>,
}

/// A session, and the server that gave it out.
#[derive(Debug)]
struct Owned {
    owner: u64,
    server: Arc<str>,
    key: Key,
    session: Arc<Session>,
}

/// What was kept of a session whose client has not come back.
#[derive(Debug)]
struct Dormant {
    kept: Kept,
    since: Instant,
}

/// A session that is to be kept over a restart, with its key and its server's name.
pub(super) type Lasting = (Key, Arc<str>, Arc<Session>);

/// Which session makes room.
enum Oldest {
    Living(SessionId),
    Dormant(Key),
}

impl Sessions {
    /// What was kept of the session of this id. The digest is not made where nothing was.
    fn dormant_of(&self, id: &str) -> Option<&Dormant> {
        if self.dormant.is_empty() {
            return None;
        }
        self.dormant.get(&Key::of(id))
    }

    fn len(&self) -> usize {
        self.living.len() + self.dormant.len()
    }

    /// The one unused for longest; `None` if all are in use.
    fn oldest(&self) -> Option<Oldest> {
        let living = self.living.iter().filter_map(|(id, owned)| {
            let since = owned.session.idle_since()?;
            Some((since, Oldest::Living(id.clone())))
        });
        let dormant = self.dormant.iter();
        let dormant = dormant.map(|(key, dormant)| (dormant.since, Oldest::Dormant(*key)));
        let oldest = living.chain(dormant).min_by_key(|(since, _)| *since);
        oldest.map(|(_, oldest)| oldest)
    }
}

impl Table {
    /// A table of sessions within these bounds.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self {
            all: Arc::new(All {
                sessions: RwLock::default(),
                next_owner: AtomicU64::new(1),
                bounds,
            }),
            owner: 0,
            server: Arc::from(""),
        }
    }

    /// A table for the server of this name, with sessions of its own and the same bounds for all
    /// together. Sessions that were kept are found under the name.
    #[must_use]
    pub fn neighbour(&self, server: &str) -> Self {
        Self {
            owner: self.all.next_owner.fetch_add(1, Ordering::Relaxed),
            all: Arc::clone(&self.all),
            server: Arc::from(server),
        }
    }

    /// How many sessions there may be, the neighbours' included.
    #[must_use]
    pub fn cap(&self) -> usize {
        self.all.bounds.cap
    }

    /// Whether a session of this id is alive here, whosever it is.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        let sessions = self.all.sessions.read();
        let living = sessions.living.get(id);
        if living.is_some_and(|owned| self.owns(owned)) {
            return true;
        }
        let kept = sessions.dormant_of(id);
        kept.is_some_and(|dormant| *dormant.kept.server == *self.server)
    }

    fn owns(&self, owned: &Owned) -> bool {
        owned.owner == self.owner
    }

    /// This server's own sessions.
    fn own(&self) -> Vec<Arc<Session>> {
        let sessions = self.all.sessions.read();
        let own = sessions.living.values().filter(|owned| self.owns(owned));
        own.map(|owned| Arc::clone(&owned.session)).collect()
    }

    /// The session of this id, if it is alive and this principal's. A stranger's session is as
    /// unknown as one that never was, and so is a session that is one connection: only that
    /// connection's own front reaches it.
    #[must_use]
    pub fn find(&self, id: &str, principal: &Principal) -> Option<Arc<Session>> {
        let living = {
            let sessions = self.all.sessions.read();
            let owned = sessions.living.get(id).filter(|owned| self.owns(owned));
            owned.map(|owned| Arc::clone(&owned.session))
        };
        let session = living.or_else(|| self.revive(id, principal))?;
        if session.principal() != principal {
            // Whoever knows the id of another's session has it from somewhere it should not be.
            metrics::refused("session", None);
            return None;
        }
        if session.is_connection() {
            return None;
        }
        if self.all.bounds.session.ends_with_child && session.has_lost_its_server() {
            self.end(session.id());
            return None;
        }
        session.touch();
        Some(session)
    }

    /// The session this principal had at this server before the proxy was started again.
    fn revive(&self, id: &str, principal: &Principal) -> Option<Arc<Session>> {
        self.all.sessions.read().dormant_of(id)?;
        let mut sessions = self.all.sessions.write();
        if let Some(owned) = sessions.living.get(id) {
            // Another request of the client was quicker.
            return self.owns(owned).then(|| Arc::clone(&owned.session));
        }
        let key = Key::of(id);
        let is_theirs = |dormant: &Dormant| {
            *dormant.kept.server == *self.server
                && dormant.kept.record.principal == principal.as_str()
        };
        sessions
            .dormant
            .get(&key)
            .filter(|dormant| is_theirs(dormant))?;
        let dormant = sessions.dormant.remove(&key)?;
        let id = SessionId::known(id);
        let session = Session::revived(id.clone(), &dormant.kept, self.all.bounds.session);
        tracing::info!(
            session = id.short(),
            "a session of before the restart goes on"
        );
        let owned = Owned {
            owner: self.owner,
            server: Arc::clone(&self.server),
            key,
            session: Arc::clone(&session),
        };
        sessions.living.insert(id, owned);
        Some(session)
    }

    /// Puts in what was kept by the proxy before this one. What is too old is left out, and where
    /// there is more than there may be, what was unused for longest.
    pub(super) fn restore(&self, kept: Vec<(Key, Kept)>) {
        let (now, clock) = (Instant::now(), SystemTime::now());
        let bounds = &self.all.bounds;
        let mut kept: Vec<_> = kept
            .into_iter()
            .map(|(key, kept)| (kept.unused_for(clock), key, kept))
            .filter(|(unused, ..)| *unused < bounds.idle)
            .collect();
        kept.sort_by_key(|(unused, ..)| *unused);
        kept.truncate(bounds.cap);
        let kept = kept.into_iter().map(|(unused, key, kept)| {
            // Shortly after the machine was started its clock may not go back that far.
            let since = now.checked_sub(unused).unwrap_or(now);
            (key, Dormant { kept, since })
        });
        self.all.sessions.write().dormant.extend(kept);
    }

    /// What is to be kept over a restart, of all servers: sessions, and the keys of those nobody has
    /// asked for since the last.
    pub(super) fn lasting(&self) -> (Vec<Lasting>, Vec<Key>) {
        let sessions = self.all.sessions.read();
        let living = sessions.living.values();
        let lasting = living.filter(|owned| owned.session.is_lasting());
        let lasting = lasting.map(|owned| {
            let (server, session) = (Arc::clone(&owned.server), Arc::clone(&owned.session));
            (owned.key, server, session)
        });
        (
            lasting.collect(),
            sessions.dormant.keys().copied().collect(),
        )
    }

    /// Enters a session. Where there are too many, the one unused for longest makes room, whichever
    /// server's it is, unless all are in use.
    ///
    /// # Errors
    ///
    /// Gives the session back when there is no room.
    pub fn enter(&self, session: Arc<Session>) -> Result<(), Arc<Session>> {
        let key = Key::of(session.id().as_str());
        let evicted = {
            let mut sessions = self.all.sessions.write();
            let evicted = if sessions.len() < self.all.bounds.cap {
                None
            } else {
                match sessions.oldest() {
                    None => return Err(session),
                    Some(Oldest::Living(id)) => sessions.living.remove(&id),
                    Some(Oldest::Dormant(key)) => {
                        sessions.dormant.remove(&key);
                        None
                    }
                }
            };
            let owned = Owned {
                owner: self.owner,
                server: Arc::clone(&self.server),
                key,
                session: Arc::clone(&session),
            };
            sessions.living.insert(session.id().clone(), owned);
            evicted
        };
        if let Some(evicted) = evicted {
            evicted.session.end(&Loss::session_ended());
        }
        Ok(())
    }

    /// Ends one session. False if it is not there.
    pub fn end(&self, id: &SessionId) -> bool {
        let owned = self.all.sessions.write().living.remove(id);
        owned.is_some_and(|owned| {
            owned.session.end(&Loss::session_ended());
            true
        })
    }

    /// Puts the session to sleep that has been unused for longest, whichever server's it is, if that
    /// is long enough for its client to be elsewhere. False if there is none.
    #[must_use]
    pub fn make_room(&self, now: Instant) -> bool {
        let longest = self
            .all
            .sessions
            .read()
            .living
            .values()
            .map(|owned| &owned.session)
            .filter(|session| session.is_awake())
            .filter_map(|session| Some((session.idle_since()?, Arc::clone(session))))
            .min_by_key(|(since, _)| *since);
        match longest {
            Some((since, session))
                if now.saturating_duration_since(since) >= self.all.bounds.yield_after =>
            {
                self.put_to_sleep(&session, since)
            }
            _ => false,
        }
    }

    /// Stops the server of a session nobody uses; where sessions end with their servers, the session,
    /// too.
    fn put_to_sleep(&self, session: &Arc<Session>, since: Instant) -> bool {
        let asleep = session.sleep(since);
        if asleep && self.all.bounds.session.ends_with_child {
            self.end(session.id());
        }
        asleep
    }

    /// Ends the server's sessions that have been unused for too long, and bounds what the others
    /// keep: events for absent clients, and their servers.
    pub fn sweep(&self, now: Instant) {
        let bounds = &self.all.bounds;
        let dormant =
            |dormant: &mut Dormant| now.saturating_duration_since(dormant.since) < bounds.idle;
        if !self.all.sessions.read().dormant.is_empty() {
            self.all
                .sessions
                .write()
                .dormant
                .retain(|_, kept| dormant(kept));
        }
        for session in self.own() {
            session.trim();
            if bounds.session.ends_with_child && session.has_lost_its_server() {
                tracing::info!(
                    session = session.id().short(),
                    "ended a session with its server"
                );
                self.end(session.id());
                continue;
            }
            let Some(since) = session.idle_since() else {
                continue;
            };
            let unused = now.saturating_duration_since(since);
            if unused >= bounds.idle {
                tracing::info!(
                    session = session.id().short(),
                    "ended a session nobody used"
                );
                self.end(session.id());
            } else if bounds.child_idle.is_some_and(|limit| unused >= limit) && session.is_awake() {
                let _asleep = self.put_to_sleep(&session, since);
            }
        }
    }

    /// Ends all of the server's, because it stops.
    pub fn end_all(&self) {
        let own = {
            let mut sessions = self.all.sessions.write();
            sessions
                .dormant
                .retain(|_, dormant| *dormant.kept.server != *self.server);
            let living = &mut sessions.living;
            let own = living.extract_if(|_, owned| owned.owner == self.owner);
            own.map(|(_, owned)| owned.session).collect::<Vec<_>>()
        };
        for session in own {
            session.end(&Loss::shutting_down());
        }
    }

    /// How many the server has.
    #[must_use]
    pub fn len(&self) -> usize {
        let sessions = self.all.sessions.read();
        let own = sessions.living.values().filter(|owned| self.owns(owned));
        own.count()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many calls are in flight in all of the server's.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        let own = self.own();
        own.iter().map(|session| session.in_flight()).sum()
    }
}
