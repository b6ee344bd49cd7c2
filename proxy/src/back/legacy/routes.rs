//! Which stream an event belongs on.
//!
//! A legacy server does not say which call a question or a log record belongs to, so the rule is
//! the one clients can live with: the only call in flight is meant; where several could be meant
//! the oldest that may ask is; what belongs to no call goes to the standing stream. A stream
//! somebody reads is preferred to one nobody does.

use mcp_wire::{Member, Message, method};
use tokio::time::Instant;

use super::machine::{InFlight, Machine};
use crate::exchange::level::severity;
use crate::exchange::{Event, ExchangeId, FeedId, Key, Outlet};

/// Where one event goes.
pub(super) struct Route {
    pub(super) feed: FeedId,
    pub(super) call: Option<Key>,
    pub(super) outlet: Outlet,
    pub(super) exchange: ExchangeId,
}

impl Machine {
    /// Whom a question goes to; `None` where more than one client could be meant.
    pub(super) fn question_route(&self, now: Instant) -> Option<Route> {
        if self.common.is_some() {
            return None;
        }
        if self.callers.is_some() {
            return self.route_among_callers(now);
        }
        let (feed, standing) = self.feeds.iter().next()?;
        let attended = |(_, call): &(&Key, &InFlight)| call.outlet.is_attended();
        let asking = |(_, call): &(&Key, &InFlight)| call.may_ask;
        let call = self
            .client_calls()
            .filter(asking)
            .find(attended)
            .or_else(|| self.client_calls().find(attended))
            .or_else(|| {
                // Nobody reads any call's stream. The standing stream, if read, is better than
                // waiting for a client to resume; if not, the call's client may come back to it.
                (!standing.standing.is_attended())
                    .then(|| self.client_calls().find(asking))
                    .flatten()
            });
        Some(match call {
            Some((key, call)) => Route {
                feed: *feed,
                call: Some(*key),
                outlet: call.outlet.clone(),
                exchange: call.exchange,
            },
            None => Route {
                feed: *feed,
                call: None,
                outlet: standing.standing.clone(),
                exchange: ExchangeId::STANDING,
            },
        })
    }

    /// Every notification but progress and cancellation.
    pub(super) fn notify(&self, message: Message) {
        let name = message.method().unwrap_or_default();
        let standing = is_standing(name);
        if self.common.is_some() {
            self.notify_common(message, standing);
        } else if self.callers.is_some() {
            // Whoever sits here for the callers knows which of them it is for.
            if let Some(feed) = self.feeds.values().next() {
                feed.standing
                    .push(ExchangeId::STANDING, Event::Notify(message));
            }
        } else if let Some(feed) = self.feeds.values().next() {
            let read = feed.standing.is_attended();
            let call = match (standing, self.calls.len()) {
                // A change is the session's news, not the call's.
                (true, _) if read => None,
                (false, 2..) if read => None,
                _ => self
                    .client_calls()
                    .find(|(_, call)| call.outlet.is_attended())
                    .or_else(|| {
                        // A log record waits on the stream of the call it belongs to.
                        (!standing && !read)
                            .then(|| self.client_calls().next())
                            .flatten()
                    }),
            };
            match call {
                Some((_, call)) => call.outlet.push(call.exchange, Event::Notify(message)),
                None => feed
                    .standing
                    .push(ExchangeId::STANDING, Event::Notify(message)),
            };
        }
    }

    /// The same where several clients sit at one server: each sees what it asked for.
    fn notify_common(&self, message: Message, standing: bool) {
        if !standing && self.calls.len() == 1 {
            if let Some(call) = self.calls.values().next() {
                let level = self.feeds.get(&call.feed).and_then(|feed| feed.level);
                if level.is_none_or(|level| severity(&message) >= level) {
                    call.outlet.push(call.exchange, Event::Notify(message));
                }
            }
            return;
        }
        let name = message.method().unwrap_or_default();
        let uri = message.member(Member::Uri);
        for feed in self.feeds.values() {
            let wanted = match name {
                method::RESOURCES_UPDATED => {
                    uri.is_some_and(|uri| feed.uris.iter().any(|known| known == uri))
                }
                method::LOG_MESSAGE => feed.level.is_some_and(|level| severity(&message) >= level),
                _ => true,
            };
            if wanted {
                feed.standing
                    .push(ExchangeId::STANDING, Event::Notify(message.clone()));
            }
        }
    }
}

/// Whether a notification is news for the whole session rather than about one call.
fn is_standing(name: &str) -> bool {
    matches!(
        name,
        method::TOOLS_LIST_CHANGED
            | method::PROMPTS_LIST_CHANGED
            | method::RESOURCES_LIST_CHANGED
            | method::RESOURCES_UPDATED
            | method::TASKS_STATUS
    )
}
