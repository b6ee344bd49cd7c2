//! How the server's process is started: from a package's name or a command to a program that was
//! found, with its arguments, folder and environment.
//!
//! Nothing here starts anything and nothing goes through a shell: a [`Launch`] is a list of words
//! for `execve`. The child link turns it into a process.

pub mod find;
pub mod package;
mod plan;

pub use plan::{Kind, Launch};
