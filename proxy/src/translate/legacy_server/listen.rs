//! Subscriptions: one request of a client, made of what several servers tell.
//!
//! A server of the session eras tells its changes to whoever greeted it. Every client that listens
//! gets its own copy, marked with its own id. Resources it wants to hear of are subscribed to at the
//! server, once for all who want the same, and as long as anybody does.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use mcp_wire::{Id, Member, Message, method, object};

use super::desk::Desk;
use super::own;
use super::station::Station;
use super::welcome::Changes;
use crate::exchange::{Blame, Call, Event, ExchangeId, Key, Loss, Outcome, Outlet, Retry};

/// By what a notification names its subscription.
const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";

/// What tells the key of a subscription from one that a server's conversation gave out. Policies have
/// the bit above.
const LISTENING: Key = 1 << 62;

/// Resources one subscription may name.
const MAX_URIS: usize = 1024;

/// Whether this is the key of a subscription.
pub(super) const fn is_listening(key: Key) -> bool {
    key & LISTENING != 0
}

/// The subscriptions of one desk.
#[derive(Default)]
pub(super) struct Listeners {
    next: Key,
    list: Vec<Listener>,
    /// How many want each resource, by its URI as JSON text.
    wanted: HashMap<Bytes, usize>,
}

/// One client that listens.
struct Listener {
    key: Key,
    /// The text of the id by which its client knows the subscription.
    id: Bytes,
    changes: Changes,
    uris: Vec<Bytes>,
    outlet: Outlet,
    exchange: ExchangeId,
    /// Whose servers' end is its end; gone while there is none.
    station: Weak<Station>,
    /// What was told before the client was told what it listens to.
    early: Option<Vec<Message>>,
}

impl Listener {
    fn wants(&self, name: &str, uri: Option<&[u8]>) -> bool {
        match name {
            method::TOOLS_LIST_CHANGED => self.changes.tools,
            method::PROMPTS_LIST_CHANGED => self.changes.prompts,
            method::RESOURCES_LIST_CHANGED => self.changes.resources,
            method::RESOURCES_UPDATED => {
                uri.is_some_and(|uri| self.uris.iter().any(|wanted| wanted == uri))
            }
            _ => false,
        }
    }

    fn tell(&mut self, mut message: Message) {
        if !message.insert_meta(SUBSCRIPTION_ID, self.id.clone()) {
            return;
        }
        match &mut self.early {
            Some(early) => early.push(message),
            None => {
                self.outlet.push(self.exchange, Event::Notify(message));
            }
        }
    }

    /// Everything it listens to may have changed.
    fn catch_up(&mut self) {
        let lists = [
            (self.changes.tools, method::TOOLS_LIST_CHANGED),
            (self.changes.prompts, method::PROMPTS_LIST_CHANGED),
            (self.changes.resources, method::RESOURCES_LIST_CHANGED),
        ];
        for (_, name) in lists.into_iter().filter(|(wanted, _)| *wanted) {
            self.tell(mcp_wire::notification(name, None));
        }
        for uri in self.uris.clone() {
            let params = params_of(&uri);
            self.tell(mcp_wire::notification(
                method::RESOURCES_UPDATED,
                Some(&params),
            ));
        }
    }
}

/// A client listens from now on.
pub(super) fn begin(station: &Arc<Station>, call: Call) -> Key {
    let filter = call
        .message
        .params()
        .and_then(|params| object::get(params, "notifications"))
        .unwrap_or(b"{}");
    let offered = station.welcome.changes;
    let wants = |name| object::get(filter, name) == Some(b"true");
    let changes = Changes {
        tools: offered.tools && wants("toolsListChanged"),
        prompts: offered.prompts && wants("promptsListChanged"),
        resources: offered.resources && wants("resourcesListChanged"),
    };
    let uris = uris(filter, station.welcome.subscribe);
    let mut listeners = station.desk.listeners.lock();
    listeners.next += 1;
    let key = listeners.next | LISTENING;
    listeners.list.push(Listener {
        key,
        id: Bytes::copy_from_slice(call.message.id_text().unwrap_or(b"null")),
        changes,
        uris: Vec::new(),
        outlet: call.outlet,
        exchange: call.exchange,
        station: Arc::downgrade(station),
        early: Some(Vec::new()),
    });
    drop(listeners);
    if uris.is_empty() {
        station.desk.acknowledge(key);
    } else {
        let station = Arc::clone(station);
        tokio::spawn(async move {
            for uri in uris {
                station.subscribe(key, uri).await;
            }
            station.desk.acknowledge(key);
        });
    }
    key
}

/// The resources a filter names, each as JSON text.
fn uris(filter: &[u8], offered: bool) -> Vec<Bytes> {
    let Some(listed) = object::get(filter, "resourceSubscriptions").filter(|_| offered) else {
        return Vec::new();
    };
    let listed: Vec<&serde_json::value::RawValue> =
        serde_json::from_slice(listed).unwrap_or_default();
    let mut uris: Vec<Bytes> = Vec::new();
    let texts = listed.iter().map(|uri| uri.get().as_bytes());
    for text in texts.filter(|text| text.starts_with(b"\"")) {
        if uris.len() < MAX_URIS && !uris.iter().any(|known| known == text) {
            uris.push(Bytes::copy_from_slice(text));
        }
    }
    uris
}

fn params_of(uri: &[u8]) -> Vec<u8> {
    [b"{\"uri\":", uri, b"}"].concat()
}

impl Station {
    /// Adds a resource to what a client hears of. One that the server refuses is left out.
    async fn subscribe(&self, key: Key, uri: Bytes) {
        let wanted = self.desk.listeners.lock().wanted.contains_key(&uri);
        if !wanted && !self.ask_for(&uri).await {
            return;
        }
        let mut listeners = self.desk.listeners.lock();
        let Listeners { list, wanted, .. } = &mut *listeners;
        let Some(listener) = list.iter_mut().find(|listener| listener.key == key) else {
            // Its client left meanwhile.
            drop(listeners);
            self.desk.forget(&[uri], self);
            return;
        };
        *wanted.entry(uri.clone()).or_default() += 1;
        listener.uris.push(uri);
        drop(listeners);
        self.server.hold(true);
    }

    async fn ask_for(&self, uri: &[u8]) -> bool {
        let params = params_of(uri);
        let request = mcp_wire::request(&Id::number(0), method::RESOURCES_SUBSCRIBE, Some(&params));
        let limit = self.settings().request;
        let answer = own::ask(&self.server, self.feed, request, limit).await;
        matches!(answer, Some(Outcome::Result(_)))
    }
}

impl Desk {
    /// Tells a client what it listens to, and what happened since it asked.
    fn acknowledge(&self, key: Key) {
        let mut listeners = self.listeners.lock();
        let listener = listeners
            .list
            .iter_mut()
            .find(|listener| listener.key == key);
        let Some(listener) = listener else { return };
        let early = listener.early.take().unwrap_or_default();
        let id = String::from_utf8_lossy(&listener.id);
        let mut honoured = Vec::new();
        for (wanted, name) in [
            (listener.changes.tools, "toolsListChanged"),
            (listener.changes.prompts, "promptsListChanged"),
            (listener.changes.resources, "resourcesListChanged"),
        ] {
            honoured.extend(wanted.then(|| format!("\"{name}\":true")));
        }
        if !listener.uris.is_empty() {
            let uris: Vec<_> = listener
                .uris
                .iter()
                .map(|uri| String::from_utf8_lossy(uri))
                .collect();
            honoured.push(format!("\"resourceSubscriptions\":[{}]", uris.join(",")));
        }
        let params = format!(
            r#"{{"_meta":{{"{SUBSCRIPTION_ID}":{id}}},"notifications":{{{}}}}}"#,
            honoured.join(",")
        );
        let message = mcp_wire::notification(method::ACKNOWLEDGED, Some(params.as_bytes()));
        for message in std::iter::once(message).chain(early) {
            listener
                .outlet
                .push(listener.exchange, Event::Notify(message));
        }
    }

    /// A server told a change. Called under its lock.
    pub(super) fn changed(&self, message: &Message) {
        let name = message.method().unwrap_or_default();
        let uri = message.member(Member::Uri);
        for listener in &mut self.listeners.lock().list {
            if listener.wants(name, uri) {
                listener.tell(message.clone());
            }
        }
    }

    /// A client listens no more.
    pub(super) fn unlisten(&self, key: Key) {
        let listener = {
            let mut listeners = self.listeners.lock();
            let at = listeners
                .list
                .iter()
                .position(|listener| listener.key == key);
            let Some(at) = at else { return };
            listeners.list.swap_remove(at)
        };
        listener
            .outlet
            .push(listener.exchange, Event::Done(Outcome::Cancelled));
        if let Some(station) = listener.station.upgrade() {
            self.release(&listener.uris, &station);
        }
    }

    /// Nobody may want these resources any more.
    fn release(&self, uris: &[Bytes], station: &Station) {
        let unwanted: Vec<Bytes> = {
            let mut listeners = self.listeners.lock();
            let mut ends = |uri: &&Bytes| {
                let count = listeners.wanted.get_mut(*uri);
                count.is_none_or(|count| {
                    *count = count.saturating_sub(1);
                    *count == 0
                })
            };
            uris.iter().filter(|uri| ends(uri)).cloned().collect()
        };
        self.forget(&unwanted, station);
    }

    fn forget(&self, unwanted: &[Bytes], station: &Station) {
        let none = {
            let mut listeners = self.listeners.lock();
            for uri in unwanted {
                listeners.wanted.remove(uri);
            }
            listeners.wanted.is_empty()
        };
        for uri in unwanted {
            let params = params_of(uri);
            let request =
                mcp_wire::request(&Id::number(0), method::RESOURCES_UNSUBSCRIBE, Some(&params));
            own::tell(
                &*station.server,
                station.feed,
                request,
                station.settings().request,
            );
        }
        if none {
            station.server.hold(false);
        }
    }

    /// A server is over. Who listens at one that crashed is told, and may listen again; at one that
    /// was put to sleep nothing changes, and its clients go on with the next. Called under its lock.
    pub(super) fn closed(&self, station: &Station) {
        let crashed = station.crash().get().is_some();
        let mut ended = Vec::new();
        {
            let mut listeners = self.listeners.lock();
            let mut kept = Vec::new();
            for mut listener in std::mem::take(&mut listeners.list) {
                let here = std::ptr::eq(listener.station.as_ptr(), station);
                if here && crashed {
                    ended.push(listener);
                } else {
                    if here {
                        listener.station = Weak::new();
                    }
                    kept.push(listener);
                }
            }
            listeners.list = kept;
            for uri in ended.iter().flat_map(|listener| &listener.uris) {
                if let Some(count) = listeners.wanted.get_mut(uri) {
                    *count = count.saturating_sub(1);
                }
            }
            listeners.wanted.retain(|_, count| *count > 0);
        }
        for listener in ended {
            let loss = Loss {
                blame: Blame::Child,
                retry: Retry::Safe,
                sentence: "the MCP server ended while this subscription was open".to_owned(),
            };
            listener
                .outlet
                .push(listener.exchange, Event::Done(Outcome::Lost(loss)));
        }
    }

    /// A server is there again: who listened at one that was put to sleep goes on at it, and hears
    /// that anything may have changed.
    pub(super) fn opened(self: &Arc<Self>, station: &Arc<Station>) {
        let mut asleep = Vec::new();
        for listener in &mut self.listeners.lock().list {
            if listener.station.strong_count() == 0 {
                listener.station = Arc::downgrade(station);
                asleep.push((listener.key, listener.uris.clone()));
            }
        }
        if asleep.is_empty() {
            return;
        }
        let (desk, station) = (Arc::clone(self), Arc::clone(station));
        tokio::spawn(async move {
            for (key, uris) in asleep {
                for uri in &uris {
                    // One that is refused now stays quiet, as one would that never changes.
                    let _refused = station.ask_for(uri).await;
                }
                if !uris.is_empty() {
                    station.server.hold(true);
                }
                let mut listeners = desk.listeners.lock();
                let listener = listeners
                    .list
                    .iter_mut()
                    .find(|listener| listener.key == key);
                if let Some(listener) = listener {
                    listener.catch_up();
                }
            }
        });
    }
}
