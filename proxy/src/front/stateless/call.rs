//! One request: a call at a server, answered as JSON or as a stream (rule 7).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::http::{HeaderMap, Response};
use bytes::Bytes;
use mcp_wire::{Era, Id, Member, Message, method};
use tokio::time::Instant;

use super::super::{Fault, rescue};
use super::stream::{Keeper, ResponseStream};
use super::{Stateless, mirror};
use crate::exchange::{
    Call, Event, ExchangeId, Handle, Item, Loss, Needs, Outcome, Outlet, Profile, Refusal, Seat,
    Seated, Tagged, Tap, Whom,
};

/// Servers one request is offered to. The first may have ended since it was looked up; when its
/// successor has, too, the client is told.
const SEATS_TRIED: usize = 2;

/// The only exchange of its outlet.
pub(super) const ONLY: ExchangeId = ExchangeId(1);

impl Stateless {
    pub(super) async fn call(
        self: &Arc<Self>,
        headers: &HeaderMap,
        whom: &Whom,
        message: Message,
    ) -> Result<Response<Body>, Fault> {
        let Some(id) = message.id() else {
            return Err(Fault::Incomplete);
        };
        let (outlet, tap) = Outlet::new(self.settings.outlet);
        let handle = self
            .send(Some(headers), whom, message, (ONLY, outlet))
            .await?;
        let wanted = Wanted::counted(handle, &self.in_flight);
        Ok(self.answer(id, tap, wanted).await)
    }

    /// Sends a request to this principal's server; its events go to this outlet under this name.
    ///
    /// # Errors
    ///
    /// No server could be had, it takes nothing, or it has a tool whose `headers` differ from the
    /// body.
    pub(super) async fn send(
        &self,
        headers: Option<&HeaderMap>,
        whom: &Whom,
        message: Message,
        (exchange, outlet): (ExchangeId, Outlet),
    ) -> Result<Handle, Fault> {
        let mut tries = SEATS_TRIED;
        loop {
            let seated = self.seat(whom, needs(&message)).await?;
            if let Some(headers) = headers
                && message.method() == Some(method::TOOLS_CALL)
            {
                check_mirrored(headers, &message, &seated).await?;
            }
            tries -= 1;
            let call = Call {
                message: message.clone(),
                exchange,
                outlet: outlet.clone(),
                deadline: Instant::now() + self.settings.request,
            };
            match Handle::call(&seated, call) {
                // It ended since it was looked up; nothing was sent.
                Err(Refusal::Gone) if tries > 0 => {}
                called => return Ok(called?),
            }
        }
    }

    /// A place at this principal's server.
    pub(super) async fn seat(&self, whom: &Whom, needs: Needs) -> Result<Seated, Fault> {
        // What belongs to no call belongs to no client in this era.
        let (standing, _unread) = Outlet::new(0);
        let seat = Seat {
            principal: whom.principal.clone(),
            variables: whom.variables.clone(),
            session: None,
            era: Era::Modern,
            needs,
            standing,
            revival: None,
            early: Arc::default(),
        };
        Ok(self.servers.seat(seat).await?)
    }

    pub(super) async fn answer(
        &self,
        id: Id,
        mut tap: Tap,
        keeper: impl Into<Keeper>,
    ) -> Response<Body> {
        let keeper = keeper.into();
        let first = tokio::time::timeout(self.settings.silence, tap.next()).await;
        let mut stream = ResponseStream::new(id, tap, keeper, self.settings.keep_alive);
        match first {
            Ok(Some(Item::Event(Tagged {
                event: Event::Done(outcome),
                ..
            }))) => stream
                .finish(outcome)
                .map_or_else(rescue::silent_stream, rescue::answered),
            Ok(Some(Item::Overflow) | None) => stream
                .overflow()
                .map_or_else(rescue::silent_stream, rescue::answered),
            Ok(Some(Item::Event(tagged))) => {
                stream.take(tagged);
                rescue::event_stream(Body::new(stream))
            }
            Err(_silence) => rescue::event_stream(Body::new(stream)),
        }
    }
}

/// What a request needs of its server.
fn needs(message: &Message) -> Needs {
    let capabilities = message.member(Member::MetaClientCapabilities);
    let may_ask = method::properties(message.method().unwrap_or_default()).may_ask;
    Needs {
        profile: capabilities.map_or(Profile::NONE, Profile::of),
        may_ask,
        resumes: message
            .member(Member::RequestState)
            .filter(|_| may_ask)
            .map(Bytes::copy_from_slice),
    }
}

/// Compares the headers of a tool call with its body, by the server's own list of tools. Before a
/// call is refused the list is read again: its client may know a newer one.
async fn check_mirrored(
    headers: &HeaderMap,
    message: &Message,
    seated: &Seated,
) -> Result<(), Fault> {
    let Some(name) = message.string(Member::Name) else {
        return Ok(());
    };
    let check = || match seated.server.mirrored(&name) {
        Some(mirrored) => mirror::check(headers, message, &mirrored),
        None => Ok(()),
    };
    if seated.server.tools_are_known() && check().is_ok() {
        return Ok(());
    }
    Arc::clone(&seated.server).read_tools_again().await;
    check()
}

/// An answer somebody waits for. Dropped before it came, it cancels the call: in this era leaving
/// is cancelling (2026-07-28, Streamable HTTP, "Cancellation").
#[derive(Debug)]
pub(in super::super) struct Wanted {
    handle: Option<Handle>,
    /// Where it is counted.
    in_flight: Option<Arc<AtomicUsize>>,
}

impl Wanted {
    pub(super) fn counted(handle: Handle, in_flight: &Arc<AtomicUsize>) -> Self {
        in_flight.fetch_add(1, Ordering::Relaxed);
        Self {
            handle: Some(handle),
            in_flight: Some(Arc::clone(in_flight)),
        }
    }

    /// Of a subscription, whose end nobody waits for.
    pub(super) const fn uncounted(handle: Handle) -> Self {
        Self {
            handle: Some(handle),
            in_flight: None,
        }
    }

    /// The client has cancelled it, with a notice of its own.
    pub(super) fn cancelled(&mut self, notice: Message) {
        if let Some(handle) = self.handle.take() {
            handle.cancel(Some(notice));
        }
    }

    /// The answer has come.
    pub(super) fn answered(&mut self) {
        if let Some(handle) = self.handle.take() {
            handle.detach();
        }
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        if let Some(in_flight) = &self.in_flight {
            in_flight.fetch_sub(1, Ordering::Relaxed);
        }
        if let Some(handle) = self.handle.take() {
            handle.cancel(None);
        }
    }
}

/// The last message of a request: its client's own id put back.
pub(in super::super) fn last(id: &Id, outcome: Outcome) -> Option<Message> {
    match outcome {
        Outcome::Result(mut message) | Outcome::Error(mut message) => {
            message.set_id(id.clone());
            Some(message)
        }
        Outcome::Lost(loss) => Some(rescue::lost(id, &loss)),
        Outcome::Cancelled => None,
    }
}

/// What is said on a stream that broke its budget.
pub(in super::super) fn overflowed(id: &Id) -> Message {
    rescue::lost(id, &Loss::unread())
}
