//! What was written last, for a client whose connection broke: bounded in bytes.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::budget::{self, Account};

/// The last events of a session, all its streams together.
///
/// A message larger than the whole ring is not kept, and neither is anything before it:
/// asking for it then says so.
#[derive(Debug)]
pub struct Ring {
    entries: VecDeque<Entry>,
    bytes: usize,
    budget: usize,
    account: Account,
    /// Per stream, the sequence number up to which events have been dropped.
    dropped: Vec<(u32, u64)>,
}

#[derive(Debug)]
struct Entry {
    stream: u32,
    sequence: u64,
    message: Bytes,
}

/// What a ring can give a client that comes back.
#[derive(Debug, PartialEq, Eq)]
pub enum Replay {
    /// Everything after the event it named, in order; possibly nothing.
    Events(Vec<(u64, Bytes)>),
    /// Something between is gone.
    Gap,
}

impl Ring {
    /// A ring of at most `budget` bytes of messages.
    #[must_use]
    pub fn new(budget: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            budget,
            account: budget::PROCESS.account(),
            dropped: Vec::new(),
        }
    }

    /// Whether a message of `len` bytes is worth handing over at all.
    #[must_use]
    pub const fn keeps(&self, len: usize) -> bool {
        len <= self.budget
    }

    /// Keeps the event `sequence` of `stream`. `message` has to be in a buffer of its own.
    pub fn push(&mut self, stream: u32, sequence: u64, message: Bytes) {
        self.bytes += message.len();
        self.entries.push_back(Entry {
            stream,
            sequence,
            message,
        });
        self.shrink_to(self.budget);
    }

    /// Forgets everything: who comes back for it is told that it is gone.
    pub fn clear(&mut self) {
        self.shrink_to(0);
        self.entries.shrink_to_fit();
    }

    fn shrink_to(&mut self, budget: usize) {
        while self.bytes > budget {
            let Some(entry) = self.entries.pop_front() else {
                break;
            };
            self.bytes -= entry.message.len();
            self.drop_until(entry.stream, entry.sequence);
        }
        self.account.set(self.bytes);
    }

    /// Says that the event `sequence` of `stream` was written but not kept.
    pub fn skip(&mut self, stream: u32, sequence: u64) {
        self.drop_until(stream, sequence);
    }

    /// Forgets a stream that nobody can ask for any more.
    pub fn forget(&mut self, stream: u32) {
        self.entries.retain(|entry| entry.stream != stream);
        self.bytes = self.entries.iter().map(|entry| entry.message.len()).sum();
        self.account.set(self.bytes);
        self.dropped.retain(|(known, _)| *known != stream);
    }

    /// The events of `stream` after `sequence`.
    #[must_use]
    pub fn after(&self, stream: u32, sequence: u64) -> Replay {
        let dropped = self
            .dropped
            .iter()
            .find(|(known, _)| *known == stream)
            .map_or(0, |(_, dropped)| *dropped);
        if sequence < dropped {
            return Replay::Gap;
        }
        Replay::Events(
            self.entries
                .iter()
                .filter(|entry| entry.stream == stream && entry.sequence > sequence)
                .map(|entry| (entry.sequence, entry.message.clone()))
                .collect(),
        )
    }

    fn drop_until(&mut self, stream: u32, sequence: u64) {
        if let Some((_, dropped)) = self.dropped.iter_mut().find(|(known, _)| *known == stream) {
            *dropped = sequence.max(*dropped);
        } else {
            self.dropped.push((stream, sequence));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequences(replay: Replay) -> Vec<u64> {
        match replay {
            Replay::Events(events) => events.into_iter().map(|(n, _)| n).collect(),
            Replay::Gap => panic!("a gap"),
        }
    }

    #[test]
    fn a_stream_gets_only_its_own_events() {
        let mut ring = Ring::new(100);
        ring.push(1, 1, Bytes::from_static(b"a"));
        ring.push(2, 1, Bytes::from_static(b"b"));
        ring.push(1, 2, Bytes::from_static(b"c"));
        assert_eq!(sequences(ring.after(1, 0)), [1, 2]);
        assert_eq!(sequences(ring.after(1, 1)), [2]);
        assert_eq!(sequences(ring.after(2, 1)), [] as [u64; 0]);
    }

    #[test]
    fn what_is_gone_is_told_and_not_skipped() {
        let mut ring = Ring::new(10);
        ring.push(1, 1, Bytes::from_static(b"aaaaa"));
        ring.push(1, 2, Bytes::from_static(b"bbbbb"));
        ring.push(1, 3, Bytes::from_static(b"ccccc"));
        assert_eq!(ring.after(1, 0), Replay::Gap);
        assert_eq!(sequences(ring.after(1, 1)), [2, 3]);
        ring.skip(1, 4);
        assert_eq!(ring.after(1, 3), Replay::Gap);
        assert_eq!(sequences(ring.after(1, 4)), [] as [u64; 0]);
    }

    #[test]
    fn the_budget_is_in_bytes() {
        let mut ring = Ring::new(1000);
        for sequence in 1..=5000 {
            ring.push(1, sequence, Bytes::from(vec![b'x'; 100]));
        }
        assert!(ring.bytes <= 1000);
        assert!(ring.entries.len() <= 10);
        ring.forget(1);
        assert_eq!(ring.bytes, 0);
    }

    #[test]
    fn what_was_forgotten_for_want_of_memory_is_a_gap() {
        let mut ring = Ring::new(1000);
        ring.push(1, 1, Bytes::from_static(b"a"));
        ring.push(1, 2, Bytes::from_static(b"b"));
        ring.clear();
        assert_eq!(ring.after(1, 0), Replay::Gap);
        assert_eq!(sequences(ring.after(1, 2)), [] as [u64; 0]);
    }
}
