//! Questions about HTTP, asked before anything else looks at a request: one policy, one file.
//!
//! A policy here is a pure function over a request's head, and [`Guard`] asks all of them in order.
//! They know no status code: a [`Refusal`] says what was wrong, and `front` writes the response. They
//! know no message either: policies about calls live elsewhere and serve stdio too.

mod admit;
pub mod auth;
pub mod cors;
pub mod credentials;
pub mod endpoints;
pub mod forwarded;
pub mod host_origin;
pub mod in_flight;
pub mod jwt;
pub mod keyring;
mod place;
pub mod rate;
pub mod refresh;
mod refusal;
pub mod resource;

pub use crate::exchange::Principal;
pub use admit::{Admitted, Guard};
pub use refusal::Refusal;
pub use resource::Grant;
