//! The time of day, as records have it.

use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};

/// Now, in UTC, as RFC 3339 writes it.
#[must_use]
pub fn timestamp() -> String {
    let mut text = String::new();
    // Writing into a string does not fail.
    let _written = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}
