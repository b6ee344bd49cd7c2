//! The proxy as a library: `main.rs` assembles it, tests reach into it.

pub mod assemble;
pub mod back;
pub mod budget;
pub mod config;
pub mod exchange;
#[cfg(test)]
mod flows;

pub mod front;
pub mod guard;
pub mod idle;
pub mod launch;
pub mod link;
pub mod observe;
pub mod policy;
pub mod pool;
pub mod reload;
pub mod session;
pub mod translate;
