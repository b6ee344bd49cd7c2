//! MCP on the wire: bytes in, messages out, bytes unchanged.
//!
//! A [`Message`] is one JSON-RPC object kept as the bytes that arrived, with the places of the few members a bridge
//! has to know about. Changing one of them splices it; everything else (whitespace, number spelling, member order,
//! members nobody here has heard of) leaves as it came. Around it stand the two framings that carry messages, lines
//! and server-sent events, and the vocabulary: ids, versions, methods, error codes.
//!
//! This crate deliberately knows no runtime, no HTTP, and no conversation of any era: everything is a function or an
//! enum over bytes, and whoever owns the socket or the child drives it.

mod batch;
mod buffer;
mod compose;
mod edit;
mod error;
mod fault;
mod id;
mod line;
mod locate;
mod member;
mod message;
pub mod method;
pub mod object;
mod pieces;
mod plain;
mod scan;
mod span;
mod splice;
pub mod sse;
#[cfg(test)]
mod tests;
mod text;
mod unescape;
mod version;

pub use batch::Body;
pub use buffer::CHUNK;
pub use compose::{error_message, notification, request, result_message, subscription_ended};
pub use error::ErrorCode;
pub use fault::{Fault, ParseError};
pub use id::{Id, IdKind, MAX_ID_BYTES};
pub use line::{Line, LineSplitter, TOO_LONG_HEAD};
pub use member::Member;
pub use message::{Kind, Message};
pub use pieces::Pieces;
pub use scan::MAX_DEPTH;
pub use span::Span;
pub use text::Text;
pub use version::{Era, UnknownVersion, Version};
