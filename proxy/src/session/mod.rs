//! What the proxy remembers of a client of the session eras.
//!
//! A [`Session`] outlives connections and children: it has a [`Record`] from which a dead child's
//! successor can be told everything its predecessor knew, the calls in flight by the client's own
//! ids, and a [`Ring`] of what was written last, for clients that come back. The [`Table`] finds
//! sessions and ends those nobody uses. With `--state-dir` a [`Keeper`] writes down what a proxy that
//! is started again needs to go on with them.
//!
//! It does not know HTTP, and how an event is written is the front's affair.

mod calls;
mod id;
mod keeper;
mod kept;
mod record;
mod ring;
mod state;
mod store;
mod streams;
mod table;
#[cfg(test)]
mod tests;

pub use calls::{Note, Origin, Progress};
pub use id::SessionId;
pub use keeper::Keeper;
pub use record::Record;
pub use ring::{Replay, Ring};
pub use state::{Session, SessionLimits};
pub use store::{Store, StoreError};
pub use streams::{StreamId, Taken, Turn, Unresumable};
pub use table::{Bounds, Table};
