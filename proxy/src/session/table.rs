//! Finds sessions, bounds their number, and ends those nobody uses.
//!
//! A proxy has one bound for the sessions of all its servers, and each server sees its own sessions
//! only: an id that one server gave out is as unknown at another as one that never was.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::RwLock;
use tokio::time::Instant;

use super::{Session, SessionId};
use crate::exchange::{Loss, Principal};

/// How long a session is unused before its server may be stopped for another's sake. Longer than a
/// model thinks between two calls, shorter than a lunch.
const DOZING: Duration = Duration::from_secs(60);

/// All living sessions of one server, among those of its neighbours.
#[derive(Debug)]
pub struct Table {
    all: Arc<All>,
    /// Which of the neighbours this is.
    owner: u64,
}

/// The sessions of all servers.
#[derive(Debug)]
struct All {
    sessions: RwLock<HashMap<SessionId, Owned>>,
    next_owner: AtomicU64,
    cap: usize,
    idle: Duration,
}

/// A session, and the server that gave it out.
#[derive(Debug)]
struct Owned {
    owner: u64,
    session: Arc<Session>,
}

impl Table {
    /// A table of at most `cap` sessions, each of which may be unused for `idle`.
    #[must_use]
    pub fn new(cap: usize, idle: Duration) -> Self {
        Self {
            all: Arc::new(All {
                sessions: RwLock::new(HashMap::new()),
                next_owner: AtomicU64::new(1),
                cap,
                idle,
            }),
            owner: 0,
        }
    }

    /// A table for another server, with sessions of its own and the same bounds for all together.
    #[must_use]
    pub fn neighbour(&self) -> Self {
        Self {
            owner: self.all.next_owner.fetch_add(1, Ordering::Relaxed),
            all: Arc::clone(&self.all),
        }
    }

    /// How many sessions there may be, the neighbours' included.
    #[must_use]
    pub fn cap(&self) -> usize {
        self.all.cap
    }

    /// Whether a session of this id is alive here, whosever it is.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        let sessions = self.all.sessions.read();
        sessions.get(id).is_some_and(|owned| self.owns(owned))
    }

    fn owns(&self, owned: &Owned) -> bool {
        owned.owner == self.owner
    }

    /// This server's own sessions.
    fn own(&self) -> Vec<Arc<Session>> {
        let sessions = self.all.sessions.read();
        let own = sessions.values().filter(|owned| self.owns(owned));
        own.map(|owned| Arc::clone(&owned.session)).collect()
    }

    /// The session of this id, if it is alive and this principal's. A stranger's session is as
    /// unknown as one that never was, and so is a session that is one connection: only that
    /// connection's own front reaches it.
    #[must_use]
    pub fn find(&self, id: &str, principal: &Principal) -> Option<Arc<Session>> {
        let session = {
            let sessions = self.all.sessions.read();
            let owned = sessions.get(id).filter(|owned| self.owns(owned))?;
            Arc::clone(&owned.session)
        };
        (session.principal() == principal && !session.is_connection()).then(|| {
            session.touch();
            session
        })
    }

    /// Enters a session. Where there are too many, the one unused for longest makes room, whichever
    /// server's it is, unless all are in use.
    ///
    /// # Errors
    ///
    /// Gives the session back when there is no room.
    pub fn enter(&self, session: Arc<Session>) -> Result<(), Arc<Session>> {
        let evicted = {
            let mut sessions = self.all.sessions.write();
            let evicted = if sessions.len() < self.all.cap {
                None
            } else {
                let oldest = sessions
                    .iter()
                    .filter_map(|(id, owned)| Some((owned.session.idle_since()?, id.clone())))
                    .min_by_key(|(since, _)| *since);
                let Some((_, oldest)) = oldest else {
                    return Err(session);
                };
                sessions.remove(&oldest)
            };
            let owner = self.owner;
            sessions.insert(session.id().clone(), Owned { owner, session });
            evicted
        };
        if let Some(evicted) = evicted {
            evicted.session.end(&Loss::session_ended());
        }
        Ok(())
    }

    /// Ends one session. False if it is not there.
    pub fn end(&self, id: &SessionId) -> bool {
        let owned = self.all.sessions.write().remove(id);
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
            .values()
            .map(|owned| &owned.session)
            .filter(|session| session.is_awake())
            .filter_map(|session| Some((session.idle_since()?, Arc::clone(session))))
            .min_by_key(|(since, _)| *since);
        match longest {
            Some((since, session)) if now.saturating_duration_since(since) >= DOZING => {
                session.sleep(since)
            }
            _ => false,
        }
    }

    /// Ends the server's sessions that have been unused for too long, and bounds what the others keep.
    pub fn sweep(&self, now: Instant) {
        for session in self.own() {
            session.trim();
        }
        let over: Vec<SessionId> = self
            .own()
            .into_iter()
            .filter(|session| {
                session
                    .idle_since()
                    .is_some_and(|since| now.saturating_duration_since(since) >= self.all.idle)
            })
            .map(|session| session.id().clone())
            .collect();
        for id in over {
            tracing::info!(session = id.short(), "ended a session nobody used");
            self.end(&id);
        }
    }

    /// Ends all of the server's, because it stops.
    pub fn end_all(&self) {
        let own = {
            let mut sessions = self.all.sessions.write();
            let own = sessions.extract_if(|_, owned| owned.owner == self.owner);
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
        let own = sessions.values().filter(|owned| self.owns(owned));
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use mcp_wire::Message;

    use super::*;
    use crate::session::SessionLimits;

    fn session() -> Arc<Session> {
        let initialize = br#"{"jsonrpc":"2.0","id":1,"method":"initialize"}"#;
        let limits = SessionLimits {
            replay: 1 << 10,
            outlet: 1 << 20,
        };
        Session::new(
            SessionId::random(None).unwrap(),
            Principal::anonymous(),
            &Message::parse(Bytes::from_static(initialize)).unwrap(),
            limits,
        )
    }

    #[test]
    fn neighbours_share_the_bound_and_see_their_own_only() {
        let (one, me) = (
            Table::new(2, Duration::from_secs(60)),
            Principal::anonymous(),
        );
        let other = one.neighbour();
        let (mine, theirs) = (session(), session());
        one.enter(Arc::clone(&mine)).unwrap();
        other.enter(Arc::clone(&theirs)).unwrap();
        assert_eq!((one.len(), other.len()), (1, 1));
        assert!(one.find(mine.id().as_str(), &me).is_some());
        assert!(one.find(theirs.id().as_str(), &me).is_none());
        assert!(!other.has(mine.id().as_str()) && other.has(theirs.id().as_str()));
        // The third is one too many for both together, as long as all are in use.
        assert!(one.enter(session()).is_err() && other.enter(session()).is_err());
        other.end_all();
        assert!(other.is_empty() && theirs.is_ended() && !mine.is_ended());
        one.enter(session()).unwrap();
        assert_eq!((one.len(), other.len()), (2, 0));
    }
}
