//! Backs make events out of one server era's conversation.
//!
//! A back sits on a [`Link`](crate::link::Link) and implements
//! [`Server`](crate::exchange::Server). It knows how servers of its era converse and nothing of
//! how clients do.

mod conversation;
pub mod legacy;
pub mod modern;
mod numbered;
mod ours;
mod parting;
mod towards;
pub mod verdict;

pub use conversation::Conversation;
