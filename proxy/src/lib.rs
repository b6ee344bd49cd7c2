//! The proxy as a library: `main.rs` assembles it, tests reach into it.

pub mod config;
pub mod exchange;
pub mod guard;
pub mod launch;
pub mod link;
pub mod observe;
pub mod session;
