//! A child's standard error: shown line by line, escaped, bounded in length and rate; its last lines kept.
//!
//! All of it is read, as fast as it comes: a server that waits for us to read its complaints serves nobody. What is
//! done for each line of a flood is finding its end and copying half a kilobyte; escaping and masking are for lines
//! that somebody sees.

use std::{
    mem,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use mcp_wire::{Line, LineSplitter};
use tokio::{process::ChildStderr, task::coop, time::Instant};

use super::{life::Shared, stdio::Source};
use crate::observe::escape::escape_part;

/// The longest line shown whole, in bytes. Of a longer one the head is shown and its length.
const MAX_STDERR_LINE_BYTES: usize = 8 * 1024;

/// How many lines may come at once: a long stack trace and a verbose start fit.
const STDERR_BURST_LINES: u32 = 200;

/// How fast the right to write lines comes back, in lines a second.
const STDERR_LINES_PER_SECOND: u32 = 50;

/// How many bytes may come at once: thirty-two of the longest lines.
const STDERR_BURST_BYTES: u32 = 256 * 1024;

/// How fast the right to write bytes comes back, a second: what a log collector bears for a day. Lines of common
/// length meet the other limit first.
const STDERR_BYTES_PER_SECOND: u32 = 64 * 1024;

/// How often is said how much was dropped.
const DROPPED_LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Reads standard error to its end.
pub(super) async fn read(mut source: Source<ChildStderr>, show: bool, shared: Arc<Shared>) {
    let mut lines = LineSplitter::new(MAX_STDERR_LINE_BYTES);
    let mut log = show.then(|| Log {
        lines: Bucket::full(STDERR_BURST_LINES, STDERR_LINES_PER_SECOND, Instant::now()),
        bytes: Bucket::full(STDERR_BURST_BYTES, STDERR_BYTES_PER_SECOND, Instant::now()),
        dropped: Dropped::default(),
    });
    while source
        .fill(lines.buffer())
        .await
        .is_ok_and(|count| count > 0)
    {
        while let Some(line) = lines.next() {
            take(&line, log.as_mut(), &shared);
            coop::consume_budget().await;
        }
    }
    if let Some(line) = lines.finish() {
        take(&line, log.as_mut(), &shared);
    }
    if let Some(log) = &mut log {
        let dropped = log.dropped.last();
        log.tell(dropped);
    }
}

fn take(line: &Line, log: Option<&mut Log>, shared: &Shared) {
    let (text, length) = match line {
        Line::Whole(text) => (text, text.len() as u64),
        Line::TooLong { head, length } => (head, *length),
    };
    shared.keep_stderr(text, length);
    if let Some(log) = log {
        log.line(text, length, shared, Instant::now());
    }
}

struct Log {
    lines: Bucket,
    bytes: Bucket,
    dropped: Dropped,
}

impl Log {
    fn line(&mut self, text: &[u8], length: u64, shared: &Shared, now: Instant) {
        let weight = u32::try_from(text.len()).unwrap_or(u32::MAX);
        if !self.bytes.has(weight, now) || !self.lines.take(1, now) {
            shared.traffic.unshown.fetch_add(1, Ordering::Relaxed);
            self.dropped.note(length);
        } else {
            self.bytes.take(weight, now);
            let text = shared.masks.hide(text, length > text.len() as u64);
            let text = escape_part(&text, MAX_STDERR_LINE_BYTES, length);
            tracing::info!(target: "child", "{text}");
        }
        let due = self.dropped.due(now);
        self.tell(due);
    }

    fn tell(&self, dropped: Option<(u64, u64)>) {
        if let Some((lines, bytes)) = dropped {
            tracing::warn!(target: "child", lines, bytes,
                "the server wrote to standard error faster than is logged; lines were dropped");
        }
    }
}

/// What was dropped since it was said last. It is said at the first line, and then once in an interval.
#[derive(Default)]
struct Dropped {
    lines: u64,
    bytes: u64,
    said: Option<Instant>,
}

impl Dropped {
    fn note(&mut self, bytes: u64) {
        self.lines += 1;
        self.bytes += bytes;
    }

    /// Lines and bytes to be told of now.
    fn due(&mut self, now: Instant) -> Option<(u64, u64)> {
        let early = |said: Instant| now.saturating_duration_since(said) < DROPPED_LOG_INTERVAL;
        if self.lines == 0 || self.said.is_some_and(early) {
            return None;
        }
        self.said = Some(now);
        self.last()
    }

    /// What has not been told.
    fn last(&mut self) -> Option<(u64, u64)> {
        let dropped = (mem::take(&mut self.lines), mem::take(&mut self.bytes));
        (dropped.0 > 0).then_some(dropped)
    }
}

/// A token bucket: so many at once, so many a second.
struct Bucket {
    burst: u32,
    each: Duration,
    tokens: u32,
    filled: Instant,
}

impl Bucket {
    fn full(burst: u32, per_second: u32, now: Instant) -> Self {
        Self {
            burst,
            each: Duration::from_secs(1) / per_second,
            tokens: burst,
            filled: now,
        }
    }

    /// Whether so many may be taken.
    fn has(&mut self, wanted: u32, now: Instant) -> bool {
        let earned = now.saturating_duration_since(self.filled).as_nanos() / self.each.as_nanos();
        let missing = self.burst - self.tokens;
        if earned >= u128::from(missing) {
            self.tokens = self.burst;
            self.filled = now;
        } else if let Ok(earned) = u32::try_from(earned) {
            self.tokens += earned;
            // Only what was turned into tokens is used up, so that a steady trickle of asking still earns.
            self.filled += self.each * earned;
        }
        self.tokens >= wanted
    }

    fn take(&mut self, wanted: u32, now: Instant) -> bool {
        let granted = self.has(wanted, now);
        if granted {
            self.tokens -= wanted;
        }
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_grants_a_burst_and_then_its_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::full(200, 50, start);
        let granted =
            |bucket: &mut Bucket, now: Instant| (0..1_000).filter(|_| bucket.take(1, now)).count();
        assert_eq!(granted(&mut bucket, start), 200);
        assert_eq!(granted(&mut bucket, start + Duration::from_millis(19)), 0);
        assert_eq!(granted(&mut bucket, start + Duration::from_millis(20)), 1);
        assert_eq!(
            granted(&mut bucket, start + Duration::from_millis(1_020)),
            50
        );
        assert_eq!(
            granted(&mut bucket, start + Duration::from_secs(3_600)),
            200
        );
    }

    #[test]
    fn asking_often_does_not_lose_what_was_earned() {
        let start = Instant::now();
        let mut bucket = Bucket::full(200, 50, start);
        let granted = (0..10_000_u64)
            .filter(|ms| bucket.take(1, start + Duration::from_millis(*ms)))
            .count();
        assert!((200 + 499..=200 + 500).contains(&granted), "{granted}");
    }

    #[test]
    fn what_was_dropped_is_said_at_once_and_then_once_in_an_interval() {
        let start = Instant::now();
        let mut dropped = Dropped::default();
        assert_eq!(dropped.due(start), None);
        dropped.note(10);
        assert_eq!(dropped.due(start), Some((1, 10)));
        dropped.note(20);
        dropped.note(30);
        assert_eq!(dropped.due(start + Duration::from_secs(9)), None);
        assert_eq!(dropped.due(start + DROPPED_LOG_INTERVAL), Some((2, 50)));
        assert_eq!(dropped.last(), None);
    }

    #[test]
    fn long_lines_meet_the_limit_of_bytes() {
        let start = Instant::now();
        let mut bytes = Bucket::full(STDERR_BURST_BYTES, STDERR_BYTES_PER_SECOND, start);
        let longest = u32::try_from(MAX_STDERR_LINE_BYTES).unwrap();
        let granted =
            |bytes: &mut Bucket, now| (0..100).filter(|_| bytes.take(longest, now)).count();
        assert_eq!(granted(&mut bytes, start), 32);
        assert_eq!(granted(&mut bytes, start + Duration::from_secs(1)), 8);
    }
}
