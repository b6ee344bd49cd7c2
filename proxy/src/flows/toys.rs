//! Toy fronts: each writes an exchange's events the way one client era wants them, as text.

use std::collections::HashMap;

use mcp_wire::{Id, Message};

use super::stage::text;
use crate::exchange::{AskId, Event, ExchangeId, Handle, Item, Outcome, Outlet, Tagged, Tap};

/// One event as a short text, the client's id restored: what a test compares.
pub(crate) fn line(tagged: Tagged, ids: &HashMap<ExchangeId, Id>) -> String {
    let show = |message: &Message| String::from_utf8(message.to_bytes().to_vec()).unwrap();
    let own = ids.get(&tagged.exchange);
    match tagged.event {
        Event::Notify(message) => show(&message),
        Event::Ask { question, .. } => format!("ask {}", question.method().unwrap()),
        Event::Withdraw { .. } => "withdraw".to_owned(),
        Event::Done(Outcome::Result(mut message) | Outcome::Error(mut message)) => {
            message.set_id(own.expect("an answer belongs to a call").clone());
            show(&message)
        }
        Event::Done(Outcome::Lost(loss)) => {
            format!("lost {}: {}", text(own.unwrap()), loss.sentence)
        }
        Event::Done(Outcome::Cancelled) => format!("cancelled {}", text(own.unwrap())),
    }
}

/// Several exchanges on one ordered stream: a stdio client, an HTTP+SSE connection, a batch.
pub(crate) struct Connection {
    pub(crate) outlet: Outlet,
    tap: Tap,
    ids: HashMap<ExchangeId, Id>,
}

impl Connection {
    pub(crate) fn new(budget: usize) -> Self {
        let (outlet, tap) = Outlet::new(budget);
        Self {
            outlet,
            tap,
            ids: HashMap::new(),
        }
    }

    pub(crate) fn knows(&mut self, exchange: u64, id: &str) {
        self.ids.insert(
            ExchangeId(exchange),
            Id::parse(id.to_owned().into()).unwrap(),
        );
    }

    /// The next event, unrendered; there has to be one.
    pub(crate) async fn next(&mut self) -> Tagged {
        match self.tap.next().await {
            Some(Item::Event(tagged)) => tagged,
            other => panic!("the stream is over: {other:?}"),
        }
    }

    pub(crate) async fn reads(&mut self) -> String {
        let tagged = self.next().await;
        line(tagged, &self.ids)
    }

    /// The next event has to be a question.
    pub(crate) async fn is_asked(&mut self) -> (AskId, Message) {
        match self.next().await.event {
            // As the client reads it: parsed from what is written.
            Event::Ask { ask, question } => (ask, Message::parse(question.to_bytes()).unwrap()),
            other => panic!("expected a question, got {other:?}"),
        }
    }

    pub(crate) async fn ends(&mut self) -> bool {
        match self.tap.next().await {
            Some(Item::Overflow) => self.tap.next().await.is_none(),
            None => true,
            Some(Item::Event(_)) => false,
        }
    }
}

/// The stateless era in small: a question ends the response and parks the call until a retry
/// brings the answer, at the replica that has it.
#[derive(Default)]
pub(crate) struct Stateless {
    name: &'static str,
    parked: HashMap<u64, Parked>,
    next: u64,
}

struct Parked {
    handle: Handle,
    ask: AskId,
    question: Message,
}

/// What a stateless client gets for a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Complete(String),
    /// `requestState`, which routes and does not carry.
    InputRequired(String),
    /// Another replica has the call.
    Elsewhere(String),
    /// No such call (any more).
    Expired,
}

impl Stateless {
    pub(crate) fn replica(name: &'static str) -> Self {
        Self {
            name,
            ..Self::default()
        }
    }

    /// Runs a request until it ends or asks.
    pub(crate) async fn serve(&mut self, handle: Handle, round: &mut Connection) -> Reply {
        let tagged = round.next().await;
        if let Event::Ask { ask, question } = tagged.event {
            self.next += 1;
            let state = format!("{}/{}", self.name, self.next);
            self.parked.insert(
                self.next,
                Parked {
                    handle,
                    ask,
                    question,
                },
            );
            return Reply::InputRequired(state);
        }
        Reply::Complete(line(tagged, &round.ids))
    }

    /// A retry with an answer: the parked call goes on, its events on the new response.
    pub(crate) async fn retry(
        &mut self,
        state: &str,
        answer: &str,
        round: &mut Connection,
    ) -> Reply {
        let Some(parked) = (match self.owned(state) {
            Ok(number) => self.parked.remove(&number),
            Err(owner) => return Reply::Elsewhere(owner),
        }) else {
            return Reply::Expired;
        };
        parked.handle.attach(round.outlet.clone());
        let id = parked.question.id().unwrap();
        let reply = mcp_wire::result_message(&id, answer.as_bytes());
        assert!(parked.handle.answer(parked.ask, reply));
        Reply::InputRequired(state.to_owned())
    }

    /// The client closed the stream of a parked call for good.
    pub(crate) fn gives_up(&mut self, state: &str) {
        if let Ok(number) = self.owned(state)
            && let Some(parked) = self.parked.remove(&number)
        {
            parked.handle.cancel(None);
        }
    }

    fn owned(&self, state: &str) -> Result<u64, String> {
        let (owner, number) = state.split_once('/').unwrap();
        if owner == self.name {
            Ok(number.parse().unwrap())
        } else {
            Err(owner.to_owned())
        }
    }
}
