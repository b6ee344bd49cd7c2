//! The front of 2025-03-26, 2025-06-18 and 2025-11-25: sessions over Streamable HTTP.
//!
//! # Theory of operation
//!
//! A POST with a request becomes a [`Call`](crate::exchange::Call) with an outlet of its own. What
//! comes first decides how it is answered: the answer, then as plain JSON; anything else, or long
//! silence, then as an SSE stream. A stream has a number and its events too, so a client whose
//! connection broke comes back with `Last-Event-ID` and misses nothing: what was written is in the
//! session's ring, what was not is still in the outlet. Disconnecting is not cancelling in these
//! eras: the call goes on.
//!
//! Files: `post.rs` takes messages in, `answer.rs` decides between JSON and SSE, `stream.rs` is the
//! SSE body, `get.rs` and `delete.rs` are the other two verbs, `batch.rs` is 2025-03-26's,
//! `sessionless.rs` is `--stateless`. What HTTP+SSE needs too is a floor above: `conversation.rs`
//! brings messages to a server, `render.rs` turns events into the client's messages.

mod answer;
mod batch;
mod delete;
mod get;
mod post;
mod sessionless;
mod stream;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Method, Response};
use tokio::time::Instant;

use super::Fault;
use super::given::Given;
use crate::exchange::{Principal, Refusal, Servers};
use crate::session::{SessionLimits, Table};

/// Everything the session eras need to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What a session may hold.
    pub session: SessionLimits,
    /// From spawning a child until it answered `initialize`.
    pub start: Duration,
    /// A client's request.
    pub request: Duration,
    /// Silence after which an answer becomes a stream (rule 7).
    pub silence: Duration,
    /// Between two comments on a silent stream.
    pub keep_alive: Duration,
    /// A stream of what belongs to no call is ended when it carried nothing for this long.
    pub max_stream_idle: Option<Duration>,
    /// What of a client's headers its server is given.
    pub given: Given,
    /// The machine's name in session ids.
    pub machine: Option<String>,
    /// No session ids: `--stateless`.
    pub stateless: bool,
}

/// The front of the session eras.
pub struct Sessions {
    servers: Arc<dyn Servers>,
    table: Arc<Table>,
    settings: Settings,
    draining: AtomicBool,
    /// Calls of requests that belong to no session in the table.
    transient: AtomicUsize,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions")
            .field("sessions", &self.table.len())
            .finish_non_exhaustive()
    }
}

impl Sessions {
    /// A front for clients of these servers, whose sessions are kept in this table.
    #[must_use]
    pub fn new(servers: Arc<dyn Servers>, table: Arc<Table>, settings: Settings) -> Arc<Self> {
        Arc::new(Self {
            servers,
            table,
            settings,
            draining: AtomicBool::new(false),
            transient: AtomicUsize::new(0),
        })
    }

    /// Answers a request to the MCP endpoint that is no POST.
    pub fn handle(self: &Arc<Self>, parts: &Parts, principal: &Principal) -> Response<Body> {
        let (headers, method) = (&parts.headers, &parts.method);
        if self.settings.stateless {
            Fault::WrongMethod { allowed: "POST" }.into_response(None)
        } else if *method == Method::GET {
            self.get(headers, principal)
                .unwrap_or_else(|fault| fault.into_response(None))
        } else if *method == Method::DELETE {
            self.delete(headers, principal)
                .unwrap_or_else(|fault| fault.into_response(None))
        } else {
            Fault::WrongMethod {
                allowed: "GET, POST, DELETE",
            }
            .into_response(None)
        }
    }

    /// Whether a session of this id is alive, those of other fronts in the same table included.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        self.table.has(id)
    }

    /// Ends the sessions nobody uses; called about once a second.
    pub fn sweep(&self, now: Instant) {
        self.table.sweep(now);
    }

    /// New work is refused while the proxy stops. Answers and cancellations are not new work: the
    /// calls that are to end may wait for them.
    fn take_work(&self) -> Result<(), Fault> {
        if self.draining.load(Ordering::Relaxed) {
            return Err(Refusal::Draining.into());
        }
        Ok(())
    }

    /// Refuses new work from now on.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Ends every session: streams close and children stop.
    pub fn end_all(&self) {
        self.table.end_all();
    }

    /// Sessions alive, those of other fronts in the same table included, and calls in flight.
    #[must_use]
    pub fn load(&self) -> (usize, usize) {
        (
            self.table.len(),
            self.table.in_flight() + self.transient.load(Ordering::Relaxed),
        )
    }
}
