//! The whole program over real sockets: the real binary, the real toy, one file a story.

mod answer;
mod cancel;
mod client;
mod life;
mod proxy;
mod questions;
mod resume;
mod session;
