//! The Tasks extension (`io.modelcontextprotocol/tasks`): calls that answer with a task, which the client then asks
//! about, answers, or cancels.
//!
//! A task belongs to the process that made it and to nobody else, so a request that reaches another one is told
//! -32602: that is how a test sees where it was sent.

use std::{
    process, thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    message::Object,
    modern::{self, Envelope, INVALID_PARAMS},
    rounds,
    tools::{Call, Outcome},
    toy::Toy,
};

/// The name of the extension.
pub(crate) const EXTENSION: &str = "io.modelcontextprotocol/tasks";

/// How long a task is kept, and how often a client may ask; both are only said, because a test ends sooner.
const TTL_MS: u64 = 60_000;
const POLL_MS: u64 = 20;

/// One task.
#[derive(Debug)]
pub(crate) struct Task {
    id: String,
    /// When it will have a result, unless it waits for an answer first.
    done: Instant,
    /// Asks a person before it can go on.
    asks: bool,
    /// Ends with an error instead of a result.
    fails: bool,
    answer: Option<String>,
    cancelled: bool,
}

impl Task {
    fn status(&self) -> &'static str {
        if self.cancelled {
            "cancelled"
        } else if self.asks && self.answer.is_none() {
            "input_required"
        } else if Instant::now() < self.done {
            "working"
        } else if self.fails {
            "failed"
        } else {
            "completed"
        }
    }

    fn describe(&self, result_type: &str) -> Value {
        // The toy knows no calendar; nobody compares these.
        let then = "2026-07-28T00:00:00Z";
        json!({
            "resultType": result_type,
            "taskId": self.id,
            "status": self.status(),
            "createdAt": then,
            "lastUpdatedAt": then,
            "ttlMs": TTL_MS,
            "pollIntervalMs": POLL_MS,
            "_meta": modern::server_info(),
        })
    }

    /// What `tasks/get` says.
    fn detailed(&self) -> String {
        let mut described = self.describe("complete");
        match self.status() {
            "completed" => {
                let text = self.answer.as_deref().unwrap_or("done");
                described["result"] = json!({
                    "content": [{ "type": "text", "text": text }],
                    "resultType": "complete",
                });
            }
            "failed" => {
                described["error"] =
                    json!({ "code": -32603, "message": "the task was told to fail" });
            }
            "input_required" => {
                if let Some((method, params, _)) =
                    rounds::question("elicitation", "What is your name?")
                {
                    let params: Value = serde_json::from_str(&params).unwrap_or_default();
                    described["inputRequests"] =
                        json!({ "q1": { "method": method, "params": params } });
                }
            }
            _ => {}
        }
        described.to_string()
    }
}

/// The tool `task`.
pub(crate) fn create(call: &Call) -> Outcome {
    let time = Duration::from_millis(call.number("ms", 100));
    // A client that does not know tasks gets what comes of it.
    if !call
        .envelope
        .as_ref()
        .is_some_and(|envelope| envelope.extends(EXTENSION))
    {
        thread::sleep(time);
        return Outcome::Text("done".to_owned());
    }
    let mut tasks = call.toy.tasks();
    let task = Task {
        id: format!("toy-{}-{}", process::id(), tasks.len() + 1),
        done: Instant::now() + time,
        asks: call.arguments.flag("ask"),
        fails: call.arguments.flag("fail"),
        answer: None,
        cancelled: false,
    };
    let created = task.describe("task").to_string();
    tasks.push(task);
    Outcome::Result(created)
}

/// `tasks/get`, `tasks/update`, `tasks/cancel`.
pub(crate) fn request(toy: &Toy, id: &str, method: &str, params: &Object, envelope: &Envelope) {
    if !envelope.extends(EXTENSION) {
        modern::missing_capability(toy, id, &json!({ "extensions": { (EXTENSION): {} } }));
        return;
    }
    let wanted = params.text("taskId").unwrap_or_default();
    let mut tasks = toy.tasks();
    let Some(task) = tasks.iter_mut().find(|task| task.id == wanted) else {
        toy.fail(id, INVALID_PARAMS, &format!("unknown task {wanted:?}"));
        return;
    };
    match method {
        "tasks/get" => toy.answer(id, &task.detailed()),
        "tasks/update" => {
            if let Some(answer) = params.object("inputResponses").raw("q1") {
                task.answer = Some(answer.to_owned());
            }
            toy.answer(id, &modern::stamped(method, json!({})));
        }
        _ => {
            task.cancelled |= task.status() != "completed" && task.status() != "failed";
            toy.answer(id, &modern::stamped(method, json!({})));
        }
    }
}
