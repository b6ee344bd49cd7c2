//! The road to the server, which is there once the link was started.

use std::sync::OnceLock;

use mcp_wire::Message;

use crate::link::{Link, SendError};

/// A link that is put in after the conversation it belongs to was made: the link needs the
/// conversation's ear first.
#[derive(Default)]
pub(super) struct Towards(OnceLock<Box<dyn Link>>);

impl Towards {
    /// Puts the link in. Only the first one counts.
    pub(super) fn connect(&self, link: Box<dyn Link>) {
        let _first = self.0.set(link);
    }
}

impl Link for Towards {
    fn send(&self, message: &Message) -> Result<(), SendError> {
        self.0
            .get()
            .map_or(Err(SendError::Gone), |link| link.send(message))
    }

    fn stop(&self) {
        if let Some(link) = self.0.get() {
            link.stop();
        }
    }
}
