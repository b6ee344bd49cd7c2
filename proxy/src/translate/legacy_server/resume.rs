//! From a client's answers back to the server.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use mcp_wire::{ErrorCode, Id, Kind, Member, Message, method, object};

use super::super::digest;
use super::round::{Asked, Phase, Round, Token};
use super::stamp;
use super::state::{Answered, State};
use super::task;
use crate::exchange::{
    AskId, Call, Event, ExchangeId, Key, Outcome, Outlet, Profile, Refusal, Sink as _,
};

/// What became of a retry.
pub(super) enum Resumed {
    /// The call goes on, or its answer was given again.
    Taken(Key),
    /// No call waits for it any more.
    Gone(Box<Call>),
}

/// The one sentence about every state that does not open.
const UNKNOWN: &str = "requestState is not one this server gave for this request, or has expired; \
                       send the request again without it";

/// Answers a call without its server, by the one error of every state that is not good.
pub(super) fn refuse_state(call: &Call) {
    refuse(call, UNKNOWN, None);
}

/// The server that asked is gone, and nobody says that its call may be made twice.
pub(super) fn refuse_lost(call: &Call) {
    refuse(
        call,
        "the MCP server was restarted while this call waited for answers, and may have acted \
         already; start again without requestState",
        Some(br#"{"restarted":true}"#),
    );
}

fn refuse(call: &Call, sentence: &str, data: Option<&[u8]>) {
    let error = mcp_wire::error_message(
        call.message.id().as_ref(),
        ErrorCode::INVALID_PARAMS,
        sentence,
        data,
    );
    call.outlet
        .push(call.exchange, Event::Done(Outcome::Error(error)));
}

/// The text of the answers in a request; an empty object if there are none.
pub(super) fn answers(message: &Message) -> &[u8] {
    message
        .member(Member::InputResponses)
        .filter(|text| text.starts_with(b"{"))
        .unwrap_or(b"{}")
}

/// What a call's former life and this retry have answered; `None` where too much was answered to be
/// carried in a state.
pub(super) fn script(state: State, message: &Message) -> Option<Vec<Answered>> {
    let mut script = state.answers?;
    let answers = answers(message);
    for (key, digest) in state.open {
        let text = object::get(answers, &key).and_then(|text| serde_json::from_slice(text).ok());
        script.extend(text.map(|text| Answered { digest, text }));
    }
    Some(script)
}

impl Round {
    /// Takes the client's answers to the round `state` was given for.
    pub(super) fn resume(&self, state: &State, call: Call) -> Result<Resumed, Refusal> {
        let given = digest::of_answers(answers(&call.message));
        let (replies, held, again) = {
            let mut inner = self.inner.lock();
            let phase = inner.phase;
            let Some(asked) = &mut inner.asked else {
                return Ok(Resumed::Gone(Box::new(call)));
            };
            if phase != Phase::Parked || state.round != asked.round {
                let same = asked.consumed == Some((state.round, given));
                match (&asked.outcome, phase) {
                    (Some(outcome), _) if same => {
                        let outcome = outcome.clone();
                        drop(inner);
                        let outcome = if outcome.kind() == Kind::Error {
                            Outcome::Error(outcome)
                        } else {
                            Outcome::Result(outcome)
                        };
                        call.outlet.push(call.exchange, Event::Done(outcome));
                    }
                    // It is on its way, for both of them.
                    (None, Phase::Running | Phase::Gathering) if same => {
                        inner.clients.push((call.outlet, call.exchange));
                    }
                    (None, Phase::Over) if !same && state.round == asked.round => {
                        return Ok(Resumed::Gone(Box::new(call)));
                    }
                    _ => {
                        drop(inner);
                        refuse_state(&call);
                    }
                }
                return Ok(Resumed::Taken(0));
            }
            let replies = self.take(asked, answers(&call.message));
            asked.consumed = Some((state.round, given));
            asked.outcome = None;
            let again = !asked.open.is_empty();
            let held = if again { None } else { asked.held.take() };
            inner.phase = if again {
                Phase::Gathering
            } else {
                Phase::Running
            };
            let token = call.message.member(Member::ProgressToken);
            inner.token = Token::Now(token.map(Bytes::copy_from_slice));
            inner.clients.clear();
            inner.clients.push((call.outlet, call.exchange));
            (replies, held, again)
        };
        self.station.set_waiting(None);
        if self.task.is_some() && !again {
            self.is_soon_long();
        }
        if again {
            self.gather();
        }
        for (ask, reply) in replies {
            let _late = self.station.server.answer(self.station.feed, ask, reply);
        }
        if let Some(mut held) = held {
            held.deadline = call.deadline;
            return self.send(held).map(Resumed::Taken);
        }
        Ok(Resumed::Taken(self.key.get().copied().unwrap_or_default()))
    }

    /// The answers that are some, for the server; their questions are open no more.
    pub(super) fn take(&self, asked: &mut Asked, answers: &[u8]) -> Vec<(AskId, Message)> {
        let version = self.station.welcome.version;
        let mut replies = Vec::new();
        let record = &mut asked.record;
        asked.open.retain(|question| {
            let answer = object::get(answers, &question.key);
            let reply = answer.and_then(|answer| question.reply(answer, version));
            let (Some(answer), Some(reply)) = (answer, reply) else {
                // It is asked again: answers may come one by one.
                return true;
            };
            if question.kind == Profile::ROOTS {
                self.station.remember_roots(Bytes::copy_from_slice(answer));
            }
            if let Ok(text) = serde_json::from_slice(answer) {
                record.push(Answered {
                    digest: question.digest.clone(),
                    text,
                });
            }
            replies.push((question.ask, reply));
            false
        });
        replies
    }

    /// Sends the call to its server.
    ///
    /// # Errors
    ///
    /// The server takes nothing. The client is told by whoever asked for this.
    pub(super) fn send(&self, mut call: Call) -> Result<Key, Refusal> {
        let Some(me) = self.me.upgrade() else {
            return Err(Refusal::Gone);
        };
        stamp::to_legacy(&mut call.message);
        if self.task.is_some() {
            task::ask_for(&mut call);
        }
        call.outlet = Outlet::through(me);
        self.sent.store(true, Ordering::Release);
        let sent = self.station.server.call(self.station.feed, call);
        match &sent {
            Ok(key) => {
                // A call is sent once.
                let _first = self.key.set(*key);
            }
            Err(_) => {
                self.inner.lock().clients.clear();
                drop(self.finish(Outcome::Cancelled));
            }
        }
        sent
    }

    /// Asks for roots that the server wanted before this call was made; the call waits for them.
    ///
    /// # Errors
    ///
    /// As [`Round::send`], where they are known after all.
    pub(super) fn hold(&self, ask: AskId, call: Call) -> Result<Key, Refusal> {
        let question = mcp_wire::request(&Id::number(0), method::ROOTS_LIST, None);
        self.inner.lock().asked.get_or_insert_default().held = Some(call);
        self.push(ExchangeId::STANDING, Event::Ask { ask, question });
        let held = {
            let mut inner = self.inner.lock();
            let known = inner.phase == Phase::Running;
            let asked = inner.asked.as_mut().filter(|_| known);
            asked.and_then(|asked| asked.held.take())
        };
        held.map_or(Ok(0), |call| self.send(call))
    }
}
