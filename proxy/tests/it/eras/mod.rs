//! The toy itself, over its own pipes: a fixture that is wrong about an era would make every test of that era wrong.
//!
//! What is expected here is what the official SDKs do: the Python SDK 2.3 and the TypeScript SDK 2.4, run over stdio.

mod life;
mod rounds;
mod settle;
mod talk;
