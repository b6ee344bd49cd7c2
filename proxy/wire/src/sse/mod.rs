//! Server-sent events: the framing that carries messages over HTTP (WHATWG HTML, section 9.2).
//!
//! The writer makes events of messages, the splitter makes events of bytes. What an event means, and
//! whether its id is remembered, is the business of the fronts and links.

mod split;
mod write;

pub use split::{Event, EventSplitter, Part};
pub use write::{PIECES, WHOLE, comment, event, named, priming, retry, write_event};
