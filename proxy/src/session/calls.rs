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
    /// The call at the server, once it was sent.
    pub handle: Option<Handle>,
    /// The client cancelled before the call was sent; its notice.
    pub(super) cancelled: Option<Message>,
    /// What its success means for the record.
    pub note: Option<Note>,
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
                handle: None,
                cancelled: None,
                note,
            },
        );
        Some(exchange)
    }

    /// Says which call at the server an exchange has become.
    pub fn started(&self, exchange: ExchangeId, handle: Handle) {
        let mut state = self.state.lock();
        let Some(origin) = state.calls.get_mut(&exchange) else {
            return;
        };
        if let Some(notice) = origin.cancelled.take() {
            drop(state);
            handle.cancel(Some(notice));
        } else {
            origin.handle = Some(handle);
        }
    }

    /// The client cancels the call it made under this id. One that is not in flight is nobody's
    /// fault: the answer and the cancellation may have crossed.
    pub fn cancel(&self, id: &Id, notice: Message) {
        let handle = {
            let mut state = self.state.lock();
            let Some(exchange) = state.ids.get(id).copied() else {
                return;
            };
            let Some(origin) = state.calls.get_mut(&exchange) else {
                return;
            };
            match origin.handle.take() {
                Some(handle) => handle,
                None => {
                    origin.cancelled = Some(notice);
                    return;
                }
            }
        };
        handle.cancel(Some(notice));
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
        match note {
            Note::Level(request) => state.record.leveled(request),
            Note::Subscribe(request) => state.record.subscribed(request),
            Note::Unsubscribe(request) => state.record.unsubscribed(request),
            Note::Initialize => {
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
