//! Backs make events out of one server era's conversation.
//!
//! A back sits on a [`Link`](crate::link::Link) and implements
//! [`Server`](crate::exchange::Server). It knows how servers of its era converse and nothing of
//! how clients do.

pub mod legacy;
mod level;
pub mod modern;
mod ours;
mod parting;
mod towards;
pub mod verdict;
