//! `--stateless`: no session ids. Every request stands alone, at a server the proxy initialized
//! for this principal, declaring no client capability: there is no stream on which a client
//! could be asked.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::{HeaderMap, Response};
use mcp_wire::{Kind, Message};

use super::super::{Fault, rescue};
use super::{Sessions, answer};
use crate::exchange::{Loss, Outlet, Principal};
use crate::session::{Session, SessionId};

impl Sessions {
    pub(super) async fn sessionless(
        self: &Arc<Self>,
        headers: &HeaderMap,
        principal: &Principal,
        message: Message,
    ) -> Result<Response<Body>, Fault> {
        if message.kind() != Kind::Request {
            // `initialized` was said by us, a cancellation could mean any client's call of that
            // id, and answers have no question.
            return Ok(rescue::accepted());
        }
        let id = SessionId::random(None).map_err(|_| Fault::NoRandom)?;
        let session = Session::new(id, principal.clone(), &message, self.settings.session);
        session.bring(self.settings.given.of(headers)?);
        let transient = Transient::new(self, session);
        let (outlet, tap) = Outlet::new(self.settings.session.outlet);
        let session = transient.session();
        session.open(&*self.servers).await?;
        let exchange = self.send(&session, message, outlet).await?;
        Ok(answer::transient(self, transient, tap, exchange).await)
    }
}

/// A session of one request. Dropping it gives its seat up, and with it a call still running.
pub(super) struct Transient {
    front: Arc<Sessions>,
    session: Arc<Session>,
}

impl Transient {
    fn new(front: &Arc<Sessions>, session: Arc<Session>) -> Self {
        front.transient.fetch_add(1, Ordering::Relaxed);
        Self {
            front: Arc::clone(front),
            session,
        }
    }

    pub(super) fn session(&self) -> Arc<Session> {
        Arc::clone(&self.session)
    }
}

impl Drop for Transient {
    fn drop(&mut self) {
        self.session.end(&Loss::session_ended());
        self.front.transient.fetch_sub(1, Ordering::Relaxed);
    }
}
