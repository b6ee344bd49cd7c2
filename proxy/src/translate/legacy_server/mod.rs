//! A server of the session eras, for clients of 2026-07-28.
//!
//! # Theory of operation
//!
//! A [`Station`] is one running server and what its clients share of it: it was greeted by the proxy
//! with what they can be asked (a [`Profile`](crate::exchange::Profile)), so that it asks for no more.
//! A request loses what only 2026-07-28 has (`stamp.rs`) and goes to the server; a [`Round`](round::Round) hears
//! what the server makes of it, in the client's place, and passes it on with what 2026-07-28 wants
//! said.
//!
//! When the server asks, the call stays where it is, in the server, and the client is answered
//! `input_required` (`gather.rs`): a sealed state (`state.rs`) names the parked call. The client sends
//! its request again with the answers, the server gets them, and the call goes on (`resume.rs`). The
//! state also carries what was answered so far, so that a call whose server is gone can be made again
//! without asking twice, if its tool says that this does no harm.
//!
//! A [`Desk`] is what outlives single servers: the parked calls and the subscriptions of the clients
//! it is for.
//!
//! Locks: a server pushes events under its own lock, so nothing here calls a server while it holds a
//! lock of this room.

mod desk;
mod gather;
mod listen;
mod long;
mod own;
mod question;
mod resume;
mod round;
mod stamp;
mod state;
mod station;
mod task;
#[cfg(test)]
mod tests;
mod turn;
mod welcome;

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

pub use self::desk::Desk;
pub use self::station::{Doorbell, Lease, Station};
pub use self::turn::Turn;
use super::Keys;
use crate::exchange::Server;

/// What is asked of the conversation with such a server, beyond what every server does.
pub trait LegacyServer: Server {
    /// Until when it may ask because of calls that were given up.
    fn restless_until(&self) -> Option<Instant>;

    /// Says whether it is needed though no call is in progress.
    fn hold(&self, needed: bool);
}

/// What is the same for every server of one configuration.
#[derive(Debug)]
pub struct Settings {
    /// Seals states.
    pub keys: Keys,
    /// The name of this machine, where others may run the same server.
    pub machine: Option<String>,
    /// How long a question waits for its client.
    pub patience: Duration,
    /// A request of our own to the server.
    pub request: Duration,
    /// The text of a `ListRootsResult` that answers where no client can be asked.
    pub roots: Option<Bytes>,
}
