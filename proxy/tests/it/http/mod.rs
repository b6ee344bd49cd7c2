//! The whole program over real sockets: the real binary, the real toy, one file a story.

mod answer;
mod bad_input;
mod batch;
mod bytes;
mod cancel;
mod client;
mod common;
mod crash;
mod crossing;
mod crowd;
mod door;
mod edges;
mod http_sse;
mod http_sse_ends;
mod life;
mod proxy;
mod questions;
mod resume;
mod rust_sdk;
mod rust_sdk_modern;
mod session;
mod stateless;
mod stopping;
mod told;
mod typed;
