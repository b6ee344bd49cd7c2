//! Why a text is not a message, and what can still be said about it.
//!
//! A refused text may have told its id before it went wrong. Whoever waits for that id is owed an answer all the
//! same, so the id travels with the fault.

use crate::error::ErrorCode;
use crate::id::Id;
use crate::scan::MAX_DEPTH;

/// A text that was refused: what is wrong with it, and the id that it told before the fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct ParseError {
    /// What is wrong.
    pub kind: Fault,
    /// The id, when it was read before the fault and was told once. It is a copy: it keeps no buffer alive.
    pub id: Option<Id>,
    /// A `result` or `error` member and no `method` was seen before the fault, so the id names a request of the
    /// reader's own. False means that the id, if any, was chosen by the writer of the text.
    pub response: bool,
}

impl ParseError {
    /// The JSON-RPC error code that says this to the writer: -32700 when the text is not JSON that this crate reads,
    /// -32600 when it is JSON but not a message.
    pub fn code(&self) -> ErrorCode {
        self.kind.code()
    }
}

impl From<Fault> for ParseError {
    fn from(kind: Fault) -> Self {
        Self {
            kind,
            id: None,
            response: false,
        }
    }
}

/// Every way in which a text fails to be a message. Reads as a fragment: "failed to read message: …".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing but whitespace.
    #[error("text is empty")]
    Empty,
    /// RFC 8259 section 8.1: JSON between systems is UTF-8.
    #[error("text is not UTF-8")]
    NotUtf8,
    /// RFC 8259 section 8.1 forbids writers to add one; an alias of the same text would slip past comparisons.
    #[error("text begins with a byte order mark")]
    Bom,
    /// Spans are 32 bits wide.
    #[error("text is 4 GiB or larger")]
    TooLarge,
    /// Not in the grammar of RFC 8259.
    #[error("JSON syntax error at byte {at}")]
    Syntax {
        /// Offset of the first byte that cannot stand where it is, counted after leading whitespace.
        at: usize,
    },
    /// A correct beginning whose rest is missing.
    #[error("JSON text ends before it is complete")]
    Truncated,
    /// More than [`MAX_DEPTH`] objects and arrays inside each other.
    #[error("JSON is nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// A single message was wanted and this is an array; batches have their own door, [`Body`](crate::Body).
    #[error("message is an array, not an object")]
    Array,
    /// JSON, but a string, number or literal.
    #[error("message is not an object")]
    NotObject,
    /// JSON-RPC 2.0 section 6: an empty array is an invalid request.
    #[error("batch is empty")]
    EmptyBatch,
    /// More elements than the caller allows.
    #[error("batch has more than {max} elements")]
    BatchTooLong {
        /// The number that is allowed.
        max: usize,
    },
    /// The `jsonrpc` member is missing.
    #[error("member \"jsonrpc\" is missing")]
    NoVersion,
    /// The `jsonrpc` member is there, but is not the text `"2.0"`.
    #[error("member \"jsonrpc\" is not \"2.0\"")]
    WrongVersion,
    /// MCP: a request's id must not be null. Null is not the same as absent, which makes a notification.
    #[error("member \"id\" is null")]
    NullId,
    /// An id is an array, an object or a boolean.
    #[error("member \"id\" is neither a string nor a number")]
    IdType,
    /// An id is longer than [`MAX_ID_BYTES`](crate::MAX_ID_BYTES).
    #[error("member \"id\" is longer than {} bytes", crate::id::MAX_ID_BYTES)]
    IdTooLong,
    /// A result that answers nobody.
    #[error("result has no \"id\"")]
    NoId,
    /// A method is not a string.
    #[error("member \"method\" is not a string")]
    MethodType,
    /// A method spelled with escapes. No method of MCP needs one, and an alias would slip past policies.
    #[error("member \"method\" is spelled with escapes")]
    MethodEscaped,
    /// Neither a request, a notification nor a response.
    #[error("message has no \"method\", \"result\" or \"error\"")]
    NoMethod,
    /// JSON-RPC 2.0 section 5: one or the other.
    #[error("message has both \"result\" and \"error\"")]
    ResultAndError,
    /// A request and a response at once.
    #[error("message has a \"method\" and a \"result\" or \"error\"")]
    MethodAndResponse,
    /// JSON-RPC 2.0 section 4.2: structured, or absent.
    #[error("member \"params\" is neither an object nor an array")]
    ParamsType,
    /// A member that is read here stands twice in one object; two readers would see two messages.
    #[error("member \"{0}\" stands twice")]
    Duplicate(&'static str),
    /// A member that is read here is named with escapes, and would be seen by some readers only.
    #[error("name of member \"{0}\" is spelled with escapes")]
    EscapedName(&'static str),
}

impl Fault {
    /// See [`ParseError::code`].
    pub fn code(self) -> ErrorCode {
        match self {
            Self::Empty
            | Self::NotUtf8
            | Self::Bom
            | Self::TooLarge
            | Self::Syntax { .. }
            | Self::Truncated
            | Self::TooDeep => ErrorCode::PARSE_ERROR,
            _ => ErrorCode::INVALID_REQUEST,
        }
    }
}
