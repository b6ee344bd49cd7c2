//! How a session's messages reach its server, whichever way its client speaks to us.
//!
//! Nothing here knows streams or statuses: a front says which outlet a call's events go to, and
//! what a [`Fault`] comes to.

use std::time::Duration;

use bytes::Bytes;
use mcp_wire::{Id, Kind, Member, Message, ParseError, Version, method};
use tokio::time::Instant;

use super::Fault;
use crate::exchange::{AskId, Call, ExchangeId, Handle, Outlet, Refusal, Seated, Servers};
use crate::session::{Note, Session, Table};

/// Servers one request is offered to. The first may have ended since the session looked; when its
/// successor has, too, the client is told.
const SEATS_TRIED: usize = 2;

/// Messages one body may hold (2025-03-26 batches). A client that has more to say sends more
/// bodies.
pub(super) const MAX_BATCH: usize = 100;

/// Enters a request under its client's id.
///
/// # Errors
///
/// The client has a request of this id in flight.
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

/// Sends `initialize`, entered as `exchange`, to the session's first server.
///
/// # Errors
///
/// No server could be had, or it takes nothing. The exchange is taken back.
///
/// # Cancel safety
///
/// A dropped future takes the exchange back.
pub(super) async fn initialize(
    servers: &dyn Servers,
    table: &Table,
    session: &Session,
    (message, exchange): (Message, ExchangeId),
    outlet: Outlet,
    start: Duration,
) -> Result<(), Fault> {
    let mut entered = Entered {
        session: Some(session),
        exchange,
    };
    let seated = match session.open(servers).await {
        // A client that is elsewhere can have its server again when it comes back.
        Err(Refusal::Full { .. }) if table.make_room(Instant::now()) => {
            session.open(servers).await?
        }
        seated => seated?,
    };
    let call = Call {
        message,
        exchange,
        outlet,
        deadline: Instant::now() + start,
    };
    let handle = Handle::call(&seated, call)?;
    entered.session = None;
    session.started(exchange, handle);
    Ok(())
}

/// Sends a request to the session's server; one that died since the last request is replaced.
///
/// # Errors
///
/// The id is in flight already, no server could be had, or it takes nothing.
///
/// # Cancel safety
///
/// A future dropped before the request was sent takes it back.
pub(super) async fn send(
    servers: &dyn Servers,
    table: &Table,
    session: &Session,
    message: Message,
    outlet: Outlet,
    patience: Duration,
) -> Result<ExchangeId, Fault> {
    let exchange = enter(session, &message)?;
    let mut entered = Entered {
        session: Some(session),
        exchange,
    };
    let mut tries = SEATS_TRIED;
    loop {
        let seated = seated(servers, table, session).await?;
        tries -= 1;
        let call = Call {
            message: message.clone(),
            exchange,
            outlet: outlet.clone(),
            deadline: Instant::now() + patience,
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
///
/// # Errors
///
/// A notification for which no server could be had, or which it did not take.
pub(super) async fn take(
    servers: &dyn Servers,
    table: &Table,
    session: &Session,
    message: Message,
) -> Result<(), Fault> {
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
            let seated = seated(servers, table, session).await?;
            seated.server.tell(seated.feed, message)?;
        }
    }
    Ok(())
}

/// The session's seat, or a new one. A client that is back from elsewhere can have the server of one
/// that is.
async fn seated(
    servers: &dyn Servers,
    table: &Table,
    session: &Session,
) -> Result<Seated, Refusal> {
    match session.seated(servers).await {
        Err(Refusal::Full { .. }) if table.make_room(Instant::now()) => {
            session.seated(servers).await
        }
        seated => seated,
    }
}

/// A batch may not hold `initialize` (2025-03-26, lifecycle).
///
/// # Errors
///
/// It does.
pub(super) fn check_batch(messages: &[Result<Message, ParseError>]) -> Result<(), Fault> {
    if messages.iter().flatten().any(is_initialize) {
        return Err(Fault::InitializeInBatch);
    }
    Ok(())
}

/// Only sessions of 2025-03-26 have batches.
///
/// # Errors
///
/// This one is of another version.
pub(super) fn takes_batches(session: &Session) -> Result<(), Fault> {
    if session.version() != Some(Version::V2025_03_26) {
        return Err(Fault::BatchUnknown);
    }
    Ok(())
}

/// Whether a message begins the conversation.
pub(super) fn is_initialize(message: &Message) -> bool {
    message.kind() == Kind::Request && message.method() == Some(method::INITIALIZE)
}

/// What a batch's unreadable element is answered with.
pub(super) fn unreadable(fault: &ParseError) -> Message {
    mcp_wire::error_message(fault.id.as_ref(), fault.code(), &fault.to_string(), None)
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
