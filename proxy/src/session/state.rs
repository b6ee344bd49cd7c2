//! One session: its record, its seat at a server, its streams and its calls.

use std::collections::HashMap;
use std::sync::Arc;

use mcp_wire::{Id, Message, Version};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Record, Replay, Ring, SessionId};
use crate::exchange::{
    AskId, ExchangeId, Handle, Outlet, Principal, Refusal, Seat, Seated, Servers, Tap,
};

/// Streams of one session that wait for their client to come back. A client opens one per call
/// it makes; the oldest waiting stream is given up first.
const MAX_WAITING_STREAMS: usize = 64;

/// A stream of a session: 0 is the standing one (GET), the others are answers to a POST.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(pub u32);

impl StreamId {
    /// The stream of a GET.
    pub const STANDING: Self = Self(0);
}

/// What a session may hold.
#[derive(Clone, Copy, Debug)]
pub struct SessionLimits {
    /// Bytes of written events kept for clients that come back.
    pub replay: usize,
    /// Bytes of unwritten events one stream may hold.
    pub outlet: usize,
}

/// One client of a session era. Cheap to share; nothing in it waits but [`Session::seated`].
#[derive(Debug)]
pub struct Session {
    id: SessionId,
    principal: Principal,
    limits: SessionLimits,
    standing: Outlet,
    state: Mutex<State>,
    /// One reseating at a time; the others wait for its result.
    seating: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State {
    record: Record,
    version: Option<Version>,
    seated: Option<Seated>,
    ended: bool,
    /// Calls in flight, and the same by the client's ids.
    calls: HashMap<ExchangeId, Origin>,
    ids: HashMap<Id, ExchangeId>,
    next_exchange: u64,
    streams: HashMap<StreamId, Stream>,
    next_stream: u32,
    ring: Ring,
    last_used: Instant,
}

/// A stream that was opened as SSE and is not over.
#[derive(Debug)]
struct Stream {
    outlet: Outlet,
    sequence: u64,
    /// Exchanges that have not ended.
    open: Vec<ExchangeId>,
}

/// Where a call came from.
#[derive(Debug)]
pub struct Origin {
    /// The client's own id.
    pub id: Id,
    /// The call at the server, once it was sent.
    pub handle: Option<Handle>,
    /// The client cancelled before the call was sent; its notice.
    cancelled: Option<Message>,
    /// What its success means for the record.
    pub note: Option<Note>,
}

/// A request whose success changes what a successor of the server has to know.
#[derive(Debug)]
pub enum Note {
    /// `logging/setLevel`
    Level(Message),
    /// `resources/subscribe`
    Subscribe(Message),
    /// `resources/unsubscribe`
    Unsubscribe(Message),
    /// `initialize`; the version stands in the result.
    Initialize,
}

/// A stream a client came back to.
#[derive(Debug)]
pub struct Taken {
    /// Which.
    pub stream: StreamId,
    /// The rest of it, from now on.
    pub tap: Tap,
    /// What was written before and has to be written again.
    pub replay: Vec<(u64, bytes::Bytes)>,
    /// Nothing will follow the replay.
    pub over: bool,
}

/// Why a stream cannot be taken up where it was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unresumable {
    /// There is no such stream (any more).
    Unknown,
    /// Events between are gone.
    Gap,
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
        let (standing, _unattended) = Outlet::new(limits.outlet);
        Arc::new(Self {
            id,
            standing,
            limits,
            state: Mutex::new(State {
                record: Record::new(principal.as_str(), initialize),
                version: None,
                seated: None,
                ended: false,
                calls: HashMap::new(),
                ids: HashMap::new(),
                next_exchange: 1,
                streams: HashMap::new(),
                next_stream: 1,
                ring: Ring::new(limits.replay),
                last_used: Instant::now(),
            }),
            principal,
            seating: tokio::sync::Mutex::new(()),
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

    /// What it may hold.
    #[must_use]
    pub const fn limits(&self) -> SessionLimits {
        self.limits
    }

    /// A copy of what a successor of its server would be told.
    #[must_use]
    pub fn record(&self) -> Record {
        self.state.lock().record.clone()
    }

    /// The version the server settled on; `None` before `initialize` was answered, or where the
    /// server named one we do not know.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.state.lock().version
    }

    /// Takes the first seat: at a server that waits for this client's `initialize`.
    ///
    /// # Errors
    ///
    /// As [`Servers::seat`].
    pub async fn open(&self, servers: &dyn Servers) -> Result<Seated, Refusal> {
        let _one = self.seating.lock().await;
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
        let _one = self.seating.lock().await;
        if let Some(seated) = self.current() {
            return Ok(seated);
        }
        let revival = {
            let state = self.state.lock();
            if state.ended {
                return Err(Refusal::Gone);
            }
            state.record.revival()
        };
        tracing::info!(
            session = self.id.short(),
            "its server is gone; starting another and telling it what this client said"
        );
        let seated = servers.seat(self.seat(Some(revival))).await?;
        self.sit(seated)
    }

    fn seat(&self, revival: Option<crate::exchange::Revival>) -> Seat {
        Seat {
            principal: self.principal.clone(),
            standing: self.standing.clone(),
            revival,
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
            seated.server.leave(seated.feed);
            return Err(Refusal::Gone);
        }
        state.seated = Some(seated.clone());
        Ok(seated)
    }

    /// Enters a call. `None` if the client has a call of the same id in flight.
    #[must_use]
    pub fn enter(&self, id: Id, note: Option<Note>) -> Option<ExchangeId> {
        let mut state = self.state.lock();
        if state.ids.contains_key(&id) {
            return None;
        }
        let exchange = ExchangeId(state.next_exchange);
        state.next_exchange += 1;
        state.ids.insert(id.clone(), exchange);
        state.calls.insert(
            exchange,
            Origin {
                id,
                handle: None,
                cancelled: None,
                note,
            },
        );
        Some(exchange)
    }

    /// Says which call at the server an exchange has become.
    pub fn started(&self, exchange: ExchangeId, handle: Handle) {
        let mut state = self.state.lock();
        let Some(origin) = state.calls.get_mut(&exchange) else {
            return;
        };
        if let Some(notice) = origin.cancelled.take() {
            drop(state);
            handle.cancel(Some(notice));
        } else {
            origin.handle = Some(handle);
        }
    }

    /// The client cancels the call it made under this id. One that is not in flight is nobody's
    /// fault: the answer and the cancellation may have crossed.
    pub fn cancel(&self, id: &Id, notice: Message) {
        let handle = {
            let mut state = self.state.lock();
            let Some(exchange) = state.ids.get(id).copied() else {
                return;
            };
            let Some(origin) = state.calls.get_mut(&exchange) else {
                return;
            };
            match origin.handle.take() {
                Some(handle) => handle,
                None => {
                    origin.cancelled = Some(notice);
                    return;
                }
            }
        };
        handle.cancel(Some(notice));
    }

    /// The exchange has ended.
    #[must_use]
    pub fn finish(&self, exchange: ExchangeId) -> Option<Origin> {
        let mut state = self.state.lock();
        let origin = state.calls.remove(&exchange)?;
        state.ids.remove(&origin.id);
        state.last_used = Instant::now();
        Some(origin)
    }

    /// Writes into the record what the success of a request means.
    pub fn noted(&self, note: &Note, result: &Message) {
        let mut state = self.state.lock();
        match note {
            Note::Level(request) => state.record.leveled(request),
            Note::Subscribe(request) => state.record.subscribed(request),
            Note::Unsubscribe(request) => state.record.unsubscribed(request),
            Note::Initialize => {
                let version = result
                    .result()
                    .and_then(|result| mcp_wire::object::get(result, "protocolVersion"))
                    .and_then(|text| std::str::from_utf8(text).ok())
                    .map(|text| text.trim_matches('"').to_owned());
                state.version = version.as_deref().and_then(|text| text.parse().ok());
                state.record.version = version;
            }
        }
    }

    /// Passes an answer to the server. False if nobody waits for it.
    #[must_use]
    pub fn answer(&self, ask: AskId, reply: Message) -> bool {
        self.current()
            .is_some_and(|seated| seated.server.answer(seated.feed, ask, reply))
    }

    /// Registers a POST's stream, so that its client can come back to it. `open` are the
    /// exchanges on it that have not ended.
    #[must_use]
    pub fn open_stream(&self, outlet: Outlet, open: Vec<ExchangeId>) -> StreamId {
        let mut state = self.state.lock();
        if state.streams.len() >= MAX_WAITING_STREAMS {
            let oldest = state
                .streams
                .iter()
                .filter(|(_, stream)| !stream.outlet.is_attended())
                .map(|(id, _)| *id)
                .min();
            if let Some(oldest) = oldest {
                state.forget(oldest);
            }
        }
        let id = StreamId(state.next_stream);
        state.next_stream += 1;
        state.streams.insert(
            id,
            Stream {
                outlet,
                sequence: 0,
                open,
            },
        );
        id
    }

    /// Numbers an event of a stream and keeps what is needed to write it again.
    pub fn record_event(&self, stream: StreamId, message: Option<&Message>) -> u64 {
        let mut state = self.state.lock();
        let Some(entry) = state.streams.get_mut(&stream) else {
            return 0;
        };
        entry.sequence += 1;
        let sequence = entry.sequence;
        match message {
            Some(message) if state.ring.keeps(message.len()) => {
                state.ring.push(stream.0, sequence, &message.to_bytes());
            }
            Some(_) => state.ring.skip(stream.0, sequence),
            None => {}
        }
        sequence
    }

    /// One of a stream's exchanges has ended; true if it was the last.
    #[must_use]
    pub fn close_exchange(&self, stream: StreamId, exchange: ExchangeId) -> bool {
        let mut state = self.state.lock();
        state.streams.get_mut(&stream).is_none_or(|stream| {
            stream.open.retain(|open| *open != exchange);
            stream.open.is_empty()
        })
    }

    /// The exchanges of a stream that have not ended.
    #[must_use]
    pub fn open_exchanges(&self, stream: StreamId) -> Vec<ExchangeId> {
        let state = self.state.lock();
        state
            .streams
            .get(&stream)
            .map_or_else(Vec::new, |stream| stream.open.clone())
    }

    /// Takes the standing stream for a GET that names no event. `None` while another connection
    /// reads it: a second GET must not take events from the first.
    #[must_use]
    pub fn take_standing(&self) -> Option<Tap> {
        let mut state = self.state.lock();
        if state.ended || self.standing.is_attended() {
            return None;
        }
        self.standing.reopen();
        state.streams.entry(StreamId::STANDING).or_insert(Stream {
            outlet: self.standing.clone(),
            sequence: 0,
            open: Vec::new(),
        });
        Some(self.standing.tap())
    }

    /// Takes a stream up after the event a client names, from whoever reads it now.
    ///
    /// # Errors
    ///
    /// [`Unresumable`] says what is missing.
    pub fn resume(&self, stream: StreamId, sequence: u64) -> Result<Taken, Unresumable> {
        let state = self.state.lock();
        let entry = state.streams.get(&stream).ok_or(Unresumable::Unknown)?;
        match state.ring.after(stream.0, sequence) {
            Replay::Gap => Err(Unresumable::Gap),
            Replay::Events(replay) => {
                entry.outlet.reopen();
                Ok(Taken {
                    stream,
                    tap: entry.outlet.tap(),
                    replay,
                    over: entry.open.is_empty() && stream != StreamId::STANDING,
                })
            }
        }
    }

    /// How many calls have not been answered.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.state.lock().calls.len()
    }

    /// The client was heard of.
    pub fn touch(&self) {
        self.state.lock().last_used = Instant::now();
    }

    /// Since when nobody uses it; `None` while a call runs or a stream is read.
    #[must_use]
    pub fn idle_since(&self) -> Option<Instant> {
        let state = self.state.lock();
        let used = state
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

    /// Whether it has ended.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.state.lock().ended
    }

    /// Ends it: calls in flight are answered as lost, streams close, the seat is given up.
    pub fn end(&self) {
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
            seated.server.leave(seated.feed);
        }
        for outlet in outlets {
            outlet.close();
        }
        self.standing.close();
    }
}

impl State {
    /// Gives up a stream its client has not come back to, with what was in flight on it.
    fn forget(&mut self, stream: StreamId) {
        let Some(gone) = self.streams.remove(&stream) else {
            return;
        };
        gone.outlet.close();
        self.ring.forget(stream.0);
        for exchange in gone.open {
            if let Some(origin) = self.calls.remove(&exchange) {
                self.ids.remove(&origin.id);
            }
        }
    }
}
