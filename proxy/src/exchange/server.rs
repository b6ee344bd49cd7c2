//! The two doors fronts are written against: where servers come from, and one server.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use mcp_wire::{Era, Message};

use super::{AskId, Call, Crash, Loss, Mirrored, Needs, Outlet, Principal, Variables};

/// Names an exchange inside a server; what a [`Handle`] holds.
pub type Key = u64;

/// Names a seat inside a server: one client's standing side of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FeedId(pub u64);

/// Where servers come from. The pool decides which child serves whom; a front only asks for a
/// seat.
pub trait Servers: Send + Sync + 'static {
    /// Takes a place at a server, starting one where that is needed.
    ///
    /// Resolves when the server can take calls. A seat without a [`Revival`] is at a server that
    /// still expects the client's own `initialize`, or one that will answer it from memory; the
    /// front need not know which.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] that says whether waiting helps.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the place up; a server started for it alone is stopped.
    fn seat<'a>(
        &'a self,
        seat: Seat,
    ) -> Pin<Box<dyn Future<Output = Result<Seated, Refusal>> + Send + 'a>>;

    /// For how long no server will be started, because the last ones failed.
    fn pause(&self) -> Option<Duration>;
}

/// What a client needs of a server before its first call.
#[derive(Debug)]
pub struct Seat {
    /// Whose it is.
    pub principal: Principal,
    /// What its client brought along for the server's environment.
    pub variables: Variables,
    /// By which name its session stands in a log, where it has one: never its id.
    pub session: Option<String>,
    /// How the client converses.
    pub era: Era,
    /// What its request needs.
    pub needs: Needs,
    /// Where events go that belong to no call.
    pub standing: Outlet,
    /// What the server must be told first, if the client has talked to a predecessor of it.
    pub revival: Option<Revival>,
    /// Filled with the place as soon as there is one. While the server is told what its predecessor
    /// knew it may ask the client, and the answer has to find it.
    pub early: Arc<OnceLock<Seated>>,
}

/// What one client has told a server that is gone, to be told to its successor.
#[derive(Clone, Debug, Default)]
pub struct Revival {
    /// The client's `initialize` request, as it was.
    pub initialize: Bytes,
    /// The `logging/setLevel` request that was accepted last.
    pub level: Option<Bytes>,
    /// One accepted `resources/subscribe` request per URI that is still subscribed.
    pub subscriptions: Vec<Bytes>,
}

/// A place at a server.
#[derive(Clone)]
pub struct Seated {
    /// The server.
    pub server: Arc<dyn Server>,
    /// The client's standing side of it.
    pub feed: FeedId,
}

impl fmt::Debug for Seated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seated").field("feed", &self.feed).finish()
    }
}

/// One server of one client or of many, as a front sees it. Nothing here waits.
pub trait Server: Send + Sync + 'static {
    /// Starts an exchange and returns its key.
    ///
    /// # Errors
    ///
    /// The server is gone, or does not read what it is sent: nothing was sent.
    fn call(&self, feed: FeedId, call: Call) -> Result<Key, Refusal>;

    /// Passes a notification of the client on.
    ///
    /// # Errors
    ///
    /// As [`Server::call`].
    fn tell(&self, feed: FeedId, notification: Message) -> Result<(), Refusal>;

    /// Gives the client's answer to a question. False if nobody waits for it (any more).
    fn answer(&self, feed: FeedId, ask: AskId, reply: Message) -> bool;

    /// The client gave the exchange up: the server is told, and `Done(Cancelled)` is the last
    /// event. `notice` is the client's own `notifications/cancelled`, if it sent one.
    fn cancel(&self, key: Key, notice: Option<Message>);

    /// Sends the further events of an exchange to another stream.
    fn attach(&self, key: Key, outlet: Outlet);

    /// How many exchanges of this seat are in progress, but for those that wait for a client who is
    /// not there.
    fn in_flight(&self, feed: FeedId) -> usize;

    /// Gives a seat up. Its exchanges end with this loss; a server nobody else can use stops.
    fn leave(&self, feed: FeedId, loss: &Loss);

    /// Whether the server has ended, so that a new seat is needed.
    fn is_gone(&self) -> bool;

    /// Where it will stand that the server has ended by itself.
    fn crash(&self) -> Crash;

    /// The arguments of a tool that its clients repeat in headers (2026-07-28). `None` where the
    /// tool has none, where the server's tools are not known, and in the session eras.
    fn mirrored(&self, tool: &str) -> Option<Arc<[Mirrored]>>;

    /// Whether what [`Server::mirrored`] says is what the server once said; false when its list of
    /// tools could not be read.
    fn tools_are_known(&self) -> bool;

    /// Reads the server's list of tools again: a client may know a newer one. Not more often than is
    /// good for the server; resolves at once then.
    ///
    /// # Cancel safety
    ///
    /// May be dropped; the list stays as it was.
    fn read_tools_again(self: Arc<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// What a front keeps of a call.
///
/// Dropping a handle says nothing: in the session eras a client that disconnects has not
/// cancelled, in 2026-07-28 it has. The front says which by name, with [`Handle::detach`] or
/// [`Handle::cancel`].
pub struct Handle {
    seated: Seated,
    key: Key,
}

impl Handle {
    /// Starts `call` at the server of `seated`.
    ///
    /// # Errors
    ///
    /// As [`Server::call`].
    pub fn call(seated: &Seated, call: Call) -> Result<Self, Refusal> {
        let key = seated.server.call(seated.feed, call)?;
        Ok(Self {
            seated: seated.clone(),
            key,
        })
    }

    /// Answers a question of this call.
    #[must_use]
    pub fn answer(&self, ask: AskId, reply: Message) -> bool {
        self.seated.server.answer(self.seated.feed, ask, reply)
    }

    /// Sends further events to another stream: the client came back on it.
    pub fn attach(&self, outlet: Outlet) {
        self.seated.server.attach(self.key, outlet);
    }

    /// The client went away and may come back: the call goes on and its events stay queued in
    /// the outlet it has.
    pub fn detach(self) {}

    /// The client does not want the answer any more.
    pub fn cancel(self, notice: Option<Message>) {
        self.seated.server.cancel(self.key, notice);
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({})", self.key)
    }
}

/// Why a call or a seat was not taken. Nothing reached the server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The server could not be started.
    #[error("the MCP server could not be started: {sentence}")]
    Start {
        /// What went wrong, for a person.
        sentence: String,
        /// When the proxy will try again.
        retry_after: Duration,
    },
    /// Too many servers run already.
    #[error(
        "all {cap} server processes are in use; end a session with DELETE or raise --max-children"
    )]
    Full {
        /// The configured bound.
        cap: usize,
    },
    /// The server ended between two requests.
    #[error("the MCP server has ended")]
    Gone,
    /// The client ended its session while this waited for a server.
    #[error("the session has ended")]
    Ended,
    /// One principal has too many servers with other variables.
    #[error(
        "{cap} server processes of this principal run with other values of the --header-env headers; \
         they end when nobody needs them"
    )]
    Varied {
        /// The bound.
        cap: usize,
    },
    /// The server does not read its input.
    #[error("the MCP server does not read its input and {queued} bytes are waiting for it")]
    Deaf {
        /// Bytes waiting.
        queued: usize,
    },
    /// The server has more calls in flight than it may have.
    #[error("{cap} calls are in progress at the MCP server already")]
    Busy {
        /// The bound.
        cap: usize,
    },
    /// Every server that could take the call waits for an answer of its client.
    #[error(
        "every server this call could go to waits for answers to its questions ({pending}); answer them, cancel those calls, or wait until they expire"
    )]
    Asking {
        /// What is waited for, in words.
        pending: String,
    },
    /// Too many requests wait for a server to start.
    #[error("{cap} requests wait for an MCP server to start already")]
    Queue {
        /// The configured bound.
        cap: usize,
    },
    /// The proxy is shutting down, or this server is taken out of it.
    #[error("this server is shutting down")]
    Draining,
    /// The server converses in the other era, and nobody translates.
    #[error("this MCP server speaks {}; the client has to as well", spoken(*.speaks))]
    OtherEra {
        /// The era the server speaks.
        speaks: Era,
    },
}

/// How an era is named to people: by its versions.
const fn spoken(era: Era) -> &'static str {
    match era {
        Era::Legacy => "the protocol versions up to 2025-11-25, which start with initialize",
        Era::Modern => "protocol version 2026-07-28 only, which has no initialize",
    }
}
