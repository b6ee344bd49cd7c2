//! What a request is about, as one number: its method and its parameters, however they are spelled.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use mcp_wire::{Message, object};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

/// Members that differ between a request and the same one with answers.
const OF_THE_ROUND: [&str; 3] = ["_meta", "inputResponses", "requestState"];

/// How deep parameters are looked into; what is below counts as it is spelled.
const MAX_DEPTH: usize = 64;

/// The digest of a request: of its method and all its parameters but those that change from round to
/// round. The order of members, spaces and escapes make no difference; the spelling of numbers does.
pub(super) fn of_request(message: &Message) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(message.method().unwrap_or_default());
    let mut members: BTreeMap<_, _> = object::members(message.params().unwrap_or_default())
        .map(|entry| (entry.key.name(), entry.value))
        .collect();
    members.retain(|name, _| !OF_THE_ROUND.contains(&&**name));
    for (name, value) in members {
        text(&mut digest, &name);
        add(&mut digest, value, 0);
    }
    digest.finalize().into()
}

/// The digest of a question: of its method and its parameters as they are spelled.
pub(super) fn of_question(method: &str, params: &[u8]) -> String {
    let mut digest = Sha256::new();
    digest.update(method);
    digest.update([0]);
    add(&mut digest, params, 0);
    short(&digest.finalize())
}

/// The digest of a client's answers to a round.
pub(super) fn of_answers(answers: &[u8]) -> String {
    let mut digest = Sha256::new();
    add(&mut digest, answers, 0);
    short(&digest.finalize())
}

/// 128 bits in hexadecimal digits.
fn short(digest: &[u8]) -> String {
    digest
        .iter()
        .take(16)
        .fold(String::new(), |mut text, byte| {
            let _infallible = write!(text, "{byte:02x}");
            text
        })
}

/// A kind and a length before each value, so that no two values are spelled the same together.
fn add(digest: &mut Sha256, value: &[u8], depth: usize) {
    let value = value.trim_ascii();
    let deeper = depth < MAX_DEPTH;
    if let Some(string) = object::string(value) {
        text(digest, &string);
    } else if value.starts_with(b"{") && deeper {
        let members: BTreeMap<_, _> = object::members(value)
            .map(|entry| (entry.key.name(), entry.value))
            .collect();
        digest.update(b"{");
        digest.update(members.len().to_be_bytes());
        for (name, value) in members {
            text(digest, &name);
            add(digest, value, depth + 1);
        }
    } else if value.starts_with(b"[")
        && deeper
        && let Ok(items) = serde_json::from_slice::<Vec<&RawValue>>(value)
    {
        digest.update(b"[");
        digest.update(items.len().to_be_bytes());
        for item in items {
            add(digest, item.get().as_bytes(), depth + 1);
        }
    } else {
        digest.update(b"=");
        digest.update(value.len().to_be_bytes());
        digest.update(value);
    }
}

fn text(digest: &mut Sha256, text: &str) {
    digest.update(b"\"");
    digest.update(text.len().to_be_bytes());
    digest.update(text);
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn digest(params: &str) -> [u8; 32] {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
        of_request(&Message::parse(Bytes::from(text)).unwrap())
    }

    #[test]
    fn the_same_request_in_other_words_is_the_same() {
        let first = digest(r#"{"name":"t","arguments":{"a":[1,{"b":"x"}],"c":null}}"#);
        for same in [
            r#"{ "arguments" : {"c":null, "a":[ 1, {"b":"\u0078"} ]}, "name":"t" }"#,
            r#"{"name":"t","arguments":{"a":[1,{"b":"x"}],"c":null},"_meta":{"x":1},"requestState":"s","inputResponses":{}}"#,
        ] {
            assert_eq!(digest(same), first, "{same}");
        }
        for other in [
            r#"{"name":"t","arguments":{"a":[1.0,{"b":"x"}],"c":null}}"#,
            r#"{"name":"t","arguments":{"a":[{"b":"x"},1],"c":null}}"#,
            r#"{"name":"t","arguments":{"a":[1,{"b":"x"}]}}"#,
            r#"{"name":"u","arguments":{"a":[1,{"b":"x"}],"c":null}}"#,
            r#"{"name":"t","arguments":{"a":[1,{"b":"x","_meta":{}}],"c":null}}"#,
        ] {
            assert_ne!(digest(other), first, "{other}");
        }
    }

    #[test]
    fn members_do_not_run_into_each_other() {
        assert_ne!(digest(r#"{"a":"bc"}"#), digest(r#"{"ab":"c"}"#));
        assert_ne!(digest(r#"{"a":["x","y"]}"#), digest(r#"{"a":["xy"]}"#));
        assert_ne!(digest(r#"{"a":"1"}"#), digest(r#"{"a":1}"#));
    }
}
