//! The proxy from outside: real processes, real pipes, facts with deadlines.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests say what they expect by failing, as tests do"
)]

mod eras;
mod http;
mod link;
mod stdio;
mod toy;
