//! `--read-only` at a call: made if its tool only reads, refused if not, and where that is not known,
//! asked first.

use std::sync::Arc;

use bytes::Bytes;
use mcp_wire::{Member, Message, method};
use tokio::time::Instant;

use super::deferred::Slot;
use super::hints::{Listing, Unread};
use super::policed::{Place, Watched, count_budget};
use super::tools;
use crate::exchange::{Blame, Call, FeedId, Key, Loss, Outcome, Retry};
use crate::observe::metrics;

/// What is said of a call that nobody could judge.
const UNREAD: &str = "the server's list of tools could not be read, and --read-only needs it";

impl Place {
    /// The tool of a call that may be made only if the tool reads, where that is not known.
    pub(super) fn must_ask(&self, message: &Message) -> Option<String> {
        if !self.who.policies.tools.read_only || message.method() != Some(method::TOOLS_CALL) {
            return None;
        }
        // A server that is gone is not asked; its front looks for another.
        let tool = message
            .string(Member::Name)
            .filter(|_| !self.server.is_gone())?;
        let reads = self.who.hints.reads(&tool, Instant::now());
        (!reads).then(|| tool.into_owned())
    }

    /// Asks the server what the tool does, and makes the call if it only reads.
    pub(super) fn defer(
        &self,
        feed: FeedId,
        call: Call,
        tool: String,
        watched: &Arc<Watched>,
    ) -> Key {
        let meta = call
            .message
            .member(Member::Meta)
            .map(Bytes::copy_from_slice);
        let deferred = Arc::clone(self.deferred.get_or_init(Arc::default));
        let key = deferred.take(call);
        watched.waits_at(Slot {
            deferred: Arc::clone(&deferred),
            key,
        });
        let (server, who) = (Arc::clone(&self.server), Arc::clone(&self.who));
        // Held by the call's outlet; where that is gone, nobody waits.
        let watched = Arc::downgrade(watched);
        tokio::spawn(async move {
            let listing = Listing {
                server: &server,
                feed,
                era: who.era,
                meta,
                ours: &deferred.ours,
            };
            let answer = who.hints.ask(&listing, &tool).await;
            let refused = || {
                if let Some(watched) = watched.upgrade() {
                    watched.refused();
                }
            };
            match answer {
                Ok(true) => deferred.send(key, &*server, |call| {
                    server.call(feed, call).map_err(|refusal| {
                        count_budget(&refusal);
                        refused();
                        Box::new(lost(refusal.to_string()))
                    })
                }),
                Ok(false) => deferred.end(key, |call| {
                    metrics::refused("tool", None);
                    refused();
                    Outcome::Error(tools::unknown(call.message.id().as_ref(), &tool))
                }),
                Err(Unread) => deferred.end(key, |_| {
                    refused();
                    lost(UNREAD.to_owned())
                }),
            }
        });
        key
    }
}

/// Nothing was sent.
fn lost(sentence: String) -> Outcome {
    Outcome::Lost(Loss {
        blame: Blame::Child,
        retry: Retry::Safe,
        sentence,
    })
}
