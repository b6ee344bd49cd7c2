//! Severities of log records.

use mcp_wire::{Member, Message};

/// Log levels in the order of RFC 5424, the least severe first.
const LEVELS: [&str; 8] = [
    "debug",
    "info",
    "notice",
    "warning",
    "error",
    "critical",
    "alert",
    "emergency",
];

/// How severe the level of this name is; the more, the higher.
#[must_use]
pub fn position(name: &str) -> Option<usize> {
    LEVELS.iter().position(|known| *known == name)
}

/// The name of a severity.
#[must_use]
pub fn name(position: usize) -> Option<&'static str> {
    LEVELS.get(position).copied()
}

/// How severe a log record is; the most severe where it does not say, so that it is not lost.
#[must_use]
pub fn severity(record: &Message) -> usize {
    record
        .string(Member::Level)
        .and_then(|level| position(&level))
        .unwrap_or(LEVELS.len() - 1)
}
