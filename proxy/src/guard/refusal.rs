//! Why a request was not let in, without saying how HTTP puts that.

use std::borrow::Cow;
use std::time::Duration;

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
        challenge: Cow<'static, str>,
        /// What was missing or wrong.
        sentence: &'static str,
        /// One word for that, to count by.
        why: &'static str,
    },
    /// There is more than one token, so nobody knows whose request this is.
    Ambiguous {
        /// The value of `WWW-Authenticate`.
        challenge: Cow<'static, str>,
    },
    /// A token that is good, and not for this.
    Scope {
        /// The value of `WWW-Authenticate` (RFC 6750 section 3.1).
        challenge: String,
        /// Which scope it lacks.
        sentence: String,
    },
    /// A token of the authorization server, for a page that tells of everybody.
    OwnersOnly,
    /// Nobody knows whether the token is good, because the authorization server cannot be asked.
    Unchecked {
        /// When that may have changed.
        retry_after: Duration,
    },
    /// The client's connection is not TLS, and `--require-https` asks for it.
    Insecure,
    /// More requests than `--rate-limit` in a while.
    TooOften {
        /// How long it takes until there may be another.
        retry_after: Duration,
        /// Whether those of one address were too many, or those of one principal.
        of_address: bool,
    },
    /// More requests at once than `--max-in-flight`.
    TooMany {
        /// The cap.
        cap: usize,
    },
}

impl Refusal {
    /// One sentence for a person at the other end, naming the setting that repairs it.
    #[must_use]
    pub fn sentence(&self) -> Cow<'_, str> {
        match self {
            Self::Host { sentence, .. } | Self::Origin { sentence, .. } => sentence.into(),
            Self::Unauthorized { sentence, .. } => (*sentence).into(),
            Self::Ambiguous { .. } => "there is more than one Authorization header".into(),
            Self::Scope { sentence, .. } => sentence.into(),
            Self::OwnersOnly => "this page tells of everybody's servers, so it takes a token of \
                                 MCP_PROXY_AUTH_TOKENS or --auth-token-file, and none of the \
                                 authorization server"
                .into(),
            Self::Unchecked { .. } => "the token cannot be checked, because the keys of the \
                                       authorization server cannot be had; the proxy's log says why"
                .into(),
            Self::Insecure => "this server takes requests over https only, so that nobody on the \
                               way reads them; use https:// in its address"
                .into(),
            Self::TooOften { of_address, .. } => {
                let whose = if *of_address {
                    "this address"
                } else {
                    "this token"
                };
                format!("too many requests of {whose}; --rate-limit allows more").into()
            }
            Self::TooMany { cap } => {
                format!("{cap} requests are in flight already; --max-in-flight allows more").into()
            }
        }
    }

    /// One word for what is wrong with its token, to count by; `None` where it is not the token.
    #[must_use]
    pub const fn why(&self) -> Option<&'static str> {
        match self {
            Self::Unauthorized { why, .. } => Some(why),
            Self::Ambiguous { .. } => Some("several"),
            Self::Scope { .. } | Self::OwnersOnly | Self::Unchecked { .. } => Some(self.kind()),
            _ => None,
        }
    }

    /// One word for it, to count by.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Host { .. } => "host",
            Self::Origin { .. } => "origin",
            Self::Unauthorized { .. } | Self::Ambiguous { .. } => "unauthorized",
            Self::Scope { .. } => "scope",
            Self::OwnersOnly => "owners_only",
            Self::Unchecked { .. } => "unchecked",
            Self::Insecure => "insecure",
            Self::TooOften {
                of_address: true, ..
            } => "rate_address",
            Self::TooOften { .. } => "rate_principal",
            Self::TooMany { .. } => "in_flight",
        }
    }
}
