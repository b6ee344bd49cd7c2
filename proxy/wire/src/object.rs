//! One level of an object, walked lazily.
//!
//! Results may be megabytes and are not searched while a message is parsed. Whoever needs a member of one asks here.

use std::borrow::Cow;

use crate::scan::Scan;
use crate::span::Span;
use crate::unescape::{says, unescape};

/// A member's name as it is spelled: the raw text between its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    raw: &'a str,
    span: Span,
}

impl<'a> Key<'a> {
    /// The text between the quotes, escapes and all.
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    /// The name, with its escapes undone.
    pub fn name(&self) -> Cow<'a, str> {
        unescape(self.raw)
    }

    /// Whether the member is called `name`, however it is spelled.
    pub fn is(&self, name: &str) -> bool {
        says(self.raw, name)
    }

    /// Where it stands in the object, quotes included.
    pub fn span(&self) -> Span {
        self.span
    }
}

/// A member of an object.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The name.
    pub key: Key<'a>,
    /// The text of the value.
    pub value: &'a [u8],
    /// Where the value stands, counted from the object's first byte. [`Span::shift`] by the start of the object's own
    /// span makes it one for [`Message::replace_span`](crate::Message::replace_span).
    pub span: Span,
}

/// The members of an object in order. Made by [`members`].
pub struct Members<'a> {
    scan: Scan<'a>,
    state: State,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Fresh,
    Behind,
    Over,
}

/// Walks the members of `object`, the text of one JSON object that was validated as part of a message. Other text
/// has no members, or only those before its fault.
pub fn members(object: &[u8]) -> Members<'_> {
    let mut scan = Scan::new(object);
    scan.space();
    Members {
        scan,
        state: State::Fresh,
    }
}

/// The text of the first member of `object` that is called `key`, however the name is spelled.
pub fn get<'a>(object: &'a [u8], key: &str) -> Option<&'a [u8]> {
    find(object, key).map(|entry| entry.value)
}

/// The first member of `object` that is called `key`, however the name is spelled.
pub fn find<'a>(object: &'a [u8], key: &str) -> Option<Entry<'a>> {
    members(object).find(|entry| entry.key.is(key))
}

/// What `value` says when it is the text of a JSON string, escapes undone.
pub fn string(value: &[u8]) -> Option<Cow<'_, str>> {
    let inner = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    std::str::from_utf8(inner).ok().map(unescape)
}

impl<'a> Iterator for Members<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let more = match self.state {
            State::Fresh => self.scan.enter(),
            State::Behind => self.scan.next_member(),
            State::Over => return None,
        };
        // Until the member is whole, there is none.
        self.state = State::Over;
        if !more.ok()? {
            return None;
        }
        let text = self.scan.text();
        let key = self.scan.key().ok()?;
        let span = self.scan.value(1).ok()?;
        let raw = std::str::from_utf8(&text[key.inner().range()]).ok()?;
        self.state = State::Behind;
        Some(Entry {
            key: Key {
                raw,
                span: key.span,
            },
            value: &text[span.range()],
            span,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(object: &str) -> Vec<String> {
        members(object.as_bytes())
            .map(|entry| entry.key.name().into_owned())
            .collect()
    }

    #[test]
    fn one_level_in_order() {
        let object = r#" { "a" : {"x":[1]} , "\u0062":"2", "a":null } "#;
        assert_eq!(names(object), ["a", "b", "a"]);
        assert_eq!(get(object.as_bytes(), "a"), Some(&br#"{"x":[1]}"#[..]));
        let b = find(object.as_bytes(), "b").unwrap();
        assert_eq!(b.key.raw(), r"\u0062");
        assert_eq!(&object[b.span.range()], "\"2\"");
        assert_eq!(&object[b.key.span().range()], r#""\u0062""#);
        assert_eq!(string(b.value).as_deref(), Some("2"));
        assert_eq!(get(object.as_bytes(), "x"), None);
    }

    #[test]
    fn what_has_no_members() {
        for text in [
            "", "{}", " { } ", "[]", "1", "null", "\"{\"", "{\"a\"", "{\"a\":", "{\"a\":}",
        ] {
            assert!(names(text).is_empty(), "{text}");
        }
        assert_eq!(names("{\"a\":1,\"b\":"), ["a"]);
    }
}
