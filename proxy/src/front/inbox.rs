//! Messages of a connection that is a session: each waits its turn, and goes to the server.
//!
//! For HTTP+SSE this is what happens after the 202, for stdio what happens to a line. Whatever goes
//! wrong is said on the session's standing stream, which has everything else, too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use mcp_wire::{Id, Kind, Member, Message, ParseError, method};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::{Fault, conversation, rescue};
use crate::exchange::{Event, ExchangeId, Refusal, Servers};
use crate::session::{Session, Table};

/// Bodies or lines one connection may have waiting. Nothing waits but while a server starts, when a
/// client has said little; beyond it a 202 is late, and a pipe is not read.
const MAX_WAITING: usize = 64;

/// Bytes they may have together. One body may be longer than this and then waits alone.
const MAX_WAITING_BYTES: u32 = 16 * 1024 * 1024;

/// Where messages are left. Cheap to clone.
#[derive(Clone)]
pub(super) struct Inbox {
    session: Arc<Session>,
    sender: mpsc::Sender<Posted>,
    room: Arc<Semaphore>,
}

/// The other end of an [`Inbox`].
pub(super) struct Waiting(mpsc::Receiver<Posted>);

/// What came together, and the room it takes.
struct Posted {
    messages: Vec<Result<Message, ParseError>>,
    _room: OwnedSemaphorePermit,
}

/// The connection has ended.
#[derive(Debug)]
pub(super) struct Closed;

impl Inbox {
    /// An empty inbox of this session.
    pub(super) fn new(session: Arc<Session>) -> (Self, Waiting) {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        let inbox = Self {
            session,
            sender,
            room: Arc::new(Semaphore::new(MAX_WAITING_BYTES as usize)),
        };
        (inbox, Waiting(receiver))
    }

    /// Whose it is.
    pub(super) const fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Whether every message that was left has been passed on.
    pub(super) fn is_empty(&self) -> bool {
        self.room.available_permits() == MAX_WAITING_BYTES as usize
    }

    /// Gives the answers among these messages at once, and keeps the rest. A server that is being
    /// told what its predecessor knew may ask and wait, and the inbox would wait for that server.
    /// The cancellation of a call that waits for a server is not to wait behind it either.
    pub(super) async fn urgent(
        &self,
        servers: &dyn Servers,
        table: &Table,
        messages: &mut Vec<Result<Message, ParseError>>,
    ) {
        let all = std::mem::take(messages);
        for message in all {
            match message {
                Ok(answer) if matches!(answer.kind(), Kind::Result | Kind::Error) => {
                    // Answers are never refused: one that is late is nobody's fault.
                    let _taken = conversation::take(servers, table, &self.session, answer).await;
                }
                Ok(notice) if self.cancels_what_is_known(&notice) => {
                    let _taken = conversation::take(servers, table, &self.session, notice).await;
                }
                other => messages.push(other),
            }
        }
    }

    fn cancels_what_is_known(&self, message: &Message) -> bool {
        let named = || {
            let id = message.member(Member::RequestId)?;
            Id::parse(Bytes::copy_from_slice(id)).ok()
        };
        message.kind() == Kind::Notification
            && message.method() == Some(method::CANCELLED)
            && named().is_some_and(|id| self.session.has_in_flight(&id))
    }

    /// Leaves the messages of a body of this length; waits for room.
    ///
    /// # Errors
    ///
    /// The connection has ended: nobody will take them.
    ///
    /// # Cancel safety
    ///
    /// A dropped future leaves nothing.
    pub(super) async fn put(
        &self,
        messages: Vec<Result<Message, ParseError>>,
        length: usize,
    ) -> Result<(), Closed> {
        let length =
            u32::try_from(length).map_or(MAX_WAITING_BYTES, |length| length.min(MAX_WAITING_BYTES));
        let room = Arc::clone(&self.room)
            .acquire_many_owned(length)
            .await
            .map_err(|_| Closed)?;
        let posted = Posted {
            messages,
            _room: room,
        };
        self.sender.send(posted).await.map_err(|_| Closed)
    }
}

impl Waiting {
    /// Brings the messages of a connection to its server, in the order they were posted, until
    /// the connection ends.
    pub(super) async fn serve(mut self, passage: Passage, session: Arc<Session>) {
        while let Some(posted) = self.0.recv().await {
            for message in posted.messages {
                passage.pass(&session, message).await;
            }
        }
    }
}

/// The way from an inbox to a server.
pub(super) struct Passage {
    pub(super) servers: Arc<dyn Servers>,
    pub(super) table: Arc<Table>,
    /// From spawning a child until it answered `initialize`.
    pub(super) start: Duration,
    /// A client's request.
    pub(super) request: Duration,
    /// New requests are refused.
    pub(super) draining: Arc<AtomicBool>,
}

impl Passage {
    async fn pass(&self, session: &Session, message: Result<Message, ParseError>) {
        match message {
            Err(fault) => say(session, conversation::unreadable(&fault)),
            Ok(message) if message.kind() == Kind::Request => {
                let id = message.id();
                if let Err(fault) = self.request(session, message).await {
                    say(session, rescue::refused(id.as_ref(), &fault));
                }
            }
            // Nobody waits for an answer to it, and an error without an id would be taken for
            // one of the connection.
            Ok(message) => {
                if let Err(fault) = self.other(session, message).await {
                    tracing::debug!(session = session.id().short(), %fault, "not passed on");
                }
            }
        }
    }

    async fn request(&self, session: &Session, message: Message) -> Result<(), Fault> {
        if self.draining.load(Ordering::Relaxed) {
            return Err(Refusal::Draining.into());
        }
        let (servers, outlet) = (&*self.servers, session.standing());
        if conversation::is_initialize(&message) {
            let exchange = session.begin(&message).ok_or(Fault::InitializedTwice)?;
            let start = self.start;
            let call = (message, exchange);
            let table = &self.table;
            return conversation::initialize(servers, table, session, call, outlet, start).await;
        }
        if !session.has_begun() {
            return Err(Fault::NotInitialized);
        }
        let patience = self.request;
        conversation::send(servers, &self.table, session, message, outlet, patience).await?;
        Ok(())
    }

    async fn other(&self, session: &Session, message: Message) -> Result<(), Fault> {
        if !session.has_begun() {
            return Err(Fault::NotInitialized);
        }
        conversation::take(&*self.servers, &self.table, session, message).await
    }
}

/// Puts a word of our own on the stream, in order with everything else on it.
pub(super) fn say(session: &Session, message: Message) {
    // Over budget or closed, the stream ends, which says more.
    let _push = session
        .standing()
        .push(ExchangeId::STANDING, Event::Notify(message));
}
