//! What a session needs to be revived: one small serialisable value from the first day.

use bytes::Bytes;
use mcp_wire::{Member, Message};
use serde::{Deserialize, Serialize};

use crate::exchange::Revival;

/// Subscriptions kept for revival. A client that subscribes to more keeps them on the living
/// child and loses the oldest when that child is replaced.
const MAX_SUBSCRIPTIONS: usize = 1024;

/// Everything a client told its server that a successor has to know.
///
/// Requests are kept as the text the client sent, so nothing it said is lost in a model of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The principal's name.
    pub principal: String,
    /// The client's `initialize` request.
    pub initialize: String,
    /// The protocol version the server settled on, as it wrote it.
    pub version: Option<String>,
    /// The `logging/setLevel` request accepted last.
    pub level: Option<String>,
    /// URI (as JSON text) and `resources/subscribe` request of every subscription that stands.
    pub subscriptions: Vec<(String, String)>,
}

impl Record {
    /// A record of a client that has only said `initialize`.
    #[must_use]
    pub fn new(principal: &str, initialize: &Message) -> Self {
        Self {
            principal: principal.to_owned(),
            initialize: text(initialize.source()),
            ..Self::default()
        }
    }

    /// The client has said `initialize` only now.
    pub fn initialized(&mut self, initialize: &Message) {
        self.initialize = text(initialize.source());
    }

    /// The server accepted this `logging/setLevel`.
    pub fn leveled(&mut self, request: &Message) {
        self.level = Some(text(request.source()));
    }

    /// The server accepted this `resources/subscribe`.
    pub fn subscribed(&mut self, request: &Message) {
        if let Some(uri) = request.member(Member::Uri).map(text) {
            self.subscriptions.retain(|(known, _)| *known != uri);
            if self.subscriptions.len() >= MAX_SUBSCRIPTIONS {
                self.subscriptions.remove(0);
            }
            self.subscriptions.push((uri, text(request.source())));
        }
    }

    /// The server accepted this `resources/unsubscribe`.
    pub fn unsubscribed(&mut self, request: &Message) {
        if let Some(uri) = request.member(Member::Uri).map(text) {
            self.subscriptions.retain(|(known, _)| *known != uri);
        }
    }

    /// What a new child is told first.
    #[must_use]
    pub fn revival(&self) -> Revival {
        let bytes = |text: &String| Bytes::copy_from_slice(text.as_bytes());
        Revival {
            initialize: bytes(&self.initialize),
            level: self.level.as_ref().map(bytes),
            subscriptions: self
                .subscriptions
                .iter()
                .map(|(_, request)| bytes(request))
                .collect(),
        }
    }
}

/// Message text is UTF-8 by the time it is a `Message`.
fn text(bytes: &(impl AsRef<[u8]> + ?Sized)) -> String {
    String::from_utf8_lossy(bytes.as_ref()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Message {
        Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
    }

    #[test]
    fn the_last_word_on_a_subscription_counts() {
        let mut record = Record::default();
        let subscribe = message(
            r#"{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"a://b"}}"#,
        );
        let unsubscribe = message(
            r#"{"jsonrpc":"2.0","id":2,"method":"resources/unsubscribe","params":{"uri":"a://b"}}"#,
        );
        record.subscribed(&subscribe);
        record.subscribed(&subscribe);
        assert_eq!(record.revival().subscriptions.len(), 1);
        record.unsubscribed(&unsubscribe);
        assert!(record.revival().subscriptions.is_empty());
    }

    #[test]
    fn a_record_survives_being_written_down() {
        let initialize =
            message(r#"{"jsonrpc":"2.0","id":"é","method":"initialize","params":{"x":0.10}}"#);
        let record = Record::new("alice", &initialize);
        let written = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&written).unwrap(), record);
        assert_eq!(record.revival().initialize, initialize.source());
    }
}
