//! `GET /sse`: a connection, which is a session.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Response};
use mcp_wire::{Message, ParseError, sse};
use tokio::task::AbortHandle;

use super::super::inbox::{Closed, Inbox, Passage};
use super::super::{Fault, headers, rescue};
use super::HttpSse;
use super::stream::ConnectionStream;
use crate::exchange::{Outlet, Principal};
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
        let variables = self.settings.given.of(headers)?;
        let Connected { connection, inbox } = self.connect(principal, None)?;
        let session = &connection.session;
        session.bring(variables);
        // Read from here on, so that nobody takes the session for unused.
        let tap = session.take_standing(false).ok_or(Fault::StreamTaken)?;
        self.inboxes.lock().insert(session.id().clone(), inbox);
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

    /// A connection that is a session of this principal, and the inbox for what its client says.
    /// Everything goes to `outlet`, where the connection has one already.
    ///
    /// # Errors
    ///
    /// There is no room for another session, or no number for its id.
    pub(in super::super) fn connect(
        self: &Arc<Self>,
        principal: &Principal,
        outlet: Option<Outlet>,
    ) -> Result<Connected, Fault> {
        let id =
            SessionId::random(self.settings.machine.as_deref()).map_err(|_| Fault::NoRandom)?;
        let session = Session::connection(id, principal.clone(), self.settings.session, outlet);
        self.table
            .enter(Arc::clone(&session))
            .map_err(|_| Fault::SessionsFull {
                cap: self.table.cap(),
            })?;
        let (inbox, waiting) = Inbox::new(Arc::clone(&session));
        let passage = Passage {
            servers: Arc::clone(&self.servers),
            table: Arc::clone(&self.table),
            start: self.settings.start,
            request: self.settings.request,
            draining: Arc::clone(&self.draining),
        };
        let serving = tokio::spawn(waiting.serve(passage, Arc::clone(&session)));
        let connection = Connection {
            front: Arc::clone(self),
            session,
            serving: serving.abort_handle(),
        };
        Ok(Connected { connection, inbox })
    }
}

/// A connection nobody has said anything on.
pub(in super::super) struct Connected {
    pub(in super::super) connection: Connection,
    /// Where what its client says is left.
    pub(in super::super) inbox: Inbox,
}

/// The connection's life. When it is dropped the session ends.
pub(in super::super) struct Connection {
    front: Arc<HttpSse>,
    pub(in super::super) session: Arc<Session>,
    serving: AbortHandle,
}

impl Connection {
    /// Ends the session while the connection still has to say so.
    pub(super) fn end(&self) {
        self.front.end(self.session.id());
    }

    /// Gives what its client said at once that must not wait behind the rest, and leaves the rest.
    pub(in super::super) async fn put(
        &self,
        inbox: &Inbox,
        mut messages: Vec<Result<Message, ParseError>>,
        length: usize,
    ) -> Result<(), Closed> {
        let front = &self.front;
        inbox
            .urgent(&*front.servers, &front.table, &mut messages)
            .await;
        inbox.put(messages, length).await
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.serving.abort();
        self.end();
    }
}
