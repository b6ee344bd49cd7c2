//! What is left to do when the proxy cannot do it any more: killed by SIGKILL, for want of memory, or by a fault.
//!
//! ```text
//!   proxy ──── "a group began", "a group ended" ────▶ guardian
//!     ╳  (the pipe ends)                                 │ SIGTERM, a short wait, SIGKILL
//!                                                        ▼
//!                                        every group that began and did not end
//! ```
//!
//! The guardian is one small process for each proxy, this same program started again under [`WORD`]. It holds the
//! reading end of a pipe whose writing end only the proxy has, so the kernel itself tells it of the proxy's end. The
//! usual tool, `PR_SET_PDEATHSIG`, reaches only the process that asked for it: `npx` would die and leave `node` behind.
//!
//! A process that is process 1 of its namespace needs none: the kernel ends the whole namespace with it.

mod post;
mod roll;
mod watch;

pub use post::Guardian;
pub use watch::keep_watch;

/// The first word of the command line that makes this program a guardian. Nobody types it.
pub const WORD: &str = "--guardian-of-children";
