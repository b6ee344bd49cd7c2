//! Scripts of the modern back.
