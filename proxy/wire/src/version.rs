//! The revisions of the protocol, in order, and the eras they fall into.
//!
//! Small differences inside an era are comparisons (`version >= Version::V2025_11_25`) at the place that differs; a
//! different way of holding a conversation is another [`Era`] and another module of the proxy.

use std::fmt;
use std::str::FromStr;

/// A revision of the Model Context Protocol. Ordered: later revisions are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// 2024-11-05: HTTP+SSE.
    V2024_11_05,
    /// 2025-03-26: Streamable HTTP, sessions, batches.
    V2025_03_26,
    /// 2025-06-18: batches removed, `MCP-Protocol-Version` header, elicitation.
    V2025_06_18,
    /// 2025-11-25: priming events, tasks, URL elicitation.
    V2025_11_25,
    /// 2026-07-28: stateless requests that carry their own `_meta`.
    V2026_07_28,
}

/// How a family of revisions holds a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Era {
    /// Up to 2025-11-25: an `initialize` handshake, then a session in which both sides may ask.
    Legacy,
    /// From 2026-07-28: every request stands by itself, and a server that needs input says so in its result.
    Modern,
}

/// A text that names no revision known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown protocol version")]
pub struct UnknownVersion;

impl Version {
    /// Every revision, oldest first.
    pub const ALL: [Self; 5] = [
        Self::V2024_11_05,
        Self::V2025_03_26,
        Self::V2025_06_18,
        Self::V2025_11_25,
        Self::V2026_07_28,
    ];

    /// The newest revision with a handshake: what to offer to, or on behalf of, a peer of the legacy era.
    pub const LATEST_LEGACY: Self = Self::V2025_11_25;

    /// The newest revision.
    pub const LATEST: Self = Self::V2026_07_28;

    /// What a legacy HTTP request means when it carries no `MCP-Protocol-Version` header (2025-06-18, basic/transports).
    pub const WITHOUT_HEADER: Self = Self::V2025_03_26;

    /// The text that stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// How this revision holds a conversation.
    pub const fn era(self) -> Era {
        match self {
            Self::V2024_11_05 | Self::V2025_03_26 | Self::V2025_06_18 | Self::V2025_11_25 => {
                Era::Legacy
            }
            Self::V2026_07_28 => Era::Modern,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Version {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, UnknownVersion> {
        Self::ALL
            .into_iter()
            .find(|version| version.as_str() == text)
            .ok_or(UnknownVersion)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back_in_order() {
        for pair in Version::ALL.windows(2) {
            assert!(pair[0] < pair[1]);
            assert!(pair[0].as_str() < pair[1].as_str());
        }
        for version in Version::ALL {
            assert_eq!(version.to_string().parse(), Ok(version));
        }
        assert_eq!("2025-11-26".parse::<Version>(), Err(UnknownVersion));
        assert_eq!(" 2025-11-25".parse::<Version>(), Err(UnknownVersion));
    }

    #[test]
    fn eras_meet_between_the_latest_legacy_and_the_next() {
        assert_eq!(Version::LATEST_LEGACY.era(), Era::Legacy);
        let next = Version::ALL
            .into_iter()
            .find(|version| *version > Version::LATEST_LEGACY);
        assert_eq!(next.map(Version::era), Some(Era::Modern));
    }
}
