//! `subscriptions/listen`: standing requests whose answers are notifications, until somebody ends them.

use serde_json::{Map, Value, json};

use crate::{
    message::{Object, quote},
    modern,
    toy::Toy,
};

const SUBSCRIPTION_KEY: &str = "io.modelcontextprotocol/subscriptionId";

/// The lists that a client can be told of, as the filter and as the notification name them.
const LISTS: [(&str, &str); 3] = [
    ("toolsListChanged", "tools"),
    ("resourcesListChanged", "resources"),
    ("promptsListChanged", "prompts"),
];

/// One standing request.
#[derive(Debug)]
pub(crate) struct Listen {
    /// Its id as it was spelled.
    id: String,
    lists: Vec<&'static str>,
    uris: Vec<String>,
}

/// Opens a stream: says first of all what of the filter is honoured.
pub(crate) fn open(toy: &Toy, id: &str, params: &Object) {
    let filter = params.object("notifications");
    let mut honoured = Map::new();
    let mut lists = Vec::new();
    for (name, list) in LISTS {
        if filter.flag(name) {
            honoured.insert(name.to_owned(), true.into());
            lists.push(list);
        }
    }
    let uris: Vec<String> = filter
        .raw("resourceSubscriptions")
        .and_then(|raw| serde_json::from_str(raw).ok())
        .unwrap_or_default();
    if !uris.is_empty() {
        honoured.insert("resourceSubscriptions".to_owned(), json!(uris));
    }
    let listen = Listen {
        id: id.to_owned(),
        lists,
        uris,
    };
    let mut listens = toy.listens();
    let acknowledged = format!(
        r#"{{"notifications":{},{}}}"#,
        Value::Object(honoured),
        listen.tag()
    );
    // Under the lock, so that nothing can be told before it.
    toy.notify("notifications/subscriptions/acknowledged", &acknowledged);
    let is_the_last = listen
        .lists
        .iter()
        .any(|list| toy.flags.exits_on_listen.as_deref() == Some(list));
    listens.push(listen);
    if is_the_last {
        crate::toy::leave(1);
    }
}

impl Listen {
    /// The `_meta` that names the stream.
    fn tag(&self) -> String {
        format!(r#""_meta":{{"{SUBSCRIPTION_KEY}":{}}}"#, self.id)
    }
}

/// Tells every stream that asked for it that the lists changed, and says how many messages that took.
pub(crate) fn lists_changed(toy: &Toy) -> usize {
    let mut told = 0;
    for listen in toy.listens().iter() {
        for list in &listen.lists {
            let method = format!("notifications/{list}/list_changed");
            toy.notify(&method, &format!("{{{}}}", listen.tag()));
            told += 1;
        }
    }
    told
}

/// The same of one resource.
pub(crate) fn updated(toy: &Toy, uri: &str) -> usize {
    let mut told = 0;
    for listen in toy.listens().iter() {
        if listen.uris.iter().any(|wanted| wanted == uri) {
            let params = format!(r#"{{"uri":{},{}}}"#, quote(uri), listen.tag());
            toy.notify("notifications/resources/updated", &params);
            told += 1;
        }
    }
    told
}

/// The ids of open streams, as they were spelled.
pub(crate) fn ids(toy: &Toy) -> Vec<String> {
    toy.listens()
        .iter()
        .map(|listen| listen.id.clone())
        .collect()
}

/// Ends every stream from this side, which is an answer to its request.
pub(crate) fn end_all(toy: &Toy) -> usize {
    let ended: Vec<Listen> = toy.listens().drain(..).collect();
    for listen in &ended {
        let mut meta = modern::server_info().to_string();
        // Into the object, before its closing brace.
        meta.insert_str(
            meta.len() - 1,
            &format!(r#","{SUBSCRIPTION_KEY}":{}"#, listen.id),
        );
        toy.answer(
            &listen.id,
            &format!(r#"{{"resultType":"complete","_meta":{meta}}}"#),
        );
    }
    ended.len()
}

/// Ends one stream because its client said so. Nothing is sent for it from here on.
pub(crate) fn cancel(toy: &Toy, id: &str) {
    toy.listens().retain(|listen| listen.id != id);
}
