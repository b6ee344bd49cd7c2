//! The toy's memory and its output, shared by the reading thread and the threads of the calls.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io::{self, Write},
    ops::Deref,
    process,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};

use crate::{era::Settled, flags::Flags, listen::Listen, tasks::Task};

/// How many lines the tool `seen` can tell.
const SEEN_LINES: usize = 256;

/// Log levels in the order of RFC 5424, the quietest last.
pub(crate) const LEVELS: [&str; 8] = [
    "debug",
    "info",
    "notice",
    "warning",
    "error",
    "critical",
    "alert",
    "emergency",
];

/// A handle of the one toy in this process.
#[derive(Clone)]
pub(crate) struct Toy(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) flags: Flags,
    /// The era that this connection has settled on.
    pub(crate) settled: Settled,
    count: AtomicU64,
    deaf: AtomicBool,
    level: AtomicU64,
    seen: Mutex<VecDeque<String>>,
    cancelled: Mutex<Vec<String>>,
    news: Condvar,
    subscriptions: Mutex<BTreeSet<String>>,
    questions: Mutex<BTreeMap<u64, mpsc::Sender<String>>>,
    next_question: AtomicU64,
    listens: Mutex<Vec<Listen>>,
    tasks: Mutex<Vec<Task>>,
    relisted: Mutex<BTreeMap<String, Relisted>>,
}

/// What the list says of a tool from now on.
#[derive(Clone, Default)]
pub(crate) struct Relisted {
    /// Its `readOnlyHint`.
    pub(crate) read_only: Option<bool>,
    /// The header of its first mirrored argument.
    pub(crate) header: Option<String>,
}

impl Deref for Toy {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Toy {
    pub(crate) fn new(flags: Flags) -> Self {
        Self(Arc::new(Shared {
            settled: Settled::new(flags.era),
            flags,
            count: AtomicU64::new(0),
            deaf: AtomicBool::new(false),
            level: AtomicU64::new(0),
            seen: Mutex::default(),
            cancelled: Mutex::default(),
            news: Condvar::new(),
            subscriptions: Mutex::default(),
            questions: Mutex::default(),
            next_question: AtomicU64::new(1),
            listens: Mutex::default(),
            tasks: Mutex::default(),
            relisted: Mutex::default(),
        }))
    }
}

impl Shared {
    /// What the list says of a tool, if that was changed.
    pub(crate) fn relisted(&self, tool: &str) -> Relisted {
        lock(&self.relisted).get(tool).cloned().unwrap_or_default()
    }

    pub(crate) fn relist(&self, tool: String, as_this: Relisted) {
        lock(&self.relisted).insert(tool, as_this);
    }

    /// Writes a line, whole and alone.
    pub(crate) fn line(&self, line: &str) {
        let mut text = String::with_capacity(line.len() + 1);
        text.push_str(line);
        text.push('\n');
        self.bytes(text.as_bytes());
    }

    /// Writes bytes that need not be lines.
    pub(crate) fn bytes(&self, bytes: &[u8]) {
        let mut output = io::stdout().lock();
        if output
            .write_all(bytes)
            .and_then(|()| output.flush())
            .is_err()
        {
            // Nobody reads us any more.
            leave(0);
        }
    }

    pub(crate) fn notify(&self, method: &str, params: &str) {
        self.line(&format!(
            r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#
        ));
    }

    pub(crate) fn answer(&self, id: &str, result: &str) {
        self.line(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#
        ));
    }

    pub(crate) fn fail(&self, id: &str, code: i32, message: &str) {
        let message = crate::message::quote(message);
        self.line(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":{message}}}}}"#
        ));
    }

    /// An error that says more than its sentence; `data` is JSON.
    pub(crate) fn fail_with(&self, id: &str, code: i32, message: &str, data: &str) {
        let message = crate::message::quote(message);
        self.line(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":{message},"data":{data}}}}}"#
        ));
    }

    /// Asks the client and waits for its answer: the raw text of the whole message, or nothing in time.
    pub(crate) fn ask(&self, method: &str, params: &str, wait: Duration) -> Option<String> {
        let id = self.next_question.fetch_add(1, Ordering::Relaxed);
        let (answer, answers) = mpsc::channel();
        lock(&self.questions).insert(id, answer);
        self.line(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#
        ));
        let answer = answers.recv_timeout(wait).ok();
        lock(&self.questions).remove(&id);
        answer
    }

    /// Hands an answer to whoever asked. Ids of ours are small numbers, whatever comes back must be one.
    pub(crate) fn answered(&self, id: &str, message: &str) {
        if let Some(asker) = id
            .parse()
            .ok()
            .and_then(|id: u64| lock(&self.questions).remove(&id))
        {
            // The asker may have given up.
            _ = asker.send(message.to_owned());
        }
    }

    pub(crate) fn saw(&self, line: &[u8]) {
        let mut seen = lock(&self.seen);
        if seen.len() == SEEN_LINES {
            seen.pop_front();
        }
        seen.push_back(String::from_utf8_lossy(line).into_owned());
    }

    /// The last lines that came in, oldest first.
    pub(crate) fn seen(&self, count: usize) -> Vec<String> {
        let seen = lock(&self.seen);
        seen.iter()
            .skip(seen.len().saturating_sub(count))
            .cloned()
            .collect()
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn cancel(&self, id: &str) {
        lock(&self.cancelled).push(id.to_owned());
        self.news.notify_all();
    }

    /// The raw ids of cancelled requests, in order.
    pub(crate) fn cancelled(&self) -> Vec<String> {
        lock(&self.cancelled).clone()
    }

    /// Sleeps; true when the request was cancelled before the time was over.
    pub(crate) fn sleep(&self, id: &str, time: Duration) -> bool {
        let cancelled = lock(&self.cancelled);
        let (_cancelled, wait) = self
            .news
            .wait_timeout_while(cancelled, time, |ids| {
                !ids.iter().any(|cancelled| cancelled == id)
            })
            .unwrap_or_else(PoisonError::into_inner);
        !wait.timed_out()
    }

    pub(crate) fn set_level(&self, level: &str) -> bool {
        let known = LEVELS.iter().position(|known| *known == level);
        if let Some(known) = known {
            self.level.store(known as u64, Ordering::Relaxed);
        }
        known.is_some()
    }

    pub(crate) fn would_log(&self, level: &str) -> bool {
        let least = self.level.load(Ordering::Relaxed);
        LEVELS
            .iter()
            .position(|known| *known == level)
            .is_none_or(|known| known as u64 >= least)
    }

    pub(crate) fn subscribe(&self, uri: String) {
        lock(&self.subscriptions).insert(uri);
    }

    pub(crate) fn unsubscribe(&self, uri: &str) -> bool {
        lock(&self.subscriptions).remove(uri)
    }

    pub(crate) fn is_subscribed(&self, uri: &str) -> bool {
        lock(&self.subscriptions).contains(uri)
    }

    /// The open streams of 2026-07-28, in the order they came.
    pub(crate) fn listens(&self) -> MutexGuard<'_, Vec<Listen>> {
        lock(&self.listens)
    }

    /// All tasks of this process.
    pub(crate) fn tasks(&self) -> MutexGuard<'_, Vec<Task>> {
        lock(&self.tasks)
    }

    /// From now on nothing more is read.
    pub(crate) fn become_deaf(&self) {
        self.deaf.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_deaf(&self) -> bool {
        self.deaf.load(Ordering::Relaxed)
    }
}

/// Ends the process from any thread.
#[expect(
    clippy::exit,
    reason = "ending at once from the middle of a call is what a crash is"
)]
pub(crate) fn leave(code: i32) -> ! {
    process::exit(code)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
