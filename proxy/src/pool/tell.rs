//! What is told of a pool: to monitors, whether to send somebody; to people, what runs and what became
//! of what ran.

use mcp_wire::Era;
use tokio::time::Instant;

use super::slots::Whose;
use super::{Pool, Sharing, State};
use crate::exchange::Principal;
use crate::link::End;
use crate::link::EndReason;
use crate::link::child::{self, Status};

/// What became of children that are not here any more.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// Children that were started, or tried to be.
    pub(super) starts: u64,
    crashes: u64,
    last: Option<(String, Instant)>,
}

impl Past {
    /// A child has ended.
    pub(super) fn ended(&mut self, end: &End, now: Instant) {
        if end.reason != EndReason::Stopped {
            self.crashes += 1;
        }
        self.last = Some((end.sentence(), now));
    }
}

/// A pool at one moment.
#[derive(Clone, Debug)]
pub struct PoolStatus {
    /// Where the server is in its life.
    pub state: State,
    /// Processes started since the proxy was.
    pub starts: u64,
    /// How many of them ended by themselves.
    pub crashes: u64,
    /// How the last one ended, as a sentence, and when.
    pub last_exit: Option<(String, Instant)>,
    /// The processes.
    pub children: Vec<ChildStatus>,
}

/// A child at one moment.
#[derive(Clone, Debug)]
pub struct ChildStatus {
    /// The process and its pipes.
    pub process: Status,
    /// Its last lines on standard error, oldest first, escaped and cut.
    pub last_words: Vec<String>,
    /// What its whole process group holds in memory, in bytes.
    pub resident: u64,
    /// Which era is spoken with it.
    pub era: Era,
    /// Whether it has answered its greeting.
    pub greeted: bool,
    /// Calls in flight.
    pub calls: usize,
    /// Clients that have a seat at it.
    pub seats: usize,
}

impl Pool {
    /// Why new clients cannot be served right now, if they cannot.
    #[must_use]
    pub fn unready(&self) -> Option<String> {
        let now = Instant::now();
        self.settle(now);
        let unready = self.life.lock().unready(now);
        let unready = unready.or_else(|| self.settings.program.unready());
        unready.or_else(|| {
            // A common child that keeps crashing is everybody's.
            let whose = (self.settings.sharing == Sharing::All).then(Whose::default)?;
            let paused = self.common.paused(&whose, now);
            let paused = paused.or_else(|| self.moderns.paused(&whose, now))?;
            Some(paused.to_string())
        })
    }

    /// Why the server is given up, if it is: so many starts in a row have failed.
    #[must_use]
    pub fn hopeless(&self) -> Option<String> {
        self.settle(Instant::now());
        self.life.lock().hopeless()
    }

    /// What every child is doing, and what became of those that were.
    #[must_use]
    pub fn status(&self) -> PoolStatus {
        self.settle(Instant::now());
        let mut children: Vec<ChildStatus> = self
            .children
            .lock()
            .values()
            .map(|running| {
                let conversation = running.conversation.upgrade();
                let (calls, seats) = conversation
                    .as_ref()
                    .map_or((0, 0), |conversation| conversation.load());
                ChildStatus {
                    process: running.child.status(),
                    last_words: running.child.last_words(),
                    resident: 0,
                    era: running.era,
                    greeted: conversation.is_some_and(|conversation| conversation.is_greeted()),
                    calls,
                    seats,
                }
            })
            .collect();
        let groups: Vec<u32> = children.iter().map(|child| child.process.pid).collect();
        for (child, resident) in children.iter_mut().zip(child::resident(&groups)) {
            child.resident = resident;
        }
        let past = self.past.lock();
        PoolStatus {
            state: self.life.lock().state().clone(),
            starts: past.starts,
            crashes: past.crashes,
            last_exit: past.last.clone(),
            children,
        }
    }

    /// Whom a child of 2026-07-28 serves that is started for nobody in particular.
    pub(super) fn everybody(&self) -> Whose {
        Whose::plain((self.settings.sharing != Sharing::All).then(Principal::anonymous))
    }
}
