//! One client's place at a station: what its request comes to.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use mcp_wire::{ErrorCode, Id, Member, Message, method};
use parking_lot::Mutex;

use super::resume::{Resumed, refuse_lost, refuse_state, script};
use super::round::{Asked, Round};
use super::station::{Lease, Station};
use super::{gather, listen, long, state};
use crate::exchange::{
    AskId, Call, Crash, Event, FeedId, Key, Loss, Mirrored, Outcome, Outlet, Principal, Refusal,
    Server,
};

/// The key of what was answered here. No server gives it out.
const ANSWERED: Key = 0;

/// A place for one request of a client of 2026-07-28.
pub struct Turn {
    station: Arc<Station>,
    principal: Principal,
    /// For the call this place was taken for.
    lease: Mutex<Option<Lease>>,
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn")
            .field("station", &self.station)
            .finish_non_exhaustive()
    }
}

impl Turn {
    /// A place at a station, with its time if the call may lead to questions.
    #[must_use]
    pub fn new(station: Arc<Station>, principal: Principal, lease: Option<Lease>) -> Arc<Self> {
        Arc::new(Self {
            station,
            principal,
            lease: Mutex::new(lease),
        })
    }

    /// A retry: the call goes on, is made again, or is refused.
    fn again(&self, call: Call) -> Result<Key, Refusal> {
        let station = &self.station;
        let text = call
            .message
            .member(Member::RequestState)
            .unwrap_or_default();
        let opened = state::open(
            station.settings(),
            &self.principal,
            &call.message,
            text,
            gather::now(),
        );
        let Some((park, state)) = opened else {
            refuse_state(&call);
            return Ok(ANSWERED);
        };
        if state.fresh {
            return self.begin(call, Asked::default());
        }
        let call = match station.desk.find(park) {
            None => call,
            Some(round) => match round.resume(&state, call)? {
                Resumed::Taken(key) => return Ok(key),
                Resumed::Gone(call) => *call,
            },
        };
        let script = self
            .may_be_repeated(&call.message)
            .then(|| script(state, &call.message));
        let Some(script) = script.flatten() else {
            refuse_lost(&call);
            return Ok(ANSWERED);
        };
        self.begin(
            call,
            Asked {
                script,
                ..Asked::default()
            },
        )
    }

    /// Reading does no harm twice; a tool says so itself.
    fn may_be_repeated(&self, message: &Message) -> bool {
        message.method() != Some(method::TOOLS_CALL)
            || message
                .string(Member::Name)
                .is_some_and(|name| self.station.tools.now().is_repeatable(&name))
    }

    /// A call that was not made before.
    fn begin(&self, call: Call, asked: Asked) -> Result<Key, Refusal> {
        let station = &self.station;
        let lease = self.lease.lock().take();
        let given = call.message.member(Member::InputResponses);
        let asked = Asked {
            given: given
                .filter(|text| text.starts_with(b"{"))
                .map(bytes::Bytes::copy_from_slice),
            ..asked
        };
        let needed = asked.given.is_some() || !asked.script.is_empty();
        let asked = needed.then(|| Box::new(asked));
        let round = Round::new(station, &self.principal, &call, lease, asked);
        let outside = round.may_ask.then(|| station.take_outside()).flatten();
        station.begun(&round);
        match outside {
            Some(ask) => round.hold(ask, call),
            None => round.send(call),
        }
    }

    fn discover(&self, call: &Call) {
        let id = call.message.id().unwrap_or_else(|| Id::number(0));
        let result = mcp_wire::result_message(&id, &self.station.welcome.discovered);
        call.outlet
            .push(call.exchange, Event::Done(Outcome::Result(result)));
    }
}

/// A server without tasks has none of the extension either, and they were not advertised.
fn refuse_method(call: &Call) {
    let error = mcp_wire::error_message(
        call.message.id().as_ref(),
        ErrorCode::METHOD_NOT_FOUND,
        "this MCP server has no such method",
        None,
    );
    call.outlet
        .push(call.exchange, Event::Done(Outcome::Error(error)));
}

impl Server for Turn {
    fn call(&self, _feed: FeedId, call: Call) -> Result<Key, Refusal> {
        if self.station.is_gone() {
            return Err(Refusal::Gone);
        }
        let name = call.message.method().unwrap_or_default();
        match name {
            method::DISCOVER => self.discover(&call),
            method::LISTEN => return Ok(listen::begin(&self.station, call)),
            _ if name.starts_with("tasks/") && self.station.welcome.tasks => {
                long::request(&self.station, &self.principal, &call);
            }
            _ if name.starts_with("tasks/") => refuse_method(&call),
            _ if call.message.member(Member::RequestState).is_some()
                && method::properties(name).may_ask =>
            {
                return self.again(call);
            }
            _ => return self.begin(call, Asked::default()),
        }
        Ok(ANSWERED)
    }

    /// The notifications of this revision's clients mean nothing to a server of the session eras.
    fn tell(&self, _feed: FeedId, _notification: Message) -> Result<(), Refusal> {
        Ok(())
    }

    /// A client of this revision answers by sending its request again.
    fn answer(&self, _feed: FeedId, _ask: AskId, _reply: Message) -> bool {
        false
    }

    fn cancel(&self, key: Key, notice: Option<Message>) {
        if listen::is_listening(key) {
            self.station.desk.unlisten(key);
        } else if key != ANSWERED {
            self.station.end_task(key);
            self.station.server.cancel(key, notice);
        }
    }

    /// There is no coming back to a stream in this revision.
    fn attach(&self, _key: Key, _outlet: Outlet) {}

    fn in_flight(&self, _feed: FeedId) -> usize {
        self.station.server.in_flight(self.station.feed)
    }

    /// A place need not be given up: it leaves nothing behind.
    fn leave(&self, _feed: FeedId, _loss: &Loss) {}

    fn is_gone(&self) -> bool {
        self.station.is_gone()
    }

    fn crash(&self) -> Crash {
        self.station.crash()
    }

    fn mirrored(&self, tool: &str) -> Option<Arc<[Mirrored]>> {
        self.station.tools.mirrored(tool)
    }

    fn tools_are_known(&self) -> bool {
        self.station.tools.is_known()
    }

    fn read_tools_again(self: Arc<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move { self.station.read_tools().await })
    }
}
