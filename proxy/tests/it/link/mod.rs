//! The child link with real processes: what comes out, in which order, what is left when it ends.

mod ending;
mod fixture;
mod grandchildren;
mod messages;
mod starting;
