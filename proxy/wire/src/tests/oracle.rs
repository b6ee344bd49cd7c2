//! A second opinion on what a message is, written on serde_json and as plainly as possible.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::{Kind, MAX_ID_BYTES, Member};

/// The members of an object in order: names and values as they are spelled.
pub(super) struct Fields<'a>(pub(super) Vec<(&'a str, &'a str)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Walk;
        impl<'de> Visitor<'de> for Walk {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                    fields.push((name.get(), value.get()));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Walk)
    }
}

impl<'a> Fields<'a> {
    /// The object that `text` is; `None` if it is something else.
    pub(super) fn of(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The members called `name`, as name and value are spelled.
    pub(super) fn named(&self, name: &str) -> Vec<(&'a str, &'a str)> {
        let says = |raw: &str| serde_json::from_str::<String>(raw).is_ok_and(|said| said == name);
        self.0
            .iter()
            .copied()
            .filter(|(raw, _)| says(raw))
            .collect()
    }

    /// Whether `name` stands there at most once and in its plain spelling.
    fn is_plain(&self, name: &str) -> bool {
        match self.named(name)[..] {
            [] => true,
            [(raw, _)] => raw == format!("\"{name}\""),
            _ => false,
        }
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.named(name).first().map(|(_, value)| *value)
    }
}

/// What kind of message `text` is; `None` if it has to be refused.
pub(super) fn judge(text: &[u8]) -> Option<Kind> {
    let text = std::str::from_utf8(text).ok()?;
    let envelope = Fields::of(text)?;
    let names = ["jsonrpc", "id", "method", "params", "result", "error"];
    if !names.iter().all(|name| envelope.is_plain(name))
        || envelope.get("jsonrpc") != Some("\"2.0\"")
    {
        return None;
    }
    let id = envelope.get("id");
    if id.is_some_and(|id| {
        !matches!(id.as_bytes()[0], b'"' | b'-' | b'0'..=b'9' | b'n') || id.len() > MAX_ID_BYTES
    }) {
        return None;
    }
    let null = id == Some("null");
    match (
        envelope.get("method"),
        envelope.get("result"),
        envelope.get("error"),
    ) {
        (Some(method), None, None) => {
            let plain = method.starts_with('"') && !method.contains('\\');
            let kind = if id.is_some() {
                Kind::Request
            } else {
                Kind::Notification
            };
            (plain && !null && envelope.get("params").is_none_or(params)).then_some(kind)
        }
        (None, Some(_), None) => (id.is_some() && !null).then_some(Kind::Result),
        (None, None, Some(_)) => Some(Kind::Error),
        _ => None,
    }
}

fn params(params: &str) -> bool {
    let Some(fields) = Fields::of(params) else {
        return params.starts_with('[');
    };
    let plain = |fields: &Fields<'_>, table: &[(&str, Member)]| {
        table.iter().all(|(name, _)| fields.is_plain(name))
    };
    let meta = fields.get("_meta").and_then(Fields::of);
    plain(&fields, Member::OF_PARAMS) && meta.is_none_or(|meta| plain(&meta, Member::OF_META))
}
