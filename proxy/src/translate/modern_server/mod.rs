//! A server of 2026-07-28 for clients of the session eras.
//!
//! # Theory of operation
//!
//! Each client has an [`Interpreter`] of its own, which is its server: it answers what 2026-07-28 has
//! no words for (`initialize`, `ping`, `logging/setLevel`, `resources/subscribe`), says in every
//! request what the client said once, and takes out of results what the client does not know. The
//! server behind it may serve many.
//!
//! A result that asks (`input_required`) is unfolded: each entry becomes a question on the stream of
//! the call it came from, and when all are answered the request is sent again with the answers. What
//! a client wants to hear of apart from calls stands in one `subscriptions/listen`, which is replaced
//! when the wish changes.
//!
//! [`Machine`](machine::Machine) is all of that without a server: what is heard goes in, events for
//! the client go out, and what is to be done at the server is handed back as [`Work`](machine::Work),
//! because a server must not be called by whoever it is calling. [`Interpreter`] holds the machine's
//! lock and does the work after it.
//!
//! Files: `client.rs` is what the client said of itself and how a request says it again,
//! `welcome.rs` the answer to `initialize`, `rounds.rs` results that ask, `results.rs` the other
//! ones, `calls.rs` a call in progress, `listening.rs` the subscription; `heard.rs` is the machine's
//! side towards the server.

mod calls;
mod client;
mod heard;
mod interpreter;
mod listening;
mod machine;
mod results;
mod rounds;
#[cfg(test)]
mod tests;
mod welcome;

pub use self::interpreter::Interpreter;
