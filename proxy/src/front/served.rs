//! One configured server, and the fronts that offer it.
//!
//! A proxy may have several servers. Everything that is one server's own is in a [`Served`]: its
//! fronts, its children, what the pages say of it. A front of another era is one more field here,
//! and [`Served::mcp`] is the one place where a request to the MCP endpoint is given to a front.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use axum::http::request::Parts;
use bytes::Bytes;
use tokio::time::Instant;

use super::endpoint;
use super::http_sse::HttpSse;
use super::pages::About;
use super::sessions::Sessions;
use super::stateless::Stateless;
use crate::exchange::Principal;
use crate::observe::metrics::Share;
use crate::observe::process::Usage;
use crate::policy::scopes::ToolScopes;
use crate::pool::Pool;

/// One configured server, reached over HTTP.
#[derive(Debug)]
pub struct Served {
    /// The front of the session eras.
    pub sessions: Arc<Sessions>,
    /// The front of 2026-07-28.
    pub stateless: Arc<Stateless>,
    /// The front of HTTP+SSE.
    pub http_sse: Arc<HttpSse>,
    /// The children.
    pub pool: Arc<Pool>,
    /// Which scope calling a tool takes.
    pub scopes: ToolScopes,
    /// What the pages say of it.
    pub about: About,
    /// Its part of the metric of sessions.
    pub session_count: Share,
}

impl Served {
    /// Answers one request to the MCP endpoint whose body has arrived.
    ///
    /// # Cancel safety
    ///
    /// Dropped when the client disconnects. What that means is its era's.
    pub async fn mcp(&self, head: &Parts, principal: &Principal, body: Bytes) -> Response<Body> {
        let Self {
            sessions,
            stateless,
            scopes,
            ..
        } = self;
        endpoint::handle(sessions, stateless, scopes, head, principal, body).await
    }

    /// Looks at every deadline; to be called about once a second.
    pub fn sweep(&self, now: Instant) {
        self.pool.sweep(now);
        self.sessions.sweep(now);
        self.http_sse.sweep();
    }

    /// Refuses new work from now on.
    pub fn drain(&self) {
        self.sessions.drain();
        self.stateless.drain();
        self.http_sse.drain();
        self.pool.drain();
    }

    /// Sessions alive, and calls in flight.
    #[must_use]
    pub fn load(&self) -> (usize, usize) {
        let (sessions, calls) = self.sessions.load();
        (sessions, calls + self.stateless.in_flight())
    }

    /// Brings the metrics that are looked at rather than counted up to date.
    pub fn measure(&self, groups: &HashMap<u32, Usage>) {
        self.pool.measure(groups);
        self.session_count.set(self.load().0 as u64);
    }

    /// Closes every stream and stops every child; resolves when all are collected.
    ///
    /// # Cancel safety
    ///
    /// The children go on stopping when this is dropped.
    pub async fn stop(&self) {
        self.sessions.end_all();
        self.stateless.end_all();
        self.pool.stop().await;
        // A server that was taken out is not looked at again.
        self.measure(&HashMap::new());
    }
}
