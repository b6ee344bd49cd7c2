//! A child's standard error: shown line by line, escaped, bounded in length and rate; its last lines kept.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use mcp_wire::{Line, LineSplitter};
use tokio::{process::ChildStderr, task::coop, time::Instant};

use super::{
    life::{STDERR_KEPT_LINE_BYTES, Shared},
    stdio::Source,
};
use crate::observe::escape::escape_part;

/// The longest line shown whole, in bytes. Of a longer one the head is shown and its length.
const MAX_STDERR_LINE_BYTES: usize = 8 * 1024;

/// How many lines may come at once: a long stack trace and a verbose start fit.
const STDERR_BURST_LINES: u32 = 200;

/// How fast the right to write lines comes back, in lines a second. At the full rate of 8 KiB lines that is 400 KiB/s
/// of log, which a log collector bears for a while.
const STDERR_LINES_PER_SECOND: u32 = 50;

/// Reads standard error to its end.
pub(super) async fn read(mut source: Source<ChildStderr>, show: bool, shared: Arc<Shared>) {
    let mut lines = LineSplitter::new(MAX_STDERR_LINE_BYTES);
    let mut log = show.then(|| Log {
        bucket: Bucket::full(Instant::now()),
        dropped: 0,
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
        log.tell_dropped();
    }
}

fn take(line: &Line, log: Option<&mut Log>, shared: &Shared) {
    let (text, length) = match line {
        Line::Whole(text) => (text, text.len() as u64),
        Line::TooLong { head, length } => (head, *length),
    };
    let text = shared.masks.hide(text, length > text.len() as u64);
    shared.keep_stderr(escape_part(&text, STDERR_KEPT_LINE_BYTES, length));
    if let Some(log) = log
        && !log.line(&text, length, Instant::now())
    {
        shared.traffic.unshown.fetch_add(1, Ordering::Relaxed);
    }
}

struct Log {
    bucket: Bucket,
    dropped: u64,
}

impl Log {
    /// Shows a line; false if there were too many.
    fn line(&mut self, text: &[u8], length: u64, now: Instant) -> bool {
        if !self.bucket.take(now) {
            self.dropped += 1;
            return false;
        }
        self.tell_dropped();
        let text = escape_part(text, MAX_STDERR_LINE_BYTES, length);
        tracing::info!(target: "child", "{text}");
        true
    }

    fn tell_dropped(&mut self) {
        if self.dropped > 0 {
            tracing::warn!(target: "child", dropped = self.dropped,
                "the server wrote to standard error faster than is logged; lines were dropped");
            self.dropped = 0;
        }
    }
}

/// A token bucket: so many at once, so many a second.
struct Bucket {
    tokens: u32,
    filled: Instant,
}

impl Bucket {
    fn full(now: Instant) -> Self {
        Self {
            tokens: STDERR_BURST_LINES,
            filled: now,
        }
    }

    fn take(&mut self, now: Instant) -> bool {
        const EACH: Duration = Duration::from_micros(1_000_000 / STDERR_LINES_PER_SECOND as u64);
        let earned = now.saturating_duration_since(self.filled).as_micros() / EACH.as_micros();
        let missing = STDERR_BURST_LINES - self.tokens;
        if earned >= u128::from(missing) {
            self.tokens = STDERR_BURST_LINES;
            self.filled = now;
        } else if let Ok(earned) = u32::try_from(earned) {
            self.tokens += earned;
            // Only what was turned into tokens is used up, so that a steady trickle of asking still earns.
            self.filled += EACH * earned;
        }
        let granted = self.tokens > 0;
        self.tokens = self.tokens.saturating_sub(1);
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_grants_a_burst_and_then_its_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::full(start);
        let granted =
            |bucket: &mut Bucket, now: Instant| (0..1_000).filter(|_| bucket.take(now)).count();
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
        let mut bucket = Bucket::full(start);
        let granted = (0..10_000_u64)
            .filter(|ms| bucket.take(start + Duration::from_millis(*ms)))
            .count();
        assert!((200 + 499..=200 + 500).contains(&granted), "{granted}");
    }
}
