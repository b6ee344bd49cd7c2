//! What is known about a child: whether it runs, what went through its pipes, what it last said on standard error.
//!
//! The supervisor moves the state forward, the pipe tasks count, and any number of handles look.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;
use tokio::{sync::watch, time::Instant};

use super::Settings;
use super::outbox::Outbox;
use crate::link::End;
use crate::observe::{escape::escape_part, mask::Masks};

/// How many lines of standard error are kept for the status. A stack trace of Node or Python and the sentence above
/// it fit; more belongs into the log.
pub(super) const STDERR_KEPT_LINES: usize = 20;

/// How much of each kept line, in bytes of the original: with the line count this bounds what a quiet child costs.
pub(super) const STDERR_KEPT_LINE_BYTES: usize = 512;

/// Where a child is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It runs and nobody asked it to stop.
    Running,
    /// It was asked to stop, or it ended and the rest of its group is being ended.
    Stopping,
    /// The process was collected and its last message was handed on.
    Ended(End),
}

/// A child at one moment, for status pages and error messages.
#[derive(Clone, Debug)]
pub struct Status {
    /// Its process id, which is also the id of its process group. Once it has ended the number may be another
    /// process's.
    pub pid: u32,
    /// Where it is in its life.
    pub state: State,
    /// When it was started.
    pub started: Instant,
    /// Lines it wrote to its standard output, garbage included.
    pub lines_in: u64,
    /// Lines that were written to its standard input as a whole.
    pub lines_out: u64,
    /// Bytes it wrote to its standard output.
    pub bytes_in: u64,
    /// Bytes that were written to its standard input.
    pub bytes_out: u64,
    /// Bytes that wait for it to read them.
    pub bytes_queued: usize,
    /// Lines on its standard output that were not messages.
    pub garbage: u64,
    /// Lines on its standard error that were not logged, because there were too many at once.
    pub unshown: u64,
}

/// What the tasks and the handles of one child share.
pub(super) struct Shared {
    pub(super) masks: Masks,
    pub(super) pid: u32,
    pub(super) started: Instant,
    pub(super) outbox: Outbox,
    pub(super) traffic: Traffic,
    pub(super) stderr: Mutex<VecDeque<KeptLine>>,
    state: watch::Sender<State>,
}

/// Counters, each written by one task only.
#[derive(Default)]
pub(super) struct Traffic {
    pub(super) lines_in: AtomicU64,
    pub(super) lines_out: AtomicU64,
    pub(super) bytes_in: AtomicU64,
    pub(super) bytes_out: AtomicU64,
    pub(super) garbage: AtomicU64,
    pub(super) unshown: AtomicU64,
}

/// The beginning of a line of standard error as it was written, and its whole length. It is masked and escaped when
/// somebody wants to see it, which of most lines nobody does.
pub(super) struct KeptLine {
    head: Box<[u8]>,
    length: u64,
}

impl Shared {
    pub(super) fn new(settings: &Settings, pid: u32) -> Self {
        Self {
            masks: settings.masks.clone(),
            pid,
            started: Instant::now(),
            outbox: Outbox::new(settings.max_queued),
            traffic: Traffic::default(),
            stderr: Mutex::default(),
            state: watch::Sender::new(State::Running),
        }
    }

    /// Running becomes stopping; any other state stays. From here on nothing new is accepted for the child.
    pub(super) fn stop(&self) {
        self.state.send_if_modified(|state| {
            let running = *state == State::Running;
            if running {
                *state = State::Stopping;
            }
            running
        });
        self.outbox.finish();
    }

    pub(super) fn ended(&self, end: End) {
        self.outbox.close();
        self.state.send_replace(State::Ended(end));
    }

    pub(super) fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// Keeps a line of standard error, and forgets the oldest one. `text` may be less than the line's `length`.
    pub(super) fn keep_stderr(&self, text: &[u8], length: u64) {
        let head = text.get(..STDERR_KEPT_LINE_BYTES).unwrap_or(text);
        let line = KeptLine {
            head: head.into(),
            length,
        };
        let mut kept = self.stderr.lock();
        if kept.len() == STDERR_KEPT_LINES {
            kept.pop_front();
        }
        kept.push_back(line);
    }

    /// The last lines on standard error, oldest first, escaped and cut.
    pub(super) fn last_words(&self) -> Vec<String> {
        let kept = self.stderr.lock();
        kept.iter().map(|line| self.shown(line)).collect()
    }

    fn shown(&self, line: &KeptLine) -> String {
        let text = self
            .masks
            .hide(&line.head, line.length > line.head.len() as u64);
        escape_part(&text, STDERR_KEPT_LINE_BYTES, line.length)
    }

    pub(super) fn status(&self) -> Status {
        let Traffic {
            lines_in,
            lines_out,
            bytes_in,
            bytes_out,
            garbage,
            unshown,
        } = &self.traffic;
        Status {
            pid: self.pid,
            state: self.state.borrow().clone(),
            started: self.started,
            lines_in: lines_in.load(Ordering::Relaxed),
            lines_out: lines_out.load(Ordering::Relaxed),
            bytes_in: bytes_in.load(Ordering::Relaxed),
            bytes_out: bytes_out.load(Ordering::Relaxed),
            bytes_queued: self.outbox.queued(),
            garbage: garbage.load(Ordering::Relaxed),
            unshown: unshown.load(Ordering::Relaxed),
        }
    }
}
