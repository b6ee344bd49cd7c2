//! A POST: one message in, and for a request an answer out.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body as HttpBody;
use axum::http::{HeaderMap, HeaderValue, Response};
use mcp_wire::{Body, Kind, Message};

use super::super::{Fault, conversation, headers, rescue};
use super::{Sessions, answer};
use crate::exchange::{ExchangeId, Outlet, Principal};
use crate::session::{Session, SessionId};

impl Sessions {
    /// Answers a POST of the session eras.
    ///
    /// # Cancel safety
    ///
    /// Dropped when the client disconnects. A call that was sent goes on; see [`crate::exchange`].
    pub async fn post(
        self: &Arc<Self>,
        headers: &HeaderMap,
        principal: &Principal,
        body: Body,
    ) -> Response<HttpBody> {
        match body {
            Body::One(message) => {
                let id = message.id();
                self.message(headers, principal, message)
                    .await
                    .unwrap_or_else(|fault| fault.into_response(id.as_ref()))
            }
            Body::Batch(messages) => self
                .batch(headers, principal, messages)
                .await
                .unwrap_or_else(|fault| fault.into_response(None)),
        }
    }

    async fn message(
        self: &Arc<Self>,
        headers: &HeaderMap,
        principal: &Principal,
        message: Message,
    ) -> Result<Response<HttpBody>, Fault> {
        if message.kind() == Kind::Request {
            self.take_work()?;
        }
        if self.settings.stateless {
            return self.sessionless(headers, principal, message).await;
        }
        if conversation::is_initialize(&message) {
            return match headers::session_id(headers) {
                Some(_) => Err(self
                    .find(headers, principal)
                    .map_or_else(|fault| fault, |_| Fault::InitializedTwice)),
                None => self.open(headers, principal, message).await,
            };
        }
        let session = self.find(headers, principal)?;
        match message.kind() {
            Kind::Request => {
                let (outlet, tap) = Outlet::new(self.settings.session.outlet);
                let exchange = self.send(&session, message, outlet).await?;
                Ok(answer::one(self, session, tap, exchange).await)
            }
            _ => {
                self.take(&session, message).await?;
                Ok(rescue::accepted())
            }
        }
    }

    /// The session a request names.
    pub(super) fn find(
        &self,
        headers: &HeaderMap,
        principal: &Principal,
    ) -> Result<Arc<Session>, Fault> {
        let id = headers::session_id(headers).ok_or(Fault::SessionMissing)?;
        let session = self.table.find(id, principal);
        let session = session.ok_or(Fault::SessionUnknown)?;
        session.bring(self.settings.given.of(headers)?);
        Ok(session)
    }

    /// `initialize`: a session, a seat, and the server's own answer.
    async fn open(
        self: &Arc<Self>,
        headers: &HeaderMap,
        principal: &Principal,
        message: Message,
    ) -> Result<Response<HttpBody>, Fault> {
        let given = self.settings.given.of(headers)?;
        let id =
            SessionId::random(self.settings.machine.as_deref()).map_err(|_| Fault::NoRandom)?;
        let session = Session::new(id, principal.clone(), &message, self.settings.session);
        session.bring(given);
        self.table
            .enter(Arc::clone(&session))
            .map_err(|_| Fault::SessionsFull {
                cap: self.table.cap(),
            })?;
        let opening = Opening::new(self, &session);
        let (outlet, tap) = Outlet::new(self.settings.session.outlet);
        let exchange = conversation::enter(&session, &message)?;
        let (call, start) = ((message, exchange), self.settings.start);
        conversation::initialize(&*self.servers, &self.table, &session, call, outlet, start)
            .await?;
        let (mut response, begun) =
            answer::initialize(self, &session, tap, exchange, opening).await?;
        if begun && let Ok(value) = HeaderValue::from_str(session.id().as_str()) {
            response
                .headers_mut()
                .insert(headers::SESSION_ID.clone(), value);
        }
        Ok(response)
    }

    /// As [`conversation::send`].
    pub(super) async fn send(
        &self,
        session: &Session,
        message: Message,
        outlet: Outlet,
    ) -> Result<ExchangeId, Fault> {
        let patience = self.settings.request;
        conversation::send(
            &*self.servers,
            &self.table,
            session,
            message,
            outlet,
            patience,
        )
        .await
    }

    /// As [`conversation::take`].
    pub(super) async fn take(&self, session: &Session, message: Message) -> Result<(), Fault> {
        conversation::take(&*self.servers, &self.table, session, message).await
    }
}

/// A session whose `initialize` has not been accepted. Until then it is that request's alone:
/// whatever ends the request early, a disconnect included, ends the session and its child.
pub(super) struct Opening {
    front: Arc<Sessions>,
    /// `None` once the server has said yes.
    session: Option<Arc<Session>>,
}

impl Opening {
    fn new(front: &Arc<Sessions>, session: &Arc<Session>) -> Self {
        front.transient.fetch_add(1, Ordering::Relaxed);
        Self {
            front: Arc::clone(front),
            session: Some(Arc::clone(session)),
        }
    }

    /// The server has answered: only a result makes a session.
    pub(super) fn answered(mut self, answer: &Message) {
        if answer.kind() == Kind::Result {
            self.session = None;
        }
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.front.transient.fetch_sub(1, Ordering::Relaxed);
        if let Some(session) = self.session.take() {
            self.front.table.end(session.id());
        }
    }
}
