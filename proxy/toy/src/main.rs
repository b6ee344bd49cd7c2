//! The toy child.
fn main() {}
