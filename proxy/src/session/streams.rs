//! The streams of a session: numbered, so that a client can come back to one.

use bytes::Bytes;
use mcp_wire::Message;

use super::state::State;
use super::{Replay, Session};
use crate::exchange::{ExchangeId, Outlet, Tap};

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

/// A stream that was opened as SSE and is not over.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) outlet: Outlet,
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
