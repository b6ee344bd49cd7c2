//! Finds sessions, bounds their number, and ends those nobody uses.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use tokio::time::Instant;

use super::{Session, SessionId};
use crate::exchange::{Loss, Principal};

/// How long a session is unused before its server may be stopped for another's sake. Longer than a
/// model thinks between two calls, shorter than a lunch.
const DOZING: Duration = Duration::from_secs(60);

/// All living sessions of one server.
#[derive(Debug)]
pub struct Table {
    sessions: RwLock<HashMap<SessionId, Arc<Session>>>,
    cap: usize,
    idle: Duration,
}

impl Table {
    /// A table of at most `cap` sessions, each of which may be unused for `idle`.
    #[must_use]
    pub fn new(cap: usize, idle: Duration) -> Self {
        Self {
            sessions: RwLock::new(HashMap::new()),
            cap,
            idle,
        }
    }

    /// How many sessions there may be.
    #[must_use]
    pub const fn cap(&self) -> usize {
        self.cap
    }

    /// The session of this id, if it is alive and this principal's. A stranger's session is as
    /// unknown as one that never was, and so is a session that is one connection: only that
    /// connection's own front reaches it.
    #[must_use]
    pub fn find(&self, id: &str, principal: &Principal) -> Option<Arc<Session>> {
        let session = self.sessions.read().get(id).cloned()?;
        (session.principal() == principal && !session.is_connection()).then(|| {
            session.touch();
            session
        })
    }

    /// Enters a session. Where the table is full, the one unused for longest makes room, unless
    /// all are in use.
    ///
    /// # Errors
    ///
    /// Gives the session back when there is no room.
    pub fn enter(&self, session: Arc<Session>) -> Result<(), Arc<Session>> {
        let evicted = {
            let mut sessions = self.sessions.write();
            let evicted = if sessions.len() < self.cap {
                None
            } else {
                let oldest = sessions
                    .values()
                    .filter_map(|session| Some((session.idle_since()?, session.id().clone())))
                    .min_by_key(|(since, _)| *since);
                let Some((_, oldest)) = oldest else {
                    return Err(session);
                };
                sessions.remove(&oldest)
            };
            sessions.insert(session.id().clone(), session);
            evicted
        };
        if let Some(evicted) = evicted {
            evicted.end(&Loss::session_ended());
        }
        Ok(())
    }

    /// Ends one session. False if it is not there.
    pub fn end(&self, id: &SessionId) -> bool {
        let session = self.sessions.write().remove(id);
        session.is_some_and(|session| {
            session.end(&Loss::session_ended());
            true
        })
    }

    /// Puts the session to sleep that has been unused for longest, if that is long enough for its
    /// client to be elsewhere. False if there is none.
    #[must_use]
    pub fn make_room(&self, now: Instant) -> bool {
        let longest = self
            .sessions
            .read()
            .values()
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

    /// Ends the sessions that have been unused for too long, and bounds what the others keep.
    pub fn sweep(&self, now: Instant) {
        let all: Vec<Arc<Session>> = self.sessions.read().values().cloned().collect();
        for session in all {
            session.trim();
        }
        let over: Vec<SessionId> = self
            .sessions
            .read()
            .values()
            .filter(|session| {
                session
                    .idle_since()
                    .is_some_and(|since| now.saturating_duration_since(since) >= self.idle)
            })
            .map(|session| session.id().clone())
            .collect();
        for id in over {
            tracing::info!(session = id.short(), "ended a session nobody used");
            self.end(&id);
        }
    }

    /// Ends all of them, because the proxy stops.
    pub fn end_all(&self) {
        let sessions = std::mem::take(&mut *self.sessions.write());
        for session in sessions.into_values() {
            session.end(&Loss::shutting_down());
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.read().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many calls are in flight in all of them.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.sessions
            .read()
            .values()
            .map(|session| session.in_flight())
            .sum()
    }
}
