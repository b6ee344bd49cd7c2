//! Where lines arrive: what each is, and which way it goes. The first word settles the era.

use std::sync::Arc;

use mcp_wire::{Body, Era, ErrorCode, Id, Kind, Line, Message, ParseError, method};

use super::super::conversation::{self, MAX_BATCH};
use super::super::http_sse::{Connected, HttpSse};
use super::super::served::Served;
use super::super::stateless::Wrong;
use super::super::{Fault, era};
use super::until;
use super::voice::Voice;
use crate::exchange::Principal;

/// Takes the client's lines.
pub(super) struct Desk {
    http_sse: Arc<HttpSse>,
    voice: Arc<Voice>,
    settled: Option<Settled>,
}

/// How the client converses.
enum Settled {
    /// The pipe is a session.
    Session(Connected),
    /// Every request stands by itself.
    Requests,
}

impl Desk {
    /// For a client that has said nothing yet.
    pub(super) fn new(served: &Served, voice: Arc<Voice>) -> Self {
        Self {
            // What a session at a connection needs is the same at a pipe.
            http_sse: Arc::clone(&served.http_sse),
            voice,
            settled: None,
        }
    }

    /// Takes one line. What is wrong with it is said, and the next one is heard.
    pub(super) async fn line(&mut self, line: Line) {
        let text = match line {
            Line::Whole(text) => text,
            Line::TooLong { head, length } => {
                // The head is no whole message, so reading it only tells whose request it was.
                let fault = Message::parse(head).err();
                let id = fault.and_then(asked);
                let sentence =
                    format!("the line is too long ({length} bytes); --max-line-size allows more");
                let code = ErrorCode::INVALID_REQUEST;
                let message = mcp_wire::error_message(id.as_ref(), code, &sentence, None);
                return self.voice.say(message);
            }
        };
        let length = text.len();
        match Body::parse(text, MAX_BATCH) {
            Ok(body) => {
                if let Err((id, fault)) = self.body(body, length).await {
                    self.voice.refuse(id.as_ref(), &fault);
                }
            }
            Err(mut fault) => {
                tracing::debug!(%fault, "the client wrote something that is not a message");
                if fault.response {
                    // Its id is a question's, and would be taken for that of a request.
                    fault.id = None;
                }
                self.voice.say(conversation::unreadable(&fault));
            }
        }
    }

    async fn body(&mut self, body: Body, length: usize) -> Result<(), (Option<Id>, Fault)> {
        let messages = match (&self.settled, body) {
            (Some(Settled::Session(connected)), Body::Batch(messages)) => {
                conversation::check_batch(&messages)
                    .and_then(|()| conversation::takes_batches(&connected.connection.session))
                    .map_err(|fault| (None, fault))?;
                messages
            }
            (Some(Settled::Session(_)), Body::One(message)) => vec![Ok(message)],
            (Some(Settled::Requests), Body::Batch(_)) => return Err((None, Wrong::Batch.into())),
            (None, Body::Batch(messages)) => {
                let fault = conversation::check_batch(&messages).err();
                return Err((None, fault.unwrap_or(Fault::NotInitialized)));
            }
            (Some(Settled::Requests), Body::One(message)) => {
                let id = message.id();
                return self.modern(message).await.map_err(|fault| (id, fault));
            }
            (None, Body::One(message)) => {
                let id = message.id();
                match self.settle(message).await.map_err(|fault| (id, fault))? {
                    Some(message) => vec![Ok(message)],
                    None => return Ok(()),
                }
            }
        };
        if let Some(Settled::Session(Connected { connection, inbox })) = &self.settled
            && connection.put(inbox, messages, length).await.is_err()
        {
            tracing::debug!("a line came after the end of its session");
        }
        Ok(())
    }

    /// Takes a message of a client whose era is not known. Gives it back once that is a session's.
    async fn settle(&mut self, message: Message) -> Result<Option<Message>, Fault> {
        match of(&message) {
            Some(Era::Legacy) => {
                let outlet = self.voice.outlet.clone();
                let connected = self
                    .http_sse
                    .connect(&Principal::anonymous(), Some(outlet))?;
                let session = Arc::clone(&connected.connection.session);
                let _only = self.voice.session.set(session);
                tracing::debug!("the client begins a session");
                self.settled = Some(Settled::Session(connected));
                Ok(Some(message))
            }
            Some(Era::Modern) => {
                // Asking what a server speaks is not speaking it.
                let probe = message.method() == Some(method::DISCOVER);
                self.modern(message).await?;
                if !probe {
                    tracing::debug!("the client converses as 2026-07-28 does");
                    self.settled = Some(Settled::Requests);
                }
                Ok(None)
            }
            None if message.kind() == Kind::Request => Err(Fault::NotInitialized),
            None => {
                // A cancellation may be of a probe; nothing else can be meant for anybody.
                self.modern(message).await?;
                Ok(None)
            }
        }
    }

    async fn modern(&self, message: Message) -> Result<(), Fault> {
        let requests = &self.voice.requests;
        match message.kind() {
            Kind::Request => requests.take(message).await,
            Kind::Notification if message.method() == Some(method::CANCELLED) => {
                requests.cancel(message);
                Ok(())
            }
            Kind::Notification if self.settled.is_some() => {
                // Nobody waits for an answer to it.
                if let Err(fault) = requests.tell(message).await {
                    tracing::debug!(%fault, "not passed on");
                }
                Ok(())
            }
            // An answer to nothing; to answer it would be worse.
            _ => {
                tracing::debug!("the client wrote something that nobody waits for");
                Ok(())
            }
        }
    }

    /// Resolves when nothing the client has said waits for an answer.
    pub(super) async fn answered(&self) {
        until(|| {
            let idle = match &self.settled {
                Some(Settled::Session(Connected { connection, inbox })) => {
                    inbox.is_empty() && connection.session.exchanges().is_empty()
                }
                _ => true,
            };
            idle && self.voice.requests.are_answered()
        })
        .await;
    }
}

/// The era of a first message, if it tells: a request that begins a session or stands by itself.
fn of(message: &Message) -> Option<Era> {
    if message.kind() != Kind::Request {
        return None;
    }
    match message.method() {
        Some(method::INITIALIZE) if !era::is_whole(message) => Some(Era::Legacy),
        Some(method::DISCOVER) => Some(Era::Modern),
        _ => era::claims(message).then_some(Era::Modern),
    }
}

/// The id of a request that came in part; of an answer nothing is to be said.
fn asked(fault: ParseError) -> Option<Id> {
    fault.id.filter(|_| !fault.response)
}
