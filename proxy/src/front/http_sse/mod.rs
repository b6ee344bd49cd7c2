//! The front of 2024-11-05's two endpoints, HTTP+SSE, for clients of any legacy version.
//!
//! # Theory of operation
//!
//! `GET /sse` is the session: its first event, `endpoint`, names the address to post to, and
//! everything the server says follows as `message` events. There is one outlet for all of it, the
//! session's standing one, so answers, progress and news arrive in the order the server wrote
//! them. There are no event ids and nothing to come back to: when the connection ends, so does
//! the session, and its server is left.
//!
//! A POST says nothing but 202. What it brought waits in the connection's inbox, bounded in bytes,
//! and one task per connection brings it to the server in the order it was posted. Whatever goes
//! wrong from then on is a JSON-RPC error on the stream, because the status is gone.
//!
//! Who does not read fast enough overflows the outlet and loses the session. The transport may be
//! too full to even notice, so [`HttpSse::sweep`] looks as well.
//!
//! Files: `open.rs` is the GET, `stream.rs` its body, `post.rs` the POST; what happens after the 202
//! is a floor above, in `front/inbox.rs`, because stdio needs it too.

mod open;
mod post;
mod stream;

pub(super) use self::open::Connected;
pub(super) use self::post::session_id;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Method, Response};
use bytes::Bytes;
use parking_lot::Mutex;

use super::Fault;
use super::given::Given;
use super::inbox::Inbox;
use crate::exchange::{Principal, Refusal, Servers};
use crate::policy::scopes::ToolScopes;
use crate::session::{SessionId, SessionLimits, Table};

/// Everything HTTP+SSE needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What a session may hold.
    pub session: SessionLimits,
    /// From spawning a child until it answered `initialize`.
    pub start: Duration,
    /// A client's request.
    pub request: Duration,
    /// Between two comments on a silent stream.
    pub keep_alive: Duration,
    /// The machine's name in session ids.
    pub machine: Option<String>,
    /// The path clients post to, as the `endpoint` event names it.
    pub messages_path: String,
    /// What of a connection's headers its server is given.
    pub given: Given,
    /// Which scope calling a tool takes.
    pub scopes: ToolScopes,
    /// No sessions, so nothing for this front to do: `--stateless`.
    pub stateless: bool,
}

/// The front of HTTP+SSE.
pub struct HttpSse {
    servers: Arc<dyn Servers>,
    /// Bounds the sessions of all fronts together.
    table: Arc<Table>,
    settings: Settings,
    /// Where what is posted to a living connection goes.
    inboxes: Mutex<HashMap<SessionId, Inbox>>,
    draining: Arc<AtomicBool>,
}

impl std::fmt::Debug for HttpSse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpSse")
            .field("connections", &self.inboxes.lock().len())
            .finish_non_exhaustive()
    }
}

impl HttpSse {
    /// A front for clients of these servers, whose sessions are kept in this table.
    #[must_use]
    pub fn new(servers: Arc<dyn Servers>, table: Arc<Table>, settings: Settings) -> Arc<Self> {
        Arc::new(Self {
            servers,
            table,
            settings,
            inboxes: Mutex::default(),
            draining: Arc::default(),
        })
    }

    /// Answers one request to `/sse`.
    #[must_use]
    pub fn sse(self: &Arc<Self>, parts: &Parts, principal: &Principal) -> Response<Body> {
        if self.settings.stateless {
            Fault::NoConnections.into_response(None)
        } else if parts.method == Method::GET {
            self.open(&parts.headers, principal)
                .unwrap_or_else(|fault| fault.into_response(None))
        } else {
            Fault::WrongMethod { allowed: "GET" }.into_response(None)
        }
    }

    /// Answers one request to `/messages` whose body has arrived.
    ///
    /// # Cancel safety
    ///
    /// Dropped when the client disconnects. What was answered with 202 is taken; the rest is not.
    pub async fn messages(
        &self,
        parts: &Parts,
        principal: &Principal,
        body: Bytes,
    ) -> Response<Body> {
        if self.settings.stateless {
            Fault::NoConnections.into_response(None)
        } else if parts.method == Method::POST {
            self.post(parts, principal, body)
                .await
                .unwrap_or_else(|fault| fault.into_response(None))
        } else {
            Fault::WrongMethod { allowed: "POST" }.into_response(None)
        }
    }

    /// Ends the sessions whose client does not read; called about once a second. Their bodies
    /// cannot: nobody asks a body for bytes while its socket is full.
    pub fn sweep(&self) {
        let overflowed: Vec<SessionId> = self
            .inboxes
            .lock()
            .values()
            .map(Inbox::session)
            .filter(|session| !session.is_ended() && session.standing().has_overflowed())
            .map(|session| session.id().clone())
            .collect();
        for id in overflowed {
            tracing::warn!(
                session = id.short(),
                "ended a session whose stream was not read fast enough"
            );
            self.end(&id);
        }
    }

    /// Refuses new connections and requests from now on.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    fn take_work(&self) -> Result<(), Fault> {
        if self.draining.load(Ordering::Relaxed) {
            return Err(Refusal::Draining.into());
        }
        Ok(())
    }

    /// Ends a session: nobody can post to it, its calls are lost, its server is left.
    fn end(&self, id: &SessionId) {
        drop(self.inboxes.lock().remove(id));
        let _was_there = self.table.end(id);
    }
}
