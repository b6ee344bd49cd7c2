//! Whose token is this, where an authorization server gave it out? (OAuth 2.1 access tokens that are
//! JWTs: RFC 9068, RFC 8725; MCP authorization.)
//!
//! # Theory of operation
//!
//! A token is taken when the authorization server signed it (`signatures.rs`, with a key of `keys.rs`),
//! when it names that server, this one, and a principal, and while it is valid (`token.rs`). Keys are
//! fetched by one task (`follow.rs`, `fetch.rs`, which may go to few places only: `reach.rs`), never by
//! the request that needs one: a request with a key that is not known waits for that task, briefly, and
//! is then asked about like any other. So checking a token never waits, and whoever invents keys makes
//! the task ask once in a while and nothing more.

mod fetch;
mod follow;
mod keys;
mod reach;
mod signatures;
mod token;

pub use follow::Following;
pub use token::{Flaw, Token, Tokens};
