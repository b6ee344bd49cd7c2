//! One ordered, byte-bounded queue per client-facing stream.
//!
//! # Theory of operation
//!
//! Whoever reads a server pushes, synchronously and without waiting, so one slow client never
//! holds up another client's events behind it in the same pipe. Whoever writes a client's stream
//! holds the [`Tap`] and pops. Several exchanges may share an outlet (a batch, a GET stream, a
//! connection); because there is one queue and not one per exchange, the order in which the
//! server spoke is the order in which the client hears.
//!
//! The bound is in bytes. A push into a queue that has reached it empties the queue and ends the
//! stream: its reader gets [`Item::Overflow`] and nothing else, because a gap in the middle of a
//! living stream would be silent. The event that reaches the bound is still admitted, so the
//! largest answer the link accepts passes behind a little progress, whatever the budget is. While
//! nobody reads, the bound is a mebibyte at the most. A stream that holds most when all together
//! hold more than `--memory-budget` ends in the same way.
//!
//! An outlet need not be a queue: whoever speaks for a client of another era puts a [`Sink`] in its
//! place and is called with each event as the server's reader pushes it.
//!
//! A tap may be taken again: the newest holds the queue and older ones end. That is how a client
//! that reconnects takes its stream over from a connection nobody noticed to be dead.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use super::{Event, ExchangeId, Sink, Tagged, Watch};
use crate::budget::{self, Account, Budget, GRAIN, Greedy};
use crate::observe::metrics;

/// What may wait for a client that is not there. It may never come back, and there may be as many
/// of these as there are sessions.
const UNATTENDED_BYTES: usize = 1 << 20;

/// The pushing side of a stream. Clones push into the same queue.
#[derive(Clone, Debug)]
pub struct Outlet {
    to: To,
    /// Who sees the ends of the exchanges that were given this clone.
    watch: Option<Arc<dyn Watch>>,
}

/// Where what is pushed goes.
#[derive(Clone, Debug)]
enum To {
    Queue(Arc<Mutex<State>>),
    Sink(Arc<dyn Sink>),
}

/// The reading side of a stream. Dropping it leaves the queue in place for a later tap.
#[derive(Debug)]
pub struct Tap {
    state: Arc<Mutex<State>>,
    generation: u64,
}

/// What became of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Push {
    /// The event is in the queue.
    Taken,
    /// The queue was full: the stream is over.
    Overflow,
    /// The stream was over already.
    Closed,
}

/// What a tap yields.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every item is an event; a box would cost an allocation for each"
)]
pub enum Item {
    /// The next event.
    Event(Tagged),
    /// The stream broke its budget; everything that was queued is gone and nothing follows.
    Overflow,
}

#[derive(Debug)]
struct State {
    queue: VecDeque<Tagged>,
    bytes: usize,
    budget: usize,
    /// Those of the bytes that are in small events: large ones count themselves.
    small: usize,
    account: Account,
    /// The budget of all knows of this queue.
    enlisted: bool,
    phase: Phase,
    /// Counts taps; only the newest may read.
    generation: u64,
    attended: bool,
    waker: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// Over budget; `told` says whether a reader knows.
    Overflowed {
        told: bool,
    },
    /// No further push; what is queued is still delivered.
    Closed,
}

impl Outlet {
    /// A stream that takes events until it holds `budget` bytes its client has not taken yet.
    #[must_use]
    pub fn new(budget: usize) -> (Self, Tap) {
        Self::within(&budget::PROCESS, budget)
    }

    /// The same with another budget for all together.
    fn within(all: &'static Budget, budget: usize) -> (Self, Tap) {
        let state = Arc::new(Mutex::new(State {
            queue: VecDeque::new(),
            bytes: 0,
            budget,
            small: 0,
            account: all.account(),
            enlisted: false,
            phase: Phase::Open,
            generation: 0,
            attended: true,
            waker: None,
        }));
        let tap = Tap {
            state: Arc::clone(&state),
            generation: 0,
        };
        (Self::of(state), tap)
    }

    const fn of(state: Arc<Mutex<State>>) -> Self {
        Self {
            to: To::Queue(state),
            watch: None,
        }
    }

    /// Not a queue: `sink` is called with every event.
    #[must_use]
    pub fn through(sink: Arc<dyn Sink>) -> Self {
        Self {
            to: To::Sink(sink),
            watch: None,
        }
    }

    /// The same stream, for an exchange whose end `watch` is to see.
    #[must_use]
    pub fn watched(mut self, watch: Arc<dyn Watch>) -> Self {
        self.watch = Some(watch);
        self
    }

    /// This stream, for the exchange that went to `before` until now: whoever watched it still does.
    #[must_use]
    pub fn instead_of(mut self, before: &Self) -> Self {
        self.watch.clone_from(&before.watch);
        self
    }

    /// Appends an event. Never waits; see [`Push`] for what may happen instead.
    pub fn push(&self, exchange: ExchangeId, event: Event) -> Push {
        let event = match (event, &self.watch) {
            (Event::Done(outcome), Some(watch)) => Event::Done(watch.done(outcome)),
            (event, _) => event,
        };
        let state = match &self.to {
            To::Queue(state) => state,
            To::Sink(sink) => return sink.push(exchange, event),
        };
        let mut overflowed = None;
        let (push, waker, enlist, all) = {
            let mut state = state.lock();
            if state.phase != Phase::Open {
                return Push::Closed;
            }
            let weight = event.weight();
            let budget = if state.attended {
                state.budget
            } else {
                state.budget.min(UNATTENDED_BYTES)
            };
            let push = if state.bytes >= budget && !state.queue.is_empty() {
                overflowed = Some((state.bytes, state.attended));
                state.overflow();
                Push::Overflow
            } else {
                if state.queue.capacity() == 0 {
                    // Most streams carry one event, the answer. Left to itself the queue would
                    // begin with room for four, which is more than an allocator keeps at hand.
                    state.queue.reserve_exact(1);
                }
                state.add(weight);
                state.queue.push_back(Tagged { exchange, event });
                Push::Taken
            };
            let enlist = state.bytes >= GRAIN && !state.enlisted;
            state.enlisted |= enlist;
            (push, state.waker.take(), enlist, state.account.budget())
        };
        if let Some((bytes, attended)) = overflowed {
            tell_overflow(bytes, attended);
        }
        // Woken outside the lock, so that the reader does not wake up into it.
        if let Some(waker) = waker {
            waker.wake();
        }
        if enlist {
            // Through a pointer of the plain type, or the cast would take the queue itself.
            let state: Weak<Mutex<State>> = Arc::downgrade(state);
            all.enlist(state);
        }
        all.relieve();
        push
    }

    /// Ends the stream: what is queued is still delivered, later pushes are refused.
    pub fn close(&self) {
        let Some(queue) = self.queue() else { return };
        let waker = {
            let mut state = queue.lock();
            if state.phase == Phase::Open {
                state.phase = Phase::Closed;
            }
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether somebody reads this stream right now.
    #[must_use]
    pub fn is_attended(&self) -> bool {
        match &self.to {
            To::Queue(state) => state.lock().attended,
            To::Sink(sink) => sink.is_attended(),
        }
    }

    /// The queue, if this is one.
    const fn queue(&self) -> Option<&Arc<Mutex<State>>> {
        match &self.to {
            To::Queue(state) => Some(state),
            To::Sink(_) => None,
        }
    }

    /// Takes the reading side; an older tap of the same stream ends at its next read. Of a sink there
    /// is nothing to read: the tap of one has ended.
    #[must_use]
    pub fn tap(&self) -> Tap {
        let Some(queue) = self.queue() else {
            let (outlet, tap) = Self::new(0);
            outlet.close();
            return tap;
        };
        let (generation, waker) = {
            let mut state = queue.lock();
            state.generation += 1;
            state.attended = true;
            (state.generation, state.waker.take())
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        Tap {
            state: Arc::clone(queue),
            generation,
        }
    }

    /// Bytes that wait for a reader.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queue().map_or(0, |queue| queue.lock().bytes)
    }

    /// Whether events were dropped since the stream was opened.
    #[must_use]
    pub fn has_overflowed(&self) -> bool {
        self.queue()
            .is_some_and(|queue| matches!(queue.lock().phase, Phase::Overflowed { .. }))
    }

    /// Opens the stream again after an overflow, with an empty queue. The standing stream of a
    /// session does this when its client comes back: the gap was visible as the end of the
    /// stream before it.
    pub fn reopen(&self) {
        let Some(queue) = self.queue() else { return };
        let mut state = queue.lock();
        if matches!(state.phase, Phase::Overflowed { .. }) {
            state.phase = Phase::Open;
        }
    }
}

/// A stream broke its budget. Whose it is, is said by the span of whoever read the server.
fn tell_overflow(bytes: usize, attended: bool) {
    if attended {
        metrics::budget("outlet");
        tracing::warn!(
            bytes,
            "a client reads its stream too slowly; the stream was ended (--outlet-bytes)"
        );
    } else {
        metrics::budget("unread");
        tracing::warn!(
            bytes,
            "nobody reads a stream of a client, and what waited for it was dropped; it will see its \
             stream end"
        );
    }
}

impl Tap {
    /// The next event; `None` when nothing will follow.
    ///
    /// # Cancel safety
    ///
    /// An event is taken only when it is returned.
    pub async fn next(&mut self) -> Option<Item> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Polls for the next event, as [`Tap::next`].
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        let mut state = self.state.lock();
        if state.generation != self.generation {
            return Poll::Ready(None);
        }
        if let Some(tagged) = state.queue.pop_front() {
            state.remove(tagged.event.weight());
            return Poll::Ready(Some(Item::Event(tagged)));
        }
        match state.phase {
            Phase::Overflowed { told: false } => {
                state.phase = Phase::Overflowed { told: true };
                Poll::Ready(Some(Item::Overflow))
            }
            Phase::Overflowed { told: true } | Phase::Closed => Poll::Ready(None),
            Phase::Open => {
                match &mut state.waker {
                    Some(waker) if waker.will_wake(cx.waker()) => {}
                    waker => *waker = Some(cx.waker().clone()),
                }
                Poll::Pending
            }
        }
    }

    /// Says that whoever reads this from now on is not the client: events that could also go
    /// elsewhere should.
    pub fn unattend(&self) {
        let mut state = self.state.lock();
        if state.generation == self.generation {
            state.attended = false;
        }
    }

    /// The pushing side of this stream.
    #[must_use]
    pub fn outlet(&self) -> Outlet {
        Outlet::of(Arc::clone(&self.state))
    }
}

impl State {
    fn add(&mut self, weight: usize) {
        self.bytes += weight;
        if weight < GRAIN {
            self.small += weight;
            self.account.set(self.small);
        }
    }

    fn remove(&mut self, weight: usize) {
        self.bytes -= weight;
        if weight < GRAIN {
            self.small -= weight;
            self.account.set(self.small);
        }
    }

    /// Empties the queue and ends the stream.
    fn overflow(&mut self) {
        self.queue = VecDeque::new();
        self.bytes = 0;
        self.small = 0;
        self.account.set(0);
        self.phase = Phase::Overflowed { told: false };
    }
}

impl Greedy for Mutex<State> {
    fn holds(&self) -> usize {
        self.lock().bytes
    }

    fn cut(&self) {
        let waker = {
            let mut state = self.lock();
            if state.queue.is_empty() {
                return;
            }
            state.overflow();
            metrics::budget("memory");
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Drop for Tap {
    /// Says that nobody reads any more. What that means for the exchange is the front's to say
    /// (see [`Handle`](super::Handle)); the queue stays as it is.
    fn drop(&mut self) {
        let mut state = self.state.lock();
        if state.generation == self.generation {
            state.attended = false;
            state.waker = None;
        }
    }
}
