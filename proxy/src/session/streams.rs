//! The streams of a session: numbered, so that a client can come back to one.
//!
//! Taking an event from an outlet and recording it has to be one step to whoever resumes the
//! stream meanwhile, or the event would be in neither the ring nor the queue. That is what a
//! stream's [`Turn`] is for: its reader holds it for the step, [`Session::resume`] while it looks
//! at the one and takes the other.

use std::sync::Arc;

use bytes::Bytes;
use mcp_wire::Message;
use parking_lot::Mutex;

use super::calls::Progress;
use super::state::State;
use super::{Replay, Session};
use crate::budget;
use crate::exchange::{ExchangeId, Handle, Outlet, Tap};

/// Streams of one session that wait for their client to come back. A client opens one per call
/// it makes. Those that are over are given up first, the oldest before the others.
const MAX_WAITING_STREAMS: usize = 64;

/// Bytes that may wait on all of those together. Twice the longest answer most servers give; more
/// is held for at most a second.
const MAX_WAITING_BYTES: usize = 16 << 20;

/// A stream of a session: 0 is the standing one (GET), the others are answers to a POST.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(pub u32);

impl StreamId {
    /// The stream of a GET.
    pub const STANDING: Self = Self(0);
}

/// Held by whoever moves events of one stream. Taken before any other lock.
pub type Turn = Arc<Mutex<()>>;

/// A stream that was opened as SSE.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) outlet: Outlet,
    turn: Turn,
    pub(super) sequence: u64,
    /// Exchanges that have not ended.
    pub(super) open: Vec<ExchangeId>,
}

/// A stream a client came back to.
#[derive(Debug)]
pub struct Taken {
    /// Which.
    pub stream: StreamId,
    /// The rest of it, from now on.
    pub tap: Tap,
    /// What was written before and has to be written again.
    pub replay: Vec<(u64, Bytes)>,
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
    /// Registers a POST's stream, so that its client can come back to it. `open` are the
    /// exchanges on it that have not ended.
    #[must_use]
    pub fn open_stream(&self, outlet: Outlet, open: Vec<ExchangeId>) -> StreamId {
        let mut state = self.state.lock();
        let given_up = if state.streams.len() < MAX_WAITING_STREAMS {
            Vec::new()
        } else {
            state.forget_one()
        };
        let id = StreamId(state.next_stream);
        state.next_stream += 1;
        state.streams.insert(id, Stream::new(outlet, open));
        drop(state);
        for handle in given_up {
            handle.cancel(None);
        }
        id
    }

    /// What a reader of this stream holds while it takes and records events.
    #[must_use]
    pub fn turn(&self, stream: StreamId) -> Turn {
        let state = self.state.lock();
        state
            .streams
            .get(&stream)
            .map_or_else(Turn::default, |stream| Arc::clone(&stream.turn))
    }

    /// Gives streams up until what waits for absent clients is bounded, and what was kept to be sent
    /// again where memory is short; called about once a second.
    pub fn trim(&self) {
        let mut given_up = Vec::new();
        let mut state = self.state.lock();
        if budget::PROCESS.is_tight() {
            state.ring.clear();
        }
        while state.unattended_bytes() > MAX_WAITING_BYTES {
            let before = state.streams.len();
            given_up.extend(state.forget_one());
            if state.streams.len() == before {
                break;
            }
        }
        drop(state);
        for handle in given_up {
            handle.cancel(None);
        }
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
            Some(message) if state.ring.keeps(message.len()) && !budget::PROCESS.is_tight() => {
                // An edited message is joined into a buffer of its own; one that is not shares the
                // buffer it was read into, which may be much larger than it.
                let text = if message.is_edited() {
                    message.to_bytes()
                } else {
                    Bytes::copy_from_slice(message.source())
                };
                state.ring.push(stream.0, sequence, text);
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

    /// Takes the standing stream from its beginning. `None` while another connection reads it: a
    /// second GET must not take events from the first, unless its client has `proven` by an event
    /// id that it is the same.
    #[must_use]
    pub fn take_standing(&self, proven: bool) -> Option<Tap> {
        let mut state = self.state.lock();
        if state.ended || (self.standing.is_attended() && !proven) {
            return None;
        }
        self.standing.reopen();
        state
            .streams
            .entry(StreamId::STANDING)
            .or_insert_with(|| Stream::new(self.standing.clone(), Vec::new()));
        Some(self.standing.tap())
    }

    /// Takes a stream up after the event a client names, from whoever reads it now.
    ///
    /// # Errors
    ///
    /// [`Unresumable`] says what is missing.
    pub fn resume(&self, stream: StreamId, sequence: u64) -> Result<Taken, Unresumable> {
        let turn = self.turn(stream);
        let _turn = turn.lock();
        let state = self.state.lock();
        let entry = state.streams.get(&stream).ok_or(Unresumable::Unknown)?;
        match state.ring.after(stream.0, sequence) {
            Replay::Gap => Err(Unresumable::Gap),
            // What the standing stream dropped while nobody read it is not in the ring: its
            // client is given a new beginning. A call's stream says itself what it lost.
            Replay::Events(_) if stream == StreamId::STANDING && entry.outlet.has_overflowed() => {
                Err(Unresumable::Gap)
            }
            Replay::Events(replay) => Ok(Taken {
                stream,
                tap: entry.outlet.tap(),
                replay,
                over: entry.open.is_empty() && stream != StreamId::STANDING,
            }),
        }
    }
}

impl Stream {
    pub(super) fn new(outlet: Outlet, open: Vec<ExchangeId>) -> Self {
        Self {
            outlet,
            turn: Turn::default(),
            sequence: 0,
            open,
        }
    }
}

impl State {
    /// Whether an exchange's events go to a stream no client reads.
    pub(super) fn nobody_reads(&self, exchange: ExchangeId) -> bool {
        self.streams
            .values()
            .any(|stream| stream.open.contains(&exchange) && !stream.outlet.is_attended())
    }

    /// Forgets a call; what is still said of it finds no origin and is dropped.
    pub(super) fn forget_call(&mut self, exchange: ExchangeId) {
        if let Some(origin) = self.calls.remove(&exchange) {
            self.ids.remove(&origin.id);
        }
        for stream in self.streams.values_mut() {
            stream.open.retain(|open| *open != exchange);
        }
    }

    /// Bytes that wait on streams no client reads.
    fn unattended_bytes(&self) -> usize {
        self.streams
            .values()
            .filter(|stream| !stream.outlet.is_attended())
            .map(|stream| stream.outlet.queued())
            .sum()
    }

    /// Gives up one stream its client has not come back to; returns the calls that were still in
    /// progress on it.
    fn forget_one(&mut self) -> Vec<Handle> {
        let least = self
            .streams
            .iter()
            .filter(|(id, stream)| **id != StreamId::STANDING && !stream.outlet.is_attended())
            .min_by_key(|(id, stream)| (!stream.open.is_empty(), **id))
            .map(|(id, _)| *id);
        let Some((id, gone)) = least.and_then(|id| self.streams.remove_entry(&id)) else {
            return Vec::new();
        };
        gone.outlet.close();
        self.ring.forget(id.0);
        let mut handles = Vec::new();
        for exchange in gone.open {
            if let Some(origin) = self.calls.remove(&exchange) {
                self.ids.remove(&origin.id);
                if let Progress::Sent(handle) = origin.progress {
                    handles.push(handle);
                }
            }
        }
        handles
    }
}
