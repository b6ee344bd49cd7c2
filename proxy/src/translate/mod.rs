//! Servers of one era for clients of another.
//!
//! Fronts and backs stay as they are. What stands here is a decorator on an exchange: it is a
//! [`Server`](crate::exchange::Server) in the place of another one and hears that one's events through
//! a [`Sink`](crate::exchange::Sink). [`legacy_server`] is a server of the session eras as clients of
//! 2026-07-28 see one, [`modern_server`] the other way round. This room knows calls, events and
//! messages, and neither HTTP nor lines nor processes; the pool puts it between a front and a back
//! that do not speak the same era, and nowhere else.

mod digest;
pub mod legacy_server;
pub mod modern_server;
mod seal;

pub use self::seal::Keys;
