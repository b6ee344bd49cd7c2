//! From a server's questions to the client's next round.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use mcp_wire::{ErrorCode, Id, Message, object};
use tokio::time::Instant;

use super::question::{Question, required};
use super::round::{Phase, Round};
use super::stamp;
use super::state::{self, ParkId, State, carried};
use super::welcome::meta;
use crate::exchange::{AskId, Event, Outcome, Profile};

/// How long a server that has asked may ask more, to be asked in the same round. Servers that ask
/// several things at once write them within a few milliseconds.
const WINDOW: Duration = Duration::from_millis(60);

/// What is logged of an error that was to send a client elsewhere and does not say where.
const NO_SCHEMA: &str = "the server's request to visit a URL could not be read";

impl Round {
    /// Asks the client after a short while, with everything that is asked until then.
    pub(super) fn gather(&self) {
        let Some(round) = self.me.upgrade() else {
            return;
        };
        tokio::spawn(async move {
            tokio::time::sleep(WINDOW).await;
            round.ask();
        });
    }

    /// Ends the round: the client is answered `input_required`, and the call waits for it.
    pub(super) fn ask(&self) {
        let (clients, message, park, round, words) = {
            let mut inner = self.inner.lock();
            if inner.phase != Phase::Gathering {
                return;
            }
            let Some(asked) = &mut inner.asked else {
                return;
            };
            if asked.open.is_empty() {
                inner.phase = Phase::Running;
                return;
            }
            asked.round += 1;
            let park = *asked.park.get_or_insert_with(ParkId::random);
            let sealed = State {
                round: asked.round,
                expires: now() + self.station.settings().patience.as_secs(),
                fresh: false,
                answers: carried(&asked.record),
                open: asked
                    .open
                    .iter()
                    .map(|question| (question.key.clone(), question.digest.clone()))
                    .collect(),
            };
            let entries = asked.open.iter().map(|question| {
                let request: &[u8] = &question.request;
                (question.key.as_str(), request)
            });
            let Some(message) = self.input_required(entries, park, &sealed) else {
                drop(inner);
                self.cannot_ask();
                return;
            };
            asked.outcome = Some(message.clone());
            let words = words(&asked.open);
            let round = asked.round;
            inner.phase = Phase::Parked;
            (
                std::mem::take(&mut inner.clients),
                message,
                park,
                round,
                words,
            )
        };
        self.station.set_waiting(Some(words));
        if let Some(me) = self.me.upgrade() {
            self.station.desk.parked(park, &me);
            let deadline = Instant::now() + self.station.settings().patience;
            tokio::spawn(async move {
                tokio::time::sleep_until(deadline).await;
                me.expire(round);
            });
        }
        for (outlet, exchange) in clients {
            outlet.push(exchange, Event::Done(Outcome::Result(message.clone())));
        }
    }

    /// There is no way to give the client a state. The call ends.
    fn cannot_ask(&self) {
        let error = mcp_wire::error_message(
            Some(&Id::number(0)),
            ErrorCode::INTERNAL_ERROR,
            "the MCP server's question could not be passed on",
            None,
        );
        self.abandon(Outcome::Error(error));
    }

    /// Gives the call up on both sides.
    pub(super) fn abandon(&self, outcome: Outcome) {
        let replies: Vec<(AskId, Message)> = {
            let mut inner = self.inner.lock();
            if inner.phase == Phase::Over {
                return;
            }
            let open = inner
                .asked
                .as_mut()
                .map(|asked| std::mem::take(&mut asked.open));
            open.unwrap_or_default()
                .iter()
                .map(|question| (question.ask, question.unanswered()))
                .collect()
        };
        let lease = self.finish(outcome);
        self.give_up(replies, lease);
    }

    /// Nobody answered: the server is told so, and the call ends.
    fn expire(&self, round: u32) {
        {
            let inner = self.inner.lock();
            let waits = inner.phase == Phase::Parked
                && inner
                    .asked
                    .as_ref()
                    .is_some_and(|asked| asked.round == round);
            if !waits {
                return;
            }
        }
        tracing::debug!(target: "translate", "gave up a call whose client did not answer in time");
        self.abandon(Outcome::Cancelled);
    }

    /// The server wants its client to have been at a URL before it takes the call (2025-11-25,
    /// elicitation, "URL elicitation required error"). No call waits: it is made again.
    pub(super) fn send_elsewhere(&self, error: &Message) -> Outcome {
        if !self.station.profile.has(Profile::URL) {
            return Outcome::Error(mcp_wire::error_message(
                error.id().as_ref(),
                ErrorCode::MISSING_REQUIRED_CLIENT_CAPABILITY,
                "the MCP server wants its user to visit a URL, which this request did not declare",
                Some(required(Profile::URL).as_bytes()),
            ));
        }
        let questions = elsewhere(error.error().unwrap_or_default(), self.station.profile);
        let sealed = State {
            round: 1,
            expires: now() + self.station.settings().patience.as_secs(),
            fresh: true,
            answers: None,
            open: Vec::new(),
        };
        let entries = questions.iter().map(|question| {
            let request: &[u8] = &question.request;
            (question.key.as_str(), request)
        });
        let message = (!questions.is_empty())
            .then(|| self.input_required(entries, ParkId::random(), &sealed))
            .flatten();
        message.map_or_else(
            || {
                tracing::warn!(target: "translate", NO_SCHEMA);
                Outcome::Error(stamp::error(error.clone(), true))
            },
            Outcome::Result,
        )
    }

    /// An `InputRequiredResult` (2026-07-28, multi round-trip requests).
    fn input_required<'a>(
        &self,
        entries: impl Iterator<Item = (&'a str, &'a [u8])>,
        park: ParkId,
        sealed: &State,
    ) -> Option<Message> {
        let request = self.request.as_ref()?;
        let settings = self.station.settings();
        let state = state::seal(settings, &self.principal, request, park, sealed)?;
        let mut text = br#"{"resultType":"input_required","inputRequests":{"#.to_vec();
        for (at, (key, request)) in entries.enumerate() {
            if at > 0 {
                text.push(b',');
            }
            text.extend_from_slice(serde_json::to_string(key).ok()?.as_bytes());
            text.push(b':');
            text.extend_from_slice(request);
        }
        text.extend_from_slice(b"},\"requestState\":");
        text.extend_from_slice(state.as_bytes());
        let info: &Bytes = &self.station.welcome.info;
        if !info.is_empty() {
            text.extend_from_slice(b",\"_meta\":");
            text.extend_from_slice(&meta(info));
        }
        text.push(b'}');
        Some(mcp_wire::result_message(&Id::number(0), &text))
    }
}

/// The questions in the error by which a server sends its client elsewhere.
fn elsewhere(error: &[u8], profile: Profile) -> Vec<Question> {
    let listed = object::get(error, "data")
        .and_then(|data| object::get(data, "elicitations"))
        .unwrap_or(b"[]");
    let listed: Vec<&serde_json::value::RawValue> =
        serde_json::from_slice(listed).unwrap_or_default();
    let mut questions = Vec::new();
    for params in listed {
        let number = u32::try_from(questions.len() + 1).unwrap_or(u32::MAX);
        let request = mcp_wire::request(
            &Id::number(0),
            mcp_wire::method::ELICIT,
            Some(params.get().as_bytes()).filter(|params| params.starts_with(b"{")),
        );
        questions.extend(Question::read(AskId(0), &request, profile, number).ok());
    }
    questions
}

/// What is asked, for a person.
fn words(open: &[Question]) -> String {
    let keys: Vec<&str> = open.iter().map(|question| question.key.as_str()).collect();
    keys.join(", ")
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
