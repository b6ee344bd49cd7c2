//! One question of a server: as its client of 2026-07-28 is asked it, and the answer as the server
//! expects it.

use bytes::Bytes;
use mcp_wire::{ErrorCode, Id, Message, Version, method, object};

use super::super::digest;
use crate::exchange::{AskId, Profile};

/// By which a server may name the key its question is asked under. What it is asked for else, nothing
/// in a question of the session eras spells.
const KEY_HINT: &str = "mcp-proxy/inputKey";

/// The longest such key.
const MAX_KEY: usize = 128;

/// A question that waits for its client.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) ask: AskId,
    pub(super) key: String,
    /// The server named the key, so a client can know it before it is asked.
    pub(super) hinted: bool,
    /// What it is about, so that the same question can be known again.
    pub(super) digest: String,
    pub(super) kind: Profile,
    /// The text of the `InputRequest`.
    pub(super) request: Bytes,
}

impl Question {
    /// The `number`th question of a call. The error is a kind the client cannot be asked, or `None`
    /// for what is no question at all.
    pub(super) fn read(
        ask: AskId,
        message: &Message,
        profile: Profile,
        number: u32,
    ) -> Result<Self, Option<Profile>> {
        let name = message.method().unwrap_or_default();
        let params = message.params().unwrap_or_default();
        let kind = Profile::of_question(name, params).ok_or(None)?;
        if !profile.has(kind) {
            return Err(Some(kind));
        }
        let hint = hint(params);
        let params = for_client(params);
        Ok(Self {
            ask,
            hinted: hint.is_some(),
            key: hint.unwrap_or_else(|| format!("{}_{number}", noun(kind))),
            digest: digest::of_question(name, &params),
            kind,
            request: request(name, &params),
        })
    }

    /// What the server is told of the client's answer, the text of a bare result; `None` if it is no
    /// answer to this question.
    pub(super) fn reply(&self, answer: &[u8], version: Version) -> Option<Message> {
        if !answer.starts_with(b"{") {
            return None;
        }
        let elicited = self.kind == Profile::FORM || self.kind == Profile::URL;
        if elicited {
            let action = object::get(answer, "action").and_then(object::string)?;
            if !matches!(&*action, "accept" | "decline" | "cancel") {
                return None;
            }
        }
        if self.kind == Profile::ROOTS && !object::get(answer, "roots")?.starts_with(b"[") {
            return None;
        }
        if self.kind.has(Profile::SAMPLING) {
            return sampled(answer, version);
        }
        Some(mcp_wire::result_message(&Id::number(0), answer))
    }

    /// What the server is told when nobody answers.
    pub(super) fn unanswered(&self) -> Message {
        if self.kind == Profile::FORM || self.kind == Profile::URL {
            mcp_wire::result_message(&Id::number(0), br#"{"action":"cancel"}"#)
        } else {
            refusal("the client did not answer in time")
        }
    }
}

/// An error for the server.
pub(super) fn refusal(sentence: &str) -> Message {
    mcp_wire::error_message(
        Some(&Id::number(0)),
        ErrorCode::INTERNAL_ERROR,
        sentence,
        None,
    )
}

/// The text of what a client would have to declare to be asked this (2026-07-28, "Missing required
/// client capability").
pub(super) fn required(kind: Profile) -> String {
    format!(r#"{{"requiredCapabilities":{}}}"#, kind.capabilities())
}

fn noun(kind: Profile) -> &'static str {
    if kind.has(Profile::SAMPLING) {
        "sampling"
    } else if kind == Profile::ROOTS {
        "roots"
    } else {
        "elicitation"
    }
}

fn hint(params: &[u8]) -> Option<String> {
    let hint = object::get(object::get(params, "_meta")?, KEY_HINT)?;
    let key = object::string(hint)?;
    (!key.is_empty() && key.len() <= MAX_KEY).then(|| key.into_owned())
}

/// The parameters of a question without what only the session eras have in them: the token and the
/// task of the server's own request, and the id of an elicitation.
fn for_client(params: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(params.len());
    out.push(b'{');
    for entry in object::members(params) {
        if entry.key.is("task") || entry.key.is("elicitationId") {
            continue;
        }
        if entry.key.is("_meta") {
            let own = |name: &str| {
                name == "progressToken"
                    || name == KEY_HINT
                    || name.starts_with("io.modelcontextprotocol/")
            };
            let mut meta = Vec::new();
            for inner in object::members(entry.value) {
                if !own(&inner.key.name()) {
                    push(&mut meta, inner.key.raw(), inner.value);
                }
            }
            if !meta.is_empty() {
                push_first(&mut out, b"\"_meta\":{");
                out.extend_from_slice(&meta);
                out.push(b'}');
            }
            continue;
        }
        let mut member = Vec::new();
        push(&mut member, entry.key.raw(), entry.value);
        push_first(&mut out, &member);
    }
    out.push(b'}');
    out
}

/// A member with the comma before it, if it is not the first of these.
fn push(members: &mut Vec<u8>, raw: &str, value: &[u8]) {
    if !members.is_empty() {
        members.push(b',');
    }
    members.push(b'"');
    members.extend_from_slice(raw.as_bytes());
    members.extend_from_slice(b"\":");
    members.extend_from_slice(value);
}

/// The same in an object whose brace stands already.
fn push_first(object: &mut Vec<u8>, member: &[u8]) {
    if object.len() > 1 {
        object.push(b',');
    }
    object.extend_from_slice(member);
}

fn request(name: &str, params: &[u8]) -> Bytes {
    let mut out = format!(r#"{{"method":"{name}""#).into_bytes();
    if params != b"{}" || name != method::ROOTS_LIST {
        out.extend_from_slice(b",\"params\":");
        out.extend_from_slice(params);
    }
    out.push(b'}');
    out.into()
}

/// Before 2025-11-25 what a model wrote is one block, since then it may be several.
fn sampled(answer: &[u8], version: Version) -> Option<Message> {
    let content = object::find(answer, "content")?;
    if version >= Version::V2025_11_25 || !content.value.starts_with(b"[") {
        return Some(mcp_wire::result_message(&Id::number(0), answer));
    }
    let blocks: Vec<&serde_json::value::RawValue> = serde_json::from_slice(content.value).ok()?;
    let [block] = blocks[..] else {
        return Some(refusal(
            "the client's model wrote several blocks, and this protocol version has one",
        ));
    };
    let (before, after) = (
        &answer[..content.span.start as usize],
        &answer[content.span.end as usize..],
    );
    let one = [before, block.get().as_bytes(), after].concat();
    Some(mcp_wire::result_message(&Id::number(0), &one))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Profile = Profile::FORM
        .and(Profile::URL)
        .and(Profile::SAMPLING)
        .and(Profile::ROOTS);

    fn read(name: &str, params: &str, profile: Profile) -> Result<Question, Option<Profile>> {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{name}","params":{params}}}"#);
        let message = Message::parse(Bytes::from(text)).unwrap();
        Question::read(AskId(1), &message, profile, 2)
    }

    #[test]
    fn a_question_becomes_an_input_request() {
        let question = read(
            "elicitation/create",
            r#"{"mode":"url","elicitationId":"e","url":"https://x","message":"m","_meta":{"progressToken":1,"v/k":2},"task":{}}"#,
            ALL,
        )
        .unwrap();
        assert_eq!(question.key, "elicitation_2");
        assert_eq!(
            question.request,
            r#"{"method":"elicitation/create","params":{"mode":"url","url":"https://x","message":"m","_meta":{"v/k":2}}}"#
        );
        let roots = read("roots/list", r#"{"_meta":{"progressToken":1}}"#, ALL).unwrap();
        assert_eq!(roots.request, r#"{"method":"roots/list"}"#);
    }

    #[test]
    fn a_server_may_name_the_key() {
        let params =
            r#"{"message":"m","requestedSchema":{},"_meta":{"mcp-proxy/inputKey":"user_name"}}"#;
        let question = read("elicitation/create", params, ALL).unwrap();
        assert_eq!(question.key, "user_name");
        assert!(!String::from_utf8_lossy(&question.request).contains("_meta"));
    }

    #[test]
    fn what_was_not_declared_is_not_asked() {
        let refused = |name, params, profile| read(name, params, profile).err().flatten();
        assert_eq!(
            refused("sampling/createMessage", r#"{"tools":[]}"#, ALL),
            Some(Profile::SAMPLING.and(Profile::SAMPLING_TOOLS))
        );
        assert_eq!(
            refused("roots/list", "{}", Profile::FORM),
            Some(Profile::ROOTS)
        );
        assert!(matches!(read("what/ever", "{}", ALL), Err(None)));
        assert_eq!(
            required(Profile::URL),
            r#"{"requiredCapabilities":{"elicitation":{"url":{}}}}"#
        );
    }

    #[test]
    fn only_an_answer_is_passed_on() {
        let form = read("elicitation/create", "{}", ALL).unwrap();
        let latest = Version::LATEST_LEGACY;
        for (answer, passes) in [
            (r#"{"action":"accept","content":{"a":1}}"#, true),
            (r#"{"action":"cancel"}"#, true),
            (r#"{"action":"perhaps"}"#, false),
            (r#"{"content":{}}"#, false),
            (r#""accept""#, false),
        ] {
            assert_eq!(
                form.reply(answer.as_bytes(), latest).is_some(),
                passes,
                "{answer}"
            );
        }
        let roots = read("roots/list", "{}", ALL).unwrap();
        assert!(roots.reply(br#"{"roots":[]}"#, latest).is_some());
        assert!(roots.reply(br#"{"roots":1}"#, latest).is_none());
    }

    #[test]
    fn older_servers_get_one_block_of_what_a_model_wrote() {
        let sampling = read("sampling/createMessage", "{}", ALL).unwrap();
        let text = |answer: &str, version| {
            let reply = sampling.reply(answer.as_bytes(), version).unwrap();
            String::from_utf8(reply.to_bytes().to_vec()).unwrap()
        };
        let one = r#"{"role":"assistant","content":[{"type":"text","text":"x"}],"model":"m"}"#;
        assert!(
            text(one, Version::V2025_06_18).contains(r#""content":{"type":"text","text":"x"},"#)
        );
        assert!(text(one, Version::V2025_11_25).contains(r#""content":[{"#));
        let two = r#"{"role":"assistant","content":[{},{}],"model":"m"}"#;
        assert!(text(two, Version::V2025_06_18).contains("several blocks"));
    }
}
