//! The small model between fronts and backs.
//!
//! A client has one conversation with the proxy and the proxy has another with the server. Both
//! may be of any era, so neither side knows the other: a front makes a [`Call`] with an
//! [`Outlet`] in it, a [`Server`] pushes [`Event`]s into that outlet in the order the server
//! produced them, and the front writes them the way its client's era wants them.
//!
//! What this module owns: the queue that keeps order and bounds ([`Outlet`]), the vocabulary
//! ([`Event`], [`Outcome`], [`Loss`]), and the two traits fronts are written against
//! ([`Server`], [`Servers`]), and when one that keeps ending is started again ([`Backoff`]). What it does not know: HTTP, lines, processes, eras.

mod backoff;
mod call;
mod event;
pub mod level;
mod mirror;
mod outlet;
mod principal;
mod profile;
mod server;
mod sink;
mod tool_list;
mod tools;
mod variables;
mod watch;

pub use backoff::{Backoff, Crash, Crashes};
pub use call::Call;
pub use event::{AskId, Blame, Event, ExchangeId, Loss, Outcome, Retry, Tagged};
pub use mirror::Mirrored;
pub use outlet::{Item, Outlet, Push, Tap};
pub use principal::Principal;
pub use profile::{Needs, Profile};
pub use server::{FeedId, Handle, Key, Refusal, Revival, Seat, Seated, Server, Servers};
pub use sink::Sink;
pub use tool_list::ToolList;
pub use tools::Tools;
pub use variables::{Variables, Wallet, Whom};
pub use watch::Watch;
