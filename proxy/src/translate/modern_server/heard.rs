//! What the server has said to a call or to a subscription, and what it means for the client.

use mcp_wire::{ErrorCode, Message, method, object};
use tokio::time::Instant;

use super::calls::{InFlight, Phase, Sort, refused, untag};
use super::listening::Settled;
use super::machine::{Machine, Work, Works, answered, required};
use super::results::{self, Fault, Survey};
use super::rounds::{MAX_ROUNDS, Round};
use crate::exchange::{Event, ExchangeId, Key, Outcome};

impl Machine {
    /// An event of a call.
    pub(super) fn heard(&mut self, key: Key, event: Event, now: Instant) -> Works {
        match event {
            Event::Notify(message) => {
                if let Some(call) = self.calls.get_mut(&key) {
                    call.notify(message);
                }
            }
            Event::Done(outcome) => return self.ended(key, outcome, now),
            Event::Ask { .. } | Event::Withdraw { .. } => {
                tracing::debug!(target: "translate", "dropped a question beside a result");
            }
        }
        Works::new()
    }

    fn ended(&mut self, key: Key, outcome: Outcome, now: Instant) -> Works {
        let sort = match &outcome {
            Outcome::Result(message) => Some((Survey::of(message), message)),
            _ => None,
        };
        if let Some((survey, message)) = &sort
            && survey.sort == results::Sort::InputRequired
        {
            return self.ask(key, message, now);
        }
        let survey = sort.map(|(survey, _)| survey);
        // Cancelled and gone, where there is none.
        let Some(call) = self.calls.remove(&key) else {
            return Works::new();
        };
        match (outcome, survey) {
            (Outcome::Result(message), Some(survey)) => self.answered(&call, message, survey),
            (Outcome::Error(mut message), _) => match results::error(&mut message) {
                Fault::Incapable => call.fail(&required(&message)),
                Fault::None | Fault::Ours => call.done(Outcome::Error(message)),
            },
            (outcome, _) => call.done(outcome),
        }
        Works::new()
    }

    /// The answer to a call.
    fn answered(&mut self, call: &InFlight, mut message: Message, survey: Survey) {
        if survey.sort == results::Sort::Other {
            call.fail(
                "the MCP server answered with a kind of result that clients of this protocol \
                 version do not know",
            );
            return;
        }
        let wrapped = match call.sort {
            Sort::Tool { wrapped } => wrapped,
            Sort::Tools | Sort::Other => false,
        };
        survey.apply(&mut message, wrapped);
        if call.sort == Sort::Tools
            && let Some(changed) = self.wrapped.schemas(&message)
        {
            message = changed;
        }
        call.done(Outcome::Result(message));
    }

    /// A result that asks.
    fn ask(&mut self, key: Key, message: &Message, now: Instant) -> Works {
        let profile = self.client.profile();
        let Some(call) = self.calls.get_mut(&key) else {
            return Works::new();
        };
        // What stands in the result may have been marked on its way to us.
        let marked = Message::parse(message.to_bytes());
        let result = marked.as_ref().ok().and_then(Message::result);
        let asked = if call.original.is_none() {
            Err("it asked where the protocol has no questions".to_owned())
        } else if call.rounds >= MAX_ROUNDS {
            Err(format!("it asked {MAX_ROUNDS} times and was not content"))
        } else {
            Round::of(result.unwrap_or_default(), profile)
        };
        let (round, questions) = match asked {
            Ok(asked) => asked,
            Err(sentence) => {
                call.fail(&format!("the MCP server cannot go on: {sentence}"));
                self.calls.remove(&key);
                return Works::new();
            }
        };
        for (known, question) in round.questions.iter().zip(questions) {
            let ask = known.ask;
            call.outlet
                .push(call.exchange, Event::Ask { ask, question });
        }
        let all = round.is_answered();
        call.rounds += 1;
        call.phase = Phase::Asking {
            round,
            left: call.deadline.saturating_duration_since(now),
        };
        if all {
            self.retry(key, now)
        } else {
            Works::new()
        }
    }

    /// An event of the subscription of this number.
    pub(super) fn news(&mut self, number: u64, event: Event) -> Works {
        match event {
            Event::Notify(message) if message.method() == Some(method::ACKNOWLEDGED) => {
                let honoured = message
                    .params()
                    .and_then(|params| object::get(params, "notifications"));
                let settled = self
                    .listening
                    .acknowledged(number, honoured.unwrap_or_default());
                self.settle(settled)
            }
            Event::Notify(mut message) => {
                if self.listening.hears(number) {
                    untag(&mut message);
                    self.standing
                        .push(ExchangeId::STANDING, Event::Notify(message));
                }
                Works::new()
            }
            // Ours, when another one has taken its place.
            Event::Done(Outcome::Cancelled) | Event::Ask { .. } | Event::Withdraw { .. } => {
                Works::new()
            }
            Event::Done(outcome) => {
                let mut works = self.unheard(number);
                if let Outcome::Lost(_) = outcome {
                    works.push(Work::Look);
                }
                works
            }
        }
    }

    /// The subscription of this number is over, or the server has not taken it.
    pub(super) fn unheard(&mut self, number: u64) -> Works {
        let (settled, again) = self.listening.ended(number);
        let mut works = self.settle(settled);
        if again {
            works.push(Work::Rest);
        }
        works
    }

    /// Answers those who waited for a subscription.
    fn settle(&mut self, settled: Settled) -> Works {
        let waiting: Vec<(Key, bool)> = self
            .calls
            .iter()
            .filter_map(|(key, call)| match &call.phase {
                Phase::Subscribing(uri) if settled.honoured.contains(uri) => Some((*key, true)),
                Phase::Subscribing(uri) if settled.refused.contains(uri) => Some((*key, false)),
                _ => None,
            })
            .collect();
        for (key, honoured) in waiting {
            let Some(call) = self.calls.remove(&key) else {
                continue;
            };
            call.done(if honoured {
                answered(b"{}")
            } else {
                let sentence = "the MCP server does not tell of changes of this resource";
                Outcome::Error(refused(ErrorCode::INVALID_PARAMS, sentence))
            });
        }
        let mut works = self.follow();
        works.extend(settled.before.map(|before| Work::Cancel(before, None)));
        works
    }
}
