//! What a link tells the back above it: messages, damaged lines, and, exactly once, the end.

use std::fmt;

use mcp_wire::{Id, Message};

/// What a link tells the back above it.
///
/// Calls come one after another, never concurrently, in the order in which the server wrote. They are made on the
/// link's own tasks, so an implementation must not block: what it cannot finish at once it hands on.
/// An implementation that panics ends the link as [`EndReason::Broken`], and `closed` is then not called.
pub trait Inbound: Send + 'static {
    /// The server wrote a message.
    fn message(&mut self, message: Message);

    /// The server wrote an answer that is not a message (bad JSON, too long, cut by a crash), but whose id could be
    /// read, as the line spelled it: somebody waits for it. `fault` is a lower-case fragment that says what is wrong
    /// with the line. Refused requests and notifications of the server are counted and logged, and not told.
    fn damaged(&mut self, id: Id, fault: String);

    /// The last call, made exactly once: nothing more will come, and whoever still waits will wait in vain.
    /// The link's status and its last lines of standard error are complete by then.
    fn closed(&mut self, end: End);
}

/// How a link ended, and what to tell a person about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Why the link ended.
    pub reason: EndReason,
}

/// Why a link ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The server ended by itself. One of the two is known on every Unix: a process either exits or is killed.
    Exited {
        /// The exit status, when it called `exit`.
        code: Option<i32>,
        /// The signal's number, when one ended it.
        signal: Option<i32>,
    },
    /// We asked it to stop, or every handle of it was dropped.
    Stopped,
    /// The link could not be used any longer though nobody asked it to end. The text is a fragment that follows
    /// "the server": `closed its standard output but kept running`.
    Broken(String),
}

impl End {
    /// An end for this reason.
    pub fn new(reason: EndReason) -> Self {
        Self { reason }
    }

    /// The end as a sentence for people, without a capital and a full stop, so that it can stand inside another one:
    /// `the server exited with status 3`.
    pub fn sentence(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            EndReason::Exited {
                code: Some(code), ..
            } => write!(f, "the server exited with status {code}"),
            EndReason::Exited {
                signal: Some(signal),
                ..
            } => match signal_name(*signal) {
                Some(name) => write!(f, "the server was killed by signal {signal} ({name})"),
                None => write!(f, "the server was killed by signal {signal}"),
            },
            EndReason::Exited { .. } => f.write_str("the server ended"),
            EndReason::Stopped => f.write_str("the server was stopped"),
            EndReason::Broken(how) => write!(f, "the server {how}"),
        }
    }
}

/// The names of signals that end servers in practice; their numbers are the same on every Unix we run on.
fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        8 => "SIGFPE",
        9 => "SIGKILL, often for want of memory",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(reason: EndReason, sentence: &str) {
        assert_eq!(End::new(reason).sentence(), sentence);
    }

    #[test]
    fn ends_read_as_sentences() {
        check(
            EndReason::Exited {
                code: Some(3),
                signal: None,
            },
            "the server exited with status 3",
        );
        check(
            EndReason::Exited {
                code: None,
                signal: Some(11),
            },
            "the server was killed by signal 11 (SIGSEGV)",
        );
        check(
            EndReason::Exited {
                code: None,
                signal: Some(64),
            },
            "the server was killed by signal 64",
        );
        check(EndReason::Stopped, "the server was stopped");
        check(
            EndReason::Broken("closed its input".to_owned()),
            "the server closed its input",
        );
    }
}
