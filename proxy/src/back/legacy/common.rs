//! What several clients of one server must not see of each other.
//!
//! A common server was initialised once, by the proxy. A client's `initialize` is answered from
//! memory; a log level is the client's own and the server's is the lowest anybody wants; a
//! subscription reaches the server once and ends with the last client that has it.

use bytes::Bytes;
use mcp_wire::{ErrorCode, Id, Member, Message, Version, method, object};
use tokio::time::Instant;

use super::machine::{Feed, Machine, OURS};
use crate::exchange::{Call, ExchangeId, FeedId, Outcome, Outlet, Revival, level};
use crate::link::Link;

/// Resources one client of a common server may be subscribed to.
const MAX_SUBSCRIPTIONS: usize = 1024;

/// How a common server greeted the proxy.
#[derive(Default)]
pub(super) struct Welcome {
    /// Its answer to our `initialize`; absent until the greeting is over.
    pub(super) result: Option<Message>,
}

impl Welcome {
    /// The answer to a client's `initialize`, in the version the client asked for when that is
    /// one the server's own covers.
    fn answer(&self, asked: Option<Version>) -> Option<Message> {
        let mut message = self.result.clone()?;
        let result = message.result()?;
        let member = object::find(result, "protocolVersion")?;
        let (spoken, span) = (version(member.value), member.span);
        if let (Some(asked), Some(spoken), Some(whole)) = (asked, spoken, message.result_span())
            && asked < spoken
        {
            let text = Bytes::from(format!("\"{}\"", asked.as_str()));
            message.replace_span(span.shift(whole.start), text);
        }
        Some(message)
    }
}

impl Machine {
    /// Answers what a common server need not be asked; otherwise adapts the call and lets it go.
    pub(super) fn answer_common(&mut self, feed: FeedId, call: &mut Call) -> Option<Outcome> {
        let message = &mut call.message;
        match message.method().unwrap_or_default() {
            method::INITIALIZE => {
                let asked = message.member(Member::ProtocolVersion).and_then(version);
                self.common
                    .as_ref()
                    .and_then(|welcome| welcome.answer(asked))
                    .map(Outcome::Result)
            }
            method::SET_LEVEL => {
                let wanted = message.string(Member::Level);
                let Some(wanted) = wanted.as_deref().and_then(level::position) else {
                    return Some(Outcome::Error(mcp_wire::error_message(
                        message.id().as_ref(),
                        ErrorCode::INVALID_PARAMS,
                        "unknown log level",
                        None,
                    )));
                };
                if let Some(feed) = self.feeds.get_mut(&feed) {
                    feed.level = Some(wanted);
                }
                let lowest = self
                    .feeds
                    .values()
                    .filter_map(|feed| feed.level)
                    .min()
                    .unwrap_or(wanted);
                message.replace(
                    Member::Level,
                    Bytes::from(format!("\"{}\"", level::name(lowest)?)),
                );
                None
            }
            method::RESOURCES_SUBSCRIBE => {
                let uri = Bytes::copy_from_slice(message.member(Member::Uri)?);
                let feed = self.feeds.get_mut(&feed)?;
                if !feed.uris.contains(&uri) {
                    if feed.uris.len() >= MAX_SUBSCRIPTIONS {
                        return Some(Outcome::Error(mcp_wire::error_message(
                            message.id().as_ref(),
                            ErrorCode::INTERNAL_ERROR,
                            "this session has too many subscriptions",
                            None,
                        )));
                    }
                    feed.uris.push(uri);
                }
                None
            }
            method::RESOURCES_UNSUBSCRIBE => {
                let uri = message.member(Member::Uri)?;
                let mine = self.feeds.get_mut(&feed)?;
                mine.uris.retain(|known| known != uri);
                self.feeds
                    .values()
                    .any(|feed| feed.uris.iter().any(|known| known == uri))
                    .then(|| empty(message))
            }
            _ => None,
        }
    }

    /// Tells a new server what a client had told its predecessor, as if the client said it again.
    pub(super) fn remember(
        &mut self,
        feed: FeedId,
        revival: &Revival,
        deadline: Instant,
        link: &dyn Link,
    ) {
        for request in revival.level.iter().chain(&revival.subscriptions) {
            let Ok(message) = Message::parse(request.clone()) else {
                continue;
            };
            // The answers are nobody's: the client has had them.
            let (outlet, _unread) = Outlet::new(0);
            let mut call = Call {
                message,
                exchange: ExchangeId::STANDING,
                outlet,
                deadline,
            };
            if self.answer_common(feed, &mut call).is_none() {
                let _unheard = self.start(OURS, call, link);
            }
        }
    }

    /// A client left: what only it had subscribed to is unsubscribed.
    pub(super) fn unsubscribe_all(&mut self, left: &Feed, link: &dyn Link) {
        if self.common.is_none() {
            return;
        }
        for uri in &left.uris {
            if self.feeds.values().any(|feed| feed.uris.contains(uri)) {
                continue;
            }
            let mut params = b"{\"uri\":".to_vec();
            params.extend_from_slice(uri);
            params.push(b'}');
            // Nobody waits for the answer; it is dropped as late.
            let request =
                mcp_wire::request(&Id::number(0), method::RESOURCES_UNSUBSCRIBE, Some(&params));
            let _unheard = link.send(&request);
        }
    }
}

fn empty(message: &Message) -> Outcome {
    let id = message.id().unwrap_or_else(|| Id::number(0));
    Outcome::Result(mcp_wire::result_message(&id, b"{}"))
}

/// A version from its JSON text.
fn version(text: &[u8]) -> Option<Version> {
    std::str::from_utf8(text)
        .ok()?
        .trim_matches('"')
        .parse()
        .ok()
}
