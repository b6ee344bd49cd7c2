//! Multi round-trip requests: results that say `input_required`, and the state that comes back with the answers.
//!
//! The state is sealed with a key that dies with the process, as the TypeScript and Python SDKs do by default: a retry
//! that reaches another process, or one whose state was altered, is refused with -32602.

use std::{
    hash::{BuildHasher, RandomState},
    sync::OnceLock,
};

use serde_json::{Value, json};

use crate::{
    message::{Object, quote},
    modern::{self, Envelope, INVALID_PARAMS},
    tools::{Call, Outcome},
    toy::Toy,
};

/// A resource that asks before it can be read.
pub(crate) const RESOURCE: &str = "toy://question";

/// A prompt that asks before it can be filled in.
pub(crate) const PROMPT: &str = "question";

/// A question by its kind: its method, its params, and the capability that a client must have declared.
pub(crate) fn question(
    kind: &str,
    message: &str,
) -> Option<(&'static str, String, Option<&'static str>)> {
    let message = quote(message);
    Some(match kind {
        "elicitation" => (
            "elicitation/create",
            format!(
                r#"{{"message":{message},"requestedSchema":{{"type":"object","properties":{{"name":{{"type":"string"}}}},"required":["name"]}}}}"#
            ),
            Some("elicitation"),
        ),
        "url" => (
            "elicitation/create",
            format!(
                r#"{{"mode":"url","message":{message},"elicitationId":"toy-1","url":"https://example.com/form"}}"#
            ),
            Some("elicitation"),
        ),
        "sampling" => (
            "sampling/createMessage",
            format!(
                r#"{{"messages":[{{"role":"user","content":{{"type":"text","text":{message}}}}}],"maxTokens":100}}"#
            ),
            Some("sampling"),
        ),
        "roots" => ("roots/list", "{}".to_owned(), Some("roots")),
        "ping" => ("ping", "{}".to_owned(), None),
        _ => return None,
    })
}

/// What a request wants to know, and how.
struct Ask<'a> {
    kind: &'a str,
    message: &'a str,
    /// How many questions in all.
    n: u64,
    /// All in one round; otherwise one after another.
    together: bool,
    /// Ask although the client did not say that it can be asked.
    undeclared: bool,
}

/// How a request with questions goes on.
enum Next {
    /// All is known: the answers as they were spelled.
    Known(Vec<String>),
    /// An answer that asks, as JSON.
    Required(String),
    /// The client cannot be asked.
    Incapable(Value),
    /// The request is wrong.
    Wrong(String),
}

impl Ask<'_> {
    fn next(&self, method: &str, params: &Object, envelope: &Envelope) -> Next {
        let asked = question(self.kind, self.message);
        let Some((asking, question, Some(needed))) = asked else {
            return Next::Wrong(format!("nobody can be asked {:?}", self.kind));
        };
        if !envelope.can(needed) && !self.undeclared {
            return Next::Incapable(json!({ needed: {} }));
        }
        let mut known: Vec<String> = match params.text("requestState") {
            None => Vec::new(),
            Some(state) => match unsealed(&state, &subject(method, params)) {
                Some(known) => known,
                None => return Next::Wrong("invalid requestState".to_owned()),
            },
        };
        // Answers count only with the state that asked for them: without it this is the first call.
        if params.raw("requestState").is_some() {
            let responses = params.object("inputResponses");
            while let Some(answer) = responses.raw(&key(known.len())) {
                known.push(answer.to_owned());
            }
        }
        let have = known.len() as u64;
        if have >= self.n {
            return Next::Known(known);
        }
        let until = if self.together { self.n } else { have + 1 };
        let requests: Vec<String> = (have..until)
            .map(|place| {
                let key = key(usize::try_from(place).unwrap_or(usize::MAX));
                format!(r#""{key}":{{"method":"{asking}","params":{question}}}"#)
            })
            .collect();
        Next::Required(format!(
            r#"{{"resultType":"input_required","inputRequests":{{{}}},"requestState":{},"_meta":{}}}"#,
            requests.join(","),
            quote(&sealed(&known, &subject(method, params))),
            modern::server_info(),
        ))
    }
}

/// The tool `ask`, for a client of 2026-07-28.
pub(crate) fn ask(call: &Call, envelope: &Envelope) -> Outcome {
    let kind = call.text("kind", "elicitation");
    let message = call.text("message", "What is your name?");
    let ask = Ask {
        kind: &kind,
        message: &message,
        n: call.number("n", 1),
        together: call.arguments.flag("together"),
        undeclared: call.arguments.flag("undeclared"),
    };
    match ask.next("tools/call", &call.params, envelope) {
        Next::Known(answers) => Outcome::Text(answers.join("\n")),
        Next::Required(result) => Outcome::Result(result),
        Next::Incapable(required) => {
            modern::missing_capability(&call.toy, &call.id, &required);
            Outcome::Nothing
        }
        Next::Wrong(message) => Outcome::Error(INVALID_PARAMS, message),
    }
}

/// `resources/read` of `toy://question`.
pub(crate) fn resource(toy: &Toy, id: &str, params: Object, envelope: &Envelope) {
    once(
        toy,
        id,
        "resources/read",
        params,
        envelope,
        |answer| json!({ "contents": [{ "uri": RESOURCE, "mimeType": "application/json", "text": answer }] }),
    );
}

/// `prompts/get` of `question`.
pub(crate) fn prompt(toy: &Toy, id: &str, params: Object, envelope: &Envelope) {
    once(toy, id, "prompts/get", params, envelope, |answer| {
        let content = json!({ "type": "text", "text": answer });
        json!({ "messages": [{ "role": "user", "content": content }] })
    });
}

/// A request that needs one answer from a person.
fn once(
    toy: &Toy,
    id: &str,
    method: &str,
    params: Object,
    envelope: &Envelope,
    finish: fn(&str) -> Value,
) {
    let ask = Ask {
        kind: "elicitation",
        message: "What is your name?",
        n: 1,
        together: false,
        undeclared: false,
    };
    match ask.next(method, &params, envelope) {
        Next::Known(answers) => {
            let result = finish(&answers.join("\n"));
            toy.answer(id, &modern::stamped(method, result));
        }
        Next::Required(result) => toy.answer(id, &result),
        Next::Incapable(required) => modern::missing_capability(toy, id, &required),
        Next::Wrong(message) => toy.fail(id, INVALID_PARAMS, &message),
    }
}

/// Adds what only this era offers to the lists.
pub(crate) fn list(method: &str, result: &mut Value) {
    let (list, entry) = match method {
        "resources/list" => (
            "resources",
            json!({ "uri": RESOURCE, "name": "question", "mimeType": "application/json" }),
        ),
        "prompts/list" => (
            "prompts",
            json!({ "name": PROMPT, "description": "Asks for a name" }),
        ),
        _ => return,
    };
    if let Some(Value::Array(entries)) = result.get_mut(list) {
        entries.push(entry);
    }
}

fn key(place: usize) -> String {
    format!("q{}", place + 1)
}

/// What a state belongs to: it opens nothing else.
fn subject(method: &str, params: &Object) -> String {
    let name = params.raw("name").or_else(|| params.raw("uri"));
    let arguments = params.raw("arguments").unwrap_or_default();
    format!("{method} {} {arguments}", name.unwrap_or_default())
}

/// The answers so far, readable by anybody and forged by nobody in a test: 64 bits under this process's own key.
fn sealed(known: &[String], subject: &str) -> String {
    let known = json!(known).to_string();
    format!("{:016x}.{known}", mark(&known, subject))
}

fn unsealed(state: &str, subject: &str) -> Option<Vec<String>> {
    let (given, known) = state.split_once('.')?;
    if given != format!("{:016x}", mark(known, subject)) {
        return None;
    }
    serde_json::from_str(known).ok()
}

fn mark(known: &str, subject: &str) -> u64 {
    static KEY: OnceLock<RandomState> = OnceLock::new();
    KEY.get_or_init(RandomState::new).hash_one((known, subject))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_opens_only_what_it_was_made_for() {
        let known = ["{\"n\":1.0}".to_owned()];
        let state = sealed(&known, "tools/call ask");
        assert_eq!(unsealed(&state, "tools/call ask").unwrap(), known);
        assert!(unsealed(&state, "tools/call other").is_none());
        assert!(unsealed(&format!("{state} "), "tools/call ask").is_none());
        assert!(unsealed(&state.replace('1', "2"), "tools/call ask").is_none());
        assert!(unsealed("", "tools/call ask").is_none());
    }
}
