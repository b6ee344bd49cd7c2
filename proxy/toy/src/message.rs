//! JSON with its author's spelling: members as raw text, so that what is given back is what came.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// The members of a JSON object as raw text. Of two equal names the last one counts.
#[derive(Debug, Default)]
pub(crate) struct Object(BTreeMap<String, Box<RawValue>>);

impl Object {
    /// The members, when the text is an object.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    /// The raw text of a member.
    pub(crate) fn raw(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.get())
    }

    /// A member that is an object; empty when it is absent or something else.
    pub(crate) fn object(&self, name: &str) -> Self {
        self.raw(name).and_then(Self::parse).unwrap_or_default()
    }

    /// A member that is a string.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.raw(name)
            .and_then(|raw| serde_json::from_str(raw).ok())
    }

    /// A member that is a natural number.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.raw(name)
            .and_then(|raw| serde_json::from_str(raw).ok())
    }

    /// A member that is `true`.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.raw(name) == Some("true")
    }
}

/// A string as JSON.
pub(crate) fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_spelling() {
        let object = Object::parse(
            r#"{"id": 1.0,"n":12345678901234567890123450,"s":"\u00e9","o":{"a":[0.10]}}"#,
        )
        .unwrap();
        assert_eq!(object.raw("id"), Some("1.0"));
        assert_eq!(object.raw("n"), Some("12345678901234567890123450"));
        assert_eq!(object.raw("s"), Some(r#""\u00e9""#));
        assert_eq!(object.text("s").as_deref(), Some("é"));
        assert_eq!(object.object("o").raw("a"), Some("[0.10]"));
        assert!(object.object("absent").raw("a").is_none());
        assert_eq!(quote("a\"\n\u{1}"), r#""a\"\n\u0001""#);
    }
}
