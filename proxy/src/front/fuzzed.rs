//! What the headers of a request go through here, for the fuzz target `headers`, which is another
//! crate and sees nothing else of this room.

use axum::http::{HeaderMap, HeaderName};
use mcp_wire::Message;

use super::headers;
use super::stateless::mirror;
use crate::exchange::Mirrored;

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub struct Read {
    /// The session a request names.
    pub session: Option<String>,
    /// The stream and event to go on after; `Some(None)` where the header says something else.
    pub resume: Option<Option<(u32, u64)>>,
    /// Whether the headers fit a POST, and a GET.
    pub fits: (bool, bool),
    /// `Mcp-Name`, decoded.
    pub name: Result<Option<String>, String>,
    /// Whether `Mcp-Param-X` says what the argument `x` of the message does.
    pub is_mirrored: bool,
}

/// Reads everything.
#[must_use]
pub fn read(headers: &HeaderMap, message: &Message) -> Read {
    let mirrored = Mirrored {
        header: "mcp-param-x".into(),
        path: vec!["x".into()],
    };
    let _claim = headers::version(headers);
    Read {
        session: headers::session_id(headers).map(str::to_owned),
        resume: headers::last_event_id(headers).map(Result::ok),
        fits: (
            headers::check_post(headers).is_ok(),
            headers::check_get(headers).is_ok(),
        ),
        name: mirror::one(headers, &HeaderName::from_static("mcp-name")),
        is_mirrored: mirror::check(headers, message, &[mirrored]).is_ok(),
    }
}
