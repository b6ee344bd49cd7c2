//! Calls that wait until it is known whether they may be made.
//!
//! A server's door never waits (`exchange/server.rs`), so a call that needs an answer first is taken
//! under a key of ours, and made later by a task. Until then it is cancelled, attached and left here.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mcp_wire::Message;
use parking_lot::Mutex;

use crate::exchange::{Call, Event, Key, Loss, Outcome, Outlet, Server};

/// Keys of ours have this bit; servers count from one, and who translates for one has the bit below.
const OURS: Key = 1 << 63;

/// The deferred calls of one place.
#[derive(Debug, Default)]
pub(super) struct Deferred {
    table: Mutex<Table>,
    /// What was asked there in the meantime, for them.
    pub(super) ours: AtomicUsize,
}

#[derive(Debug, Default)]
struct Table {
    next: Key,
    calls: HashMap<Key, Stage>,
}

#[derive(Debug)]
enum Stage {
    /// Nothing was sent.
    Waiting(Box<Call>),
    /// It is being sent. What was wanted of it meanwhile is done when its key is known.
    Sending(Vec<Wish>),
    /// It is at the server, under this key.
    Sent(Key),
}

#[derive(Debug)]
enum Wish {
    Cancel(Option<Box<Message>>),
    Attach(Outlet),
}

impl Deferred {
    /// Whether a key is one of ours.
    pub(super) const fn has(key: Key) -> bool {
        key & OURS != 0
    }

    /// Takes a call.
    pub(super) fn take(&self, call: Call) -> Key {
        let mut table = self.table.lock();
        table.next += 1;
        let key = OURS | table.next;
        table.calls.insert(key, Stage::Waiting(Box::new(call)));
        key
    }

    /// The calls of this place that are in progress, where the server has so many of them.
    pub(super) fn in_flight(&self, at_server: usize) -> usize {
        let table = self.table.lock();
        let is_unsent = |stage: &&Stage| !matches!(stage, Stage::Sent(_));
        let waiting = table.calls.values().filter(is_unsent).count();
        (at_server + waiting).saturating_sub(self.ours.load(Ordering::Relaxed))
    }

    /// Makes a call that has waited; nothing happens if it was given up meanwhile. What `make` gives
    /// in the place of a key is how the call has ended.
    pub(super) fn send(
        &self,
        key: Key,
        server: &dyn Server,
        make: impl FnOnce(Call) -> Result<Key, Box<Outcome>>,
    ) {
        let call = {
            let mut table = self.table.lock();
            match table.calls.remove(&key) {
                Some(Stage::Waiting(call)) => {
                    table.calls.insert(key, Stage::Sending(Vec::new()));
                    call
                }
                Some(stage) => {
                    table.calls.insert(key, stage);
                    return;
                }
                None => return,
            }
        };
        let (outlet, exchange) = (call.outlet.clone(), call.exchange);
        // Without the lock: the server may tell the end at once, and that comes back here.
        let made = make(*call);
        let wishes = {
            let mut table = self.table.lock();
            match (table.calls.remove(&key), &made) {
                (Some(Stage::Sending(wishes)), Ok(sent)) => {
                    table.calls.insert(key, Stage::Sent(*sent));
                    wishes
                }
                // Its end was told already, or is told now.
                _ => Vec::new(),
            }
        };
        match made {
            Ok(sent) => wishes.into_iter().for_each(|wish| match wish {
                Wish::Cancel(notice) => server.cancel(sent, notice.map(|notice| *notice)),
                Wish::Attach(outlet) => server.attach(sent, outlet),
            }),
            Err(outcome) => {
                outlet.push(exchange, Event::Done(*outcome));
            }
        }
    }

    /// Ends a call that has waited.
    pub(super) fn end(&self, key: Key, outcome: impl FnOnce(&Call) -> Outcome) {
        if let Some(call) = self.unsent(key) {
            let outcome = outcome(&call);
            call.outlet.push(call.exchange, Event::Done(outcome));
        }
    }

    /// The client gave a call up.
    pub(super) fn cancel(&self, key: Key, notice: Option<Message>, server: &dyn Server) {
        let sent = {
            let mut table = self.table.lock();
            match table.calls.get_mut(&key) {
                Some(Stage::Sending(wishes)) => {
                    wishes.push(Wish::Cancel(notice.map(Box::new)));
                    return;
                }
                Some(Stage::Sent(sent)) => Some(*sent),
                Some(Stage::Waiting(_)) | None => None,
            }
        };
        match sent {
            Some(sent) => server.cancel(sent, notice),
            None => self.end(key, |_| Outcome::Cancelled),
        }
    }

    /// The events of a call go to another stream from now on.
    pub(super) fn attach(&self, key: Key, outlet: Outlet, server: &dyn Server) {
        let sent = {
            let mut table = self.table.lock();
            match table.calls.get_mut(&key) {
                Some(Stage::Waiting(call)) => {
                    call.outlet = outlet.instead_of(&call.outlet);
                    return;
                }
                Some(Stage::Sending(wishes)) => {
                    wishes.push(Wish::Attach(outlet));
                    return;
                }
                Some(Stage::Sent(sent)) => *sent,
                None => return,
            }
        };
        server.attach(sent, outlet);
    }

    /// The client leaves: nothing that waits is made any more.
    pub(super) fn leave(&self, loss: &Loss) {
        let waiting: Vec<Key> = self.table.lock().calls.keys().copied().collect();
        for key in waiting {
            self.end(key, |_| Outcome::Lost(loss.clone()));
        }
    }

    /// A call has ended; its key means nothing any more.
    pub(super) fn forget(&self, key: Key) {
        self.table.lock().calls.remove(&key);
    }

    /// Takes a call out that was not sent.
    fn unsent(&self, key: Key) -> Option<Box<Call>> {
        let mut table = self.table.lock();
        match table.calls.remove(&key) {
            Some(Stage::Waiting(call)) => Some(call),
            Some(stage) => {
                table.calls.insert(key, stage);
                None
            }
            None => None,
        }
    }
}

/// A call's way back to the table it waited in.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) deferred: Arc<Deferred>,
    pub(super) key: Key,
}

impl Slot {
    /// The call has ended.
    pub(super) fn over(&self) {
        self.deferred.forget(self.key);
    }
}
