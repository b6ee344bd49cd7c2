//! The front for one local client: standard input and output, a line a message.
//!
//! # Theory of operation
//!
//! The client has a pipe and no connections, so there is one outlet for everything it is told, and
//! the order in which its server spoke is the order of the lines. What it says first settles how it
//! converses (`desk.rs`): `initialize` makes the pipe a session, as `GET /sse` makes a connection one,
//! and takes the same way (`front/inbox.rs`); a request of 2026-07-28 stands by itself, as a POST does
//! (`requests.rs`). `server/discover` is how a client of both eras asks, and settles nothing.
//!
//! Reading and writing the pipes are threads of their own (`input.rs`, `output.rs`): a read of a
//! terminal or a write to a client who is asleep cannot be taken back, and must not keep the program
//! from ending. Both hand over with a channel of one place, so what is read waits for the desk, and
//! what is written waits in the outlet, where it is counted.
//!
//! The end: standard input closed, the parent gone (`parent.rs`), nobody reading, or told from
//! outside. A client that closed the input may still read, so calls in flight have a moment to be
//! answered; then the session ends, and the server is told.

mod desk;
mod input;
mod output;
mod parent;
mod requests;
mod voice;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use self::desk::Desk;
use self::parent::Parent;
use self::voice::Voice;
use super::served::Served;
use crate::exchange::Outlet;

/// For the answers to calls in flight once the client has closed the input. Clients wait for two
/// seconds, as their SDKs do, before they send SIGTERM.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// For the client to read what is written last.
const LAST_LINES: Duration = Duration::from_millis(500);

/// How often what announces itself to nobody is looked at: the parent, and a client who does not read.
const LOOK: Duration = Duration::from_millis(250);

/// How often calls are counted that are to end.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// What this front needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The longest line of the client, in bytes.
    pub max_line: usize,
    /// What may wait for the client to read it, in bytes.
    pub outlet: usize,
}

/// The front of a local client.
#[derive(Debug)]
pub struct Stdio {
    served: Arc<Served>,
    settings: Settings,
    parent: Parent,
}

/// How a client's time here has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It left: it closed a pipe, or has ended itself.
    Left,
    /// The proxy was told to stop.
    Told,
    /// It did not read, and too much waited for it.
    Unread,
    /// Its session was ended here.
    Over,
}

impl Stdio {
    /// A front for the client of this process, in front of this server.
    #[must_use]
    pub fn new(served: Arc<Served>, settings: Settings) -> Self {
        Self {
            served,
            settings,
            parent: Parent::now(),
        }
    }

    /// Serves the client to its end, or until `stopped` says so. What is left of its lines is written
    /// when this returns, if somebody reads it.
    pub async fn serve(self, mut stopped: watch::Receiver<bool>) -> Ending {
        let (outlet, tap) = Outlet::new(self.settings.outlet);
        let voice = Arc::new(Voice::new(&self.served, outlet.clone()));
        let mut written = output::start(tap, Arc::clone(&voice));
        let mut lines = input::start(self.settings.max_line);
        let mut desk = Desk::new(&self.served, Arc::clone(&voice));
        let hears = async {
            while let Some(lines) = lines.recv().await {
                for line in lines {
                    desk.line(line).await;
                }
            }
        };
        let mut closed_input = false;
        let ending = tokio::select! {
            () = hears => {
                closed_input = true;
                Ending::Left
            }
            ending = written.ended() => ending,
            () = self.parent.gone() => {
                tracing::info!("the process that started this one has ended");
                Ending::Left
            }
            () = unread(&outlet) => Ending::Unread,
            _ = stopped.wait_for(|stop| *stop) => Ending::Told,
        };
        if closed_input {
            tracing::debug!("standard input was closed");
            tokio::select! {
                () = desk.answered() => {}
                _ = written.ended() => {}
                () = tokio::time::sleep(LAST_ANSWERS) => {}
            }
        }
        // The session ends here, and its server is told.
        drop(desk);
        voice.end();
        outlet.close();
        written.finish(LAST_LINES).await;
        match ending {
            Ending::Unread => tracing::error!(
                "the client does not read standard output, and more than --outlet-bytes waits for it"
            ),
            Ending::Over => tracing::error!("the session has ended"),
            Ending::Left | Ending::Told => {}
        }
        ending
    }
}

/// Resolves when too much waits for the client. The writer waits at a full pipe and cannot see it.
async fn unread(outlet: &Outlet) {
    while !outlet.has_overflowed() {
        tokio::time::sleep(LOOK).await;
    }
}

/// Resolves when `idle` is true.
async fn until(idle: impl Fn() -> bool) {
    let started = Instant::now();
    while !idle() {
        tokio::time::sleep(ASK_AGAIN).await;
    }
    tracing::debug!(waited = ?started.elapsed(), "every call has been answered");
}
