//! Servers of 2024-11-05 to 2025-11-25: one `initialize` handshake, then requests both ways.
//!
//! # Theory of operation
//!
//! [`Machine`] is the conversation without a runtime: messages in, lines and events out, time as
//! an argument. [`Legacy`] puts it behind a mutex and next to the link. Both sides call it
//! directly, the front's tasks with requests and the link's reading task with what the server
//! wrote; nothing waits inside, so there is no task and no queue between a line and the outlet it
//! belongs to.
//!
//! Three kinds of company share the machine. A child **of one client** gets that client's own
//! `initialize`, may ask it anything, and is told everything. A **common** child was initialised
//! by the proxy, declaring no client capability, and serves several clients: it is greeted once,
//! each client's `initialize` is answered from memory, subscriptions and log levels are kept per
//! client, and it may ask nobody. A child **of callers** was initialised by the proxy, too, with what
//! they can be asked; whoever translates for them has its only seat (`callers.rs`).

mod callers;
mod common;
mod greet;
mod inbound;
mod machine;
mod routes;
#[cfg(test)]
mod tests;

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use mcp_wire::{Era, Id, Message};
use parking_lot::Mutex;
use tokio::time::Instant;

use self::machine::Machine;
use super::conversation::Conversation;
use super::towards::Towards;
use crate::exchange::{AskId, Call, Crash, FeedId, Key, Loss, Mirrored, Outlet, Refusal, Server};
use crate::link::{End, EndReason, Inbound, Link};

/// One running legacy server.
pub struct Legacy {
    machine: Mutex<Machine>,
    link: Towards,
    crash: Crash,
    held: AtomicBool,
}

impl Legacy {
    /// A server for one client, whose own `initialize` comes as its first call.
    ///
    /// The caller starts a link with [`Conversation::inbound`] and puts it in with [`Conversation::connect`].
    #[must_use]
    pub fn of_one() -> Arc<Self> {
        Self::with(Machine::of_one())
    }

    /// A server for many clients; [`Legacy::welcome`] greets it.
    #[must_use]
    pub fn common() -> Arc<Self> {
        Self::with(Machine::common())
    }

    /// A server for callers of another era, who have their requests put to it one by one;
    /// [`Legacy::introduce`] greets it. `asks` is set as soon as it asks anything.
    #[must_use]
    pub fn of_callers(asks: Arc<AtomicBool>) -> Arc<Self> {
        Self::with(Machine::of_callers(asks, Instant::now()))
    }

    /// Until when the server may ask because of calls that were given up; `None` where it may not.
    pub fn restless_until(&self) -> Option<Instant> {
        let machine = self.machine.lock();
        machine.callers.as_ref()?.restless_until()
    }

    /// Says whether the server is needed though no call is in progress.
    pub fn hold(&self, needed: bool) {
        self.held.store(needed, Ordering::Relaxed);
    }

    fn with(machine: Machine) -> Arc<Self> {
        Arc::new(Self {
            machine: Mutex::new(machine),
            link: Towards::default(),
            crash: Crash::default(),
            held: AtomicBool::new(false),
        })
    }

    /// Takes a seat: where this client's standing events go.
    pub fn seat(&self, standing: Outlet) -> FeedId {
        self.machine.lock().seat(standing)
    }

    /// Stops the server, whoever sits at it.
    pub fn stop(&self) {
        self.link.stop();
    }
}

impl Conversation for Legacy {
    fn inbound(self: &Arc<Self>) -> Box<dyn Inbound> {
        Box::new(Receiver(Arc::downgrade(self)))
    }

    fn connect(&self, link: Box<dyn Link>) {
        self.link.connect(link);
    }

    fn expire(&self, now: Instant) {
        self.machine.lock().expire(now, &self.link);
    }

    fn load(&self) -> (usize, usize) {
        let machine = self.machine.lock();
        (machine.calls.len(), machine.feeds.len())
    }

    fn era(&self) -> Era {
        Era::Legacy
    }

    fn is_greeted(&self) -> bool {
        self.machine.lock().greeted
    }

    fn failed_start(&self) -> Option<String> {
        let machine = self.machine.lock();
        machine.epitaph.clone().filter(|_| !machine.greeted)
    }

    /// A session's server is its session's affair, and a common one is kept.
    fn idle_since(&self) -> Option<Instant> {
        let machine = self.machine.lock();
        let callers = machine.callers.as_ref()?;
        let idle =
            machine.greeted && machine.calls.is_empty() && !self.held.load(Ordering::Relaxed);
        idle.then_some(callers.last_used)
    }

    fn refused_legacy(&self) -> bool {
        self.machine.lock().other_era
    }
}

impl Server for Legacy {
    fn call(&self, feed: FeedId, call: Call) -> Result<Key, Refusal> {
        self.machine.lock().call(feed, call, &self.link)
    }

    fn tell(&self, feed: FeedId, notification: Message) -> Result<(), Refusal> {
        self.machine.lock().tell(feed, &notification, &self.link)
    }

    fn answer(&self, feed: FeedId, ask: AskId, reply: Message) -> bool {
        self.machine
            .lock()
            .answer(feed, ask, reply, Instant::now(), &self.link)
    }

    fn cancel(&self, key: Key, notice: Option<Message>) {
        self.machine.lock().cancel(key, notice, &self.link);
    }

    fn attach(&self, key: Key, outlet: Outlet) {
        self.machine.lock().attach(key, outlet);
    }

    fn in_flight(&self, feed: FeedId) -> usize {
        self.machine.lock().in_flight(feed)
    }

    fn leave(&self, feed: FeedId, loss: &Loss) {
        let last = self.machine.lock().leave(feed, loss, &self.link);
        if last {
            self.stop();
        }
    }

    fn is_gone(&self) -> bool {
        self.machine.lock().is_gone()
    }

    /// Nothing is repeated in headers in these eras.
    fn mirrored(&self, _tool: &str) -> Option<Arc<[Mirrored]>> {
        None
    }

    fn tools_are_known(&self) -> bool {
        true
    }

    fn read_tools_again(self: Arc<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(ready(()))
    }

    fn crash(&self) -> Crash {
        Arc::clone(&self.crash)
    }
}

/// The link's end of the wire.
struct Receiver(Weak<Legacy>);

impl Inbound for Receiver {
    fn message(&mut self, message: Message) {
        if let Some(legacy) = self.0.upgrade() {
            let now = Instant::now();
            legacy.machine.lock().message(message, now, &legacy.link);
        }
    }

    fn damaged(&mut self, id: Id, fault: String) {
        if let Some(legacy) = self.0.upgrade() {
            legacy.machine.lock().damaged(&id, &fault);
        }
    }

    fn closed(&mut self, end: End) {
        if let Some(legacy) = self.0.upgrade() {
            if end.reason != EndReason::Stopped {
                // It can only be closed once.
                let _first = legacy.crash.set(Instant::now());
            }
            legacy.machine.lock().closed(&end);
        }
    }
}
