//! The proxy's own requests to a server: their answers go to nobody else.

use mcp_wire::Message;
use tokio::time::Instant;

use crate::exchange::{Call, Event, ExchangeId, Item, Outcome, Outlet, Refusal, Tagged, Tap};

/// A request of our own, and where its end will be seen.
pub(super) fn call(message: Message, deadline: Instant) -> (Call, Tap) {
    // Unbounded but for the longest line: what is read here is one answer.
    let (outlet, tap) = Outlet::new(usize::MAX);
    let call = Call {
        message,
        exchange: ExchangeId::STANDING,
        outlet,
        deadline,
    };
    (call, tap)
}

/// Waits for its end.
///
/// # Errors
///
/// [`Refusal::Start`] when there was none to see.
///
/// # Cancel safety
///
/// The request goes on; its answer is nobody's.
pub(super) async fn outcome(mut tap: Tap) -> Result<Outcome, Refusal> {
    loop {
        match tap.next().await {
            Some(Item::Event(Tagged {
                event: Event::Done(outcome),
                ..
            })) => return Ok(outcome),
            Some(Item::Event(_)) => {}
            Some(Item::Overflow) | None => {
                return Err(failed("its answer was not readable".to_owned()));
            }
        }
    }
}

/// A server that could not be brought to work.
pub(super) fn failed(sentence: String) -> Refusal {
    Refusal::Start {
        sentence,
        retry_after: std::time::Duration::from_secs(1),
    }
}
