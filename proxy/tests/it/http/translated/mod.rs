//! Clients of one era before servers of the other.

mod modern_only;
