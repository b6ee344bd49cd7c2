//! The task that owns the process: it climbs the stop ladder, collects the leader, sees the group out, and says that
//! the link has ended.

use std::{process::ExitStatus, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    task::{JoinError, JoinHandle},
    time::{Instant, sleep_until},
};
use tracing::Instrument as _;

use super::{
    Settings, State,
    ladder::{Action, Ladder, Seen},
    life::Shared,
    process::{Pipes, Process, code_and_signal},
    stderr,
    stdio::{self, Heard, Source},
};
use crate::link::{End, EndReason, Inbound};

/// How long a server may go on after closing one of its pipes. An ending process closes them a moment before it ends,
/// and this tells that moment from a server that can never be served again.
const PIPE_CLOSED_WAIT: Duration = Duration::from_secs(1);

/// How often we look whether the group has emptied, since nothing tells us: first soon, because most orphans end at
/// once, then less often.
const FIRST_GROUP_POLL: Duration = Duration::from_millis(2);
const LAST_GROUP_POLL: Duration = Duration::from_millis(100);

/// From this interval on we look whether only zombies are left. A group that empties at once, as most do, never costs
/// that look.
const CLOSE_LOOK_POLL: Duration = Duration::from_millis(16);

/// Serves one child from its start until its listener has heard the end.
pub(super) async fn supervise(
    process: Process,
    pipes: Pipes,
    settings: Settings,
    shared: Arc<Shared>,
    inbound: Box<dyn Inbound>,
) {
    // Whatever happens below, a panic of the listener included, nobody waits for ever in `stopped`.
    let mut last_word = LastWord {
        shared: &shared,
        end: cut_off(),
    };
    let (over, leave) = watch::channel(false);
    let stdout = Source::new(pipes.stdout, leave.clone());
    let stderr = Source::new(pipes.stderr, leave);
    let errors = stderr::read(stderr, settings.show_stderr, shared.clone());
    let errors = tokio::spawn(errors.in_current_span());
    let reader = stdio::read(stdout, settings.max_line, shared.clone(), inbound);
    let writer = stdio::write(pipes.stdin, shared.clone());
    let mut supervisor = Supervisor {
        process,
        ladder: Ladder::new(settings.stop),
        writer: tokio::spawn(writer),
        writer_ended: false,
        reader: Reading::Running(tokio::spawn(reader.in_current_span())),
        state: shared.watch(),
        shared: &shared,
        asked: false,
        exit: Exit::NotYet,
        half_closed: None,
        broken: None,
        poll: FIRST_GROUP_POLL,
    };
    let left_behind = supervisor.see_out().await;

    shared.outbox.close();
    supervisor.writer.abort();
    over.send_replace(true);
    let end = supervisor.end(left_behind);
    let heard = supervisor.reader.ended().await;
    drop(errors.await);
    last_word.end = end.clone();
    if let Ok(mut heard) = heard {
        heard.inbound.closed(end);
    }
}

struct Supervisor<'a> {
    process: Process,
    ladder: Ladder,
    writer: JoinHandle<std::io::Result<()>>,
    writer_ended: bool,
    reader: Reading,
    state: watch::Receiver<State>,
    shared: &'a Shared,
    /// Somebody asked for the stop.
    asked: bool,
    exit: Exit,
    /// One of the pipes was closed by the child, which then has until this moment to end.
    half_closed: Option<(Instant, &'static str)>,
    /// Why we stop it although nobody asked.
    broken: Option<String>,
    poll: Duration,
}

/// The reading task, or what came of it.
enum Reading {
    Running(JoinHandle<Heard>),
    Ended(Result<Heard, JoinError>),
}

/// The leader's end.
enum Exit {
    NotYet,
    Collected {
        /// Absent when somebody else collected it.
        status: Option<ExitStatus>,
        /// Whether it had been asked to stop before.
        asked: bool,
    },
}

impl Supervisor<'_> {
    /// Climbs the ladder to its end. True when something outlived SIGKILL.
    async fn see_out(&mut self) -> bool {
        loop {
            let seen = Seen {
                stop: self.asked || self.broken.is_some(),
                leader_ended: matches!(self.exit, Exit::Collected { .. }),
                group_empty: self.process.group_empty(self.poll >= CLOSE_LOOK_POLL),
            };
            match self.ladder.step(Instant::now(), seen) {
                Action::Wait => self.wait().await,
                Action::CloseInput => self.shared.stop(),
                Action::Terminate => {
                    // Also the end of patience for a writer that waits for a child which does not read.
                    self.shared.stop();
                    self.shared.outbox.close();
                    self.writer.abort();
                    self.process.terminate();
                }
                Action::Kill => self.process.kill(),
                Action::Finish { left_behind } => return left_behind,
            }
        }
    }

    /// Waits until something is seen that was not seen before.
    async fn wait(&mut self) {
        let running = matches!(self.exit, Exit::NotYet);
        let wake = self.next_look(running);
        tokio::select! {
            biased;
            status = self.process.ended(), if running => {
                self.exit = Exit::Collected { status: status.ok(), asked: self.asked };
                self.shared.outbox.close();
            }
            () = asked(&mut self.state), if !self.asked => self.asked = true,
            result = &mut self.writer, if !self.writer_ended => {
                self.writer_ended = true;
                if let Ok(Err(_)) = result {
                    self.half_close("closed its standard input but kept running");
                }
            }
            heard = self.reader.wait(), if self.reader.is_running() => {
                if heard.as_ref().map_or(true, |heard| heard.panicked) {
                    self.broken = Some("was cut off, because taking its messages failed here".to_owned());
                }
                self.reader = Reading::Ended(heard);
                self.half_close("closed its standard output but kept running");
            }
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => self.look_again(),
        }
    }

    /// When to look again though nothing happened.
    fn next_look(&self, running: bool) -> Option<Instant> {
        let group = (!running).then(|| Instant::now() + self.poll);
        let stopping = self.asked || self.broken.is_some();
        let half_closed = self
            .half_closed
            .filter(|_| running && !stopping)
            .map(|(until, _)| until);
        [self.ladder.deadline(), group, half_closed]
            .into_iter()
            .flatten()
            .min()
    }

    fn look_again(&mut self) {
        match self.exit {
            Exit::Collected { .. } => self.poll = LAST_GROUP_POLL.min(self.poll * 2),
            Exit::NotYet => {
                if let Some((until, how)) = self.half_closed
                    && Instant::now() >= until
                    && !self.asked
                {
                    self.broken.get_or_insert_with(|| how.to_owned());
                }
            }
        }
    }

    fn half_close(&mut self, how: &'static str) {
        self.half_closed
            .get_or_insert_with(|| (Instant::now() + PIPE_CLOSED_WAIT, how));
    }

    /// What to tell, once the ladder is at its end.
    fn end(&self, left_behind: bool) -> End {
        if left_behind {
            tracing::warn!(target: "child", "something in the server's process group outlived SIGKILL");
        }
        let reason = match (&self.broken, &self.exit) {
            (_, Exit::NotYet) => EndReason::Broken(format!(
                "could not be killed: process {} is still there",
                self.shared.pid
            )),
            (Some(how), _) => EndReason::Broken(how.clone()),
            (None, Exit::Collected { asked: true, .. }) => EndReason::Stopped,
            (
                None,
                Exit::Collected {
                    status,
                    asked: false,
                },
            ) => {
                let (code, signal) = status.map_or((None, None), code_and_signal);
                EndReason::Exited { code, signal }
            }
        };
        End::new(reason)
    }
}

/// Waits until somebody asked for the stop.
async fn asked(state: &mut watch::Receiver<State>) {
    // An error means that nobody is left to ask, and `Shared` holds the sender as long as we run.
    drop(state.wait_for(|state| *state != State::Running).await);
}

impl Reading {
    fn is_running(&self) -> bool {
        matches!(self, Self::Running(_))
    }

    /// Waits for the reader's end. Only called while it runs.
    async fn wait(&mut self) -> Result<Heard, JoinError> {
        match self {
            Self::Running(task) => task.await,
            Self::Ended(_) => std::future::pending().await,
        }
    }

    async fn ended(self) -> Result<Heard, JoinError> {
        match self {
            Self::Running(task) => task.await,
            Self::Ended(heard) => heard,
        }
    }
}

/// Marks the child as ended when the supervisor ends, however it does.
struct LastWord<'a> {
    shared: &'a Shared,
    end: End,
}

impl Drop for LastWord<'_> {
    fn drop(&mut self) {
        self.shared.ended(self.end.clone());
    }
}

fn cut_off() -> End {
    End::new(EndReason::Broken(
        "was cut off, because the proxy is ending".to_owned(),
    ))
}
