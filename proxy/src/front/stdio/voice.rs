//! What the client is told: events of either era as its messages, in one order.

use std::sync::{Arc, OnceLock};

use mcp_wire::{Id, Message};

use super::super::served::Served;
use super::super::{Fault, render, rescue};
use super::requests::{self, Requests};
use crate::exchange::{Event, ExchangeId, Outlet, Principal, Tagged, Variables, Whom};
use crate::session::Session;

/// Everything that is said to the client goes through here.
#[derive(Debug)]
pub(super) struct Voice {
    pub(super) outlet: Outlet,
    /// Its requests of 2026-07-28.
    pub(super) requests: Arc<Requests>,
    /// Its session, once it has said `initialize`.
    pub(super) session: OnceLock<Arc<Session>>,
}

impl Voice {
    /// For a client that has said nothing yet.
    pub(super) fn new(served: &Served, outlet: Outlet) -> Self {
        let front = Arc::clone(&served.stateless);
        // Nobody else can reach the pipe, so nobody is asked who they are.
        let whom = Whom {
            principal: Principal::anonymous(),
            variables: Variables::default(),
        };
        Self {
            requests: Requests::new(front, whom, outlet.clone()),
            outlet,
            session: OnceLock::new(),
        }
    }

    /// Says a word of our own, in order with everything else.
    pub(super) fn say(&self, message: Message) {
        // Over budget or closed, the stream ends, which says more.
        let _push = self
            .outlet
            .push(ExchangeId::STANDING, Event::Notify(message));
    }

    /// Says why a request is not taken.
    pub(super) fn refuse(&self, id: Option<&Id>, fault: &Fault) {
        self.say(rescue::refused(id, fault));
    }

    /// What one event comes to.
    pub(super) fn render(&self, tagged: Tagged) -> Option<Message> {
        if requests::is_ours(tagged.exchange) {
            return self.requests.render(tagged);
        }
        match (self.session.get(), tagged.event) {
            (Some(session), event) => {
                let exchange = tagged.exchange;
                render::render(session, Tagged { exchange, event }).message
            }
            (None, Event::Notify(message)) => Some(message),
            (None, _) => None,
        }
    }

    /// Too much waited for the client, and is gone: every call in flight is answered as lost.
    pub(super) fn overflow(&self) -> Vec<Message> {
        let mut messages = self.requests.overflow();
        if let Some(session) = self.session.get() {
            let exchanges = session.exchanges().into_iter();
            messages.extend(exchanges.filter_map(|exchange| render::overflow(session, exchange)));
        }
        messages
    }

    /// Nobody waits for an answer any more.
    pub(super) fn end(&self) {
        self.requests.end();
    }
}
