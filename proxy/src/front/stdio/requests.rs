//! Requests of 2026-07-28, by the ids their client chose: a table of what waits for an answer.
//!
//! There are no connections whose end could mean anything, so `notifications/cancelled` does
//! (2026-07-28, stdio, "Cancellation"), for a subscription as for a call. After it nothing more is
//! said of the request.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use mcp_wire::{Id, Member, Message};
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

use super::super::stateless::{Keeper, Stateless, last, overflowed};
use super::super::{Fault, rescue};
use crate::exchange::{Event, ExchangeId, Outlet, Tagged, Whom};

/// Bytes of requests that may wait together while a server starts; beyond it the pipe is not read. One
/// may be longer than this and then waits alone.
const MAX_WAITING_BYTES: u32 = 16 * 1024 * 1024;

/// Our exchanges are numbered from here on, and those of a session in the same outlet from one.
const FIRST: u64 = 1 << 63;

/// Whether an exchange is one of these requests.
pub(super) const fn is_ours(exchange: ExchangeId) -> bool {
    exchange.0 >= FIRST
}

/// The requests of one client.
#[derive(Debug)]
pub(super) struct Requests {
    front: Arc<Stateless>,
    whom: Whom,
    outlet: Outlet,
    state: Mutex<State>,
    room: Arc<Semaphore>,
}

#[derive(Debug)]
struct State {
    ids: HashMap<Id, ExchangeId>,
    requests: HashMap<ExchangeId, Request>,
    next: u64,
}

#[derive(Debug)]
struct Request {
    id: Id,
    progress: Progress,
}

/// How far a request has come on its way to the server.
#[derive(Debug)]
enum Progress {
    /// It waits for a server, in a task of its own where that takes time.
    Unsent(Option<AbortHandle>),
    /// The server has it.
    Sent(Keeper),
}

impl Requests {
    /// No requests yet; what becomes of them goes to `outlet`.
    pub(super) fn new(front: Arc<Stateless>, whom: Whom, outlet: Outlet) -> Arc<Self> {
        Arc::new(Self {
            front,
            whom,
            outlet,
            state: Mutex::new(State {
                ids: HashMap::new(),
                requests: HashMap::new(),
                next: FIRST,
            }),
            room: Arc::new(Semaphore::new(MAX_WAITING_BYTES as usize)),
        })
    }

    /// Takes a request and sends it on. One that has to wait for a server does so by itself, and this
    /// waits only where too much waits already.
    ///
    /// # Errors
    ///
    /// It is no whole request, its id is in flight, or no new work is taken. What goes wrong later is
    /// said on the outlet.
    pub(super) async fn take(self: &Arc<Self>, message: Message) -> Result<(), Fault> {
        self.front.judge(&message)?;
        // Kept for long: not as a slice of a read buffer.
        let id = message.id().ok_or(Fault::Incomplete)?.compact();
        let length = u32::try_from(message.len()).unwrap_or(MAX_WAITING_BYTES);
        let exchange = self.enter(id).ok_or(Fault::IdInFlight)?;
        let this = Arc::clone(self);
        let mut sending = Box::pin(async move {
            let towards = (exchange, this.outlet.clone());
            let begun = this.front.begin(&this.whom, message, towards).await;
            this.begun(exchange, begun);
        });
        // A server that runs takes it at once, and requests reach it in the order they were written.
        let first = std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut sending).poll(cx))).await;
        if first.is_ready() {
            return Ok(());
        }
        let room = Arc::clone(&self.room);
        let room = room.acquire_many_owned(length.min(MAX_WAITING_BYTES)).await;
        let task = tokio::spawn(async move {
            sending.await;
            drop(room);
        });
        if let Some(Request {
            progress: Progress::Unsent(waiting),
            ..
        }) = self.state.lock().requests.get_mut(&exchange)
        {
            *waiting = Some(task.abort_handle());
        }
        Ok(())
    }

    fn enter(&self, id: Id) -> Option<ExchangeId> {
        let mut state = self.state.lock();
        if state.ids.contains_key(&id) {
            return None;
        }
        let exchange = ExchangeId(state.next);
        state.next += 1;
        state.ids.insert(id.clone(), exchange);
        let progress = Progress::Unsent(None);
        state.requests.insert(exchange, Request { id, progress });
        Some(exchange)
    }

    /// A request has reached the server, or will not.
    fn begun(&self, exchange: ExchangeId, begun: Result<Keeper, Fault>) {
        match begun {
            Ok(keeper) => {
                let mut state = self.state.lock();
                match state.requests.get_mut(&exchange) {
                    Some(request) => request.progress = Progress::Sent(keeper),
                    // Answered or cancelled meanwhile; dropped it cancels, which an answered one survives.
                    None => {
                        drop(state);
                        drop(keeper);
                    }
                }
            }
            Err(fault) => {
                if let Some(request) = self.state.lock().remove(exchange) {
                    let message = rescue::refused(Some(&request.id), &fault);
                    // Over budget or closed, the stream ends, which says more.
                    let _push = self
                        .outlet
                        .push(ExchangeId::STANDING, Event::Notify(message));
                }
            }
        }
    }

    /// The client does not want an answer any more. One of a request that is not in flight is nobody's
    /// fault: it and the answer may have crossed.
    pub(super) fn cancel(&self, notice: Message) {
        let id = notice
            .member(Member::RequestId)
            .and_then(|id| Id::parse(Bytes::copy_from_slice(id)).ok());
        let request = id.and_then(|id| {
            let mut state = self.state.lock();
            let exchange = *state.ids.get(&id)?;
            state.remove(exchange)
        });
        match request.map(|request| request.progress) {
            Some(Progress::Sent(keeper)) => keeper.cancelled(notice),
            Some(Progress::Unsent(Some(task))) => task.abort(),
            Some(Progress::Unsent(None)) | None => {}
        }
    }

    /// Passes a notification on.
    ///
    /// # Errors
    ///
    /// No server could be had, or it takes nothing.
    pub(super) async fn tell(&self, message: Message) -> Result<(), Fault> {
        self.front.told(&self.whom, message).await
    }

    /// What one event of a request comes to; nothing once it was cancelled.
    pub(super) fn render(&self, tagged: Tagged) -> Option<Message> {
        match tagged.event {
            Event::Notify(message) => {
                let state = self.state.lock();
                state
                    .requests
                    .contains_key(&tagged.exchange)
                    .then_some(message)
            }
            // No back asks the clients of this era: their servers ask by results.
            Event::Ask { .. } | Event::Withdraw { .. } => None,
            Event::Done(outcome) => {
                let request = self.state.lock().remove(tagged.exchange)?;
                if let Progress::Sent(mut keeper) = request.progress {
                    keeper.answered();
                }
                last(&request.id, outcome)
            }
        }
    }

    /// Too much waited for the client, and is gone: what its requests are answered with.
    pub(super) fn overflow(&self) -> Vec<Message> {
        let requests = self.take_all();
        requests
            .iter()
            .map(|request| overflowed(&request.id))
            .collect()
    }

    /// Gives up everything.
    pub(super) fn end(&self) {
        drop(self.take_all());
    }

    /// Out of the lock, because dropping one pushes into its outlet.
    fn take_all(&self) -> Vec<Request> {
        let requests: Vec<Request> = {
            let mut state = self.state.lock();
            state.ids.clear();
            state.requests.drain().map(|(_, request)| request).collect()
        };
        for request in &requests {
            if let Progress::Unsent(Some(task)) = &request.progress {
                task.abort();
            }
        }
        requests
    }

    /// Whether nobody waits for an answer. A subscription has none.
    pub(super) fn are_answered(&self) -> bool {
        let state = self.state.lock();
        !state
            .requests
            .values()
            .any(|request| match &request.progress {
                Progress::Unsent(_) => true,
                Progress::Sent(keeper) => keeper.is_call(),
            })
    }
}

impl State {
    fn remove(&mut self, exchange: ExchangeId) -> Option<Request> {
        let request = self.requests.remove(&exchange)?;
        self.ids.remove(&request.id);
        Some(request)
    }
}
