//! What a proxy does that nobody uses: nothing, end, or have its machine put away.
//!
//! Idle means that no call is in flight and that nothing but keep-alives was said for a while. An
//! open stream is not work. Platforms that count connections cannot tell the two apart, so the proxy
//! decides, and tells the platform (Fly: its Machines API on a local socket).
//!
//! Whatever goes wrong, the proxy stays awake and serves: a fault is logged, and the next idle
//! period tries again. A machine that was suspended comes back in the middle of everything. Our
//! clock is the one that stands still meanwhile (`CLOCK_MONOTONIC`, see `std::time::Instant`), so no
//! deadline is over because the machine slept.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::time::Instant;

use crate::config::{FlyMachine, Idle, IdleAction};
use crate::pool::Heard;

/// How long Fly may take to answer. It suspends the machine after its answer, or during it, which
/// does not count: the clock stands still.
const PATIENCE: Duration = Duration::from_secs(10);

/// How much of Fly's answer is read, in bytes.
const LONGEST_ANSWER: usize = 16 * 1024;

/// Watches for idle periods.
#[derive(Debug)]
pub struct Idling {
    settings: Idle,
    heard: Heard,
    /// Since when there was no call in flight.
    free_since: Instant,
}

/// What is to be done now.
#[derive(Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    Nothing,
    /// Stop, as if told to, and end with success.
    Exit,
    /// Have the machine put away, by [`put_away`].
    PutAway(FlyMachine),
}

impl Idling {
    /// Of a proxy whose servers are listened to by `heard`.
    #[must_use]
    pub fn new(settings: Idle, heard: Heard) -> Self {
        Self {
            settings,
            heard,
            free_since: Instant::now(),
        }
    }

    /// What is due with so many calls in flight. Once something was, the next idle period begins.
    pub fn look(&mut self, calls: usize, now: Instant) -> Due {
        if calls > 0 {
            self.free_since = now;
        }
        let since = self.free_since.max(self.heard.last());
        if now.saturating_duration_since(since) < self.settings.after {
            return Due::Nothing;
        }
        self.free_since = now;
        match &self.settings.action {
            IdleAction::Nothing => Due::Nothing,
            IdleAction::Exit => Due::Exit,
            IdleAction::PutAway(machine) => Due::PutAway(machine.clone()),
        }
    }
}

/// Asks Fly to suspend or stop this machine. Logs what comes of it, and never ends the proxy: a
/// machine that is stopped gets its signal like any other.
pub async fn put_away(machine: FlyMachine) {
    let verb = machine.verb;
    tracing::info!(
        verb,
        "nobody uses this proxy; asking for the machine to be put away"
    );
    match tokio::time::timeout(PATIENCE, ask(&machine)).await {
        Ok(Ok(())) => tracing::info!(verb, "the machine is put away, or was"),
        Ok(Err(why)) => {
            tracing::error!(verb, "stays awake: {why}; the next idle period tries again");
        }
        Err(_) => {
            tracing::error!(
                verb,
                "stays awake: no answer within {PATIENCE:?}; the next idle period tries again"
            );
        }
    }
}

/// Why the machine was not put away.
#[derive(Debug, thiserror::Error)]
enum NotPutAway {
    #[error("{0}")]
    Socket(#[from] std::io::Error),
    #[error("{0}")]
    Http(#[from] hyper::Error),
    #[error("{0}")]
    Request(#[from] axum::http::Error),
    #[error("Fly answered {status}: {text}")]
    Refused { status: u16, text: String },
}

/// `POST /v1/apps/APP/machines/ID/suspend` (or `stop`), as Fly's Machines API has it.
async fn ask(machine: &FlyMachine) -> Result<(), NotPutAway> {
    let socket = UnixStream::connect(Path::new(&machine.socket)).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
    let path = format!(
        "/v1/apps/{}/machines/{}/{}",
        machine.app, machine.id, machine.verb
    );
    // The name is that of Fly's own documentation; who answers is decided by the socket.
    let request = Request::post(path)
        .header("Host", "flaps")
        .body(Empty::<Bytes>::new())?;
    // It ends with the socket, or when the sender is dropped with this function.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the connection to Fly's socket broke");
        }
    });
    let response = sender.send_request(request).await?;
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let body = Limited::new(response.into_body(), LONGEST_ANSWER);
    // The status says enough where the text cannot be read.
    let text = body.collect().await.map(|body| body.to_bytes());
    Err(NotPutAway::Refused {
        status: status.as_u16(),
        text: crate::observe::escape::escape(&text.unwrap_or_default(), LONGEST_ANSWER),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn idle_is_no_call_and_no_word_for_long_enough() {
        let minute = Duration::from_secs(60);
        let heard = Heard::new();
        let settings = Idle {
            after: minute,
            action: IdleAction::Exit,
            max_stream: None,
        };
        let mut idling = Idling::new(settings, heard.clone());
        let start = Instant::now();
        let mut look = |calls, seconds| idling.look(calls, start + Duration::from_secs(seconds));
        assert_eq!(look(0, 59), Due::Nothing);
        assert_eq!(
            look(1, 60),
            Due::Nothing,
            "a call is work however long it takes"
        );
        assert_eq!(look(0, 119), Due::Nothing);
        assert_eq!(look(0, 120), Due::Exit);
        assert_eq!(
            look(0, 179),
            Due::Nothing,
            "tried again after the next idle period only"
        );
        tokio::time::advance(Duration::from_secs(170)).await;
        heard.note();
        assert_eq!(look(0, 229), Due::Nothing);
        assert_eq!(look(0, 230), Due::Exit);
    }
}
