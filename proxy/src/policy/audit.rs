//! The audit log: one line of JSON for each call, saying who called what and how it ended.
//!
//! # Theory of operation
//!
//! A call must never wait for a disk. The line is made when the call ends and put into a queue of
//! bounded length; a thread of its own writes. When the queue is full the line is dropped and
//! `mcp_proxy_audit_dropped_total` says so. Before it writes, the thread looks whether the file
//! still is where it was: a log that was moved away, as `logrotate` does, is made anew without
//! anybody having to tell us.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use mcp_wire::{Member, Message, method, object};
use metrics::counter;
use serde_json::{Value, json};

use crate::observe::timestamp;
use crate::observe::trace::{Parent, TRACEPARENT};

/// Lines that may wait for the disk. With the longest arguments these are 16 MiB.
const QUEUE: usize = 1024;

/// How much of a name is kept, in bytes. Names that people give are shorter.
const MAX_NAME: usize = 256;

/// Arguments longer than this, in bytes, are told by their length only.
const MAX_ARGUMENTS: usize = 16 * 1024;

/// Where the audit log goes, and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSettings {
    /// The file; `None` is standard error.
    pub file: Option<PathBuf>,
    /// Whether the arguments of calls are written, too.
    pub arguments: bool,
}

/// The audit log. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Audit {
    queue: SyncSender<Note>,
    arguments: bool,
}

#[derive(Debug)]
enum Note {
    Line(String),
    /// Everything before this is written when it is answered.
    Flush(SyncSender<()>),
}

impl Audit {
    /// Opens the log and starts its thread.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn open(settings: &AuditSettings) -> io::Result<Self> {
        let log = match &settings.file {
            Some(path) => Log::File(Box::new(Named::open(path)?)),
            None => Log::StandardError,
        };
        let (queue, notes) = sync_channel(QUEUE);
        thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || write(log, &notes))?;
        Ok(Self {
            queue,
            arguments: settings.arguments,
        })
    }

    /// What will be known of a call; `None` for those nobody answers for, which are pings.
    pub(super) fn entry(&self, message: &Message) -> Option<Entry> {
        let name = message.method()?;
        if name == method::PING {
            return None;
        }
        let subject = message
            .string(Member::Name)
            .or_else(|| message.string(Member::Uri));
        let arguments = self.arguments.then(|| message.params()).flatten();
        let arguments = arguments.and_then(|params| object::get(params, "arguments"));
        Some(Entry {
            method: cut(name),
            name: subject.as_deref().map(cut),
            trace: trace(message),
            arguments: arguments.map(|arguments| match arguments.len() {
                ..=MAX_ARGUMENTS => serde_json::from_slice(arguments).unwrap_or_default(),
                longer => json!({ "bytes": longer }),
            }),
        })
    }

    /// Writes down how a call ended. Never waits.
    pub(super) fn write(&self, entry: &Entry, call: &Ending<'_>) {
        let mut line = json!({
            "time": timestamp(),
            "principal": call.principal,
            "server": call.server,
            "request": call.request,
            "method": entry.method,
            "outcome": call.outcome,
            "duration_ms": u64::try_from(call.took.as_millis()).unwrap_or(u64::MAX),
        });
        for (key, value) in [
            ("name", entry.name.as_deref().map(Value::from)),
            ("session", call.session.map(Value::from)),
            ("trace", entry.trace.as_deref().map(Value::from)),
            ("arguments", entry.arguments.clone()),
        ] {
            if let Some(value) = value {
                line[key] = value;
            }
        }
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            self.queue.try_send(Note::Line(format!("{line}\n")))
        {
            counter!("mcp_proxy_audit_dropped_total").increment(1);
        }
    }

    /// Waits until what was written so far is where it belongs, at most for `limit`.
    pub fn flush(&self, limit: Duration) {
        let (done, wait) = sync_channel(1);
        if self.queue.try_send(Note::Flush(done)).is_ok() {
            let _late = wait.recv_timeout(limit);
        }
    }
}

/// What is known of a call when it begins.
#[derive(Debug)]
pub(super) struct Entry {
    method: String,
    name: Option<String>,
    trace: Option<String>,
    arguments: Option<Value>,
}

/// How it ended, and whose it was.
#[derive(Debug)]
pub(super) struct Ending<'a> {
    pub(super) principal: &'a str,
    pub(super) server: &'a str,
    pub(super) session: Option<&'a str>,
    /// By which number the log of the debug level calls it.
    pub(super) request: u64,
    pub(super) outcome: &'static str,
    pub(super) took: Duration,
}

/// The trace a request belongs to, if it says so (SEP-414).
pub(super) fn trace(message: &Message) -> Option<String> {
    let parent = message.meta(TRACEPARENT)?;
    Some(Parent::parse(&object::string(&parent)?)?.trace_id())
}

/// The first bytes of a name, whole characters only.
fn cut(name: &str) -> String {
    name[..name.floor_char_boundary(MAX_NAME)].to_owned()
}

enum Log {
    StandardError,
    File(Box<Named>),
}

/// A file, and the name under which it should be found.
struct Named {
    path: PathBuf,
    file: File,
}

impl Named {
    fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        // What people call is nobody else's affair.
        let file = options.append(true).create(true).mode(0o600).open(path)?;
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }

    /// Opens it anew if something else, or nothing, has its name now.
    fn follow(&mut self) -> io::Result<()> {
        let held = self.file.metadata()?;
        let is_same = std::fs::metadata(&self.path)
            .is_ok_and(|named| (named.dev(), named.ino()) == (held.dev(), held.ino()));
        if !is_same {
            *self = Self::open(&self.path)?;
        }
        Ok(())
    }
}

impl Log {
    fn put(&mut self, line: &str) -> io::Result<()> {
        match self {
            Self::StandardError => io::stderr().write_all(line.as_bytes()),
            Self::File(named) => {
                named.follow()?;
                named.file.write_all(line.as_bytes())
            }
        }
    }
}

/// The thread. It ends when the last handle is dropped.
fn write(mut log: Log, notes: &Receiver<Note>) {
    let mut failing = false;
    while let Ok(note) = notes.recv() {
        match note {
            Note::Flush(done) => drop(done.send(())),
            Note::Line(line) => {
                let put = log.put(&line);
                if let Err(error) = &put {
                    counter!("mcp_proxy_audit_dropped_total").increment(1);
                    if !failing {
                        tracing::error!(%error, "the audit log cannot be written");
                    }
                }
                failing = put.is_err();
            }
        }
    }
}

/// The log of a configuration, if it has one.
///
/// # Errors
///
/// As [`Audit::open`].
pub fn of(settings: Option<&AuditSettings>) -> io::Result<Option<Audit>> {
    settings.map(Audit::open).transpose()
}
