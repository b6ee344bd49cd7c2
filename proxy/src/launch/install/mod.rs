//! Install once: a package becomes a program in a cache, and later starts run that program with
//! no installer beside it.
//!
//! `npx` and `uvx` stay in memory above the server they start (npm's own process holds some 90 MB)
//! and ask their caches anew at every start. Here the installer runs once, in a group of its own
//! and with a budget, and what it made is found again by an index file: a warm start reads that one
//! file and runs `node` or `python` directly. This room is the only one that runs npm, uv and pip.

mod date;
mod error;
mod installer;
mod memory;
mod node;
mod npm;
mod order;
mod provision;
mod prune;
mod pypi;
mod recipe;
mod run;
mod store;

pub use error::InstallError;
pub use installer::{Installed, provide};
pub use memory::{memory, memory_limit, node_options};
pub use order::{Order, prewarm};
pub(crate) use provision::bounded;
pub use provision::{InstallStatus, Provision};
pub use prune::Lease;
pub use recipe::{Recipe, Settings, Tools, Wanted, installer_env};
