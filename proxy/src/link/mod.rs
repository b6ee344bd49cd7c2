//! Links: the roads to where a server lives.
//!
//! A link carries whole JSON-RPC messages both ways and knows when the road ends. It never knows which era is spoken
//! on it, who asked, or what an id means: that is the work of the `back` above it. Today there is one road, a child
//! process that reads and writes lines.

pub mod child;
mod inbound;

pub use inbound::{End, EndReason, Inbound};
