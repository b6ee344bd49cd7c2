//! Seeing an exchange end, on the way from a server to its client.

use std::fmt;

use super::Outcome;

/// Whoever is told how one exchange ended before its client is.
///
/// It is called by whoever pushes the end into an [`Outlet`](super::Outlet), under the lock of the
/// machine that reads the server: it must not wait, and must not call the server.
pub trait Watch: fmt::Debug + Send + Sync + 'static {
    /// The exchange is over. What is returned is what its client is told; whoever only counts gives
    /// back what came.
    fn done(&self, outcome: Outcome) -> Outcome;
}
