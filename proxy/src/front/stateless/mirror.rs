//! Headers that repeat what the body says, and the form that carries what a header cannot
//! (2026-07-28, Streamable HTTP, "Value encoding").

use axum::http::{HeaderMap, HeaderName};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mcp_wire::{Message, object};

use super::super::Fault;
use super::ladder::Wrong;
use crate::exchange::Mirrored;

/// What a header says as it stands; nothing if it is not there.
///
/// # Errors
///
/// It is there twice, or cannot be read. The text is for the client.
pub(super) fn plain<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a str>, String> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(format!("{name} is there twice"));
    }
    // What is not visible ASCII, space or tab has no text (RFC 9110, 5.5, and `HeaderValue`).
    value
        .to_str()
        .map(Some)
        .map_err(|_| format!("{name} holds bytes that are not ASCII; encode them"))
}

/// What a header says, decoded where it is encoded. Only `Mcp-Name` and `Mcp-Param-*` may be: what
/// stands between reads the others as they are.
///
/// # Errors
///
/// As [`plain`], and what is no base64 of a text.
pub(in super::super) fn one(
    headers: &HeaderMap,
    name: &HeaderName,
) -> Result<Option<String>, String> {
    let Some(text) = plain(headers, name)? else {
        return Ok(None);
    };
    let encoded = text
        .strip_prefix("=?base64?")
        .and_then(|rest| rest.strip_suffix("?="));
    let Some(encoded) = encoded else {
        return Ok(Some(text.to_owned()));
    };
    STANDARD
        .decode(encoded)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .map(Some)
        .ok_or_else(|| format!("{name} is not the base64 of a text"))
}

/// Every argument of a tool call that is to be repeated in a header is, and as it is in the body.
///
/// # Errors
///
/// One that is not: which of the two is right cannot be known.
pub(in super::super) fn check(
    headers: &HeaderMap,
    message: &Message,
    mirrored: &[Mirrored],
) -> Result<(), Fault> {
    let arguments = only(message.params().unwrap_or_default(), "arguments")
        .map_err(|text| Fault::from(Wrong::Header(text)))?;
    for one in mirrored {
        compare(headers, one, arguments).map_err(|text| Fault::from(Wrong::Header(text)))?;
    }
    Ok(())
}

fn compare(
    headers: &HeaderMap,
    mirrored: &Mirrored,
    arguments: Option<&[u8]>,
) -> Result<(), String> {
    // It was made of a token's letters.
    let name = HeaderName::from_bytes(mirrored.header.as_bytes())
        .map_err(|_| format!("{} cannot be a header", mirrored.header))?;
    let mut value = arguments;
    for member in &mirrored.path {
        value = match value {
            Some(object) => only(object, member)?,
            None => break,
        };
    }
    let value = value.filter(|value| *value != b"null");
    match (one(headers, &name)?, value) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(format!("{name} is missing")),
        (Some(_), None) => Err(format!(
            "{name} is there, and the body has no such argument"
        )),
        (Some(said), Some(value)) if is_same(&said, value) => Ok(()),
        (Some(_), Some(_)) => Err(format!("{name} says something else than the body")),
    }
}

/// The only member of this name. Of two, however they are spelled, one would be compared and the
/// other might be used (rule 8).
fn only<'a>(object: &'a [u8], name: &str) -> Result<Option<&'a [u8]>, String> {
    let mut found = object::members(object).filter(|entry| entry.key.is(name));
    match (found.next(), found.next()) {
        (Some(_), Some(_)) => Err(format!("the body has {name:?} twice")),
        (entry, _) => Ok(entry.map(|entry| entry.value)),
    }
}

/// Whether a header says what a JSON value does. Numbers are compared as numbers: `42.0` is `42`.
fn is_same(said: &str, value: &[u8]) -> bool {
    if let Some(text) = object::string(value) {
        return said == text;
    }
    let Ok(value) = std::str::from_utf8(value) else {
        return false;
    };
    if said == value {
        return true;
    }
    let number = |text: &str| {
        let plain = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
        text.bytes()
            .all(plain)
            .then(|| text.parse::<f64>().ok())
            .flatten()
    };
    match (said.parse::<i64>(), value.parse::<i64>()) {
        (Ok(said), Ok(value)) => said == value,
        _ => number(said)
            .zip(number(value))
            .is_some_and(|(said, value)| said == value),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use bytes::Bytes;

    use super::*;

    fn read(value: &'static str) -> Result<Option<String>, String> {
        let name = HeaderName::from_static("mcp-name");
        let headers = HeaderMap::from_iter([(name.clone(), HeaderValue::from_static(value))]);
        one(&headers, &name)
    }

    #[test]
    fn what_a_header_cannot_carry_is_decoded() {
        // The examples of the specification.
        for (value, says) in [
            ("us-west1", "us-west1"),
            ("=?base64?SGVsbG8sIOS4lueVjA==?=", "Hello, 世界"),
            ("=?base64?IHBhZGRlZCA=?=", " padded "),
            ("=?base64?bGluZTEKbGluZTI=?=", "line1\nline2"),
            ("=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=", "=?base64?literal?="),
            // The markers are case-sensitive: this is a plain text.
            ("=?BASE64?IHBhZGRlZCA=?=", "=?BASE64?IHBhZGRlZCA=?="),
            ("=?base64??=", ""),
        ] {
            assert_eq!(read(value), Ok(Some(says.to_owned())), "{value}");
        }
        for broken in [
            "=?base64?***?=",
            "=?base64?IHBhZGRlZCA?=",
            "=?base64?/w==?=",
        ] {
            assert!(read(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_header_that_is_there_twice_is_refused() {
        let name = HeaderName::from_static("mcp-name");
        let mut headers = HeaderMap::new();
        headers.append(&name, HeaderValue::from_static("a"));
        headers.append(&name, HeaderValue::from_static("a"));
        assert!(one(&headers, &name).is_err());
    }

    #[test]
    fn numbers_are_compared_as_numbers_and_texts_as_texts() {
        for (said, value, same) in [
            ("42", "42", true),
            ("42.0", "42", true),
            ("42", "4.2e1", true),
            ("42", "43", false),
            ("9007199254740993", "9007199254740992", false),
            ("true", "true", true),
            ("True", "true", false),
            ("1", "true", false),
            ("a", "\"a\"", true),
            ("a", "\"\\u0061\"", true),
            ("42.0", "\"42\"", false),
            ("nan", "nan", true),
            ("inf", "1", false),
        ] {
            assert_eq!(is_same(said, value.as_bytes()), same, "{said} {value}");
        }
    }

    #[test]
    fn an_argument_and_its_header_come_together() {
        let mirrored = [Mirrored {
            header: "mcp-param-region".to_owned(),
            path: vec!["at".to_owned(), "region".to_owned()],
        }];
        let west = HeaderMap::from_iter([(
            HeaderName::from_static("mcp-param-region"),
            HeaderValue::from_static("west"),
        )]);
        let none = HeaderMap::new();
        for (headers, params, fine) in [
            (&west, r#"{"arguments":{"at":{"region":"west"}}}"#, true),
            (&west, r#"{"arguments":{"at":{"region":"east"}}}"#, false),
            (&none, r#"{"arguments":{"at":{"region":"west"}}}"#, false),
            (&none, r#"{"arguments":{"at":{"region":null}}}"#, true),
            (&none, r#"{"arguments":{"at":{}}}"#, true),
            (&none, "{}", true),
            (&west, r#"{"arguments":{"at":{}}}"#, false),
            (&west, "{}", false),
            (
                &west,
                r#"{"arguments":{"at":{"region":"west","r\u0065gion":"east"}}}"#,
                false,
            ),
            (
                &west,
                r#"{"arguments":{"at":{"region":"west"},"at":{"region":"east"}}}"#,
                false,
            ),
            (
                &west,
                r#"{"arguments":{"at":{"region":"west"}},"arguments":{}}"#,
                false,
            ),
        ] {
            let text =
                format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
            let message = Message::parse(Bytes::from(text)).unwrap();
            let checked = check(headers, &message, &mirrored);
            assert_eq!(checked.is_ok(), fine, "{headers:?} {params}");
        }
    }
}
