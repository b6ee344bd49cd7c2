//! What a client is given to hand back: which parked call it means, and what has been answered.
//!
//! `mq1.<machine>.<park>.<key>.<sealed>`. The machine and the park stand in the open, so that whoever
//! stands between can route and the call is found; that it is them, and for whom and which request
//! they were given, is under the seal.

use mcp_wire::{Message, object};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::super::digest;
use super::Settings;
use crate::exchange::Principal;

/// Our name for this form of a state.
const FORM: &str = "mq1";

/// Bytes of answers a state may carry. Beyond that a lost call cannot be made again.
const MAX_CARRIED: usize = 64 << 10;

/// The longest state that is looked at.
const MAX_TEXT: usize = 256 << 10;

/// Names a parked call: 128 random bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ParkId(pub(super) u128);

impl ParkId {
    pub(super) fn random() -> Self {
        let mut bytes = [0; 16];
        // Without random numbers the seal still says whose it is.
        let _random = getrandom::fill(&mut bytes);
        Self(u128::from_be_bytes(bytes))
    }
}

/// What is under the seal.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct State {
    /// Which round of the call the client is to answer.
    #[serde(rename = "r")]
    pub(super) round: u32,
    /// Until when, in seconds since 1970.
    #[serde(rename = "e")]
    pub(super) expires: u64,
    /// No call waits: the server refused it until its client has been somewhere, and is called again.
    #[serde(rename = "f", default)]
    pub(super) fresh: bool,
    /// What was answered so far; absent where that is too much to carry.
    #[serde(rename = "a")]
    pub(super) answers: Option<Vec<Answered>>,
    /// What is asked now: key and digest.
    #[serde(rename = "q")]
    pub(super) open: Vec<(String, String)>,
}

/// A question that was answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Answered {
    /// What it was about.
    #[serde(rename = "d")]
    pub(super) digest: String,
    /// The text of the client's answer.
    #[serde(rename = "t")]
    pub(super) text: Box<RawValue>,
}

/// Answers that fit into a state.
pub(super) fn carried(answers: &[Answered]) -> Option<Vec<Answered>> {
    let bytes: usize = answers
        .iter()
        .map(|answer| answer.text.get().len() + answer.digest.len())
        .sum();
    (bytes <= MAX_CARRIED).then(|| answers.to_vec())
}

/// The state as JSON text, for this principal and this request alone.
pub(super) fn seal(
    settings: &Settings,
    principal: &Principal,
    request: &Message,
    park: ParkId,
    state: &State,
) -> Option<String> {
    let head = head(settings, park);
    let plain = serde_json::to_vec(state).ok()?;
    let sealed = settings
        .keys
        .seal(&purpose(&head, principal, request), &plain)?;
    Some(format!("\"{head}{sealed}\""))
}

/// The call a state names, whoever made it.
pub(super) fn park(text: &[u8]) -> Option<ParkId> {
    let text = object::string(text).filter(|text| text.len() <= MAX_TEXT)?;
    let mut parts = text.split('.');
    if parts.next()? != FORM {
        return None;
    }
    u128::from_str_radix(parts.nth(1)?, 16).ok().map(ParkId)
}

/// What was sealed for this principal and this request, unless its time is over. `text` is the state
/// as JSON text.
pub(super) fn open(
    settings: &Settings,
    principal: &Principal,
    request: &Message,
    text: &[u8],
    now: u64,
) -> Option<(ParkId, State)> {
    let park = park(text)?;
    let text = object::string(text)?;
    let head = head(settings, park);
    let sealed = text.strip_prefix(&head)?;
    let plain = settings
        .keys
        .open(&purpose(&head, principal, request), sealed)?;
    let state: State = serde_json::from_slice(&plain).ok()?;
    (now <= state.expires).then_some((park, state))
}

fn head(settings: &Settings, park: ParkId) -> String {
    let machine = settings.machine.as_deref().unwrap_or_default();
    format!("{FORM}.{machine}.{:032x}.", park.0)
}

fn purpose(head: &str, principal: &Principal, request: &Message) -> Vec<u8> {
    let digest = digest::of_request(request);
    [
        head.as_bytes(),
        principal.as_str().as_bytes(),
        b"\0",
        &digest,
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::super::super::Keys;
    use super::*;

    fn settings(machine: Option<&str>) -> Settings {
        Settings {
            keys: Keys::random(),
            machine: machine.map(str::to_owned),
            patience: Duration::from_secs(300),
            request: Duration::from_secs(60),
            roots: None,
        }
    }

    fn request(name: &str, more: &str) -> Message {
        let text = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{name}","arguments":{{"a":1}}{more}}}}}"#
        );
        Message::parse(Bytes::from(text)).unwrap()
    }

    fn state() -> State {
        State {
            round: 3,
            expires: 100,
            fresh: false,
            answers: Some(vec![Answered {
                digest: "d".to_owned(),
                text: serde_json::from_str(r#"{"action":"accept","content":{"n":1.0}}"#).unwrap(),
            }]),
            open: vec![("key".to_owned(), "digest".to_owned())],
        }
    }

    #[test]
    fn a_state_is_good_for_whom_and_what_it_was_given() {
        let settings = settings(Some("m1"));
        let alice = Principal::named("alice");
        let park = ParkId::random();
        let text = seal(&settings, &alice, &request("t", ""), park, &state()).unwrap();
        assert_eq!(super::park(text.as_bytes()), Some(park));
        let opened = |principal: &str, request: &Message, text: &str, now| {
            let principal = Principal::named(principal);
            open(&settings, &principal, request, text.as_bytes(), now)
        };
        let again = request("t", r#","inputResponses":{},"_meta":{"x":1}"#);
        let (found, state) = opened("alice", &again, &text, 100).unwrap();
        assert_eq!((found, state.round), (park, 3));
        assert_eq!(
            state.answers.unwrap()[0].text.get(),
            r#"{"action":"accept","content":{"n":1.0}}"#
        );
        assert!(opened("bob", &again, &text, 100).is_none());
        assert!(opened("alice", &request("u", ""), &text, 100).is_none());
        assert!(opened("alice", &again, &text, 101).is_none());
        let longer = format!("{}-TAMPERED\"", text.trim_end_matches('"'));
        assert!(opened("alice", &again, &longer, 100).is_none());
        let other = text.replace(&format!("{:032x}", park.0), &format!("{:032x}", 1));
        assert!(opened("alice", &again, &other, 100).is_none());
    }

    #[test]
    fn what_is_too_much_is_not_carried() {
        let large = Answered {
            digest: String::new(),
            text: serde_json::from_str(&format!("\"{}\"", "x".repeat(MAX_CARRIED))).unwrap(),
        };
        assert!(carried(&state().answers.unwrap()).is_some());
        assert!(carried(&[large]).is_none());
    }
}
