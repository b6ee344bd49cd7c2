//! Error codes, by the names that the specifications give them.

use std::fmt;

/// The `code` of a JSON-RPC error object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(pub i64);

impl ErrorCode {
    /// JSON-RPC 2.0 section 5.1: the text is not JSON.
    pub const PARSE_ERROR: Self = Self(-32700);
    /// JSON-RPC 2.0 section 5.1: the JSON is not a message.
    pub const INVALID_REQUEST: Self = Self(-32600);
    /// JSON-RPC 2.0 section 5.1.
    pub const METHOD_NOT_FOUND: Self = Self(-32601);
    /// JSON-RPC 2.0 section 5.1; MCP also uses it for unknown tools and prompts, bad cursors, missing `_meta` fields,
    /// and from 2026-07-28 for unknown resources.
    pub const INVALID_PARAMS: Self = Self(-32602);
    /// JSON-RPC 2.0 section 5.1.
    pub const INTERNAL_ERROR: Self = Self(-32603);
    /// The general server error that legacy SDKs use for "connection closed" and for bad requests of the transport.
    pub const SERVER_ERROR: Self = Self(-32000);
    /// What legacy SDKs answer to an unknown session id, and on a timeout.
    pub const SESSION_NOT_FOUND: Self = Self(-32001);
    /// Legacy only (2025-11-25 server/resources): a modern server must not send it.
    pub const RESOURCE_NOT_FOUND: Self = Self(-32002);
    /// Legacy only (2025-11-25 client/elicitation): the call needs a URL to be visited first.
    pub const URL_ELICITATION_REQUIRED: Self = Self(-32042);
    /// 2026-07-28: a mirrored header and the body differ, or the header is missing.
    pub const HEADER_MISMATCH: Self = Self(-32020);
    /// 2026-07-28: the server needs a capability that the client did not declare for this request.
    pub const MISSING_REQUIRED_CLIENT_CAPABILITY: Self = Self(-32021);
    /// 2026-07-28: the request names a version that the server does not speak.
    pub const UNSUPPORTED_PROTOCOL_VERSION: Self = Self(-32022);

    /// Whether the code is in the range that MCP reserves to its own specification (2026-07-28 basic): another
    /// party's private use of it must not reach a modern client.
    pub const fn is_reserved(self) -> bool {
        -32099 <= self.0 && self.0 <= -32020
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserved_range_has_exact_borders() {
        assert!(!ErrorCode(-32019).is_reserved());
        assert!(ErrorCode::HEADER_MISMATCH.is_reserved());
        assert!(ErrorCode::URL_ELICITATION_REQUIRED.is_reserved());
        assert!(ErrorCode(-32099).is_reserved());
        assert!(!ErrorCode(-32100).is_reserved());
        assert!(!ErrorCode::RESOURCE_NOT_FOUND.is_reserved());
    }
}
