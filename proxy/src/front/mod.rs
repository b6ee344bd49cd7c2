//! Fronts speak a client's era, over HTTP or at a pipe.
//!
//! [`stateless`] serves 2026-07-28, [`sessions`] 2025-03-26 to 2025-11-25, [`http_sse`] the two
//! endpoints of 2024-11-05, and [`stdio`] one local client of any of them. The first two share one path: `endpoint.rs` takes its requests, and
//! `era.rs` says which of them each is for. `conversation.rs`, `headers.rs`, `render.rs` and
//! `frames.rs` are what several need. [`Fault`] is everything that can be wrong with a request
//! before it is taken, and `rescue.rs` is the one place where such a fault becomes a status, and a
//! lost call becomes a message. `listener.rs` owns the sockets, `router.rs` and `routes.rs` the
//! paths, `served.rs` is one server with its fronts.

mod body;
mod caught;
pub mod connection;
mod conversation;
mod endpoint;
mod era;
mod frames;
pub mod fuzzed;
pub mod given;
mod headers;
mod held;
pub mod http_sse;
mod inbox;
pub mod intake;
pub mod listener;
pub mod pages;
mod render;
mod rescue;
pub mod router;
pub mod routes;
pub mod served;
pub mod sessions;
pub mod stateless;
pub mod stdio;
pub mod tls;
mod trace;
mod well_known;

pub use rescue::Fault;
