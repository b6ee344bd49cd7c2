//! Hearing the events of an exchange in the place of its client.

use std::fmt;

use super::{Event, ExchangeId, Push};

/// Whoever speaks for the client of an exchange: one of another era, whose answers are made of these
/// events and not of them alone.
///
/// It is called by whoever reads the server, under the lock of its machine: it must not wait, and
/// must not call the server. The last event of an exchange is [`Event::Done`].
pub trait Sink: fmt::Debug + Send + Sync + 'static {
    /// Takes an event, in the order in which the server made them.
    fn push(&self, exchange: ExchangeId, event: Event) -> Push;

    /// Whether the client reads its stream right now.
    fn is_attended(&self) -> bool;
}
