//! A session's own child, of which nobody knows whether it speaks the session eras.
//!
//! The client's `initialize` is what finds out. A child that refuses it as only one of 2026-07-28
//! does is stopped, the client is given an interpreter before another child, and its `initialize` is
//! answered there; it does not learn of the first. With any other child nothing comes between:
//! everything is passed on.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use mcp_wire::{Era, Message, method};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::Pool;
use crate::back::Conversation as _;
use crate::back::legacy::Legacy;
use crate::exchange::{
    AskId, Blame, Call, Crash, Event, ExchangeId, FeedId, Handle, Key, Loss, Mirrored, Outcome,
    Outlet, Push, Refusal, Retry, Seat, Seated, Server, Sink,
};

/// What an `initialize` may take at the second child, beyond what its start may.
const ANSWERING: Duration = Duration::from_secs(5);

/// A place at a child that is being found out about.
pub(super) struct Undecided {
    me: Weak<Self>,
    pool: Weak<Pool>,
    legacy: Arc<Legacy>,
    feed: FeedId,
    /// The place at the interpreter, once there is one.
    turned: OnceLock<Seated>,
    state: Mutex<State>,
}

struct State {
    /// What to ask another server for; taken by whoever does.
    seat: Option<Seat>,
    /// The `initialize` whose answer is awaited.
    asked: Option<Asked>,
    /// Another child is being had.
    turning: bool,
    /// The client has left meanwhile.
    left: Option<Loss>,
}

/// An `initialize` in flight.
struct Asked {
    message: Message,
    exchange: ExchangeId,
    outlet: Outlet,
}

impl Undecided {
    /// A place at `legacy`; `seat` is what another server would be asked for.
    pub(super) fn seat(pool: &Weak<Pool>, legacy: Arc<Legacy>, seat: Seat) -> Seated {
        let feed = legacy.seat(seat.standing.clone());
        let undecided = Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            pool: Weak::clone(pool),
            legacy,
            feed,
            turned: OnceLock::new(),
            state: Mutex::new(State {
                seat: Some(seat),
                asked: None,
                turning: false,
                left: None,
            }),
        });
        Seated {
            server: undecided,
            feed,
        }
    }

    /// The server that has the calls.
    fn current(&self) -> (&dyn Server, FeedId) {
        match self.turned.get() {
            Some(turned) => (&*turned.server, turned.feed),
            None => (&*self.legacy, self.feed),
        }
    }

    /// `initialize`, whose answer says what the child is.
    fn initialize(&self, call: Call) -> Result<Key, Refusal> {
        let asked = Asked {
            message: call.message.clone(),
            exchange: call.exchange,
            outlet: call.outlet.clone(),
        };
        let ear: Arc<dyn Sink> = Arc::new(Ear {
            undecided: Weak::clone(&self.me),
            outlet: call.outlet,
        });
        self.state.lock().asked = Some(asked);
        let call = Call {
            outlet: Outlet::through(ear),
            ..call
        };
        let sent = self.legacy.call(self.feed, call);
        if sent.is_err() {
            self.state.lock().asked = None;
        }
        sent
    }

    /// The child has answered `initialize` with an error: what it means is seen here, where the
    /// child's lock is not held.
    async fn refused(self: Arc<Self>, outcome: Outcome) {
        let pool = self.pool.upgrade().filter(|_| self.legacy.refused_legacy());
        let Some((pool, seat)) = pool.zip(self.state.lock().seat.take()) else {
            self.over(outcome);
            return;
        };
        pool.eras.note(Era::Legacy, false);
        // Its place is wanted for the other one.
        self.legacy.stop();
        let interpreted = pool.interpreted(seat).await;
        let state = &mut *self.state.lock();
        let (asked, left) = (state.asked.take(), state.left.take());
        state.turning = false;
        let Some(asked) = asked else { return };
        let lost = |sentence: String| {
            Outcome::Lost(Loss {
                blame: Blame::Child,
                retry: Retry::Safe,
                sentence,
            })
        };
        let outcome = match (interpreted, left) {
            (Ok(seated), None) => {
                let call = Call {
                    message: asked.message,
                    exchange: asked.exchange,
                    outlet: asked.outlet.clone(),
                    deadline: Instant::now() + ANSWERING,
                };
                // Filled once, here.
                let _first = self.turned.set(seated.clone());
                match Handle::call(&seated, call) {
                    Ok(answered) => return answered.detach(),
                    Err(refusal) => lost(refusal.to_string()),
                }
            }
            (Ok(seated), Some(loss)) => {
                seated.server.leave(seated.feed, &loss);
                Outcome::Lost(loss)
            }
            (Err(_), Some(loss)) => Outcome::Lost(loss),
            (Err(refusal), None) => lost(refusal.to_string()),
        };
        asked.outlet.push(asked.exchange, Event::Done(outcome));
    }

    /// `initialize` was answered by the child itself.
    fn over(&self, outcome: Outcome) {
        let asked = {
            let mut state = self.state.lock();
            state.turning = false;
            state.asked.take()
        };
        if let Some(asked) = asked {
            asked.outlet.push(asked.exchange, Event::Done(outcome));
        }
    }

    fn is_turning(&self) -> bool {
        self.state.lock().turning
    }
}

impl Server for Undecided {
    fn call(&self, feed: FeedId, call: Call) -> Result<Key, Refusal> {
        match self.turned.get() {
            Some(turned) => turned.server.call(turned.feed, call),
            None if call.message.method() == Some(method::INITIALIZE) => self.initialize(call),
            None => self.legacy.call(feed, call),
        }
    }

    fn tell(&self, _feed: FeedId, notification: Message) -> Result<(), Refusal> {
        let (server, feed) = self.current();
        server.tell(feed, notification)
    }

    fn answer(&self, _feed: FeedId, ask: AskId, reply: Message) -> bool {
        let (server, feed) = self.current();
        server.answer(feed, ask, reply)
    }

    fn cancel(&self, key: Key, notice: Option<Message>) {
        self.current().0.cancel(key, notice);
    }

    fn attach(&self, key: Key, outlet: Outlet) {
        self.current().0.attach(key, outlet);
    }

    fn in_flight(&self, _feed: FeedId) -> usize {
        let (server, feed) = self.current();
        server.in_flight(feed) + usize::from(self.is_turning())
    }

    fn leave(&self, _feed: FeedId, loss: &Loss) {
        {
            let mut state = self.state.lock();
            state.left = state.turning.then(|| loss.clone());
        }
        let (server, feed) = self.current();
        server.leave(feed, loss);
    }

    fn is_gone(&self) -> bool {
        !self.is_turning() && self.current().0.is_gone()
    }

    fn crash(&self) -> Crash {
        self.current().0.crash()
    }

    fn mirrored(&self, _tool: &str) -> Option<Arc<[Mirrored]>> {
        None
    }

    fn tools_are_known(&self) -> bool {
        true
    }

    fn read_tools_again(self: Arc<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Arc::clone(&self.legacy).read_tools_again()
    }
}

/// Hears what comes of `initialize`.
struct Ear {
    undecided: Weak<Undecided>,
    outlet: Outlet,
}

impl fmt::Debug for Ear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ear")
    }
}

impl Sink for Ear {
    fn push(&self, exchange: ExchangeId, event: Event) -> Push {
        let undecided = self.undecided.upgrade();
        match (event, undecided) {
            (Event::Done(outcome @ Outcome::Error(_)), Some(undecided)) => {
                // Before the child can be seen to be gone: it may end of its own refusal.
                undecided.state.lock().turning = true;
                tokio::spawn(undecided.refused(outcome));
                Push::Taken
            }
            (Event::Done(outcome), Some(undecided)) => {
                undecided.over(outcome);
                Push::Taken
            }
            (event, _) => self.outlet.push(exchange, event),
        }
    }

    fn is_attended(&self) -> bool {
        self.outlet.is_attended()
    }
}
