//! link
pub mod child;
