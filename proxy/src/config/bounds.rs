//! How much is held for clients together, how long their connections may keep us waiting, and how
//! much is left of what is used no longer.

use std::time::Duration;

use clap::Args;

use super::meaning::Limits;
use super::pick::Picker;

/// A shorter time would end connections of clients that did nothing wrong.
const SHORTEST: Duration = Duration::from_millis(100);

/// The flags as they were typed.
#[derive(Args, Default)]
pub(super) struct TypedBounds {
    /// For a client's headers, its TLS handshake included [default: 10s]
    #[arg(long, value_name = "DURATION", help_heading = "Times")]
    pub(super) header_timeout: Option<String>,
    /// For a request's body, after its headers [default: 30s]
    #[arg(long, value_name = "DURATION", help_heading = "Times")]
    pub(super) body_timeout: Option<String>,
    /// Until a client that reads nothing of what was sent to it is cut off [default: 60s]
    #[arg(long, value_name = "DURATION", help_heading = "Times")]
    pub(super) unread_timeout: Option<String>,
    /// Where --max-children are in use: until a session nobody uses gives its server's place to
    /// another [default: 60s]
    #[arg(long, value_name = "DURATION", help_heading = "Times")]
    pub(super) yield_after: Option<String>,
    /// Requests that may wait while a server starts [default: 256]
    #[arg(long, value_name = "COUNT", help_heading = "Limits")]
    pub(super) max_starting: Option<String>,
    /// Connections open at once; further ones wait to be taken [default: 4096]
    #[arg(long, value_name = "COUNT", help_heading = "Limits")]
    pub(super) max_connections: Option<String>,
    /// What is held for all clients together; 256MiB if it is not given, and a quarter of the memory
    /// of a container with less than 1GiB
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    pub(super) memory_budget: Option<String>,
    /// Versions of each package kept in the cache, beside those in use [default: 3]
    #[arg(long, value_name = "COUNT", help_heading = "Packages")]
    pub(super) keep_versions: Option<String>,
}

/// What is common to all clients and connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes held for all clients together; `None` for what suits the machine.
    pub memory: Option<usize>,
    /// From taking a connection to its first request, and from any byte of later headers to the last.
    pub header: Duration,
    /// From a request's headers to the end of its body.
    pub body: Duration,
    /// A connection whose client acknowledges nothing of what was sent is cut after this long.
    pub unread: Duration,
    /// Where every place of a child is taken, a session unused for this long gives up its own.
    pub yield_after: Duration,
}

/// Versions of a package that stay in the cache although nothing runs them. One to go back to when
/// the newest fails, and one before.
pub(super) fn keep_versions(pick: &mut Picker<'_>, typed: &TypedBounds) -> usize {
    pick.count("keep-versions", typed.keep_versions.as_ref(), 3)
}

/// Reads them; `limits` are those of single clients and children.
pub(super) fn read(pick: &mut Picker<'_>, typed: &TypedBounds, limits: &Limits) -> Bounds {
    let seconds = Duration::from_secs;
    let memory = pick.text("memory-budget", typed.memory_budget.as_ref());
    let memory = memory.and_then(|picked| match super::size::parse(&picked.text) {
        Ok(bytes) if bytes >= least(limits.max_line, limits.max_body) => Some(bytes),
        Ok(_) => {
            pick.wrong(
                &picked,
                "less than --max-line-size and --max-body-size together, so the longest messages \
                 could never pass; raise it or lower those",
            );
            None
        }
        Err(fragment) => {
            pick.wrong(&picked, &fragment);
            None
        }
    });
    Bounds {
        memory,
        // Some round trips of the slowest line.
        header: pick.duration(
            "header-timeout",
            typed.header_timeout.as_ref(),
            seconds(10),
            SHORTEST,
        ),
        // The longest body in this time is 140 KiB a second.
        body: pick.duration(
            "body-timeout",
            typed.body_timeout.as_ref(),
            seconds(30),
            SHORTEST,
        ),
        // A telephone goes through a tunnel.
        unread: pick.duration(
            "unread-timeout",
            typed.unread_timeout.as_ref(),
            seconds(60),
            SHORTEST,
        ),
        // Longer than a model thinks between two calls, shorter than a lunch.
        yield_after: pick.duration(
            "yield-after",
            typed.yield_after.as_ref(),
            seconds(60),
            SHORTEST,
        ),
    }
}

/// The least budget with which one message of every kind passes.
#[must_use]
pub const fn least(max_line: usize, max_body: usize) -> usize {
    max_line.saturating_add(max_body)
}
