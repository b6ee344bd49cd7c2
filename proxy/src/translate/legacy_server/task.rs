//! Tools that a server of 2025-11-25 runs as tasks or not at all.
//!
//! The proxy makes the task, waits for its result and gives it to the client as if it were the
//! answer to its call. The server may ask while the result is waited for (2025-11-25, tasks, "Input
//! required"), which is a question in the call like any other.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mcp_wire::{Id, Message, method, object};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::own;
use super::round::{Phase, Round};
use super::station::Station;
use crate::exchange::{Blame, Call, ExchangeId, Key, Loss, Outcome, Outlet, Retry};

/// The tasks of one server whose results are waited for, by the key of the call that made them.
#[derive(Default)]
pub(super) struct Tasks(Mutex<HashMap<Key, Waited>>);

/// A task whose result is waited for.
struct Waited {
    /// The request for the result.
    key: Key,
    /// The text of the task's id.
    id: Bytes,
}

/// Makes a call one that makes a task, to be kept for as long as the call may take.
pub(super) fn ask_for(call: &mut Call) {
    let kept = call.deadline.saturating_duration_since(Instant::now());
    if let Some(params) = call.message.params_span() {
        let task = format!(r#"{{"ttl":{}}}"#, kept.as_millis());
        call.message
            .insert_member(params, "task", Bytes::from(task));
    }
}

/// The text of the id of the task that a result made.
pub(super) fn made(result: &Message) -> Option<Bytes> {
    let task = object::get(result.result()?, "task")?;
    object::get(task, "taskId").map(Bytes::copy_from_slice)
}

fn params_of(id: &[u8]) -> Vec<u8> {
    [b"{\"taskId\":", id, b"}"].concat()
}

impl Round {
    /// Asks for the result of the task the call has made, from a task of its own: whoever calls this
    /// holds the server's lock.
    pub(super) fn wait_for(&self, id: Bytes, left: Duration) {
        let Some(round) = self.me.upgrade() else {
            return;
        };
        tokio::spawn(async move {
            let station = Arc::clone(&round.station);
            let call = Call {
                message: mcp_wire::request(
                    &Id::number(0),
                    method::TASKS_RESULT,
                    Some(&params_of(&id)),
                ),
                exchange: ExchangeId::STANDING,
                outlet: Outlet::through(Arc::clone(&round) as Arc<dyn crate::exchange::Sink>),
                deadline: Instant::now() + left,
            };
            round.is_soon_long();
            let Some(first) = round.known_key(&station).await else {
                return;
            };
            match station.server.call(station.feed, call) {
                Err(refusal) => drop(round.finish(Outcome::Lost(Loss {
                    blame: Blame::Child,
                    retry: Retry::Unsafe,
                    sentence: refusal.to_string(),
                }))),
                Ok(key) => {
                    station.tasks.0.lock().insert(first, Waited { key, id });
                    // Its client may have left, or it may be over, before that could be seen.
                    if round.inner.lock().phase == Phase::Over {
                        station.end_task(first);
                    }
                }
            }
        });
    }

    /// By which the server knows the call that was sent; whoever sent it may not have written it down
    /// yet.
    pub(super) async fn known_key(&self, station: &Station) -> Option<Key> {
        while self.key.get().is_none() && !station.is_gone() {
            tokio::task::yield_now().await;
        }
        self.key.get().copied()
    }
}

impl Station {
    /// The client gave up the call that made a task, if it made one.
    pub(super) fn end_task(&self, first: Key) {
        // Bound, so that the lock is given back.
        let waited = self.tasks.0.lock().remove(&first);
        if let Some(Waited { key, id }) = waited {
            let request =
                mcp_wire::request(&Id::number(0), method::TASKS_CANCEL, Some(&params_of(&id)));
            own::tell(&*self.server, self.feed, request, self.settings().request);
            self.server.cancel(key, None);
        }
    }

    /// A call is over; nobody ends its task any more.
    pub(super) fn forget_task(&self, first: Key) {
        self.tasks.0.lock().remove(&first);
    }
}
