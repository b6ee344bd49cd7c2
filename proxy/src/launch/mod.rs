//! How the server's process is started: from a package's name or a command to a program that was
//! found, with its arguments, folder and environment.
//!
//! A [`Launch`] is a list of words for `execve`, which the child link turns into a process; nothing
//! goes through a shell. Only `install` starts programs, those that install packages.

pub mod find;
pub mod install;
pub mod package;
mod plan;

pub use plan::{Installable, Kind, Launch};
