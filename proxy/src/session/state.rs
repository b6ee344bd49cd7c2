//! One session: its record, its seat at a server, and its end.
//!
//! Its calls are in `calls.rs`, its streams in `streams.rs`.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use mcp_wire::{Era, Id, Message, Version};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::calls::{Origin, Progress};
use super::streams::{Stream, StreamId};
use super::{Record, Ring, SessionId};
use crate::exchange::{
    AskId, Crashes, ExchangeId, Loss, Needs, Outlet, Principal, Refusal, Seat, Seated, Servers,
    Variables,
};

/// What a session may hold.
#[derive(Clone, Copy, Debug)]
pub struct SessionLimits {
    /// Bytes of written events kept for clients that come back.
    pub replay: usize,
    /// Bytes of unwritten events one stream may hold.
    pub outlet: usize,
    /// Whether it ends with its server, instead of taking another.
    pub ends_with_child: bool,
}

/// One client of a session era. Cheap to share; nothing in it waits but [`Session::seated`].
#[derive(Debug)]
pub struct Session {
    id: SessionId,
    principal: Principal,
    connection: bool,
    ends_with_child: bool,
    pub(super) standing: Outlet,
    pub(super) state: Mutex<State>,
    /// One reseating at a time; the others wait for its result.
    /// It holds the last failure, for those who waited while it happened.
    seating: tokio::sync::Mutex<Option<(Instant, Refusal)>>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) record: Record,
    /// Counts the changes of the record.
    pub(super) revision: u64,
    pub(super) version: Option<Version>,
    pub(super) seated: Option<Seated>,
    /// The place at a successor that is still being told what its predecessor knew.
    pub(super) early: Arc<OnceLock<Seated>>,
    /// The server has not accepted `initialize` yet.
    pub(super) opening: bool,
    pub(super) ended: bool,
    /// Calls in flight, and the same by the client's ids.
    pub(super) calls: HashMap<ExchangeId, Origin>,
    pub(super) ids: HashMap<Id, ExchangeId>,
    pub(super) next_exchange: u64,
    pub(super) streams: HashMap<StreamId, Stream>,
    pub(super) next_stream: u32,
    pub(super) ring: Ring,
    pub(super) last_used: Instant,
    /// How the servers it had before have ended.
    crashes: Crashes,
    /// What its client brought along for its server. It is no part of the record: credentials are not
    /// kept on disk.
    variables: Variables,
}

impl Session {
    /// A session that has no seat yet.
    #[must_use]
    pub fn new(
        id: SessionId,
        principal: Principal,
        initialize: &Message,
        limits: SessionLimits,
    ) -> Arc<Self> {
        let record = Record::new(principal.as_str(), initialize);
        Self::with(id, principal, record, limits)
    }

    /// A session that is one connection (2024-11-05, HTTP+SSE; stdio): it is there before its client
    /// says `initialize`, has its standing stream for everything, and ends with it. Where the
    /// connection has a stream already, that is the one.
    #[must_use]
    pub fn connection(
        id: SessionId,
        principal: Principal,
        limits: SessionLimits,
        standing: Option<Outlet>,
    ) -> Arc<Self> {
        let record = Record {
            principal: principal.as_str().to_owned(),
            ..Record::default()
        };
        let standing = standing.unwrap_or_else(|| Outlet::new(limits.outlet).0);
        Self::on(standing, id, principal, record, limits, true)
    }

    pub(super) fn with(
        id: SessionId,
        principal: Principal,
        record: Record,
        limits: SessionLimits,
    ) -> Arc<Self> {
        let (standing, _unattended) = Outlet::new(limits.outlet);
        Self::on(standing, id, principal, record, limits, false)
    }

    fn on(
        standing: Outlet,
        id: SessionId,
        principal: Principal,
        record: Record,
        limits: SessionLimits,
        connection: bool,
    ) -> Arc<Self> {
        Arc::new(Self {
            id,
            standing,
            connection,
            ends_with_child: limits.ends_with_child,
            state: Mutex::new(State {
                record,
                revision: 0,
                version: None,
                seated: None,
                early: Arc::default(),
                opening: true,
                ended: false,
                calls: HashMap::new(),
                ids: HashMap::new(),
                next_exchange: 1,
                streams: HashMap::new(),
                next_stream: 1,
                ring: Ring::new(limits.replay),
                last_used: Instant::now(),
                crashes: Crashes::default(),
                variables: Variables::default(),
            }),
            principal,
            seating: tokio::sync::Mutex::new(None),
        })
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> &SessionId {
        &self.id
    }

    /// Whose it is.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Whether it is one connection, and ends with it.
    #[must_use]
    pub const fn is_connection(&self) -> bool {
        self.connection
    }

    /// Its client brings these along for its server; its next one, where it has one already. Bringing
    /// none changes nothing.
    pub fn bring(&self, variables: Variables) {
        if !variables.is_empty() {
            self.state.lock().variables = variables;
        }
    }

    /// Where events go that belong to no call.
    #[must_use]
    pub fn standing(&self) -> Outlet {
        self.standing.clone()
    }

    /// Whether there is a server to speak to: the client said `initialize`, and a server took it
    /// or has yet to answer.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.state.lock().record.version.is_some() || self.current().is_some()
    }

    /// The version the server settled on; `None` before `initialize` was answered, or where the
    /// server named one we do not know.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.state.lock().version
    }

    /// Takes the first seat: at a server that waits for this client's `initialize`. A seat at a
    /// server that refused an earlier `initialize` is kept.
    ///
    /// # Errors
    ///
    /// As [`Servers::seat`].
    pub async fn open(&self, servers: &dyn Servers) -> Result<Seated, Refusal> {
        let _one = self.seating.lock().await;
        if let Some(seated) = self.current() {
            return Ok(seated);
        }
        let seated = servers.seat(self.seat(None)).await?;
        self.sit(seated)
    }

    /// The seat, or a new one at a successor that has been told what the old server knew.
    ///
    /// # Errors
    ///
    /// As [`Servers::seat`]; [`Refusal::Gone`] when the session has ended meanwhile.
    ///
    /// # Cancel safety
    ///
    /// A dropped future leaves the session as it was; the next caller starts again.
    pub async fn seated(&self, servers: &dyn Servers) -> Result<Seated, Refusal> {
        if let Some(seated) = self.current() {
            return Ok(seated);
        }
        let arrived = Instant::now();
        let mut failure = self.seating.lock().await;
        if let Some(seated) = self.current() {
            return Ok(seated);
        }
        if let Some((at, refusal)) = &*failure
            && *at > arrived
        {
            // It was tried for us, too: trying again for each would make the last one wait for
            // the sum of all.
            return Err(refusal.clone());
        }
        let revival = {
            let mut state = self.state.lock();
            let orphaned = self.ends_with_child && state.seated.is_some();
            if state.ended || orphaned {
                return Err(Refusal::Ended);
            }
            state.crashes.check(Instant::now())?;
            state.record.revival()
        };
        tracing::info!(
            session = self.id.short(),
            "its server is gone; starting another and telling it what this client said"
        );
        match servers.seat(self.seat(Some(revival))).await {
            Ok(seated) => self.sit(seated),
            Err(refusal) => {
                *failure = Some((Instant::now(), refusal.clone()));
                Err(refusal)
            }
        }
    }

    fn seat(&self, revival: Option<crate::exchange::Revival>) -> Seat {
        let early = Arc::default();
        let variables = {
            let mut state = self.state.lock();
            state.early = Arc::clone(&early);
            state.variables.clone()
        };
        Seat {
            principal: self.principal.clone(),
            variables,
            session: Some(self.id.short()),
            era: Era::Legacy,
            needs: Needs::default(),
            standing: self.standing.clone(),
            revival,
            early,
        }
    }

    fn current(&self) -> Option<Seated> {
        let state = self.state.lock();
        state
            .seated
            .as_ref()
            .filter(|seated| !seated.server.is_gone())
            .cloned()
    }

    fn sit(&self, seated: Seated) -> Result<Seated, Refusal> {
        let mut state = self.state.lock();
        if state.ended {
            drop(state);
            seated.server.leave(seated.feed, &Loss::session_ended());
            return Err(Refusal::Ended);
        }
        state.crashes.seated(seated.server.crash(), Instant::now());
        state.seated = Some(seated.clone());
        Ok(seated)
    }

    /// Passes an answer to the server. False if nobody waits for it.
    #[must_use]
    pub fn answer(&self, ask: AskId, reply: Message) -> bool {
        let seated = self
            .current()
            .or_else(|| self.state.lock().early.get().cloned());
        seated.is_some_and(|seated| seated.server.answer(seated.feed, ask, reply))
    }

    /// How many calls wait for the server, or for a server. One that was answered and whose
    /// client has not fetched the answer is not among them.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        let state = self.state.lock();
        let unsent = state
            .calls
            .values()
            .filter(|origin| matches!(origin.progress, Progress::Unsent))
            .count();
        unsent
            + state
                .seated
                .as_ref()
                .map_or(0, |seated| seated.server.in_flight(seated.feed))
    }

    /// The client was heard of.
    pub fn touch(&self) {
        self.state.lock().last_used = Instant::now();
    }

    /// Since when nobody uses it; `None` while a call runs or a stream is read.
    #[must_use]
    pub fn idle_since(&self) -> Option<Instant> {
        let state = self.state.lock();
        let used = state.opening
            || state
                .seated
                .as_ref()
                .is_some_and(|seated| seated.server.in_flight(seated.feed) > 0)
            || self.standing.is_attended()
            || state
                .streams
                .values()
                .any(|stream| stream.outlet.is_attended());
        (!used).then_some(state.last_used)
    }

    /// Stops its server and keeps everything else: the next request starts another, as after a
    /// crash. False, and nothing happens, if its client was heard of after `idle_since`.
    #[must_use]
    pub fn sleep(&self, idle_since: Instant) -> bool {
        let seated = {
            let mut state = self.state.lock();
            // Every request touches the session before it asks for the seat, so none has it.
            if state.last_used != idle_since {
                return false;
            }
            state.seated.take()
        };
        let Some(seated) = seated else { return false };
        tracing::info!(
            session = self.id.short(),
            "its server is stopped, because nobody uses it; the next request starts another"
        );
        seated.server.leave(seated.feed, &Loss::session_ended());
        true
    }

    /// Whether its server has ended by itself, and no request has taken another yet.
    #[must_use]
    pub fn has_lost_its_server(&self) -> bool {
        let state = self.state.lock();
        let seated = state.seated.as_ref();
        seated.is_some_and(|seated| seated.server.is_gone())
    }

    /// Whether it has a server.
    #[must_use]
    pub fn is_awake(&self) -> bool {
        self.state.lock().seated.is_some()
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.state.lock().ended
    }

    /// Ends it: calls in flight are answered with this loss, streams close, the seat is given up.
    pub fn end(&self, loss: &Loss) {
        let (seated, outlets) = {
            let mut state = self.state.lock();
            state.ended = true;
            let outlets: Vec<Outlet> = state
                .streams
                .values()
                .map(|stream| stream.outlet.clone())
                .collect();
            (state.seated.take(), outlets)
        };
        // Outside the lock: leaving pushes into outlets, whose readers come back to us.
        if let Some(seated) = seated {
            seated.server.leave(seated.feed, loss);
        }
        for outlet in outlets {
            outlet.close();
        }
        self.standing.close();
    }
}
