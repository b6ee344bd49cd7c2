//! Questions about calls, whichever front they come through: a decorator on an exchange.
//!
//! `guard` looks at the heads of HTTP requests; this room looks at messages, so it serves a front
//! that is not HTTP as well. [`policed`](policed::Policed) stands before the pool and has the list
//! of policies, in the order a call meets them; each policy is one file.

pub mod audit;
mod deferred;
mod hints;
pub mod metrics;
pub mod policed;
mod read_only;
pub mod scopes;
pub mod tools;
#[cfg(feature = "otlp")]
mod traced;
