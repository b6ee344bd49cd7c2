//! Questions about HTTP, asked before anything else looks at a request: one policy, one file.
//!
//! A policy here is a pure function over a request's head and a thin middleware around it. It knows
//! no status code: a [`Refusal`] says what was wrong, and the [`Rescue`] it is given writes the
//! response. It knows no message either: policies about calls live elsewhere and serve stdio too.

pub mod auth;
mod enclose;
pub mod host_origin;
mod place;
mod refusal;

pub use crate::exchange::Principal;
pub use enclose::enclose;
pub use refusal::{Refusal, Rescue};
