//! The handshake the proxy makes itself: for a common server, for one of callers, and for the
//! successor of a server that died under a session.

use std::time::Duration;

use bytes::Bytes;
use mcp_wire::{Id, Message, Version, method};
use tokio::time::Instant;

use super::super::ours::{self, failed};
use super::Legacy;
use super::machine::OURS;
use crate::exchange::{FeedId, Outcome, Profile, Refusal, Revival};

/// What we say of ourselves to a server that is not of one client.
fn own_initialize(profile: Profile) -> Message {
    let params = format!(
        r#"{{"protocolVersion":"{}","capabilities":{},"clientInfo":{{"name":"mcp-proxy","version":"{}"}}}}"#,
        Version::LATEST_LEGACY.as_str(),
        profile.capabilities(),
        env!("CARGO_PKG_VERSION"),
    );
    mcp_wire::request(&Id::number(0), method::INITIALIZE, Some(params.as_bytes()))
}

impl Legacy {
    /// Greets a common server and keeps its answer for the clients to come.
    ///
    /// # Errors
    ///
    /// [`Refusal::Start`] when the server ends, refuses or does not answer within `limit`.
    ///
    /// # Cancel safety
    ///
    /// Not resumable: a server whose greeting was dropped is to be stopped.
    pub async fn welcome(&self, limit: Duration) -> Result<(), Refusal> {
        // No capability is declared: with several clients behind one child, a question could reach
        // the wrong one.
        let result = self.handshake(own_initialize(Profile::NONE), limit).await?;
        if let Some(welcome) = &mut self.machine.lock().common {
            // Kept for as long as the server lives: not as a slice of the read buffer.
            welcome.result = Message::parse(Bytes::copy_from_slice(&result.to_bytes())).ok();
        }
        Ok(())
    }

    /// Greets a server of callers who can be asked what `profile` says, and gives the text of its
    /// `InitializeResult`.
    ///
    /// # Errors
    ///
    /// As [`Legacy::welcome`].
    ///
    /// # Cancel safety
    ///
    /// As [`Legacy::welcome`].
    pub async fn introduce(&self, profile: Profile, limit: Duration) -> Result<Bytes, Refusal> {
        let result = self.handshake(own_initialize(profile), limit).await?;
        Ok(Bytes::copy_from_slice(result.result().unwrap_or_default()))
    }

    /// Tells a new server what a client had told its predecessor.
    ///
    /// # Errors
    ///
    /// As [`Legacy::welcome`]. A level or a subscription the new server refuses is let go: the
    /// client learns nothing new from an error it did not cause.
    ///
    /// # Cancel safety
    ///
    /// As [`Legacy::welcome`].
    pub async fn revive(&self, revival: &Revival, limit: Duration) -> Result<(), Refusal> {
        let initialize = Message::parse(revival.initialize.clone())
            .map_err(|fault| failed(fault.to_string()))?;
        self.handshake(initialize, limit).await?;
        for request in revival.level.iter().chain(&revival.subscriptions) {
            if let Ok(request) = Message::parse(request.clone()) {
                self.ask(request, limit).await?;
            }
        }
        Ok(())
    }

    /// What [`Legacy::revive`] does, for one client of a common server that was greeted already.
    /// Nothing waits for the server's answers: the client has had them.
    pub fn remember(&self, feed: FeedId, revival: &Revival, limit: Duration) {
        self.machine
            .lock()
            .remember(feed, revival, Instant::now() + limit, &self.link);
    }

    async fn handshake(&self, initialize: Message, limit: Duration) -> Result<Message, Refusal> {
        match self.ask(initialize, limit).await? {
            Outcome::Result(result) => {
                let initialized = mcp_wire::notification(method::INITIALIZED, None);
                self.machine.lock().send(&initialized, &self.link)?;
                Ok(result)
            }
            Outcome::Error(error) => Err(failed(format!(
                "it refused initialize: {}",
                String::from_utf8_lossy(error.error().unwrap_or_default())
            ))),
            Outcome::Lost(loss) => Err(failed(loss.sentence)),
            Outcome::Cancelled => Err(failed("it was stopped".to_owned())),
        }
    }

    /// One request of our own, answered or lost.
    async fn ask(&self, message: Message, limit: Duration) -> Result<Outcome, Refusal> {
        let (call, tap) = ours::call(message, Instant::now() + limit);
        {
            let mut machine = self.machine.lock();
            match machine.start(OURS, call, &self.link) {
                // It ended before it could be greeted: how, is a better answer than that.
                Err(Refusal::Gone) => return Err(failed(machine.last_words())),
                sent => sent?,
            };
        }
        ours::outcome(tap).await
    }
}
