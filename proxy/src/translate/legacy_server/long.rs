//! Tools that take long, as tasks of the extension for clients that know it (Tasks extension of
//! 2026-07-28).
//!
//! A tool that its server runs as a task (`task.rs`) is answered plainly if it is quick. If it is not,
//! and the client knows the extension, the client is given a task of ours to ask after: what the
//! server asks meanwhile is told there, and so is the end. The task is the proxy's and its client's;
//! the server's own is never seen by a client.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mcp_wire::{ErrorCode, Id, Member, Message, method, object};

use super::resume::answers;
use super::round::{Inner, Phase, Round};
use super::state::ParkId;
use super::station::Station;
use super::welcome::meta;
use crate::exchange::{AskId, Call, Event, Outcome, Principal};
use crate::observe::timestamp;

/// The name of the extension.
pub(super) const EXTENSION: &str = "io.modelcontextprotocol/tasks";

/// How long a call may take before it is a task. Clients wait longer than this for any answer.
const QUICK: Duration = Duration::from_secs(5);

/// How long the end of a task is kept for its client.
pub(super) const KEPT: Duration = Duration::from_secs(10 * 60);

/// How often a client should ask.
const POLL: Duration = Duration::from_secs(1);

/// A call that has become a task.
pub(super) struct Long {
    pub(super) id: ParkId,
    created: String,
    updated: String,
    ended: Option<Ended>,
}

/// How it ended: the text of the result or of the error.
enum Ended {
    Completed(Bytes),
    Failed(Bytes),
    Cancelled,
}

/// Whether a request says that its client knows the extension.
pub(super) fn declares(message: &Message) -> bool {
    message
        .member(Member::MetaClientCapabilities)
        .and_then(|capabilities| object::get(capabilities, "extensions"))
        .and_then(|extensions| object::get(extensions, EXTENSION))
        .is_some_and(|settings| settings.starts_with(b"{"))
}

impl Long {
    /// Remembers how the call ended.
    pub(super) fn end(&mut self, outcome: &Outcome) {
        let text = |message: &Message, of: fn(&Message) -> Option<&[u8]>| {
            // Read again, because what was changed on the way is in no part of the source.
            let whole = Message::parse(message.to_bytes()).ok()?;
            of(&whole).map(Bytes::copy_from_slice)
        };
        let lost = |sentence: &str| {
            let error =
                serde_json::json!({ "code": ErrorCode::INTERNAL_ERROR.0, "message": sentence });
            Ended::Failed(error.to_string().into())
        };
        self.updated = timestamp();
        self.ended = Some(match outcome {
            Outcome::Result(message) => text(message, Message::result)
                .map_or_else(|| lost("the result was not readable"), Ended::Completed),
            Outcome::Error(message) => text(message, Message::error)
                .map_or_else(|| lost("the error was not readable"), Ended::Failed),
            Outcome::Lost(loss) => lost(&loss.sentence),
            Outcome::Cancelled => Ended::Cancelled,
        });
    }
}

impl Round {
    /// Makes a task of the call unless it ends soon.
    pub(super) fn is_soon_long(&self) {
        if !self.knows_tasks {
            return;
        }
        let round = self.me.clone();
        tokio::spawn(async move {
            tokio::time::sleep(QUICK).await;
            if let Some(round) = round.upgrade() {
                round.become_long();
            }
        });
    }

    fn become_long(self: &Arc<Self>) {
        let (clients, id, message) = {
            let mut inner = self.inner.lock();
            let room = self.station.desk.has_room_for_tasks();
            if inner.phase != Phase::Running || inner.clients.is_empty() || !room {
                // It waits for its client, who comes back to it as to any call.
                return;
            }
            let id = ParkId::random();
            let now = timestamp();
            inner.long = Some(Box::new(Long {
                id,
                created: now.clone(),
                updated: now,
                ended: None,
            }));
            inner.phase = Phase::Long;
            let text = self.told(&inner, "task");
            let message = mcp_wire::result_message(&Id::number(0), text.as_bytes());
            (std::mem::take(&mut inner.clients), id, message)
        };
        self.station.desk.keep_long(id, self);
        for (outlet, exchange) in clients {
            outlet.push(exchange, Event::Done(Outcome::Result(message.clone())));
        }
    }

    /// A question came while the call is a task. It waits as long as any other.
    pub(super) fn asked_as_task(&self, ask: AskId) {
        let (round, patience) = (self.me.clone(), self.station.settings().patience);
        tokio::spawn(async move {
            tokio::time::sleep(patience).await;
            let Some(round) = round.upgrade() else { return };
            let open = {
                let inner = round.inner.lock();
                let asked = inner.asked.as_ref();
                asked.is_some_and(|asked| asked.open.iter().any(|question| question.ask == ask))
            };
            if open {
                round.abandon(Outcome::Cancelled);
            }
        });
    }

    /// The text of a result that tells of the task.
    fn told(&self, inner: &Inner, kind: &str) -> String {
        let Some(long) = &inner.long else {
            return "{}".to_owned();
        };
        let open = inner.asked.iter().flat_map(|asked| &asked.open);
        let requests: Vec<String> = open
            .filter_map(|question| {
                let key = serde_json::to_string(&question.key).ok()?;
                Some(format!(
                    "{key}:{}",
                    String::from_utf8_lossy(&question.request)
                ))
            })
            .collect();
        let (status, more) = match &long.ended {
            Some(Ended::Completed(result)) => (
                "completed",
                format!(r#","result":{}"#, String::from_utf8_lossy(result)),
            ),
            Some(Ended::Failed(error)) => (
                "failed",
                format!(r#","error":{}"#, String::from_utf8_lossy(error)),
            ),
            Some(Ended::Cancelled) => ("cancelled", String::new()),
            None if requests.is_empty() => ("working", String::new()),
            None => (
                "input_required",
                format!(r#","inputRequests":{{{}}}"#, requests.join(",")),
            ),
        };
        let info = &self.station.welcome.info;
        let meta = if info.is_empty() {
            String::new()
        } else {
            format!(r#","_meta":{}"#, String::from_utf8_lossy(&meta(info)))
        };
        format!(
            r#"{{"resultType":"{kind}","taskId":"{:032x}","status":"{status}","createdAt":"{}","lastUpdatedAt":"{}","ttlMs":{},"pollIntervalMs":{}{more}{meta}}}"#,
            long.id.0,
            long.created,
            long.updated,
            KEPT.as_millis(),
            POLL.as_millis(),
        )
    }

    /// The client answers what the task asks.
    fn update(&self, message: &Message) {
        let replies = {
            let mut inner = self.inner.lock();
            if let Some(long) = &mut inner.long {
                long.updated = timestamp();
            }
            let asked = inner.asked.as_mut();
            asked.map(|asked| self.take(asked, answers(message)))
        };
        for (ask, reply) in replies.unwrap_or_default() {
            let _late = self.station.server.answer(self.station.feed, ask, reply);
        }
    }
}

/// `tasks/get`, `tasks/update` and `tasks/cancel`: answered by the proxy, about tasks of its own.
pub(super) fn request(station: &Station, principal: &Principal, call: &Call) {
    let message = &call.message;
    let id = message.id().unwrap_or_else(|| Id::number(0));
    let outcome = if declares(message) {
        about(station, principal, message, &id)
    } else {
        let data = format!(r#"{{"requiredCapabilities":{{"extensions":{{"{EXTENSION}":{{}}}}}}}}"#);
        Outcome::Error(mcp_wire::error_message(
            Some(&id),
            ErrorCode::MISSING_REQUIRED_CLIENT_CAPABILITY,
            "tasks are for clients that declare the extension",
            Some(data.as_bytes()),
        ))
    };
    call.outlet.push(call.exchange, Event::Done(outcome));
}

fn about(station: &Station, principal: &Principal, message: &Message, id: &Id) -> Outcome {
    let named = message.string(Member::TaskId);
    let named = named.and_then(|text| u128::from_str_radix(&text, 16).ok());
    let round = named.and_then(|number| station.desk.find(ParkId(number)));
    let owned =
        |round: &Arc<Round>| round.principal == *principal && round.inner.lock().long.is_some();
    let Some(round) = round.filter(owned) else {
        return Outcome::Error(mcp_wire::error_message(
            Some(id),
            ErrorCode::INVALID_PARAMS,
            "there is no such task",
            None,
        ));
    };
    let text = match message.method().unwrap_or_default() {
        method::TASKS_GET => round.told(&round.inner.lock(), "complete"),
        name => {
            if name == method::TASKS_UPDATE {
                round.update(message);
            } else {
                round.abandon(Outcome::Cancelled);
            }
            r#"{"resultType":"complete"}"#.to_owned()
        }
    };
    Outcome::Result(mcp_wire::result_message(id, text.as_bytes()))
}
