//! Results that ask (2026-07-28, "Multi round-trip requests"), as questions and back.

use bytes::{Bytes, BytesMut};
use mcp_wire::{Kind, Member, Message, method, object};

use crate::exchange::{AskId, Profile};

/// How often one request may ask. The clients of the Python and the TypeScript SDK stop there, too.
pub(super) const MAX_ROUNDS: u32 = 10;

/// Questions of one round. Each is a person's attention or a model's.
const MAX_QUESTIONS: usize = 256;

/// A result that asks.
#[derive(Debug)]
pub(super) struct Round {
    /// What the server wants to see again, as JSON text.
    pub(super) state: Option<Bytes>,
    pub(super) questions: Vec<Question>,
}

/// One entry of it.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) ask: AskId,
    /// By which name the server knows it: JSON text, quotes included.
    key: Bytes,
    pub(super) kind: Profile,
    /// What the client said, as JSON text.
    pub(super) answer: Option<Bytes>,
}

impl Round {
    /// Unfolds a result. The messages are the questions, in the order of [`Round::questions`].
    ///
    /// # Errors
    ///
    /// A sentence about the server, where a client of `profile` cannot be asked so.
    pub(super) fn of(result: &[u8], profile: Profile) -> Result<(Self, Vec<Message>), String> {
        let requests = object::get(result, "inputRequests").unwrap_or_default();
        let mut round = Self {
            state: object::get(result, "requestState")
                .filter(|state| state.starts_with(b"\""))
                .map(Bytes::copy_from_slice),
            questions: Vec::new(),
        };
        let mut messages = Vec::new();
        for entry in object::members(requests) {
            if messages.len() >= MAX_QUESTIONS {
                return Err(format!(
                    "it asked more than {MAX_QUESTIONS} questions at once"
                ));
            }
            let ask = AskId::next();
            let (kind, message) = question(ask, entry.value)?;
            if !profile.has(kind) {
                return Err(format!(
                    "it asked for {}, which this client has not offered",
                    message.method().unwrap_or_default()
                ));
            }
            round.questions.push(Question {
                ask,
                key: format!("\"{}\"", entry.key.raw()).into(),
                kind,
                answer: None,
            });
            messages.push(message);
        }
        if round.state.is_none() && messages.is_empty() {
            return Err("it asked, and did not say what".to_owned());
        }
        Ok((round, messages))
    }

    /// Whether nothing is left to be answered.
    pub(super) fn is_answered(&self) -> bool {
        self.questions
            .iter()
            .all(|question| question.answer.is_some())
    }

    /// The request again, with the answers. `None` where what the server gave is no JSON for that
    /// place.
    pub(super) fn retry(&self, original: &Message) -> Option<Message> {
        let mut again = original.clone();
        let params = again.params_span()?;
        let mut responses = BytesMut::from(&b"{"[..]);
        for question in &self.questions {
            if responses.len() > 1 {
                responses.extend_from_slice(b",");
            }
            responses.extend_from_slice(&question.key);
            responses.extend_from_slice(b":");
            responses.extend_from_slice(question.answer.as_deref().unwrap_or(b"null"));
        }
        responses.extend_from_slice(b"}");
        if !self.questions.is_empty() {
            again.insert_member(params, Member::InputResponses.name(), responses.freeze());
        }
        if let Some(state) = &self.state {
            again.insert_member(params, Member::RequestState.name(), state.clone());
        }
        // Whoever passes it on reads the state, and what is read are the bytes that arrived.
        Message::parse(again.to_bytes()).ok()
    }
}

/// An entry as a request of these eras.
fn question(ask: AskId, entry: &[u8]) -> Result<(Profile, Message), String> {
    let named = object::get(entry, "method").and_then(object::string);
    // Its name is one of ours from here on: nothing else of these eras is asked.
    let name = [method::ELICIT, method::CREATE_MESSAGE, method::ROOTS_LIST]
        .into_iter()
        .find(|known| named.as_deref() == Some(*known))
        .ok_or("it asked for what no client is asked")?;
    let params = object::get(entry, "params");
    let mut text = format!(r#"{{"jsonrpc":"2.0","id":{},"method":"{name}""#, ask.0).into_bytes();
    if let Some(params) = params {
        text.extend_from_slice(b",\"params\":");
        text.extend_from_slice(params);
    }
    text.push(b'}');
    let mut message = Message::parse(text.into())
        .map_err(|fault| format!("it asked with a {name} that cannot be read: {fault}"))?;
    let kind = Profile::of_question(name, params.unwrap_or_default()).unwrap_or(Profile::NONE);
    if kind == Profile::URL
        && let Some(span) = message.params_span()
        && params.is_some_and(|params| object::get(params, "elicitationId").is_none())
    {
        // 2025-11-25 wants one, and 2026-07-28 has none.
        let id = format!("\"mcp-proxy-{}\"", ask.0);
        message.insert_member(span, "elicitationId", Bytes::from(id));
    }
    Ok((kind, message))
}

/// What a client's answer is in a round, which has no errors: a person who was not reached has
/// cancelled.
///
/// # Errors
///
/// A sentence about the client, where nothing can be said in its place.
pub(super) fn answer(kind: Profile, reply: &Message) -> Result<Bytes, String> {
    if reply.kind() == Kind::Result {
        return Ok(Bytes::copy_from_slice(reply.result().unwrap_or(b"{}")));
    }
    if kind == Profile::FORM || kind == Profile::URL {
        return Ok(Bytes::from_static(br#"{"action":"cancel"}"#));
    }
    let said = reply
        .error()
        .and_then(|error| object::get(error, "message"))
        .and_then(object::string)
        .unwrap_or_default();
    Err(format!(
        "the client did not answer a question of the MCP server: {said}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Message {
        Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
    }

    const ALL: Profile = Profile::FORM
        .and(Profile::URL)
        .and(Profile::SAMPLING)
        .and(Profile::ROOTS);

    #[test]
    fn a_round_is_unfolded_and_folded_again() {
        let result = br#"{"inputRequests":{"a\u0020b":{"params":{"message":"\u00e9","n":1.0},"method":"elicitation/create"},"r":{"method":"roots/list"}},"requestState":"s\/1"}"#;
        let (mut round, questions) = Round::of(result, ALL).unwrap();
        let texts: Vec<String> = questions
            .iter()
            .zip(&round.questions)
            .map(|(question, known)| {
                let text = String::from_utf8(question.to_bytes().to_vec()).unwrap();
                text.replace(&format!(r#""id":{}"#, known.ask.0), "ID")
            })
            .collect();
        assert_eq!(
            texts,
            [
                r#"{"jsonrpc":"2.0",ID,"method":"elicitation/create","params":{"message":"\u00e9","n":1.0}}"#,
                r#"{"jsonrpc":"2.0",ID,"method":"roots/list"}"#,
            ]
        );
        assert!(!round.is_answered());
        for (question, answer) in round.questions.iter_mut().zip([r#"{"x":1e3}"#, "{}"]) {
            question.answer = Some(answer.into());
        }
        assert!(round.is_answered());
        let original = message(
            r#"{"jsonrpc":"2.0","id":"c","method":"tools/call","params":{"name":"t","requestState":"old"}}"#,
        );
        assert_eq!(
            round.retry(&original).unwrap().to_bytes(),
            r#"{"jsonrpc":"2.0","id":"c","method":"tools/call","params":{"name":"t","inputResponses":{"a\u0020b":{"x":1e3},"r":{}},"requestState":"s\/1"}}"#
        );
    }

    #[test]
    fn a_url_is_given_the_id_that_the_older_revision_wants() {
        let result = br#"{"inputRequests":{"u":{"method":"elicitation/create","params":{"mode":"url","url":"https://x"}}}}"#;
        let (round, questions) = Round::of(result, ALL).unwrap();
        let text = String::from_utf8(questions[0].to_bytes().to_vec()).unwrap();
        let id = format!(
            r#""elicitationId":"mcp-proxy-{}""#,
            round.questions[0].ask.0
        );
        assert!(text.contains(&id), "{text}");
    }

    #[test]
    fn what_cannot_be_asked_is_said() {
        for (result, sentence) in [
            ("{}", "did not say what"),
            (r#"{"inputRequests":{}}"#, "did not say what"),
            (r#"{"inputRequests":{"a":{"method":"ping"}}}"#, "no client"),
            (r#"{"inputRequests":{"a":7}}"#, "no client"),
            (
                r#"{"inputRequests":{"a":{"method":"roots/list","params":{"uri":1,"uri":2}}}}"#,
                "cannot be read",
            ),
            (
                r#"{"inputRequests":{"a":{"method":"sampling/createMessage","params":{"tools":[]}}}}"#,
                "not offered",
            ),
        ] {
            let error = Round::of(result.as_bytes(), ALL).unwrap_err();
            assert!(error.contains(sentence), "{result}: {error}");
        }
        assert!(Round::of(br#"{"requestState":"s"}"#, Profile::NONE).is_ok());
    }

    #[test]
    fn a_person_who_was_not_reached_has_cancelled() {
        let refused = message(r#"{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"no"}}"#);
        assert_eq!(
            answer(Profile::FORM, &refused).unwrap(),
            r#"{"action":"cancel"}"#
        );
        assert!(answer(Profile::ROOTS, &refused).unwrap_err().contains("no"));
        let said = message(r#"{"jsonrpc":"2.0","id":1,"result":{"a":1.0}}"#);
        assert_eq!(answer(Profile::SAMPLING, &said).unwrap(), r#"{"a":1.0}"#);
    }
}
