//! The limits of one child: how long a line may be, how much may wait for it, how long it gets to stop.

use std::time::Duration;

/// The longest line a child may write, in bytes. Large replies in the wild are base64 images of a few MiB; four times
/// the 8 MiB we promise to carry leaves room, and still bounds what one runaway server can make us hold.
pub const MAX_LINE_BYTES: usize = 32 * 1024 * 1024;

/// The most bytes that may wait for a child to read them. One line of the greatest length fits; a child that reads
/// nothing costs this much and no more.
pub const MAX_QUEUED_BYTES: usize = MAX_LINE_BYTES;

/// How one child is run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the logs call this server.
    pub name: String,
    /// The longest line it may write, in bytes, without its newline.
    pub max_line: usize,
    /// The most bytes that may wait for its standard input, those being written included.
    pub max_queued: usize,
    /// How long it gets to stop.
    pub stop: StopLadder,
    /// Whether its standard error is logged. Its last lines are kept for the status either way.
    pub show_stderr: bool,
}

impl Settings {
    /// The default limits, for a server of this name.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            max_line: MAX_LINE_BYTES,
            max_queued: MAX_QUEUED_BYTES,
            stop: StopLadder::default(),
            show_stderr: true,
        }
    }
}

/// How long each rung of stopping waits before the next one.
///
/// The order is that of the MCP lifecycle for stdio (2025-11-25, "Shutdown"): close the input, then SIGTERM, then
/// SIGKILL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopLadder {
    /// From closing its input to SIGTERM. A server that watches its input ends within milliseconds; two seconds let
    /// it finish writing what it holds.
    pub close_wait: Duration,
    /// From SIGTERM to SIGKILL. Five seconds is what supervisors of servers commonly give, and well within the ten
    /// that container platforms give us as a whole.
    pub term_wait: Duration,
}

impl Default for StopLadder {
    fn default() -> Self {
        Self {
            close_wait: Duration::from_secs(2),
            term_wait: Duration::from_secs(5),
        }
    }
}
