//! Events as this client's messages.

use mcp_wire::{ErrorCode, Message};

use super::rescue;
use crate::exchange::{AskId, Event, ExchangeId, Loss, Outcome, Tagged};
use crate::session::{Progress, Session};

/// What one event comes to.
pub(super) struct Rendered {
    /// What the client is sent; a cancelled call is answered with nothing.
    pub(super) message: Option<Message>,
    /// The exchange this ends.
    pub(super) done: Option<ExchangeId>,
}

/// Puts the client's own id back and writes down what an answer means for the session.
pub(super) fn render(session: &Session, tagged: Tagged) -> Rendered {
    let Tagged { exchange, event } = tagged;
    match event {
        Event::Notify(message)
        | Event::Ask {
            question: message, ..
        }
        | Event::Withdraw {
            notice: message, ..
        } => Rendered {
            message: Some(message),
            done: None,
        },
        Event::Done(outcome) => Rendered {
            message: answer(session, exchange, outcome),
            done: Some(exchange),
        },
    }
}

fn answer(session: &Session, exchange: ExchangeId, outcome: Outcome) -> Option<Message> {
    let origin = session.finish(exchange)?;
    match outcome {
        Outcome::Result(mut message) => {
            if let Some(note) = &origin.note {
                session.noted(note, &message);
            }
            message.set_id(origin.id);
            Some(message)
        }
        Outcome::Error(mut message) => {
            message.set_id(origin.id);
            Some(message)
        }
        Outcome::Lost(loss) => Some(rescue::lost(&origin.id, &loss)),
        Outcome::Cancelled => None,
    }
}

/// The stream of this exchange broke its budget: the call is given up, and its client told why.
pub(super) fn overflow(session: &Session, exchange: ExchangeId) -> Option<Message> {
    let origin = session.finish(exchange)?;
    let message = rescue::lost(&origin.id, &Loss::unread());
    if let Progress::Sent(handle) = origin.progress {
        handle.cancel(None);
    }
    Some(message)
}

/// A question that nobody is left to see is answered at once, so that the server need not wait.
pub(super) fn decline(session: &Session, ask: AskId, question: &Message) {
    if let Some(id) = question.id() {
        let reply = mcp_wire::error_message(
            Some(&id),
            ErrorCode::INTERNAL_ERROR,
            "the client has disconnected",
            None,
        );
        let _late = session.answer(ask, reply);
    }
}
