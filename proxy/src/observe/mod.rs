//! What the proxy says about itself to people and machines. It is a leaf: it reads, and decides
//! nothing.

pub mod banner;
mod clock;
pub mod escape;
pub mod log;
pub mod mask;
pub mod metrics;
#[cfg(feature = "otlp")]
pub mod otlp;
pub mod panic;
pub mod process;
mod record;
pub mod trace;

pub use self::clock::timestamp;
