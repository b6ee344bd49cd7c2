//! Arbitrary JSON in arbitrary spelling, and arbitrary messages made of it.

use proptest::prelude::*;
use proptest::sample::select;

/// Whitespace, mostly none.
pub(super) fn space() -> impl Strategy<Value = &'static str> {
    prop_oneof![6 => Just(""), 1 => select(vec![" ", "\n", "\t", "\r\n", "\r", "  \n  "])]
}

/// A number as people and serialisers spell them.
pub(super) fn number() -> impl Strategy<Value = String> {
    "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,3})?"
}

/// A string with its quotes: plain text, other scripts, escapes, JSON inside of JSON.
pub(super) fn string() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        8 => "[a-z ]{0,12}",
        1 => "[^\\x00-\\x1f\"\\\\]{0,70}",
        2 => select(vec!["\\\"", "\\\\", "\\/", "\\n", "\\u00e9", "\\ud83d\\ude00", "\\ud800", "é", "\u{2028}"])
            .prop_map(str::to_owned),
    ];
    proptest::collection::vec(part, 0..4).prop_map(|parts| format!("\"{}\"", parts.concat()))
}

/// A name with its quotes: often one that a message gives a meaning to.
pub(super) fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => select(vec![
            "\"id\"", "\"name\"", "\"_meta\"", "\"progressToken\"", "\"jsonrpc\"", "\"a\"", "\"b\"", "\"\\u0061\"",
        ]).prop_map(str::to_owned),
        2 => string(),
    ]
}

/// Any JSON value.
pub(super) fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        number(),
        string(),
        select(vec!["true", "false", "null", "{}", "[]", "[ ]"]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let element =
            (space(), inner.clone(), space()).prop_map(|(a, value, b)| format!("{a}{value}{b}"));
        let array = proptest::collection::vec(element, 0..4)
            .prop_map(|elements| format!("[{}]", elements.join(",")));
        let members = proptest::collection::vec((name(), inner), 0..4);
        prop_oneof![
            array,
            (members, space()).prop_map(|(members, space)| object(&members, space))
        ]
    })
}

/// An object of members whose names are given with their quotes.
pub(super) fn object(members: &[(String, String)], space: &str) -> String {
    let members = members
        .iter()
        .map(|(name, value)| format!("{space}{name}{space}:{space}{value}{space}"));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

/// A member that no message gives a meaning to.
fn unknown() -> impl Strategy<Value = (String, String)> {
    ("\"x-[a-z]{1,4}\"", value())
}

/// The text of an id.
pub(super) fn id() -> impl Strategy<Value = String> {
    prop_oneof![number(), string()]
}

/// The text of `params`: sometimes with `_meta` and a token.
pub(super) fn params() -> impl Strategy<Value = String> {
    let meta = proptest::option::of(proptest::option::of(id()));
    let unknown = proptest::collection::vec(unknown(), 0..3);
    (meta, unknown, proptest::option::of(value()), space()).prop_map(
        |(meta, mut members, argument, space)| {
            if let Some(token) = meta {
                let token = token.map(|token| ("\"progressToken\"".to_owned(), token));
                members.push(("\"_meta\"".to_owned(), object(token.as_slice(), space)));
            }
            members.extend(argument.map(|argument| ("\"arguments\"".to_owned(), argument)));
            object(&members, space)
        },
    )
}

/// What a message was made of.
#[derive(Clone, Debug)]
pub(super) struct Envelope {
    pub(super) text: String,
    pub(super) id: Option<String>,
    pub(super) method: Option<String>,
    pub(super) params: Option<String>,
    pub(super) result: Option<String>,
    pub(super) error: Option<String>,
}

/// A valid message of any kind, its members in any order.
pub(super) fn envelope() -> impl Strategy<Value = Envelope> {
    let call = (
        proptest::option::of(id()),
        "[a-z/_]{0,12}",
        proptest::option::of(params()),
    )
        .prop_map(|(id, method, params)| (id, Some(method), params, None, None));
    let result =
        (id(), value()).prop_map(|(id, result)| (Some(id), None, None, Some(result), None));
    let error = (
        proptest::option::of(prop_oneof![3 => id(), 1 => Just("null".to_owned())]),
        value(),
    )
        .prop_map(|(id, error)| (id, None, None, None, Some(error)));
    let unknown = proptest::collection::vec(unknown(), 0..3);
    (
        prop_oneof![3 => call, 1 => result, 1 => error],
        unknown,
        space(),
    )
        .prop_flat_map(|(parts, unknown, space)| {
            let (id, method, params, result, error) = parts.clone();
            let method = method.map(|method| format!("\"{method}\""));
            let mut members = unknown;
            let known = [
                ("id", id),
                ("method", method),
                ("params", params),
                ("result", result),
                ("error", error),
            ];
            members.extend(
                known
                    .into_iter()
                    .filter_map(|(name, text)| Some((format!("\"{name}\""), text?))),
            );
            members.push(("\"jsonrpc\"".to_owned(), "\"2.0\"".to_owned()));
            (Just(parts), Just(members).prop_shuffle(), Just(space))
        })
        .prop_map(
            |((id, method, params, result, error), members, space)| Envelope {
                text: object(&members, space),
                id: id.filter(|id| id != "null"),
                method,
                params,
                result,
                error,
            },
        )
}

/// Somewhere in a text, something happens to it.
#[derive(Clone, Debug)]
pub(super) enum Mutation {
    Delete(usize, usize),
    Insert(usize, &'static str),
    Repeat(usize, usize),
    Byte(usize, u8),
}

pub(super) fn mutation() -> impl Strategy<Value = Mutation> {
    let tokens = vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "0",
        "-",
        ".",
        "e1",
        " ",
        "\n",
        "null",
        "true",
        "\"id\":1,",
        "\"\\u0069d\":1,",
        "\"jsonrpc\":\"2.0\",",
        "\"method\":\"m\",",
        "\"result\":{},",
        "\"error\":{},",
        "\"params\":{},",
        "\"_meta\":{},",
        "\"progressToken\":1,",
        "\"\\u005fmeta\":1,",
        "\u{feff}",
        "\u{1}",
    ];
    prop_oneof![
        1 => (any::<usize>(), 1usize..12).prop_map(|(at, length)| Mutation::Delete(at, length)),
        4 => (any::<usize>(), select(tokens)).prop_map(|(at, token)| Mutation::Insert(at, token)),
        1 => (any::<usize>(), 1usize..30).prop_map(|(at, length)| Mutation::Repeat(at, length)),
        1 => (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Byte(at, byte)),
    ]
}

impl Mutation {
    pub(super) fn apply(&self, text: &mut Vec<u8>) {
        let place = |at: usize| at % (text.len() + 1);
        match *self {
            Self::Delete(at, length) => {
                let at = place(at);
                text.drain(at..text.len().min(at + length));
            }
            Self::Insert(at, token) => {
                let at = place(at);
                text.splice(at..at, token.bytes());
            }
            Self::Repeat(at, length) => {
                let at = place(at);
                let part = text[at..text.len().min(at + length)].to_vec();
                text.splice(at..at, part);
            }
            Self::Byte(at, byte) => {
                let at = place(at);
                if let Some(old) = text.get_mut(at) {
                    *old = byte;
                }
            }
        }
    }
}
