//! The link to a child process: one stdio MCP server, its process group, its three pipes.
//!
//! ```text
//!   Child ──send──▶ outbox ──▶ writer ──▶ stdin  ┐
//!     │                                          │ process
//!     └─stop──▶ supervisor ──ladder──▶ signals ──┤ group
//!                    ▲                           │
//!   Inbound ◀── reader ◀── stdout ───────────────┤
//!   status, log ◀── stderr ──────────────────────┘
//! ```
//!
//! Reading and writing are separate tasks, so that a child that will not read cannot keep us from hearing it, and a
//! child that floods us cannot keep us from telling it to stop. The supervisor owns the process: it alone sends
//! signals, collects it, and decides that the link has ended. Everything here is about lines and processes; which
//! revision of the protocol the lines speak is not known.

mod command;
pub mod guardian;
mod half;
mod handle;
mod ladder;
mod life;
mod outbox;
mod process;
mod settings;
mod stat;
mod stderr;
mod stdio;
mod supervisor;
mod zombies;

pub use command::{Command, Environment};
pub use guardian::Guardian;
pub use handle::Child;
pub use life::{State, Status};
pub use outbox::SendError;
pub use process::StartError;
pub use settings::{Settings, StopLadder};
pub use stat::resident;
pub use zombies::Orphans;
