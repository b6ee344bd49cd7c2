//! JSON or SSE (rule 7): what comes first decides.
//!
//! The answer first: plain JSON with its length, the cheapest thing there is. A notification or a
//! question first, or ten seconds of silence: a stream, which a client can come back to.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use mcp_wire::{Kind, Message};

use super::super::render::{self, Rendered};
use super::super::{Fault, body, rescue};
use super::post::Opening;
use super::stream::{self, EventStream};
use super::{Sessions, sessionless::Transient};
use crate::exchange::{Event, ExchangeId, Item, Outcome, Refusal, Tagged, Tap};
use crate::session::Session;

/// How soon a client may send `initialize` again to a server that did not survive it, where nobody
/// knows of a pause.
const RETRY_START: Duration = Duration::from_secs(1);

/// Answers a POST that holds one request.
pub(super) async fn one(
    front: &Arc<Sessions>,
    session: Arc<Session>,
    tap: Tap,
    exchange: ExchangeId,
) -> Response<Body> {
    let answering = Answering::new(front, session, tap, vec![exchange]);
    answering.respond_one().await
}

/// Answers `initialize`, and says whether a session has begun, as far as that is known when the
/// headers have to be written.
///
/// # Errors
///
/// The server came to nothing before it answered: nothing was begun, and the client may try again.
pub(super) async fn initialize(
    front: &Arc<Sessions>,
    session: &Arc<Session>,
    mut tap: Tap,
    exchange: ExchangeId,
    opening: Opening,
) -> Result<(Response<Body>, bool), Fault> {
    let first = match tokio::time::timeout(front.settings.silence, tap.next()).await {
        Ok(Some(Item::Event(Tagged {
            event: Event::Done(Outcome::Lost(loss)),
            ..
        }))) => {
            return Err(Fault::Refused(Refusal::Start {
                sentence: loss.sentence,
                retry_after: front.servers.pause().unwrap_or(RETRY_START),
            }));
        }
        Ok(item) => Some(item),
        Err(_) => None,
    };
    let mut answering = Answering::new(front, Arc::clone(session), tap, vec![exchange]);
    Ok(match answering.judge(first) {
        First::Answer(Some(message)) => {
            let begun = message.kind() == Kind::Result;
            opening.answered(&message);
            (body::json(&[message], false), begun)
        }
        First::Answer(None) => (rescue::silent_stream(), false),
        // The server speaks before it answers. Its answer comes on this stream, and the session's
        // id has to be in the headers now.
        First::Other(prelude) => {
            answering.opening = Some(opening);
            (answering.stream(prelude), true)
        }
    })
}

/// Answers a request that belongs to no session. When its client leaves, the call is given up:
/// without a session there is nothing to come back to.
pub(super) async fn transient(
    front: &Arc<Sessions>,
    transient: Transient,
    tap: Tap,
    exchange: ExchangeId,
) -> Response<Body> {
    let session = transient.session();
    let mut answering = Answering::new(front, session, tap, vec![exchange]);
    answering.transient = Some(transient);
    answering.respond_one().await
}

/// What came first.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly always an answer, made once per request"
)]
enum First {
    /// The answer; nothing for a cancelled call.
    Answer(Option<Message>),
    /// Something else, or silence.
    Other(Vec<Message>),
}

/// A POST that is being answered. Where its client leaves before anything was written, the calls
/// go on and a small task sees them to their end.
pub(super) struct Answering<'a> {
    front: &'a Arc<Sessions>,
    session: Arc<Session>,
    /// Taken when the answer becomes a stream.
    tap: Option<Tap>,
    open: Vec<ExchangeId>,
    transient: Option<Transient>,
    opening: Option<Opening>,
}

impl<'a> Answering<'a> {
    pub(super) fn new(
        front: &'a Arc<Sessions>,
        session: Arc<Session>,
        tap: Tap,
        open: Vec<ExchangeId>,
    ) -> Self {
        Self {
            front,
            session,
            tap: Some(tap),
            open,
            transient: None,
            opening: None,
        }
    }

    /// One more call was sent, whose events come here.
    pub(super) fn add(&mut self, exchange: ExchangeId) {
        self.open.push(exchange);
    }

    async fn respond_one(mut self) -> Response<Body> {
        match self.first().await {
            First::Answer(Some(message)) => body::json(&[message], false),
            First::Answer(None) => rescue::silent_stream(),
            First::Other(prelude) => self.stream(prelude),
        }
    }

    /// Answers a POST that holds a batch. `collected` are answers that are known already, of elements
    /// that were refused.
    pub(super) async fn respond_all(mut self, mut collected: Vec<Message>) -> Response<Body> {
        while !self.open.is_empty() {
            match self.first().await {
                First::Answer(message) => collected.extend(message),
                First::Other(prelude) => {
                    collected.extend(prelude);
                    return self.stream(collected);
                }
            }
        }
        if collected.is_empty() {
            rescue::silent_stream()
        } else {
            body::json(&collected, true)
        }
    }

    /// Waits for the next event, or for the end of patience.
    async fn first(&mut self) -> First {
        let Some(tap) = &mut self.tap else {
            return First::Answer(None);
        };
        let item = tokio::time::timeout(self.front.settings.silence, tap.next()).await;
        self.judge(item.ok())
    }

    /// What the next event means for the kind of answer; without one there was silence.
    fn judge(&mut self, item: Option<Option<Item>>) -> First {
        let Some(item) = item else {
            return First::Other(Vec::new());
        };
        match item {
            Some(Item::Event(tagged)) => {
                let Rendered { message, done } = render::render(&self.session, tagged);
                match done {
                    Some(done) => {
                        self.open.retain(|open| *open != done);
                        if self.session.is_ended() {
                            // A client that ends its session has often closed its own reader;
                            // the Python SDK fails on a JSON answer then, and not on a stream.
                            return First::Other(message.into_iter().collect());
                        }
                        First::Answer(message)
                    }
                    None => First::Other(message.into_iter().collect()),
                }
            }
            Some(Item::Overflow) => {
                let open = std::mem::take(&mut self.open);
                let session = &self.session;
                First::Other(
                    open.into_iter()
                        .filter_map(|exchange| render::overflow(session, exchange))
                        .collect(),
                )
            }
            None => {
                self.open.clear();
                First::Answer(None)
            }
        }
    }

    /// From here on the answer is a stream.
    fn stream(mut self, prelude: Vec<Message>) -> Response<Body> {
        let Some(tap) = self.tap.take() else {
            return rescue::silent_stream();
        };
        let id = self
            .session
            .open_stream(tap.outlet(), std::mem::take(&mut self.open));
        let stream = EventStream::new(
            Arc::clone(&self.session),
            id,
            tap,
            self.front.settings.keep_alive,
        )
        .primed()
        .after(prelude)
        .of(self.transient.take())
        .beginning(self.opening.take());
        stream::response(stream)
    }
}

impl Drop for Answering<'_> {
    /// The client left before anything was written, so it has no event id to come back with.
    /// Its calls are not cancelled (2025-03-26 to 2025-11-25: a disconnection should not be read
    /// as that), but somebody has to see their end: the session's record may depend on it.
    fn drop(&mut self) {
        let Some(tap) = self.tap.take() else { return };
        if self.open.is_empty() || self.transient.is_some() {
            return;
        }
        tap.unattend();
        let (session, open) = (Arc::clone(&self.session), std::mem::take(&mut self.open));
        tokio::spawn(async move { see_to_the_end(&session, tap, open).await });
    }
}

/// Reads a stream whose client has left.
async fn see_to_the_end(session: &Session, mut tap: Tap, mut open: Vec<ExchangeId>) {
    while !open.is_empty() {
        match tap.next().await {
            Some(Item::Event(tagged)) => {
                if let Event::Ask { ask, question } = &tagged.event {
                    render::decline(session, *ask, question);
                }
                if let Some(done) = render::render(session, tagged).done {
                    open.retain(|open| *open != done);
                }
            }
            Some(Item::Overflow) | None => {
                for exchange in open.drain(..) {
                    let _told_nobody = render::overflow(session, exchange);
                }
            }
        }
    }
}
