//! Spans of calls, for a collector.

use mcp_wire::{Member, Message};

use super::metrics::Ended;
use crate::observe::otlp::{Ending, Open};

/// How much of a tool's name is told, in bytes. Names that people give are shorter.
const MAX_NAME: usize = 256;

/// The span of one call.
#[derive(Debug)]
pub(super) struct Traced {
    open: Open,
    /// The tool or the prompt.
    name: Option<String>,
}

impl Traced {
    /// Begins the span of a request, and tells the server of it. `None` where spans go nowhere.
    pub(super) fn begin(request: &mut Message) -> Option<Self> {
        let open = Open::begin(request)?;
        let name = request.string(Member::Name);
        Some(Self {
            open,
            name: name.map(|name| name[..name.floor_char_boundary(MAX_NAME)].to_owned()),
        })
    }

    /// The call has ended. `call` says whose it was; the rest of it is known here.
    pub(super) fn end(&self, ended: Ended, call: Ending<'_>) {
        self.open.end(&Ending {
            name: self.name.as_deref(),
            outcome: ended.word(),
            failed: matches!(ended, Ended::Error | Ended::Lost | Ended::Refused),
            ..call
        });
    }
}
