//! Where an error becomes a status, or a message when the status is gone.
//!
//! Every request ends in a response. Below this file errors say what happened and whose doing it
//! was; only here is decided how HTTP says that. A client always gets a JSON-RPC error as the
//! body, with its own id where that could be read, because most clients show nothing else.

mod replies;

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use mcp_wire::{Era, ErrorCode, Id, Message, ParseError, Version};

use super::stateless::Wrong;
use crate::exchange::{Blame, Loss, Refusal, Retry};
use crate::guard;
use crate::observe::metrics;

pub(super) use self::replies::{
    accepted, answered, ended, event_stream, metrics_page, page, silent_stream, text, unready,
};

/// Everything that can be wrong with a request before it is taken. Nothing reached a server.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The body is not a message.
    #[error("{0}")]
    Unreadable(#[from] ParseError),
    /// The body did not arrive.
    #[error("the request body did not arrive whole")]
    Incomplete,
    /// The body took too long to arrive.
    #[error("the request body did not arrive in time")]
    Late,
    /// The body is longer than allowed.
    #[error("the request body is longer than {limit} bytes; --max-body-size allows more")]
    TooLarge {
        /// The bound.
        limit: usize,
    },
    /// As much is held for clients as may be.
    #[error(
        "the proxy holds as much for its clients as it may; try again soon, or raise --memory-budget"
    )]
    NoMemory,
    /// The client accepts nothing we could send.
    #[error("the Accept header must allow {wanted}")]
    NotAcceptable {
        /// What it has to name.
        wanted: &'static str,
    },
    /// The body is declared to be something else than JSON.
    #[error("the Content-Type header must be application/json")]
    NotJson,
    /// A header that becomes a variable cannot be read.
    #[error("the header {header} must stand there once, as text")]
    Garbled {
        /// Which.
        header: HeaderName,
    },
    /// The path does not take this method.
    #[error("this path takes {allowed} only")]
    WrongMethod {
        /// Value of the `Allow` header.
        allowed: &'static str,
    },
    /// There is nothing at this path.
    #[error("there is nothing here; GET / says where the MCP endpoint is")]
    NoSuchPath,
    /// There is no server of this name.
    #[error("there is no server of this name; GET / says which there are")]
    NoSuchServer,
    /// There are servers with names only.
    #[error("no server is here; those there are: {others}")]
    NoDefault {
        /// Where they are.
        others: String,
    },
    /// A request outside a session.
    #[error("the Mcp-Session-Id header is missing; send initialize first")]
    SessionMissing,
    /// The session has ended, or never was, or is another principal's.
    #[error("there is no such session; send initialize to start one")]
    SessionUnknown,
    /// A message for an HTTP+SSE session that does not say which.
    #[error("the session_id parameter is missing; GET /sse gives out the address to post to")]
    ConnectionUnnamed,
    /// The HTTP+SSE connection has ended, or never was, or is another principal's.
    #[error("there is no such session; GET /sse starts one")]
    ConnectionUnknown,
    /// HTTP+SSE where no sessions are given out.
    #[error("--stateless has no sessions, and HTTP+SSE needs one; the MCP endpoint is /mcp")]
    NoConnections,
    /// A request before `initialize`.
    #[error("send initialize first")]
    NotInitialized,
    /// No room for another session.
    #[error("all {cap} sessions are in use; end one with DELETE or raise --max-sessions")]
    SessionsFull {
        /// The configured bound.
        cap: usize,
    },
    /// `MCP-Protocol-Version` names a revision we do not serve.
    #[error("the MCP-Protocol-Version header names a version that is not served here")]
    VersionUnknown,
    /// A request of 2026-07-28.
    #[error("this server speaks {}; start with initialize", Version::LATEST_LEGACY.as_str())]
    ModernUnserved {
        /// The version the client named.
        requested: String,
    },
    /// What only 2026-07-28 can get wrong.
    #[error("{0}")]
    Wrong(#[from] Wrong),
    /// A batch where the negotiated version has none.
    #[error("batches exist in protocol version 2025-03-26 only")]
    BatchUnknown,
    /// `initialize` inside a batch.
    #[error("initialize must not be part of a batch")]
    InitializeInBatch,
    /// The client has a request of the same id in flight.
    #[error("a request with this id is already in progress")]
    IdInFlight,
    /// A second `initialize` in one session.
    #[error("this session is initialized already")]
    InitializedTwice,
    /// Another connection reads the standing stream.
    #[error("another connection reads this session's stream already")]
    StreamTaken,
    /// The stream a client wants to come back to is gone, wholly or in part.
    #[error("the stream cannot be resumed after this event; what followed is no longer kept")]
    NotResumable,
    /// No server could be had, or it takes nothing.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The system has no random numbers for a session id.
    #[error("no session id could be made")]
    NoRandom,
    /// The proxy met a bug of its own; see `caught.rs`.
    #[error("the proxy has a bug and could not answer this; its log says where")]
    Panicked,
    /// The door stayed shut.
    #[error("{}", .0.sentence())]
    Door(guard::Refusal),
}

impl Fault {
    /// The response, with the request's id in the body if it is known.
    pub fn into_response(self, id: Option<&Id>) -> Response<Body> {
        match self {
            Self::TooLarge { .. } => metrics::budget("body"),
            Self::NoMemory => metrics::budget("memory"),
            Self::SessionsFull { .. } => metrics::budget("sessions"),
            _ => {}
        }
        let status = self.status();
        let unreadable = match &self {
            Self::Unreadable(fault) => fault.id.clone(),
            _ => None,
        };
        let message = mcp_wire::error_message(
            unreadable.as_ref().or(id),
            self.code(),
            &self.to_string(),
            self.data().as_deref(),
        );
        let mut response = Response::new(Body::from(message.to_bytes()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        match &self {
            Self::WrongMethod { allowed } => {
                headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
            }
            Self::Door(refusal) => {
                // It is made of what the configuration checked, so it is always a value.
                if let Some(value) = challenge(refusal).and_then(|text| text.try_into().ok()) {
                    headers.insert(header::WWW_AUTHENTICATE, value);
                }
            }
            _ => {}
        }
        if let Some(after) = self.retry_after() {
            // Whole seconds, never "at once" (RFC 9110, 10.2.3), and rounded up: who comes back
            // after them is not early.
            headers.insert(
                header::RETRY_AFTER,
                HeaderValue::from((after.as_secs() + u64::from(after.subsec_nanos() > 0)).max(1)),
            );
        }
        response
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Unreadable(_)
            | Self::Incomplete
            | Self::SessionMissing
            | Self::Garbled { .. }
            | Self::VersionUnknown
            | Self::ModernUnserved { .. }
            | Self::BatchUnknown
            | Self::InitializeInBatch
            | Self::IdInFlight
            | Self::InitializedTwice
            | Self::ConnectionUnnamed
            | Self::NotInitialized
            | Self::Refused(Refusal::OtherEra { .. })
            | Self::NotResumable => StatusCode::BAD_REQUEST,
            Self::Wrong(Wrong::Method(_)) => StatusCode::NOT_FOUND,
            Self::Wrong(_) => StatusCode::BAD_REQUEST,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotAcceptable { .. } => StatusCode::NOT_ACCEPTABLE,
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::WrongMethod { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::NoSuchPath
            | Self::NoSuchServer
            | Self::NoDefault { .. }
            | Self::SessionUnknown
            | Self::ConnectionUnknown
            | Self::NoConnections
            | Self::Refused(Refusal::Ended) => StatusCode::NOT_FOUND,
            Self::Late => StatusCode::REQUEST_TIMEOUT,
            Self::StreamTaken => StatusCode::CONFLICT,
            Self::SessionsFull { .. } | Self::NoMemory | Self::Refused(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::NoRandom | Self::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Door(guard::Refusal::Unauthorized { .. }) => StatusCode::UNAUTHORIZED,
            Self::Door(guard::Refusal::Ambiguous { .. }) => StatusCode::BAD_REQUEST,
            Self::Door(guard::Refusal::Unchecked { .. }) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Door(guard::Refusal::TooOften { .. } | guard::Refusal::TooMany { .. }) => {
                StatusCode::TOO_MANY_REQUESTS
            }
            Self::Door(_) => StatusCode::FORBIDDEN,
        }
    }

    fn code(&self) -> ErrorCode {
        match self {
            Self::Unreadable(fault) => fault.code(),
            Self::SessionUnknown | Self::ConnectionUnknown | Self::Refused(Refusal::Ended) => {
                ErrorCode::SESSION_NOT_FOUND
            }
            Self::Wrong(wrong) => match wrong {
                Wrong::Envelope(_) => ErrorCode::INVALID_PARAMS,
                Wrong::Version { .. } => ErrorCode::UNSUPPORTED_PROTOCOL_VERSION,
                Wrong::Header(_) => ErrorCode::HEADER_MISMATCH,
                Wrong::Method(_) => ErrorCode::METHOD_NOT_FOUND,
                Wrong::Batch | Wrong::Answer => ErrorCode::INVALID_REQUEST,
            },
            // What 2025-11-25 answers to a version it does not speak (lifecycle).
            Self::Refused(Refusal::OtherEra {
                speaks: Era::Modern,
            }) => ErrorCode::INVALID_PARAMS,
            Self::BatchUnknown
            | Self::InitializeInBatch
            | Self::IdInFlight
            | Self::InitializedTwice
            | Self::NotInitialized => ErrorCode::INVALID_REQUEST,
            Self::Panicked => ErrorCode::INTERNAL_ERROR,
            _ => ErrorCode::SERVER_ERROR,
        }
    }

    /// What a program can act on.
    fn data(&self) -> Option<Vec<u8>> {
        match self {
            // Not UnsupportedProtocolVersionError, though its shape: to a client of both eras that
            // code means a server of 2026-07-28, and it gives up where any other error makes it
            // start again with initialize (2026-07-28, Streamable HTTP, backwards compatibility).
            Self::ModernUnserved { requested } => supported(Era::Legacy, Some(requested)),
            Self::Refused(Refusal::OtherEra { speaks }) => supported(*speaks, None),
            // The versions `server/discover` names, and no others: whoever sent this does not begin
            // with initialize.
            Self::Wrong(Wrong::Version { requested }) => supported(Era::Modern, Some(requested)),
            Self::Refused(Refusal::Ended) => None,
            Self::NoMemory | Self::Refused(_) => Some(br#"{"retry":"safe"}"#.to_vec()),
            _ => None,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(Refusal::Ended | Refusal::OtherEra { .. }) => None,
            Self::Refused(Refusal::Start { retry_after, .. }) => Some(*retry_after),
            Self::Refused(_)
            | Self::SessionsFull { .. }
            | Self::NoMemory
            | Self::Door(guard::Refusal::TooMany { .. }) => Some(Duration::from_secs(1)),
            Self::Door(
                guard::Refusal::TooOften { retry_after, .. }
                | guard::Refusal::Unchecked { retry_after },
            ) => Some(*retry_after),
            _ => None,
        }
    }
}

/// What a client is told to do about its token.
fn challenge(refusal: &guard::Refusal) -> Option<&str> {
    match refusal {
        guard::Refusal::Unauthorized { challenge, .. }
        | guard::Refusal::Ambiguous { challenge } => Some(challenge),
        guard::Refusal::Scope { challenge, .. } => Some(challenge),
        _ => None,
    }
}

/// The versions a client may try instead, and the one it named.
fn supported(era: Era, requested: Option<&str>) -> Option<Vec<u8>> {
    let versions: Vec<&str> = Version::ALL
        .into_iter()
        .filter(|version| version.era() == era)
        .map(Version::as_str)
        .collect();
    let mut data = serde_json::json!({ "supported": versions });
    if let (Some(data), Some(requested)) = (data.as_object_mut(), requested) {
        data.insert("requested".to_owned(), requested.into());
    }
    serde_json::to_vec(&data).ok()
}

/// A browser may send what it asked about: 204 with these headers (Fetch standard, CORS protocol).
pub(super) fn preflight(headers: HeaderMap) -> Response<Body> {
    let mut response = replies::empty(StatusCode::NO_CONTENT);
    *response.headers_mut() = headers;
    response
}

/// The refusals of `guard`.
pub(super) fn door(refusal: guard::Refusal) -> Response<Body> {
    Fault::Door(refusal).into_response(None)
}

/// A lost call as the message its client gets. The status is gone by then, or was never the right
/// place: an MCP client matches answers by id, and one that finds none waits for ever.
pub(super) fn lost(id: &Id, loss: &Loss) -> Message {
    let blame = match loss.blame {
        Blame::Client => "client",
        Blame::Child => "server",
        Blame::Proxy => "proxy",
    };
    let retry = match loss.retry {
        Retry::Safe => "safe",
        Retry::Unsafe => "unsafe",
        Retry::Useless => "useless",
    };
    let data = format!(r#"{{"blame":"{blame}","retry":"{retry}"}}"#);
    mcp_wire::error_message(
        Some(id),
        ErrorCode::INTERNAL_ERROR,
        &loss.sentence,
        Some(data.as_bytes()),
    )
}

/// A request that was refused where no status can say so: an element of a batch, or whatever came
/// after a 202.
pub(super) fn refused(id: Option<&Id>, fault: &Fault) -> Message {
    mcp_wire::error_message(
        id,
        fault.code(),
        &fault.to_string(),
        fault.data().as_deref(),
    )
}
