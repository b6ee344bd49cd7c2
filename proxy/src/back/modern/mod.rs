//! Servers of 2026-07-28: every request stands by itself and carries its own `_meta`.
//!
//! # Theory of operation
//!
//! Clients of the same era pass through: a request keeps its `_meta`, a server that needs input
//! says so in its result, and the client sends the request again with the answers. What is touched
//! is what would collide where many callers meet on one channel: ids, progress tokens,
//! subscription ids, and, where more than one server or client could be meant, `requestState`.
//!
//! [`Machine`] is the conversation without a runtime; [`Modern`] puts it behind
//! a mutex and next to the link, as the back of the session eras does, and for the same reason:
//! nothing stands between a line and the outlet it belongs to.

mod company;
mod greet;
mod inbound;
mod machine;
mod seats;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};

use bytes::Bytes;
use mcp_wire::{Era, Id, Message};
use parking_lot::Mutex;
use tokio::time::Instant;

use self::company::Company;
pub use self::company::Neighbours;
use self::inbound::News;
use self::machine::Machine;
use super::conversation::Conversation;
use super::towards::Towards;
use crate::exchange::{
    AskId, Call, Crash, FeedId, Key, Loss, Mirrored, Outlet, Principal, Refusal, Server, ToolList,
};
use crate::link::{End, EndReason, Inbound, Link};

/// One running server of 2026-07-28.
pub struct Modern {
    machine: Mutex<Machine>,
    link: Towards,
    crash: Crash,
    tools: ToolList,
    /// What it said to `server/discover`.
    discovered: OnceLock<Bytes>,
}

impl Modern {
    /// A server that nobody has spoken to.
    ///
    /// The caller starts a link with [`Conversation::inbound`], puts it in with [`Conversation::connect`], and
    /// finds out by [`Modern::greet`] whether the server speaks this era.
    #[must_use]
    pub fn new(neighbours: Neighbours) -> Arc<Self> {
        Arc::new(Self {
            machine: Mutex::new(Machine::new(Company::new(neighbours), Instant::now())),
            link: Towards::default(),
            crash: Crash::default(),
            tools: ToolList::default(),
            discovered: OnceLock::new(),
        })
    }

    /// The seat of this principal. It need not be given up: requests of this era leave nothing
    /// behind.
    #[must_use]
    pub fn seat(&self, principal: &Principal) -> FeedId {
        self.machine.lock().seat(principal)
    }

    /// The text of its `DiscoverResult`; nothing before it was greeted.
    #[must_use]
    pub fn discovered(&self) -> Bytes {
        self.discovered.get().cloned().unwrap_or_default()
    }

    /// Stops the server, whoever sits at it.
    pub fn stop(&self) {
        self.link.stop();
    }
}

impl Conversation for Modern {
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
        (machine.client_calls().count(), machine.seats.len())
    }

    fn working(&self) -> usize {
        let machine = self.machine.lock();
        let calls = machine.client_calls();
        calls.filter(|(_, call)| !call.is_subscription()).count()
    }

    fn era(&self) -> Era {
        Era::Modern
    }

    fn is_greeted(&self) -> bool {
        self.machine.lock().greeted
    }

    fn failed_start(&self) -> Option<String> {
        let machine = self.machine.lock();
        machine.epitaph.clone().filter(|_| !machine.greeted)
    }

    /// A round that waits for its client's answers and a task that may be asked after keep it.
    fn idle_since(&self) -> Option<Instant> {
        let machine = self.machine.lock();
        let idle = machine.greeted
            && machine.client_calls().next().is_none()
            && machine.needed <= Instant::now();
        idle.then_some(machine.last_used)
    }

    /// It is not known: this conversation has no `initialize` to refuse.
    fn refused_legacy(&self) -> bool {
        false
    }
}

impl Server for Modern {
    fn call(&self, feed: FeedId, call: Call) -> Result<Key, Refusal> {
        self.machine
            .lock()
            .call(feed, call, Instant::now(), &self.link)
    }

    fn tell(&self, _feed: FeedId, notification: Message) -> Result<(), Refusal> {
        self.machine.lock().send(&notification, &self.link)
    }

    /// A server of this era asks by its results, so there is never a question to answer here.
    fn answer(&self, _feed: FeedId, _ask: AskId, _reply: Message) -> bool {
        false
    }

    fn cancel(&self, key: Key, notice: Option<Message>) {
        let now = Instant::now();
        self.machine.lock().cancel(key, notice, now, &self.link);
    }

    fn attach(&self, key: Key, outlet: Outlet) {
        self.machine.lock().attach(key, outlet);
    }

    fn in_flight(&self, feed: FeedId) -> usize {
        let machine = self.machine.lock();
        machine
            .calls
            .values()
            .filter(|call| call.feed == feed)
            .count()
    }

    fn leave(&self, feed: FeedId, loss: &Loss) {
        self.machine.lock().leave(feed, loss, &self.link);
    }

    fn is_gone(&self) -> bool {
        self.machine.lock().is_gone()
    }

    fn crash(&self) -> Crash {
        Arc::clone(&self.crash)
    }

    fn mirrored(&self, tool: &str) -> Option<Arc<[Mirrored]>> {
        self.tools.mirrored(tool)
    }

    fn tools_are_known(&self) -> bool {
        self.tools.is_known()
    }

    fn read_tools_again(self: Arc<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move { self.read_tools().await })
    }
}

/// The link's end of the wire.
struct Receiver(Weak<Modern>);

impl Inbound for Receiver {
    fn message(&mut self, message: Message) {
        let Some(modern) = self.0.upgrade() else {
            return;
        };
        let now = Instant::now();
        let news = modern.machine.lock().message(message, now, &modern.link);
        match news {
            None => {}
            Some(News::Tools) => {
                tokio::spawn(async move { modern.read_tools().await });
            }
            Some(News::Unsubscribed) => {
                tokio::spawn(modern.listen_again());
            }
        }
    }

    fn damaged(&mut self, id: Id, fault: String) {
        if let Some(modern) = self.0.upgrade() {
            modern.machine.lock().damaged(&id, &fault);
        }
    }

    fn closed(&mut self, end: End) {
        if let Some(modern) = self.0.upgrade() {
            if end.reason != EndReason::Stopped {
                // It can only be closed once.
                let _first = modern.crash.set(Instant::now());
            }
            modern.machine.lock().closed(&end);
        }
    }
}
