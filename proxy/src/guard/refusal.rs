//! Why a request was not let in, without saying how HTTP puts that.

/// Why a request was not let in.
///
/// Values sent by the client are escaped and cut before they come here, so a refusal can be logged
/// and answered as it is. None holds a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The `Host` header, or the HTTP/2 `:authority`, names something we are not: the mark of DNS
    /// rebinding (MCP 2025-11-25, Streamable HTTP, security warning).
    Host {
        /// What was sent, escaped; `None` when there was none or more than one.
        found: Option<String>,
        /// What is wrong with it, and the flag that allows it.
        sentence: String,
    },
    /// The `Origin` header names a web page that may not call us (same section; from 2025-11-25 on
    /// it must be answered 403).
    Origin {
        /// What was sent, escaped; `None` when there was more than one.
        found: Option<String>,
        /// What is wrong with it, and the flag that allows it.
        sentence: String,
    },
    /// No token, or not ours.
    Unauthorized {
        /// The value of `WWW-Authenticate` (RFC 6750 section 3).
        challenge: &'static str,
        /// What was missing or wrong.
        sentence: &'static str,
    },
}

impl Refusal {
    /// The refusal in one word, as metrics label it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Host { .. } => "host",
            Self::Origin { .. } => "origin",
            Self::Unauthorized { .. } => "unauthorized",
        }
    }

    /// One sentence for a person at the other end, naming the setting that repairs it.
    #[must_use]
    pub fn sentence(&self) -> &str {
        match self {
            Self::Host { sentence, .. } | Self::Origin { sentence, .. } => sentence,
            Self::Unauthorized { sentence, .. } => sentence,
        }
    }
}
