//! What clients of one server, or machines that run it, must not confuse.
//!
//! Most servers serve one principal on one machine; then nothing here touches a message. Where a
//! server is common to several principals, a `requestState` and a task belong to the one that was
//! given them. Where the machine has a name, others may run the same server, and a `requestState`
//! has to say which one asked. Such a state is wrapped: the tag routes and binds, and what the
//! server wrote is behind it and reaches the server again byte for byte.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use mcp_wire::{Member, Message, Span, method, object};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::machine::is_result_type;
use crate::exchange::Principal;

/// Tasks one common server remembers the owner of. A server keeps its own bound; the oldest are
/// forgotten first, and then are nobody's.
const MAX_TASKS: usize = 4096;

/// What a wrapped state begins with: our name for this form of it.
const FORM: &str = "mp1";

/// Half of the digest: 128 bits, in hexadecimal digits.
const TAG_DIGITS: usize = 32;

const UNKNOWN_STATE: &str = "requestState is not one this server gave to this client, or has \
                             expired; send the request again without it";
const UNKNOWN_TASK: &str = "there is no such task";

/// Who else there may be.
#[derive(Clone)]
pub struct Neighbours {
    /// Several principals use this server.
    pub shared: bool,
    /// The name of this machine, where others may run the same server.
    pub machine: Option<String>,
    /// What makes a tag ours. Another machine need not check a tag, only read whose it is.
    pub key: Arc<[u8; 32]>,
    /// Which of this proxy's servers this is; never used twice.
    pub generation: u64,
}

impl std::fmt::Debug for Neighbours {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Neighbours")
            .field("shared", &self.shared)
            .field("machine", &self.machine)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

/// What keeps them apart.
pub(super) struct Company {
    neighbours: Neighbours,
    /// Owner and JSON text of each task's id, and the order they came in.
    tasks: HashSet<(Principal, Bytes)>,
    order: VecDeque<(Principal, Bytes)>,
}

impl Company {
    pub(super) fn new(neighbours: Neighbours) -> Self {
        Self {
            neighbours,
            tasks: HashSet::new(),
            order: VecDeque::new(),
        }
    }

    fn wraps(&self) -> bool {
        self.neighbours.shared || self.neighbours.machine.is_some()
    }

    /// Lets a request through, its state unwrapped, unless it names what is not its client's. The
    /// error is a sentence for the client, and the same whatever was wrong.
    pub(super) fn admit(
        &self,
        principal: &Principal,
        message: &mut Message,
    ) -> Result<(), &'static str> {
        if self.wraps() && message.member(Member::RequestState).is_some() {
            let text = self.unwrap(principal, message).ok_or(UNKNOWN_STATE)?;
            message.replace(Member::RequestState, text);
        }
        if self.neighbours.shared {
            self.check_tasks(principal, message)?;
        }
        Ok(())
    }

    fn check_tasks(&self, principal: &Principal, message: &Message) -> Result<(), &'static str> {
        let name = message.method().unwrap_or_default();
        if name.starts_with("tasks/") {
            let id = message.member(Member::TaskId).ok_or(UNKNOWN_TASK)?;
            return self.owns(principal, id);
        }
        if name != method::LISTEN {
            return Ok(());
        }
        let ids = message
            .params()
            .and_then(|params| object::get(params, "notifications"))
            .and_then(|filter| object::get(filter, "taskIds"));
        let Some(ids) = ids else { return Ok(()) };
        let ids: Vec<&serde_json::value::RawValue> =
            serde_json::from_slice(ids).map_err(|_| UNKNOWN_TASK)?;
        ids.iter()
            .try_for_each(|id| self.owns(principal, id.get().as_bytes()))
    }

    fn owns(&self, principal: &Principal, id: &[u8]) -> Result<(), &'static str> {
        let known = (principal.clone(), Bytes::copy_from_slice(id));
        self.tasks
            .contains(&known)
            .then_some(())
            .ok_or(UNKNOWN_TASK)
    }

    /// Marks a result with whose it is: a state is wrapped, a task remembered.
    pub(super) fn leave_mark(&mut self, principal: &Principal, message: &mut Message) {
        if !self.wraps() {
            return;
        }
        let Some((result, whole)) = message.result().zip(message.result_span()) else {
            return;
        };
        if is_result_type(result, "input_required") {
            let wrapped = object::find(result, "requestState").and_then(|state| {
                let inner = inside(state.value)?;
                let tag = self.tag(principal, &object::string(state.value)?);
                Some((state.span, [b"\"", tag.as_bytes(), inner, b"\""].concat()))
            });
            if let Some((span, text)) = wrapped {
                message.replace_span(within(span, whole), Bytes::from(text));
            }
        } else if self.neighbours.shared && is_result_type(result, "task") {
            let id = object::get(result, "taskId")
                // 2025-11-25 had the task one level below.
                .or_else(|| object::get(object::get(result, "task")?, "taskId"))
                .map(Bytes::copy_from_slice);
            if let Some(id) = id {
                self.remember(principal.clone(), id);
            }
        }
    }

    fn remember(&mut self, principal: Principal, id: Bytes) {
        if self.tasks.insert((principal.clone(), id.clone())) {
            self.order.push_back((principal, id));
        }
        if self.order.len() > MAX_TASKS
            && let Some(oldest) = self.order.pop_front()
        {
            self.tasks.remove(&oldest);
        }
    }

    /// What stands before a state of this principal: `mp1.<machine>.<generation>.<digest>.`
    fn tag(&self, principal: &Principal, state: &str) -> String {
        let Neighbours {
            machine,
            generation,
            ..
        } = &self.neighbours;
        let machine = machine.as_deref().unwrap_or_default();
        let digest = self.digest(principal, state);
        format!("{FORM}.{machine}.{generation}.{digest}.")
    }

    fn digest(&self, principal: &Principal, state: &str) -> String {
        use std::fmt::Write as _;

        let Neighbours {
            machine,
            key,
            generation,
            ..
        } = &self.neighbours;
        // Any length of key will do.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&**key) else {
            return String::new();
        };
        for part in [principal.as_str(), machine.as_deref().unwrap_or_default()] {
            mac.update(part.as_bytes());
            mac.update(&[0]);
        }
        mac.update(&generation.to_be_bytes());
        mac.update(state.as_bytes());
        let digest = mac.finalize().into_bytes();
        digest
            .iter()
            .take(TAG_DIGITS / 2)
            .fold(String::new(), |mut text, byte| {
                let _infallible = write!(text, "{byte:02x}");
                text
            })
    }

    /// The JSON text of the state as the server wrote it; `None` when it is not one of ours for
    /// this principal.
    fn unwrap(&self, principal: &Principal, message: &Message) -> Option<Bytes> {
        let raw = message.member(Member::RequestState)?;
        let said = message.string(Member::RequestState)?;
        // The tag has no letters that JSON escapes, so it is the same in the raw text.
        let (tag, state) = split(&said)?;
        let inner = inside(raw)?.strip_prefix(tag.as_bytes())?;
        let expected = self.tag(principal, state);
        let same: bool = expected.as_bytes().ct_eq(tag.as_bytes()).into();
        same.then(|| Bytes::from([b"\"", inner, b"\""].concat()))
    }
}

/// A wrapped state's tag, its last dot included, and what is behind it.
fn split(said: &str) -> Option<(&str, &str)> {
    let mut dots = said.match_indices('.').map(|(at, _)| at);
    let end = dots.nth(3)? + 1;
    Some(said.split_at(end))
}

/// What stands between the quotes of a JSON string.
fn inside(text: &[u8]) -> Option<&[u8]> {
    text.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

const fn within(inner: Span, outer: Span) -> Span {
    Span {
        start: inner.start + outer.start,
        end: inner.end + outer.start,
    }
}
