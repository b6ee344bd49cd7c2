//! A server whose calls come from several callers, each of whom may be asked.
//!
//! A server of these eras does not say which call a question belongs to. With one client that
//! matters little; with several, a question on the wrong stream shows one caller what another did.
//! So a question is passed on only where one call alone can be meant, and whoever gives out the
//! server's time makes sure that this is so once the server has been seen to ask.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::time::Instant;

use super::machine::Machine;
use super::routes::Route;
use crate::exchange::{ExchangeId, Key};

/// How long a server that was told of a cancellation may ask about the call all the same. Most
/// answer at once, and need not (2025-11-25, basic/utilities/cancellation).
const ABANDONED: Duration = Duration::from_secs(10);

/// Calls given up that are remembered for that; the oldest are forgotten first.
const MAX_ABANDONED: usize = 256;

/// What is known of a server's callers.
pub(super) struct Callers {
    /// When one last wanted something.
    pub(super) last_used: Instant,
    /// Said when the server asks something, to all who start servers of its kind.
    pub(super) asks: Arc<AtomicBool>,
    abandoned: VecDeque<(Key, Instant)>,
}

impl Callers {
    pub(super) fn new(asks: Arc<AtomicBool>, now: Instant) -> Self {
        Self {
            last_used: now,
            asks,
            abandoned: VecDeque::new(),
        }
    }

    pub(super) fn abandon(&mut self, key: Key, now: Instant) {
        self.abandoned.push_back((key, now));
        if self.abandoned.len() > MAX_ABANDONED {
            self.abandoned.pop_front();
        }
    }

    /// The server has answered a call that was given up: it asks about it no more.
    pub(super) fn forget(&mut self, key: Key) {
        self.abandoned.retain(|(abandoned, _)| *abandoned != key);
    }

    /// Until when a question may be about a call that was given up.
    pub(super) fn restless_until(&self) -> Option<Instant> {
        self.abandoned.back().map(|(_, since)| *since + ABANDONED)
    }
}

impl Machine {
    /// Whom a question of such a server goes to; `None` where that cannot be known.
    pub(super) fn route_among_callers(&self, now: Instant) -> Option<Route> {
        let restless = self.callers.as_ref().and_then(Callers::restless_until);
        if restless.is_some_and(|until| now < until) {
            return None;
        }
        let (feed, side) = self.feeds.iter().next()?;
        let mut asking = self.client_calls().filter(|(_, call)| call.may_ask);
        match (asking.next(), asking.next()) {
            (Some((key, call)), None) => Some(Route {
                feed: *feed,
                call: Some(*key),
                outlet: call.outlet.clone(),
                exchange: call.exchange,
            }),
            (None, _) => Some(Route {
                feed: *feed,
                call: None,
                outlet: side.standing.clone(),
                exchange: ExchangeId::STANDING,
            }),
            (Some(_), Some(_)) => None,
        }
    }
}
