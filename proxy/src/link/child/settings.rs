//! The limits of one child: how long a line may be, how much may wait for it, how long it gets to stop.

use std::time::Duration;

use super::Guardian;
use crate::observe::mask::Masks;

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
    /// What is not shown of what it writes, to whomever.
    pub masks: Masks,
    /// Who ends its group if this process cannot any more. Absent where the end of this process is the end of everybody,
    /// and in tests that are no proxy.
    pub guardian: Option<Guardian>,
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
