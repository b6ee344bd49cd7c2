//! The calls of a session, by the ids its client chose.

use mcp_wire::{Id, Message};
use tokio::time::Instant;

use super::Session;
use crate::exchange::{ExchangeId, Handle};

/// Where a call came from.
#[derive(Debug)]
pub struct Origin {
    /// The client's own id.
    pub id: Id,
    /// How far it has come.
    pub progress: Progress,
    /// What its success means for the record.
    pub note: Option<Box<Note>>,
}

/// How far a call has come on its way to the server.
#[derive(Debug)]
pub enum Progress {
    /// It waits for a server.
    Unsent,
    /// The same, and its client has cancelled it meanwhile, with this notice.
    Unwanted(Box<Message>),
    /// The server has it.
    Sent(Handle),
    /// The server was told that nobody waits for it.
    Cancelled,
}

/// A request whose success changes what a successor of the server has to know.
#[derive(Debug)]
pub enum Note {
    /// `logging/setLevel`
    Level(Message),
    /// `resources/subscribe`
    Subscribe(Message),
    /// `resources/unsubscribe`
    Unsubscribe(Message),
    /// `initialize`; the version stands in the result.
    Initialize,
}

impl Session {
    /// Enters a call. `None` if the client has a call of the same id in flight.
    #[must_use]
    pub fn enter(&self, id: Id, note: Option<Note>) -> Option<ExchangeId> {
        let mut state = self.state.lock();
        if state.ids.contains_key(&id) {
            return None;
        }
        let exchange = ExchangeId(state.next_exchange);
        state.next_exchange += 1;
        state.ids.insert(id.clone(), exchange);
        state.calls.insert(
            exchange,
            Origin {
                id,
                progress: Progress::Unsent,
                note: note.map(Box::new),
            },
        );
        Some(exchange)
    }

    /// Enters `initialize` and writes it into the record. `None` if it was accepted already or is
    /// in flight. For sessions that are there before it is said.
    #[must_use]
    pub fn begin(&self, initialize: &Message) -> Option<ExchangeId> {
        let id = initialize.id()?;
        {
            let mut state = self.state.lock();
            let said = state.record.version.is_some()
                || state
                    .calls
                    .values()
                    .any(|origin| matches!(origin.note.as_deref(), Some(Note::Initialize)));
            if said {
                return None;
            }
            state.record.initialized(initialize);
        }
        self.enter(id, Some(Note::Initialize))
    }

    /// Whether the client has a call of this id in flight.
    #[must_use]
    pub fn has_in_flight(&self, id: &Id) -> bool {
        self.state.lock().ids.contains_key(id)
    }

    /// The exchanges that have not ended.
    #[must_use]
    pub fn exchanges(&self) -> Vec<ExchangeId> {
        self.state.lock().calls.keys().copied().collect()
    }

    /// Says which call at the server an exchange has become.
    pub fn started(&self, exchange: ExchangeId, handle: Handle) {
        let mut state = self.state.lock();
        let Some(origin) = state.calls.get_mut(&exchange) else {
            return;
        };
        if let Progress::Unwanted(notice) =
            std::mem::replace(&mut origin.progress, Progress::Cancelled)
        {
            drop(state);
            handle.cancel(Some(*notice));
        } else {
            origin.progress = Progress::Sent(handle);
        }
    }

    /// The client cancels the call it made under this id. One that is not in flight is nobody's
    /// fault: the answer and the cancellation may have crossed.
    pub fn cancel(&self, id: &Id, notice: Message) {
        let mut state = self.state.lock();
        let Some(exchange) = state.ids.get(id).copied() else {
            return;
        };
        let Some(origin) = state.calls.get_mut(&exchange) else {
            return;
        };
        match std::mem::replace(&mut origin.progress, Progress::Cancelled) {
            Progress::Unsent => origin.progress = Progress::Unwanted(Box::new(notice)),
            Progress::Sent(handle) => {
                if state.nobody_reads(exchange) {
                    // Its end would wait for a reader; the client may use the id again now.
                    state.forget_call(exchange);
                }
                drop(state);
                handle.cancel(Some(notice));
            }
            before => origin.progress = before,
        }
    }

    /// The exchange has ended.
    #[must_use]
    pub fn finish(&self, exchange: ExchangeId) -> Option<Origin> {
        let mut state = self.state.lock();
        let origin = state.calls.remove(&exchange)?;
        state.ids.remove(&origin.id);
        state.last_used = Instant::now();
        Some(origin)
    }

    /// Writes into the record what the success of a request means.
    pub fn noted(&self, note: &Note, result: &Message) {
        let mut state = self.state.lock();
        state.revision += 1;
        match note {
            Note::Level(request) => state.record.leveled(request),
            Note::Subscribe(request) => state.record.subscribed(request),
            Note::Unsubscribe(request) => state.record.unsubscribed(request),
            Note::Initialize => {
                state.opening = false;
                let version = result
                    .result()
                    .and_then(|result| mcp_wire::object::get(result, "protocolVersion"))
                    .and_then(|text| std::str::from_utf8(text).ok())
                    .map(|text| text.trim_matches('"').to_owned());
                state.version = version.as_deref().and_then(|text| text.parse().ok());
                state.record.version = version;
            }
        }
    }
}
