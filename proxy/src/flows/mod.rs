//! The model under test: a scripted server behind a real back, toy fronts before it, no HTTP.
//!
//! Each flow in `table.rs` is one that went wrong in some bridge of the field. They were written
//! before the fronts and stay for ever, so that every era to come is built on events that are
//! known to arrive in order, once, and where they belong.

pub(crate) mod stage;
mod table;
pub(crate) mod toys;
