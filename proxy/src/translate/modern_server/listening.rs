//! The one subscription of a client (2026-07-28, subscriptions): what it wants to hear of, what is
//! listened to, and how the one follows the other.
//!
//! A subscription cannot be changed. When the wish changes another one is opened, and the one before
//! is ended once the server has acknowledged its successor, so that nothing is missed between; what
//! the one before brings after that moment is dropped, so that nothing comes twice.

use bytes::Bytes;
use mcp_wire::{Id, Message, method, object};
use serde_json::value::RawValue;

use super::welcome::Offers;
use crate::exchange::Key;

/// Resources one client may be subscribed to. As many as a session's record keeps.
const MAX_URIS: usize = 1024;

/// A resource that is subscribed to.
#[derive(Clone, Debug)]
struct Wish {
    /// What the URI says: two may spell it differently.
    uri: String,
    /// As the client wrote it, quotes included.
    text: Bytes,
}

/// A subscription at the server.
#[derive(Debug)]
struct Listen {
    number: u64,
    /// `None` until the server has taken it.
    key: Option<Key>,
    /// The URIs it was opened for; of an acknowledged one, those that the server honours.
    uris: Vec<String>,
}

/// What a client hears of apart from its calls.
#[derive(Debug)]
pub(super) struct Listening {
    offers: Offers,
    /// The client can be told.
    on: bool,
    wishes: Vec<Wish>,
    /// What is heard.
    current: Option<Listen>,
    /// Its successor, which the server has not acknowledged.
    opening: Option<Listen>,
    /// The server has ended the last one by itself. It is left alone until [`Listening::again`].
    resting: bool,
    next: u64,
}

/// What became of a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wished {
    /// It is heard of already.
    Heard,
    /// It will be known when the server has acknowledged a subscription with this URI.
    Unknown(String),
    /// There are too many.
    TooMany,
}

/// What the server has said to a subscription.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// The subscription before, which is to be ended.
    pub(super) before: Option<Key>,
    /// The URIs that are heard of now.
    pub(super) honoured: Vec<String>,
    /// The URIs that were wished for in vain.
    pub(super) refused: Vec<String>,
}

impl Listening {
    /// Of a server that offers this.
    pub(super) const fn new(offers: Offers) -> Self {
        Self {
            offers,
            on: false,
            wishes: Vec::new(),
            current: None,
            opening: None,
            resting: false,
            next: 1,
        }
    }

    /// The client can be told from now on.
    pub(super) const fn begin(&mut self) {
        self.on = true;
    }

    /// After a rest: the server may be asked again.
    pub(super) const fn again(&mut self) {
        self.resting = false;
    }

    /// The client wants to hear of a resource; `text` is the JSON text of its URI.
    pub(super) fn wish(&mut self, text: &[u8]) -> Wished {
        let uri = said(text);
        self.on = true;
        if self
            .current
            .as_ref()
            .is_some_and(|current| current.uris.contains(&uri))
        {
            return Wished::Heard;
        }
        // Whoever wishes again may find the server of another mind.
        self.resting = false;
        if !self.wishes.iter().any(|wish| wish.uri == uri) {
            if self.wishes.len() >= MAX_URIS {
                return Wished::TooMany;
            }
            let text = Bytes::copy_from_slice(text);
            self.wishes.push(Wish {
                uri: uri.clone(),
                text,
            });
        }
        Wished::Unknown(uri)
    }

    /// The client does not want to any more.
    pub(super) fn unwish(&mut self, text: &[u8]) {
        let uri = said(text);
        self.wishes.retain(|wish| wish.uri != uri);
    }

    /// The next request to open a subscription, where another one is wanted than there is. `meta` are
    /// the members of its `_meta`.
    pub(super) fn open(&mut self, meta: &[u8]) -> Option<(u64, Message)> {
        if !self.on || self.resting || self.opening.is_some() {
            return None;
        }
        let uris: Vec<String> = self.wishes.iter().map(|wish| wish.uri.clone()).collect();
        match &self.current {
            Some(current) if same(&current.uris, &uris) => return None,
            None if self.wishes.is_empty() && !self.tells_of_lists() => return None,
            _ => {}
        }
        let number = self.next;
        self.next += 1;
        let request = self.request(number, meta)?;
        self.opening = Some(Listen {
            number,
            key: None,
            uris,
        });
        Some((number, request))
    }

    const fn tells_of_lists(&self) -> bool {
        self.offers.tools || self.offers.prompts || self.offers.resources
    }

    fn request(&self, number: u64, meta: &[u8]) -> Option<Message> {
        let Offers {
            tools,
            prompts,
            resources,
            ..
        } = self.offers;
        let mut filter: Vec<Bytes> = [
            (tools, "\"toolsListChanged\":true"),
            (prompts, "\"promptsListChanged\":true"),
            (resources, "\"resourcesListChanged\":true"),
        ]
        .into_iter()
        .filter(|(offered, _)| *offered)
        .map(|(_, text)| Bytes::from_static(text.as_bytes()))
        .collect();
        if !self.wishes.is_empty() {
            let uris: Vec<&[u8]> = self.wishes.iter().map(|wish| &wish.text[..]).collect();
            let uris = [&b"\"resourceSubscriptions\":["[..], &uris.join(&b','), b"]"].concat();
            filter.push(uris.into());
        }
        let id = Id::number(number);
        let text = [
            b"{\"jsonrpc\":\"2.0\",\"id\":",
            id.text(),
            b",\"method\":\"",
            method::LISTEN.as_bytes(),
            b"\",\"params\":{\"notifications\":{",
            &filter.join(&b','),
            b"},\"_meta\":{",
            meta,
            b"}}}",
        ]
        .concat();
        Message::parse(text.into()).ok()
    }

    /// The server has taken the request of this number. False if it is not wanted any more.
    pub(super) fn taken(&mut self, number: u64, key: Key) -> bool {
        let mut both = self.current.iter_mut().chain(&mut self.opening);
        let listen = both.find(|listen| listen.number == number);
        listen.map(|listen| listen.key = Some(key)).is_some()
    }

    /// Whether what this subscription brings is for the client.
    pub(super) fn hears(&self, number: u64) -> bool {
        self.current
            .as_ref()
            .is_some_and(|current| current.number == number)
    }

    /// The server has acknowledged a subscription; `honoured` is the part of the filter that it
    /// honours. A wish it does not is forgotten.
    pub(super) fn acknowledged(&mut self, number: u64, honoured: &[u8]) -> Settled {
        let Some(mut listen) = self.opening.take_if(|listen| listen.number == number) else {
            return Settled::default();
        };
        let list = object::get(honoured, "resourceSubscriptions").unwrap_or(b"[]");
        let list: Vec<&RawValue> = serde_json::from_slice(list).unwrap_or_default();
        let list: Vec<String> = list.iter().map(|uri| said(uri.get().as_bytes())).collect();
        let (honoured, refused) = listen.uris.drain(..).partition(|uri| list.contains(uri));
        listen.uris = honoured;
        self.forget(&refused);
        let settled = Settled {
            before: self.current.take().and_then(|before| before.key),
            honoured: listen.uris.clone(),
            refused,
        };
        self.current = Some(listen);
        settled
    }

    /// A subscription is over, or was never taken. Whoever wished for something in an unacknowledged
    /// one has wished in vain. True if another one may be opened after a rest.
    pub(super) fn ended(&mut self, number: u64) -> (Settled, bool) {
        if let Some(listen) = self.opening.take_if(|listen| listen.number == number) {
            self.forget(&listen.uris);
            // What was heard before still is. A server that takes none is not asked again of itself.
            self.resting = self.current.is_none();
            let settled = Settled {
                refused: listen.uris,
                ..Settled::default()
            };
            return (settled, false);
        }
        let ours = self.current.take_if(|current| current.number == number);
        self.resting |= ours.is_some();
        (Settled::default(), ours.is_some())
    }

    /// Nothing is listened to any more. Gives what is to be ended.
    pub(super) fn end(&mut self) -> Vec<Key> {
        self.on = false;
        let both = self.current.take().into_iter().chain(self.opening.take());
        both.filter_map(|listen| listen.key).collect()
    }

    /// These wishes were in vain, or are not there any more.
    pub(super) fn forget(&mut self, uris: &[String]) {
        self.wishes.retain(|wish| !uris.contains(&wish.uri));
    }
}

/// What a JSON string says; other text stands for itself.
fn said(text: &[u8]) -> String {
    object::string(text).map_or_else(
        || String::from_utf8_lossy(text).into_owned(),
        std::borrow::Cow::into_owned,
    )
}

/// Whether both hold the same, in any order. Neither holds anything twice.
fn same(one: &[String], other: &[String]) -> bool {
    one.len() == other.len() && one.iter().all(|uri| other.contains(uri))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listening() -> Listening {
        let mut listening = Listening::new(Offers {
            tools: true,
            ..Offers::default()
        });
        assert!(listening.open(b"").is_none(), "the client is not ready");
        listening.begin();
        listening
    }

    fn filter(request: &Message) -> String {
        let params = request.params().unwrap();
        let filter = object::get(params, "notifications").unwrap();
        String::from_utf8(filter.to_vec()).unwrap()
    }

    fn opens(listening: &mut Listening) -> (u64, String) {
        let (number, request) = listening.open(b"").unwrap();
        assert!(listening.taken(number, number + 100));
        (number, filter(&request))
    }

    #[test]
    fn another_wish_is_another_subscription_and_the_one_before_ends_after_it() {
        let mut listening = listening();
        let (first, asked) = opens(&mut listening);
        assert_eq!(asked, r#"{"toolsListChanged":true}"#);
        assert!(listening.acknowledged(first, b"{}").before.is_none());
        assert!(listening.hears(first));

        listening.wish(br#""a:\/\/b""#);
        let (second, asked) = opens(&mut listening);
        assert_eq!(
            asked,
            r#"{"toolsListChanged":true,"resourceSubscriptions":["a:\/\/b"]}"#
        );
        // More wishes wait for the acknowledgement.
        assert_eq!(listening.wish(br#""c""#), Wished::Unknown("c".to_owned()));
        assert!(listening.open(b"").is_none());
        assert!(listening.hears(first) && !listening.hears(second));

        let settled = listening.acknowledged(second, br#"{"resourceSubscriptions":["a://b"]}"#);
        assert_eq!(settled.before, Some(first + 100));
        assert_eq!(settled.honoured, ["a://b"]);
        assert!(listening.hears(second) && !listening.hears(first));
        assert_eq!(listening.wish(br#""a://b""#), Wished::Heard);

        let (third, _) = opens(&mut listening);
        let settled = listening.acknowledged(third, br#"{"resourceSubscriptions":["a://b"]}"#);
        assert_eq!(settled.refused, ["c"]);
        assert!(
            listening.open(b"").is_none(),
            "what is refused is forgotten"
        );

        listening.unwish(br#""a://b""#);
        let (_, asked) = opens(&mut listening);
        assert_eq!(asked, r#"{"toolsListChanged":true}"#);
    }

    #[test]
    fn a_server_that_ends_a_subscription_is_asked_again_after_a_rest() {
        let mut listening = listening();
        let (first, _) = opens(&mut listening);
        listening.acknowledged(first, b"{}");
        let (settled, again) = listening.ended(first);
        assert!(again && settled.refused.is_empty());
        assert!(listening.open(b"").is_none());
        listening.again();
        assert!(listening.open(b"").is_some());
    }

    #[test]
    fn a_server_that_takes_none_is_asked_again_for_a_wish_only() {
        let mut listening = listening();
        let (first, _) = opens(&mut listening);
        assert!(!listening.ended(first).1);
        assert!(listening.open(b"").is_none());
        listening.wish(b"\"a\"");
        let (second, _) = opens(&mut listening);
        let (settled, again) = listening.ended(second);
        assert_eq!((settled.refused, again), (vec!["a".to_owned()], false));
    }

    #[test]
    fn there_may_be_so_many() {
        let mut listening = listening();
        for n in 0..MAX_URIS {
            let wished = listening.wish(format!("\"{n}\"").as_bytes());
            assert_eq!(wished, Wished::Unknown(n.to_string()));
        }
        assert_eq!(listening.wish(b"\"more\""), Wished::TooMany);
        assert_eq!(listening.wish(b"\"0\""), Wished::Unknown("0".to_owned()));
    }

    #[test]
    fn the_end_is_of_all_of_them() {
        let mut listening = listening();
        let (first, _) = opens(&mut listening);
        listening.acknowledged(first, b"{}");
        listening.wish(b"\"a\"");
        let (second, _) = opens(&mut listening);
        assert_eq!(listening.end(), [first + 100, second + 100]);
        assert!(!listening.taken(second, 1));
        assert!(listening.open(b"").is_none());
    }
}
