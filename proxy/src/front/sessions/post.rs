//! A POST: one message in, and for a request an answer out.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body as HttpBody;
use axum::http::{HeaderMap, HeaderValue, Response};
use bytes::Bytes;
use mcp_wire::{Body, Id, Kind, Member, Message, ParseError, method};
use tokio::time::Instant;

use super::super::{Fault, rescue};
use super::headers::{self, Claim};
use super::{Sessions, answer};
use crate::exchange::{AskId, Call, ExchangeId, Handle, Outlet, Principal, Refusal};
use crate::session::{Note, Session, SessionId};

/// Servers one request is offered to. The first may have ended since the session looked; when its
/// successor has, too, the client is told.
const SEATS_TRIED: usize = 2;

/// Messages one body may hold (2025-03-26 batches). A client that has more to say sends more
/// bodies.
pub(super) const MAX_BATCH: usize = 100;

impl Sessions {
    pub(super) async fn post(
        self: &Arc<Self>,
        headers: &HeaderMap,
        principal: &Principal,
        body: Bytes,
    ) -> Response<HttpBody> {
        if let Err(fault) = headers::check_post(headers) {
            return fault.into_response(None);
        }
        match Body::parse(body, MAX_BATCH) {
            Err(fault) => Fault::Unreadable(fault).into_response(None),
            Ok(Body::One(message)) => {
                let id = message.id();
                self.message(headers, principal, message)
                    .await
                    .unwrap_or_else(|fault| fault.into_response(id.as_ref()))
            }
            Ok(Body::Batch(messages)) => self
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
        check_era(headers, &message)?;
        let initialize =
            message.kind() == Kind::Request && message.method() == Some(method::INITIALIZE);
        if self.settings.stateless {
            return self.sessionless(principal, message).await;
        }
        if initialize {
            return match headers::session_id(headers) {
                Some(_) => Err(self
                    .find(headers, principal)
                    .map_or_else(|fault| fault, |_| Fault::InitializedTwice)),
                None => self.open(principal, message).await,
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
        self.table.find(id, principal).ok_or(Fault::SessionUnknown)
    }

    /// `initialize`: a session, a seat, and the server's own answer.
    async fn open(
        self: &Arc<Self>,
        principal: &Principal,
        message: Message,
    ) -> Result<Response<HttpBody>, Fault> {
        let id =
            SessionId::random(self.settings.machine.as_deref()).map_err(|_| Fault::NoRandom)?;
        let session = Session::new(id, principal.clone(), &message, self.settings.session);
        self.table
            .enter(Arc::clone(&session))
            .map_err(|_| Fault::SessionsFull {
                cap: self.settings.max_sessions,
            })?;
        let opening = Opening::new(self, &session);
        let seated = match session.open(&*self.servers).await {
            // A client that is elsewhere can have its server again when it comes back.
            Err(Refusal::Full { .. }) if self.table.make_room(Instant::now()) => {
                session.open(&*self.servers).await?
            }
            seated => seated?,
        };
        let (outlet, tap) = Outlet::new(self.settings.session.outlet);
        let exchange = enter(&session, &message)?;
        let call = Call {
            message,
            exchange,
            outlet,
            deadline: Instant::now() + self.settings.start,
        };
        session.started(exchange, Handle::call(&seated, call)?);
        let (mut response, begun) =
            answer::initialize(self, &session, tap, exchange, opening).await?;
        if begun && let Ok(value) = HeaderValue::from_str(session.id().as_str()) {
            response
                .headers_mut()
                .insert(headers::SESSION_ID.clone(), value);
        }
        Ok(response)
    }

    /// Sends a request to the session's server; one that died since the last request is replaced.
    pub(super) async fn send(
        &self,
        session: &Arc<Session>,
        message: Message,
        outlet: Outlet,
    ) -> Result<ExchangeId, Fault> {
        let exchange = enter(session, &message)?;
        let mut entered = Entered {
            session: Some(session),
            exchange,
        };
        let mut tries = SEATS_TRIED;
        loop {
            let seated = session.seated(&*self.servers).await?;
            tries -= 1;
            let call = Call {
                message: message.clone(),
                exchange,
                outlet: outlet.clone(),
                deadline: Instant::now() + self.settings.request,
            };
            match Handle::call(&seated, call) {
                // It ended since the session looked; nothing was sent, and the next look will see.
                Err(Refusal::Gone) if tries > 0 => {}
                Err(refusal) => return Err(refusal.into()),
                Ok(handle) => {
                    entered.session = None;
                    session.started(exchange, handle);
                    return Ok(exchange);
                }
            }
        }
    }

    /// A notification or an answer: taken, and nothing to say.
    pub(super) async fn take(&self, session: &Session, message: Message) -> Result<(), Fault> {
        match message.kind() {
            Kind::Result | Kind::Error => {
                let ask = message.id().and_then(|id| id.as_u64()).map(AskId);
                // An answer nobody waits for (any more) is not the client's mistake.
                let _late = ask.is_some_and(|ask| session.answer(ask, message));
            }
            _ if message.method() == Some(method::CANCELLED) => {
                let id = message
                    .member(Member::RequestId)
                    .and_then(|id| Id::parse(Bytes::copy_from_slice(id)).ok());
                if let Some(id) = id {
                    session.cancel(&id, message);
                }
            }
            _ => {
                let seated = session.seated(&*self.servers).await?;
                seated.server.tell(seated.feed, message)?;
            }
        }
        Ok(())
    }
}

/// Rule 1: a session id with a legacy or absent version header is legacy, whatever `_meta` says,
/// because a widely used connector sends both; otherwise a 2026-07-28 claim is one.
fn check_era(headers: &HeaderMap, message: &Message) -> Result<(), Fault> {
    let claim = headers::version(headers);
    let in_session = headers::session_id(headers).is_some();
    match claim {
        Claim::Modern(requested) => Err(Fault::ModernUnserved { requested }),
        Claim::Unknown => Err(Fault::VersionUnknown),
        Claim::Absent | Claim::Legacy => match message.string(Member::MetaProtocolVersion) {
            Some(requested) if !in_session && message.method() != Some(method::INITIALIZE) => {
                Err(Fault::ModernUnserved {
                    requested: requested.into_owned(),
                })
            }
            _ => Ok(()),
        },
    }
}

/// Enters a request under its client's id.
pub(super) fn enter(session: &Session, message: &Message) -> Result<ExchangeId, Fault> {
    let id = message.id().ok_or(Fault::Incomplete)?;
    let note = match message.method().unwrap_or_default() {
        method::SET_LEVEL => Some(Note::Level(message.clone())),
        method::RESOURCES_SUBSCRIBE => Some(Note::Subscribe(message.clone())),
        method::RESOURCES_UNSUBSCRIBE => Some(Note::Unsubscribe(message.clone())),
        method::INITIALIZE => Some(Note::Initialize),
        _ => None,
    };
    session.enter(id, note).ok_or(Fault::IdInFlight)
}

/// Takes an exchange back that was entered but never sent.
struct Entered<'a> {
    /// `None` once it was sent.
    session: Option<&'a Session>,
    exchange: ExchangeId,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.session {
            let _origin = session.finish(self.exchange);
        }
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

/// What a batch's unreadable element is answered with.
pub(super) fn unreadable(fault: &ParseError) -> Message {
    mcp_wire::error_message(fault.id.as_ref(), fault.code(), &fault.to_string(), None)
}
