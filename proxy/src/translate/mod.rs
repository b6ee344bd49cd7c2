//! Servers of one era for clients of another.
//!
//! A decorator on an exchange: [`legacy_server`] is a server of the session eras as clients of
//! 2026-07-28 see one. It knows calls, events and messages, and neither HTTP nor lines nor processes;
//! the pool puts it between a front and a back that do not speak the same era, and nowhere else.

mod digest;
pub mod legacy_server;
mod seal;

pub use self::seal::Keys;
