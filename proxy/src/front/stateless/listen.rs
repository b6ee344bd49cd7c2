//! `subscriptions/listen`: a request answered by a stream for as long as its client likes.
//!
//! A subscription belongs to its client, not to the server's process: when that dies, a small task
//! listens again at its successor, and tells the client of everything that may have changed
//! meanwhile. So there is never a silent gap inside a living stream.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use bytes::Bytes;
use mcp_wire::{Id, Message, method, object};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::super::Fault;
use super::Stateless;
use super::call::{ONLY, Wanted};
use crate::exchange::{Blame, Event, ExchangeId, Item, Loss, Outcome, Outlet, Refusal, Tap, Whom};

/// Waits before a subscription is tried again at another server, one after the other; after the
/// last one the client is told. Each failed start is a process, so they grow, and a server that dies
/// soon after counts as one.
const RETRIES: [Duration; 5] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(15),
    Duration::from_secs(60),
];

/// A server that lived this long has not died of what made the one before it die.
const SOUND: Duration = Duration::from_secs(30);

/// What a filter's members are told by.
const CHANGES: [(&str, &str); 3] = [
    ("toolsListChanged", method::TOOLS_LIST_CHANGED),
    ("promptsListChanged", method::PROMPTS_LIST_CHANGED),
    ("resourcesListChanged", method::RESOURCES_LIST_CHANGED),
];

impl Stateless {
    pub(super) async fn listen(
        self: &Arc<Self>,
        whom: Whom,
        message: Message,
    ) -> Result<Response<Body>, Fault> {
        let Some(id) = message.id() else {
            return Err(Fault::Incomplete);
        };
        let (outer, tap) = Outlet::new(self.settings.outlet);
        let listening = self.subscribe(whom, message, (ONLY, outer)).await?;
        Ok(self.answer(id, tap, listening).await)
    }

    /// Begins a subscription, whose events go to this outlet under this name.
    ///
    /// # Errors
    ///
    /// No server could be had, or it takes nothing.
    pub(super) async fn subscribe(
        self: &Arc<Self>,
        whom: Whom,
        message: Message,
        (exchange, outer): (ExchangeId, Outlet),
    ) -> Result<Listening, Fault> {
        let Some(id) = message.id() else {
            return Err(Fault::Incomplete);
        };
        let (near, from_server) = Outlet::new(self.settings.outlet);
        let handle = self
            .send(None, &whom, message.clone(), (ONLY, near))
            .await?;
        let subscription = Subscription {
            front: Arc::clone(self),
            whom,
            // Kept for long: not as a slice of a read buffer.
            message: Message::parse(Bytes::copy_from_slice(&message.to_bytes()))?,
            id: id.compact(),
            exchange,
            outer,
        };
        let wanted = Wanted::uncounted(handle);
        Ok(Listening(tokio::spawn(
            subscription.carry(wanted, from_server),
        )))
    }
}

/// The task behind a subscription. Dropped with its client's stream, it ends, and the server is
/// told.
#[derive(Debug)]
pub(in super::super) struct Listening(JoinHandle<()>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Subscription {
    front: Arc<Stateless>,
    whom: Whom,
    message: Message,
    id: Id,
    /// Its name in `outer`.
    exchange: ExchangeId,
    /// Towards the client.
    outer: Outlet,
}

/// Why one server's part of a subscription is over.
enum End {
    /// The client has been told.
    Told,
    /// It carried nothing for too long.
    Silent,
    /// The server died.
    Lost(Loss),
}

impl Subscription {
    async fn carry(self, mut wanted: Wanted, mut tap: Tap) {
        let mut closing = self.front.closing.subscribe();
        let mut acknowledged = false;
        let mut waits = RETRIES.into_iter();
        loop {
            let begun = Instant::now();
            let end = tokio::select! {
                _ = closing.wait_for(|closing| *closing) => {
                    self.done(Outcome::Result(mcp_wire::subscription_ended(
                        &self.id,
                        self.id.text(),
                    )));
                    return;
                }
                end = self.pass_on(&mut tap, &mut acknowledged) => end,
            };
            if matches!(end, End::Silent) {
                // Its server has not ended it, and is told when `wanted` goes.
                let ended = mcp_wire::subscription_ended(&self.id, self.id.text());
                self.done(Outcome::Result(ended));
                return;
            }
            wanted.answered();
            let loss = match end {
                End::Told | End::Silent => return,
                End::Lost(loss) => loss,
            };
            if !acknowledged || loss.blame != Blame::Child {
                self.done(Outcome::Lost(loss));
                return;
            }
            if begun.elapsed() >= SOUND {
                waits = RETRIES.into_iter();
            }
            let Some((again, from_server)) = self.listen_again(&mut waits).await else {
                self.done(Outcome::Lost(loss));
                return;
            };
            (wanted, tap) = (again, from_server);
        }
    }

    fn done(&self, outcome: Outcome) {
        self.outer.push(self.exchange, Event::Done(outcome));
    }

    /// Everything one server says, until it has said its last.
    async fn pass_on(&self, tap: &mut Tap, acknowledged: &mut bool) -> End {
        loop {
            let next = match self.front.settings.max_stream_idle {
                None => tap.next().await,
                Some(limit) => match tokio::time::timeout(limit, tap.next()).await {
                    Ok(next) => next,
                    Err(_) => return End::Silent,
                },
            };
            let event = match next {
                Some(Item::Event(tagged)) => tagged.event,
                Some(Item::Overflow) | None => {
                    self.done(Outcome::Lost(Loss::unread()));
                    return End::Told;
                }
            };
            match event {
                Event::Notify(message) => {
                    let first = message.method() == Some(method::ACKNOWLEDGED);
                    if first && *acknowledged {
                        self.catch_up(&message);
                    } else {
                        *acknowledged |= first;
                        self.outer.push(self.exchange, Event::Notify(message));
                    }
                }
                Event::Done(Outcome::Lost(loss)) => return End::Lost(loss),
                Event::Done(outcome) => {
                    self.done(outcome);
                    return End::Told;
                }
                Event::Ask { .. } | Event::Withdraw { .. } => {}
            }
        }
    }

    async fn listen_again(
        &self,
        waits: &mut impl Iterator<Item = Duration>,
    ) -> Option<(Wanted, Tap)> {
        for wait in waits {
            tokio::time::sleep(wait).await;
            let (near, from_server) = Outlet::new(self.front.settings.outlet);
            let message = self.message.clone();
            match self
                .front
                .send(None, &self.whom, message, (ONLY, near))
                .await
            {
                Ok(handle) => return Some((Wanted::uncounted(handle), from_server)),
                Err(Fault::Refused(Refusal::Draining | Refusal::OtherEra { .. })) => return None,
                Err(fault) => tracing::debug!("a subscription waits for its server: {fault}"),
            }
        }
        None
    }

    /// Another server has taken the subscription over. Nobody knows what changed in between, so
    /// everything it will tell of is told once.
    fn catch_up(&self, acknowledgement: &Message) {
        let filter = acknowledgement
            .params()
            .and_then(|params| object::get(params, "notifications"))
            .unwrap_or_default();
        for (member, notification) in CHANGES {
            if object::get(filter, member) == Some(b"true") {
                self.tell(notification, "");
            }
        }
        let uris = object::get(filter, "resourceSubscriptions").unwrap_or(b"[]");
        let uris: Vec<&serde_json::value::RawValue> =
            serde_json::from_slice(uris).unwrap_or_default();
        for uri in uris {
            self.tell(
                method::RESOURCES_UPDATED,
                &format!(r#","uri":{}"#, uri.get()),
            );
        }
    }

    fn tell(&self, name: &str, members: &str) {
        let id = String::from_utf8_lossy(self.id.text());
        let params =
            format!(r#"{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}{members}}}"#);
        let message = mcp_wire::notification(name, Some(params.as_bytes()));
        self.outer.push(self.exchange, Event::Notify(message));
    }
}
