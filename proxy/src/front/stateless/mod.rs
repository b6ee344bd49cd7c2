//! The front of 2026-07-28: every POST stands by itself.
//!
//! # Theory of operation
//!
//! A request carries everything a server has to know in its `_meta`, and what a gateway may want
//! to know again in headers. `ladder.rs` checks both in the order the specification gives,
//! `mirror.rs` compares one with the other. Then the request becomes a
//! [`Call`](crate::exchange::Call) at a server of its principal. What comes first decides how it
//! is answered, as in the session eras: the answer, then as JSON with a status that fits it;
//! anything else, or long silence, then as an SSE stream. Leaving is cancelling: there is nothing
//! to come back to, so whoever drops an answer that was not given ([`Wanted`](call::Wanted))
//! cancels the call at the server.
//!
//! `direct.rs` is the same for a client at a pipe, who has one stream for everything.
//!
//! `subscriptions/listen` is a request whose answer is a stream for as long as its client likes;
//! `listen.rs` carries it from a server that dies to the next.

mod call;
mod direct;
mod ladder;
mod listen;
pub(super) mod mirror;
mod stream;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Response};
use mcp_wire::{Kind, Message, method};
use tokio::sync::watch;

pub(super) use self::call::{last, overflowed};
pub use self::ladder::Wrong;
pub(super) use self::stream::Keeper;
use super::given::Given;
use super::{Fault, rescue};
use crate::exchange::{Needs, Principal, Refusal, Servers, Whom};

/// What this front needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What may wait for one client that does not read, in bytes.
    pub outlet: usize,
    /// A client's request.
    pub request: Duration,
    /// Silence after which an answer becomes a stream (rule 7).
    pub silence: Duration,
    /// Between two comments on a silent stream.
    pub keep_alive: Duration,
    /// What of a request's headers its server is given.
    pub given: Given,
    /// A stream of what belongs to no call is ended when it carried nothing for this long.
    pub max_stream_idle: Option<Duration>,
}

/// The front of 2026-07-28.
pub struct Stateless {
    servers: Arc<dyn Servers>,
    settings: Settings,
    draining: AtomicBool,
    in_flight: Arc<AtomicUsize>,
    /// True once every subscription is to end.
    closing: watch::Sender<bool>,
}

impl std::fmt::Debug for Stateless {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stateless")
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}

impl Stateless {
    /// A front for clients of these servers.
    #[must_use]
    pub fn new(servers: Arc<dyn Servers>, settings: Settings) -> Arc<Self> {
        Arc::new(Self {
            servers,
            settings,
            draining: AtomicBool::new(false),
            in_flight: Arc::default(),
            closing: watch::Sender::new(false),
        })
    }

    /// Answers one message.
    ///
    /// # Cancel safety
    ///
    /// Dropped when the client disconnects, which cancels the call.
    pub async fn post(
        self: &Arc<Self>,
        headers: &HeaderMap,
        principal: &Principal,
        message: Message,
    ) -> Response<Body> {
        let id = message.id();
        let answered = if message.kind() == Kind::Request {
            self.request(headers, principal, message).await
        } else {
            self.notification(headers, principal, message).await
        };
        answered.unwrap_or_else(|fault| fault.into_response(id.as_ref()))
    }

    async fn request(
        self: &Arc<Self>,
        headers: &HeaderMap,
        principal: &Principal,
        message: Message,
    ) -> Result<Response<Body>, Fault> {
        self.check(Some(headers), &message)?;
        let whom = self.settings.given.whom(headers, principal)?;
        if message.method() == Some(method::LISTEN) {
            return self.listen(whom, message).await;
        }
        self.call(headers, &whom, message).await
    }

    fn check(&self, headers: Option<&HeaderMap>, message: &Message) -> Result<(), Fault> {
        ladder::check(headers, message)?;
        self.take_work()
    }

    /// This revision defines no notification of a client over HTTP, and leaves room for those of
    /// extensions (Streamable HTTP, "Sending messages"). What only the session eras know, and what
    /// names a request by an id that means nothing outside its own POST, is taken and dropped.
    async fn notification(
        &self,
        headers: &HeaderMap,
        principal: &Principal,
        message: Message,
    ) -> Result<Response<Body>, Fault> {
        if is_for_servers(&message) {
            let whom = self.settings.given.whom(headers, principal)?;
            self.tell(&whom, message).await?;
        }
        Ok(rescue::accepted())
    }

    async fn tell(&self, whom: &Whom, message: Message) -> Result<(), Fault> {
        self.take_work()?;
        let seated = self.seat(whom, Needs::default()).await?;
        Ok(seated.server.tell(seated.feed, message)?)
    }

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

    /// Ends every subscription, as gracefully as its client may expect.
    pub fn end_all(&self) {
        self.closing.send_replace(true);
    }

    /// Calls in progress; subscriptions are not among them.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }
}

/// Whether a notification is passed on.
fn is_for_servers(message: &Message) -> bool {
    let dropped = [
        method::INITIALIZED,
        method::CANCELLED,
        method::PROGRESS,
        method::ROOTS_LIST_CHANGED,
    ];
    !message.method().is_some_and(|name| dropped.contains(&name))
}
