//! What happens in an exchange, in the order it happened.

use std::sync::atomic::{AtomicU64, Ordering};

use mcp_wire::Message;

/// Names one exchange inside an outlet. The front chooses it and the back only repeats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExchangeId(pub u64);

impl ExchangeId {
    /// The tag of everything that belongs to no call: a feed's events.
    pub const STANDING: Self = Self(0);
}

/// Names one question of a server, unique for the life of this process.
///
/// A client sees it as the JSON-RPC id of the question. It is never derived from the id the
/// server chose, so an answer to a question of a dead child cannot reach its successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AskId(pub u64);

impl AskId {
    /// The next unused number.
    #[must_use]
    pub fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// One thing a server did, as a front sees it.
#[derive(Debug)]
pub enum Event {
    /// A notification for the client: progress (its token already the client's own), a log
    /// record, a change.
    Notify(Message),
    /// The server asks and waits. The question's id is already [`AskId`] as a number.
    Ask {
        /// What the client's answer will name.
        ask: AskId,
        /// The request as the server wrote it, but for its id.
        question: Message,
    },
    /// A question no longer stands.
    Withdraw {
        /// The question.
        ask: AskId,
        /// `notifications/cancelled` with the client-side id of the question.
        notice: Message,
    },
    /// The exchange is over. Nothing follows for it.
    Done(Outcome),
}

impl Event {
    /// Bytes this event keeps alive, which is what an [`Outlet`](super::Outlet) counts.
    pub(super) fn weight(&self) -> usize {
        let message = match self {
            Self::Notify(message)
            | Self::Ask {
                question: message, ..
            }
            | Self::Withdraw {
                notice: message, ..
            }
            | Self::Done(Outcome::Result(message) | Outcome::Error(message)) => message.len(),
            Self::Done(Outcome::Lost(loss)) => loss.sentence.len(),
            Self::Done(Outcome::Cancelled) => 0,
        };
        message + size_of::<Tagged>()
    }
}

/// An event and the exchange it belongs to.
#[derive(Debug)]
pub struct Tagged {
    /// The exchange, or [`ExchangeId::STANDING`].
    pub exchange: ExchangeId,
    /// What happened.
    pub event: Event,
}

/// How an exchange ended.
#[derive(Debug)]
pub enum Outcome {
    /// The server's result; its id is still the proxy's, the front restores the client's.
    Result(Message),
    /// The server's error, likewise.
    Error(Message),
    /// No answer will come.
    Lost(Loss),
    /// The client cancelled; its era expects no answer.
    Cancelled,
}

/// Why no answer will come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Whose doing it was.
    pub blame: Blame,
    /// Whether the same request may succeed when sent again.
    pub retry: Retry,
    /// For the client: a sentence without secrets, paths or foreign text.
    pub sentence: String,
}

impl Loss {
    /// The client did not read its stream fast enough.
    #[must_use]
    pub fn unread() -> Self {
        Self {
            blame: Blame::Client,
            retry: Retry::Unsafe,
            sentence: "this stream was not read fast enough and has been ended".to_owned(),
        }
    }

    /// The client ended its session while calls were in progress.
    #[must_use]
    pub fn session_ended() -> Self {
        Self {
            blame: Blame::Client,
            retry: Retry::Unsafe,
            sentence: "the session ended while this request was in progress".to_owned(),
        }
    }

    /// The proxy stops while calls are in progress.
    #[must_use]
    pub fn shutting_down() -> Self {
        Self {
            blame: Blame::Proxy,
            retry: Retry::Unsafe,
            sentence: "the proxy shut down while this request was in progress".to_owned(),
        }
    }
}

/// Whose doing a failure was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The client's request could not be right.
    Client,
    /// The server behind the proxy died, hung or broke the protocol.
    Child,
    /// The proxy itself refused or gave up.
    Proxy,
}

/// Whether trying again makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The server may have acted already; only the caller can know.
    Unsafe,
    /// Nothing was done; the same request may be sent again.
    Safe,
    /// The same request will fail again.
    Useless,
}
