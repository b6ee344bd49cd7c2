//! Lines in and lines out: the task that reads a child's standard output and the one that writes its standard input.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use mcp_wire::{Body, Id, Line, LineSplitter, Message, ParseError};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{ChildStdin, ChildStdout},
    sync::watch,
    task::coop,
    time::{Instant, timeout_at},
};
use tracing::Level;

use super::{half::Half, life::Shared, outbox::Part};
use crate::budget;
use crate::link::Inbound;
use crate::observe::escape::escape_part;

/// Once the group is gone, how long an open pipe may stay silent before we stop listening. Everything the group wrote
/// is in the pipe by then; whoever still holds its other end left the group on purpose.
const DRAIN_QUIET: Duration = Duration::from_millis(100);

/// And how long it may go on talking.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);

/// How often a garbage line is shown in the log; those between are counted. A server that prints its banner and its
/// debug output to the wrong pipe does so all day.
const GARBAGE_LOG_INTERVAL: Duration = Duration::from_secs(10);

/// How much of a garbage line is shown, in bytes.
const GARBAGE_SHOWN_BYTES: usize = 200;

/// How many messages one line may carry as a JSON-RPC batch, which 2025-03-26 allowed. It bounds what the table of
/// elements costs beside the line itself.
const MAX_BATCH_MESSAGES: usize = 1_000;

/// How many pieces of a large message one write offers to the kernel. An edited message has three or four.
const WRITE_PIECES: usize = 16;

/// A pipe that is read to its end, or, once `over` says that the group is gone, until nothing more is in it.
pub(super) struct Source<R> {
    pipe: R,
    over: watch::Receiver<bool>,
    drain_until: Option<Instant>,
}

impl<R: AsyncRead + Unpin> Source<R> {
    pub(super) fn new(pipe: R, over: watch::Receiver<bool>) -> Self {
        Self {
            pipe,
            over,
            drain_until: None,
        }
    }

    /// Reads into the buffer; zero at the end.
    pub(super) async fn fill(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        loop {
            let Some(limit) = self.drain_until else {
                tokio::select! {
                    // The end of the group is looked at first, or a flood from outside the group would hide it.
                    biased;
                    _ = self.over.wait_for(|over| *over) => {
                        self.drain_until = Some(Instant::now() + DRAIN_LIMIT);
                        continue;
                    }
                    read = self.pipe.read_buf(buffer) => return read,
                }
            };
            let now = Instant::now();
            if now >= limit {
                return Ok(0);
            }
            let read = timeout_at(limit.min(now + DRAIN_QUIET), self.pipe.read_buf(buffer)).await;
            return read.unwrap_or(Ok(0));
        }
    }
}

/// What is left when a child writes no more.
pub(super) struct Heard {
    /// The listener, for its last call.
    pub(super) inbound: Box<dyn Inbound>,
    /// It panicked over a message, and was told nothing that came after it.
    pub(super) panicked: bool,
}

/// Reads messages until the child writes no more.
pub(super) async fn read(
    mut source: Source<ChildStdout>,
    max_line: usize,
    shared: Arc<Shared>,
    inbound: Box<dyn Inbound>,
) -> Heard {
    let mut lines = LineSplitter::new(max_line);
    let half = Half::new();
    let mut reader = Reader {
        shared,
        inbound,
        garbage: GarbageLog::default(),
        given_up: false,
    };
    loop {
        if half.is_to_be_given_up() && lines.buffered() > 0 {
            lines.give_up();
            half.is_now(0);
            reader.given_up = true;
        }
        let filled = if half.is_long() {
            tokio::select! {
                filled = source.fill(lines.buffer()) => filled,
                () = half.asked() => continue,
            }
        } else {
            source.fill(lines.buffer()).await
        };
        match filled {
            Ok(0) => break,
            Ok(count) => {
                reader
                    .shared
                    .traffic
                    .bytes_in
                    .fetch_add(count as u64, Ordering::Relaxed);
            }
            Err(cause) => {
                tracing::warn!(target: "child", %cause, "could not read from the server");
                break;
            }
        }
        while let Some(line) = lines.next() {
            half.ended();
            half.is_now(lines.buffered());
            if reader.survives(line).is_err() {
                return reader.heard(true);
            }
            // One read may hold thousands of lines; other tasks get their turn between them.
            coop::consume_budget().await;
        }
        half.is_now(lines.buffered());
    }
    let last = lines.finish().map_or(Ok(()), |line| reader.survives(line));
    reader.heard(last.is_err())
}

struct Reader {
    shared: Arc<Shared>,
    inbound: Box<dyn Inbound>,
    garbage: GarbageLog,
    /// The line that is being read was given up for the others' sake.
    given_up: bool,
}

impl Reader {
    /// Takes a line. A panic of the listener is the end of this child and of nothing else: its calls
    /// are ended by the listener's last call, so the listener has to outlive it.
    fn survives(&mut self, line: Line) -> std::thread::Result<()> {
        catch_unwind(AssertUnwindSafe(|| self.line(line)))
    }

    fn heard(self, panicked: bool) -> Heard {
        Heard {
            inbound: self.inbound,
            panicked,
        }
    }

    fn line(&mut self, line: Line) {
        self.shared.traffic.lines_in.fetch_add(1, Ordering::Relaxed);
        match line {
            Line::Whole(text) if is_batch(&text) => self.batch(budget::PROCESS.counted(text)),
            Line::Whole(text) => self.one(budget::PROCESS.counted(text)),
            Line::TooLong { head, length } => {
                // The head is no whole message, so reading it only tells whose answer it would have been.
                let waiting = Message::parse(head.clone()).err().and_then(whose_answer);
                let sentence = if mem::take(&mut self.given_up) {
                    format!(
                        "the line of {length} bytes was given up, because the proxy holds as much as it may (--memory-budget)"
                    )
                } else {
                    format!("the line is too long ({length} bytes)")
                };
                self.refuse(&head, length, waiting, sentence);
            }
        }
    }

    fn one(&mut self, text: Bytes) {
        match Message::parse(text.clone()) {
            Ok(message) => self.inbound.message(message),
            Err(fault) => self.refuse_whole(&text, fault),
        }
    }

    fn batch(&mut self, text: Bytes) {
        match Body::parse(text.clone(), MAX_BATCH_MESSAGES) {
            Ok(Body::One(message)) => self.inbound.message(message),
            Ok(Body::Batch(messages)) => {
                for message in messages {
                    match message {
                        Ok(message) => self.inbound.message(message),
                        Err(fault) => self.refuse_whole(&text, fault),
                    }
                }
            }
            Err(fault) => self.refuse_whole(&text, fault),
        }
    }

    fn refuse_whole(&mut self, text: &[u8], fault: ParseError) {
        let sentence = fault.to_string();
        self.refuse(text, text.len() as u64, whose_answer(fault), sentence);
    }

    fn refuse(&mut self, text: &[u8], length: u64, waiting: Option<Id>, fault: String) {
        self.count_garbage(text, length, &fault);
        if let Some(id) = waiting {
            self.inbound.damaged(id, fault);
        }
    }

    fn count_garbage(&mut self, text: &[u8], length: u64, fault: &str) {
        self.shared.traffic.garbage.fetch_add(1, Ordering::Relaxed);
        if let Some(count) = self.garbage.note(Instant::now()) {
            let line = self.shown(text, length);
            tracing::warn!(target: "child", count, fault, line,
                "the server wrote something that is not a message; skipped");
        }
    }
}

impl Reader {
    /// What of a garbage line is shown. One that looks like JSON may be a part of somebody's answer,
    /// and what a server answers is nobody else's affair unless the log was told to say more.
    fn shown(&self, text: &[u8], length: u64) -> String {
        let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
        if matches!(first, Some(b'{' | b'[')) && !tracing::enabled!(target: "child", Level::DEBUG) {
            return format!("(JSON of {length} bytes)");
        }
        // No more than can be shown is looked at: the line may be long.
        let head = text.get(..2 * GARBAGE_SHOWN_BYTES).unwrap_or(text);
        let head = self.shared.masks.hide(head, length > head.len() as u64);
        escape_part(&head, GARBAGE_SHOWN_BYTES, length)
    }
}

/// The id of our request that a refused text was an answer to. The id of a refused request or of a text that did not
/// come as far as saying what it is was chosen by the server, and may by chance be one of ours too.
fn whose_answer(fault: ParseError) -> Option<Id> {
    fault.id.filter(|_| fault.response)
}

/// Whether the line is an array, which only a batch is.
fn is_batch(text: &[u8]) -> bool {
    text.iter().find(|byte| !matches!(byte, b' ' | b'\t')) == Some(&b'[')
}

/// Lets one garbage line through per interval, with the count of those since the last one.
#[derive(Default)]
struct GarbageLog {
    since_shown: u64,
    next: Option<Instant>,
}

impl GarbageLog {
    fn note(&mut self, now: Instant) -> Option<u64> {
        self.since_shown += 1;
        if self.next.is_some_and(|next| now < next) {
            return None;
        }
        self.next = Some(now + GARBAGE_LOG_INTERVAL);
        Some(mem::take(&mut self.since_shown))
    }
}

/// Writes what is queued until the outbox is finished, then closes the pipe by dropping it.
///
/// # Errors
/// When the child closed its end. What was queued is forgotten then; why the child did so its exit will tell.
pub(super) async fn write(mut stdin: ChildStdin, shared: Arc<Shared>) -> io::Result<()> {
    let mut parts = VecDeque::new();
    while shared.outbox.take(&mut parts).await {
        while let Some(part) = parts.pop_front() {
            if let Err(cause) = write_part(&mut stdin, &shared, part).await {
                shared.outbox.close();
                return Err(cause);
            }
        }
    }
    Ok(())
}

async fn write_part(stdin: &mut ChildStdin, shared: &Shared, part: Part) -> io::Result<()> {
    match part {
        Part::Lines { text, count } => {
            let mut left = &text[..];
            while !left.is_empty() {
                let written = stdin.write(left).await?;
                note_written(shared, written)?;
                left = &left[written..];
            }
            shared.traffic.lines_out.fetch_add(count, Ordering::Relaxed);
            shared.outbox.recycle(text);
        }
        Part::Large(mut pieces) => {
            while !pieces.is_empty() {
                let mut slices = [IoSlice::new(&[]); WRITE_PIECES];
                let offered = pieces.len().min(WRITE_PIECES);
                for (slice, piece) in slices.iter_mut().zip(&pieces) {
                    *slice = IoSlice::new(piece);
                }
                let written = stdin.write_vectored(&slices[..offered]).await?;
                note_written(shared, written)?;
                advance(&mut pieces, written);
            }
            shared.traffic.lines_out.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

fn note_written(shared: &Shared, written: usize) -> io::Result<()> {
    if written == 0 {
        return Err(io::ErrorKind::WriteZero.into());
    }
    shared.outbox.wrote(written);
    shared
        .traffic
        .bytes_out
        .fetch_add(written as u64, Ordering::Relaxed);
    Ok(())
}

/// Drops what was written from the front.
fn advance(pieces: &mut VecDeque<Bytes>, mut written: usize) {
    while let Some(first) = pieces.front_mut() {
        if first.len() > written {
            first.advance(written);
            return;
        }
        written -= first.len();
        pieces.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advancing_drops_whole_pieces_and_cuts_one() {
        let fresh = || VecDeque::from([Bytes::from_static(b"abc"), Bytes::from_static(b"de")]);
        for (written, expected) in [(0, "abcde"), (2, "cde"), (3, "de"), (4, "e"), (5, "")] {
            let mut pieces = fresh();
            advance(&mut pieces, written);
            assert_eq!(
                pieces.iter().flatten().copied().collect::<Vec<_>>(),
                expected.as_bytes()
            );
        }
    }

    #[test]
    fn garbage_is_shown_once_an_interval_with_its_count() {
        let start = Instant::now();
        let mut log = GarbageLog::default();
        assert_eq!(log.note(start), Some(1));
        assert_eq!(log.note(start + Duration::from_secs(1)), None);
        assert_eq!(log.note(start + Duration::from_secs(9)), None);
        assert_eq!(log.note(start + GARBAGE_LOG_INTERVAL), Some(3));
    }

    #[test]
    fn only_an_array_is_a_batch() {
        assert!(is_batch(b" \t[{}]"));
        assert!(!is_batch(b"{\"a\":[1]}"));
        assert!(!is_batch(b""));
    }
}
