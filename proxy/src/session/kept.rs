//! A session as it is kept on disk (`--state-dir`), and made of that again.
//!
//! A file says of a session what a successor of its server would be told, and from which numbers on
//! its events may be counted. It does not say its id: the id is what lets a client in, so a file
//! is found by a digest of it, and whoever reads all of them can use none of the sessions.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::streams::{Stream, StreamId};
use super::{Record, Session, SessionId, SessionLimits};
use crate::exchange::Principal;

/// What this program writes. A file of another number was written by another version of it.
const FORMAT: u32 = 1;

/// Numbers of streams, and of events on the standing one, that may be given out between two looks at
/// a session. A client that comes back to a stream of before the restart must never be given one of
/// after it that has the same number, so a revived session counts on from beyond what was reserved.
const RESERVED: u32 = 1 << 16;

/// Under which name a session is kept: a digest of its id.
///
/// The id has 128 random bits, so nobody finds it by trying, and a plain digest will do.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 32]);

impl Key {
    /// The key of this id.
    pub(super) fn of(id: &str) -> Self {
        Self(Sha256::digest(id.as_bytes()).into())
    }

    /// The key as a file's name.
    pub(super) fn to_hex(self) -> String {
        use fmt::Write as _;

        let mut hex = String::with_capacity(64);
        for byte in self.0 {
            let _infallible = write!(hex, "{byte:02x}");
        }
        hex
    }

    /// The key of a file's name; `None` if it is not one of ours.
    pub(super) fn parse(hex: &str) -> Option<Self> {
        let mut key = [0; 32];
        if hex.len() != 64 || !hex.is_ascii() {
            return None;
        }
        for (byte, place) in key.iter_mut().zip(0..) {
            *byte = u8::from_str_radix(hex.get(place * 2..place * 2 + 2)?, 16).ok()?;
        }
        Some(Self(key))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

/// A session on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    format: u32,
    /// Which of the configured servers it is of.
    pub(super) server: String,
    /// When its client was heard of last, in seconds since 1970.
    used: u64,
    /// No stream of it had this number or a higher one.
    streams: u32,
    /// No event of its standing stream had a higher number.
    events: u64,
    /// What a new server has to be told.
    pub(super) record: Record,
}

/// The one member every format has.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

/// Why a file is not a session.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    /// Another version of this program wrote it.
    #[error("format {0} is not known to this version")]
    Format(u32),
    /// It was damaged.
    #[error("{0}")]
    Damaged(String),
}

impl Kept {
    /// The file's content.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // A struct of texts and numbers always has a JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads a file's content.
    ///
    /// # Errors
    ///
    /// It is damaged, or of another format.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Unreadable> {
        let damaged = |error: serde_json::Error| Unreadable::Damaged(error.to_string());
        match serde_json::from_slice::<Format>(bytes).map_err(damaged)? {
            Format { format: FORMAT } => serde_json::from_slice(bytes).map_err(damaged),
            Format { format } => Err(Unreadable::Format(format)),
        }
    }

    /// How long its client had not been heard of at `now`. A clock that was set back since makes
    /// that nothing.
    pub(super) fn unused_for(&self, now: SystemTime) -> Duration {
        let used = SystemTime::UNIX_EPOCH + Duration::from_secs(self.used);
        now.duration_since(used).unwrap_or_default()
    }
}

/// What of a session is on disk, to tell whether that is still so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    revision: u64,
    used: Instant,
    streams: u32,
    events: u64,
}

impl Session {
    /// The session of this id, made of what was kept of it. It has no server; its next request starts
    /// one, as after a crash.
    pub(super) fn revived(id: SessionId, kept: &Kept, limits: SessionLimits) -> Arc<Self> {
        let record = kept.record.clone();
        let principal = Principal::named(&record.principal);
        let session = Self::with(id, principal, record, limits);
        {
            let mut state = session.state.lock();
            let version = state.record.version.as_deref();
            state.version = version.and_then(|text| text.parse().ok());
            state.opening = false;
            state.next_stream = kept.streams;
            // What the standing stream said before is gone, and whoever asks for it is told so.
            let mut standing = Stream::new(session.standing.clone(), Vec::new());
            standing.sequence = kept.events;
            state.ring.skip(StreamId::STANDING.0, kept.events);
            state.streams.insert(StreamId::STANDING, standing);
        }
        session
    }

    /// What is to be written of it, where `written` is not true any more. `None` also for what is
    /// not to be kept: a session that has ended, has not begun, or is one connection. The time it
    /// was used last is written when it is out by more than `grain`.
    pub(super) fn kept(
        &self,
        server: &str,
        written: Option<Written>,
        grain: Duration,
    ) -> Option<(Kept, Written)> {
        let state = self.state.lock();
        let events = state
            .streams
            .get(&StreamId::STANDING)
            .map_or(0, |standing| standing.sequence);
        let is_true = |written: Written| {
            written.revision == state.revision
                && state.last_used.saturating_duration_since(written.used) <= grain
                && state.next_stream.saturating_add(RESERVED / 2) < written.streams
                && events.saturating_add(u64::from(RESERVED / 2)) < written.events
        };
        if written.is_some_and(is_true) {
            return None;
        }
        let streams = state.next_stream.saturating_add(RESERVED);
        let events = events.saturating_add(u64::from(RESERVED));
        let used = SystemTime::now()
            .checked_sub(state.last_used.elapsed())
            .and_then(|used| used.duration_since(SystemTime::UNIX_EPOCH).ok());
        let kept = Kept {
            format: FORMAT,
            server: server.to_owned(),
            used: used.map_or(0, |used| used.as_secs()),
            streams,
            events,
            record: state.record.clone(),
        };
        let written = Written {
            revision: state.revision,
            used: state.last_used,
            streams,
            events,
        };
        Some((kept, written))
    }

    /// Whether it is to be kept over a restart: its server accepted `initialize`, and it is neither
    /// over nor one connection.
    pub(super) fn is_lasting(&self) -> bool {
        let state = self.state.lock();
        !self.is_connection() && !state.ended && !state.opening && state.record.version.is_some()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use mcp_wire::Message;

    use super::*;
    use crate::session::{Note, Unresumable};

    const LIMITS: SessionLimits = SessionLimits {
        replay: 1 << 10,
        outlet: 1 << 20,
        ends_with_child: false,
    };

    fn message(text: &'static str) -> Message {
        Message::parse(Bytes::from_static(text.as_bytes())).unwrap()
    }

    fn begun() -> Arc<Session> {
        let initialize = message(r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#);
        let id = SessionId::random(None).unwrap();
        let session = Session::new(id, Principal::named("alice"), &initialize, LIMITS);
        assert!(!session.is_lasting(), "its server has not said yes");
        let result =
            message(r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25"}}"#);
        session.noted(&Note::Initialize, &result);
        session
    }

    #[test]
    fn what_is_kept_makes_the_session_again() {
        let session = begun();
        assert!(session.is_lasting());
        let (kept, _) = session.kept("time", None, Duration::ZERO).unwrap();
        let bytes = kept.to_bytes();
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(!text.contains(session.id().as_str()));
        let again = Kept::parse(&bytes).unwrap();
        assert_eq!(again, kept);
        let revived = Session::revived(session.id().clone(), &again, LIMITS);
        assert_eq!(revived.version(), session.version());
        assert_eq!(revived.principal(), session.principal());
        assert!(revived.has_begun() && revived.is_lasting() && !revived.is_awake());
    }

    #[test]
    fn it_is_written_again_when_it_is_not_true_any_more() {
        let session = begun();
        let grain = Duration::from_secs(60);
        let (_, written) = session.kept("x", None, grain).unwrap();
        session.touch();
        assert!(session.kept("x", Some(written), grain).is_none());
        let result = message(r#"{"jsonrpc":"2.0","id":2,"result":{}}"#);
        let level =
            r#"{"jsonrpc":"2.0","id":2,"method":"logging/setLevel","params":{"level":"error"}}"#;
        session.noted(&Note::Level(message(level)), &result);
        let (kept, written) = session.kept("x", Some(written), grain).unwrap();
        assert_eq!(kept.record.level.as_deref(), Some(level));
        for _ in 0..=RESERVED / 2 {
            session.record_event(StreamId::STANDING, None);
            let (outlet, _tap) = crate::exchange::Outlet::new(1);
            let _stream = session.open_stream(outlet, Vec::new());
        }
        assert!(session.kept("x", Some(written), grain).is_some());
    }

    #[test]
    fn no_number_of_before_is_given_out_again() {
        let session = begun();
        let _tap = session.take_standing(false).unwrap();
        let news = message(r#"{"jsonrpc":"2.0","method":"n"}"#);
        let before = session.record_event(StreamId::STANDING, Some(&news));
        let (outlet, _reader) = crate::exchange::Outlet::new(1);
        let stream = session.open_stream(outlet.clone(), Vec::new());
        let (kept, _) = session.kept("x", None, Duration::ZERO).unwrap();
        let revived = Session::revived(session.id().clone(), &kept, LIMITS);
        assert!(revived.open_stream(outlet, Vec::new()) > stream);
        assert_eq!(
            revived.resume(stream, 1).unwrap_err(),
            Unresumable::Unknown,
            "a call's answer is gone, and nothing else stands in for it"
        );
        let gone = revived.resume(StreamId::STANDING, before);
        assert_eq!(gone.unwrap_err(), Unresumable::Gap);
        assert!(revived.record_event(StreamId::STANDING, Some(&news)) > before);
    }

    #[test]
    fn a_file_of_another_version_is_told_from_a_damaged_one() {
        let (kept, _) = begun().kept("x", None, Duration::ZERO).unwrap();
        let bytes = kept.to_bytes();
        for cut in 0..bytes.len() {
            let cut = Kept::parse(&bytes[..cut]);
            assert!(matches!(cut, Err(Unreadable::Damaged(_))), "{cut:?}");
        }
        let other = br#"{"format":2,"sessions":[]}"#;
        assert_eq!(Kept::parse(other), Err(Unreadable::Format(2)));
    }

    #[test]
    fn a_key_is_a_file_name_and_no_id() {
        let id = SessionId::random(None).unwrap();
        let key = Key::of(id.as_str());
        assert_eq!(Key::parse(&key.to_hex()), Some(key));
        assert!(!key.to_hex().contains(id.as_str()));
        assert_eq!(Key::parse("é".repeat(32).as_str()), None);
        assert_eq!(Key::parse(&"x".repeat(64)), None);
    }
}
