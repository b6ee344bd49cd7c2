//! `GET /sse`: a connection, which is a session.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Response};
use mcp_wire::sse;
use tokio::task::AbortHandle;

use super::super::{Fault, headers, rescue};
use super::HttpSse;
use super::inbox::Inbox;
use super::stream::ConnectionStream;
use crate::exchange::Principal;
use crate::session::{Session, SessionId};

impl HttpSse {
    pub(super) fn open(
        self: &Arc<Self>,
        headers: &HeaderMap,
        principal: &Principal,
    ) -> Result<Response<Body>, Fault> {
        self.take_work()?;
        headers::check_stream(headers)?;
        headers::check_legacy(headers)?;
        let id =
            SessionId::random(self.settings.machine.as_deref()).map_err(|_| Fault::NoRandom)?;
        let session = Session::connection(id, principal.clone(), self.settings.session);
        session.bring(self.settings.given.of(headers)?);
        // Read from here on, so that nobody takes the session for unused.
        let tap = session.take_standing(false).ok_or(Fault::StreamTaken)?;
        self.table
            .enter(Arc::clone(&session))
            .map_err(|_| Fault::SessionsFull {
                cap: self.table.cap(),
            })?;
        let (inbox, waiting) = Inbox::new(Arc::clone(&session));
        self.inboxes.lock().insert(session.id().clone(), inbox);
        let serving = tokio::spawn(waiting.serve(Arc::clone(self), Arc::clone(&session)));
        let connection = Connection {
            front: Arc::clone(self),
            session: Arc::clone(&session),
            serving: serving.abort_handle(),
        };
        // Relative to the origin the client knows us by, which a reverse proxy may have changed
        // (2024-11-05, HTTP with SSE: the `endpoint` event comes first).
        let address = format!(
            "{}?session_id={}",
            self.settings.messages_path,
            session.id().as_str()
        );
        let endpoint = sse::named("endpoint", &address);
        let keep_alive = self.settings.keep_alive;
        let stream = ConnectionStream::new(connection, tap, keep_alive, &endpoint);
        Ok(rescue::event_stream(Body::new(stream)))
    }
}

/// The connection's life. Dropped with the body of the response, and the session ends.
pub(super) struct Connection {
    front: Arc<HttpSse>,
    pub(super) session: Arc<Session>,
    serving: AbortHandle,
}

impl Connection {
    /// Ends the session while the body still has to say so.
    pub(super) fn end(&self) {
        self.front.end(self.session.id());
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.serving.abort();
        self.end();
    }
}
