//! What a result of 2026-07-28 has that these eras have not.
//!
//! Three members of every result go (`resultType`, `ttlMs`, `cacheScope`), and what is structured is
//! an object (2026-07-28 allows any value, and any schema for it): another value is given as
//! `{"result": value}`, and its schema is changed in the list of tools to say so. Everything is
//! spliced; what stays keeps its bytes.

use std::collections::HashSet;

use bytes::{Bytes, BytesMut};
use mcp_wire::{ErrorCode, Message, Span, object};
use memchr::memmem;
use serde_json::value::RawValue;

use super::client::is_object;

/// Members of results that these eras do not have.
const NEWER: [&str; 3] = ["resultType", "ttlMs", "cacheScope"];

/// Tools of one server whose schema was changed that are remembered. Others are told by their
/// values.
const MAX_WRAPPED: usize = 4096;

/// Members of a schema that its references lead to from the root; they go with the root.
const REFERRED: [&str; 2] = ["$defs", "definitions"];

/// What a result says it is (2026-07-28, "Result types").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// The answer.
    Complete,
    /// Questions that have to be answered first.
    InputRequired,
    /// What only clients can take that have declared an extension.
    Other,
}

/// A result, as one walk over its members has found it.
pub(super) struct Survey {
    pub(super) sort: Sort,
    /// What leaves, commas included.
    newer: Vec<Span>,
    structured: Option<Span>,
    /// It is structured already as these eras want it.
    is_object: bool,
}

impl Survey {
    /// Looks a result over. What says no sort is an answer, as the results of older servers are.
    pub(super) fn of(message: &Message) -> Self {
        let mut survey = Self {
            sort: Sort::Complete,
            newer: Vec::new(),
            structured: None,
            is_object: true,
        };
        let (Some(result), Some(whole)) = (message.result(), message.result_span()) else {
            return survey;
        };
        let mut kept_end = None;
        let mut run: Option<u32> = None;
        let mut last_end = whole.start + 1;
        for entry in object::members(result) {
            let start = entry.key.span().shift(whole.start).start;
            let value = entry.span.shift(whole.start);
            last_end = value.end;
            if NEWER.iter().any(|newer| entry.key.is(newer)) {
                run.get_or_insert(start);
                if entry.key.is("resultType") {
                    survey.sort = sort(entry.value);
                }
                continue;
            }
            // What something follows takes the commas behind it along.
            let before = run.take().map(|run| Span {
                start: run,
                end: start,
            });
            survey.newer.extend(before);
            kept_end = Some(value.end);
            if entry.key.is("structuredContent") {
                survey.structured = Some(value);
                survey.is_object = is_object(entry.value);
            }
        }
        survey.newer.extend(run.map(|run| Span {
            start: kept_end.unwrap_or(run),
            end: last_end,
        }));
        survey
    }

    /// Makes it a result of these eras. `wrapped`: the tool it is of has a schema that was changed.
    pub(super) fn apply(self, message: &mut Message, wrapped: bool) {
        for span in self.newer {
            message.replace_span(span, Bytes::new());
        }
        if let Some(span) = self.structured
            && (wrapped || !self.is_object)
        {
            let at = |at| Span { start: at, end: at };
            message.replace_span(at(span.start), "{\"result\":");
            message.replace_span(at(span.end), "}");
        }
    }
}

fn sort(value: &[u8]) -> Sort {
    match object::string(value).as_deref() {
        Some("complete") => Sort::Complete,
        Some("input_required") => Sort::InputRequired,
        _ => Sort::Other,
    }
}

/// The tools of one server whose results are wrapped, whatever they are.
#[derive(Debug, Default)]
pub(super) struct Wrapped(HashSet<String>);

impl Wrapped {
    /// Whether the results of this tool are.
    pub(super) fn has(&self, tool: &str) -> bool {
        self.0.contains(tool)
    }

    /// Changes the schemas in a list of tools that are no objects', and remembers whose. `None` where
    /// there are none; the message is a new one, because others read its source.
    pub(super) fn schemas(&mut self, message: &Message) -> Option<Message> {
        let (result, whole) = (message.result()?, message.result_span()?);
        memmem::find(result, b"outputSchema")?;
        let list = object::find(result, "tools")?;
        let tools: Vec<&RawValue> = serde_json::from_slice(list.value).ok()?;
        let mut changed = message.clone();
        let mut any = false;
        for tool in tools {
            let tool = tool.get().as_bytes();
            let name = object::get(tool, "name").and_then(object::string);
            let Some(schema) = object::find(tool, "outputSchema") else {
                continue;
            };
            if object::get(schema.value, "type") == Some(b"\"object\"") {
                if let Some(name) = name {
                    self.0.remove(&*name);
                }
                continue;
            }
            // The tool is cut out of the result.
            let start = tool.as_ptr().addr() - result.as_ptr().addr();
            let Ok(start) = u32::try_from(start) else {
                continue;
            };
            any |= changed.replace_span(
                schema.span.shift(whole.start + start),
                object_of(schema.value),
            );
            if let Some(name) = name.filter(|_| self.0.len() < MAX_WRAPPED) {
                self.0.insert(name.into_owned());
            }
        }
        any.then(|| Message::parse(changed.to_bytes()).ok())?
    }
}

/// A schema for an object whose `result` is what `schema` describes.
fn object_of(schema: &[u8]) -> Bytes {
    let mut out = BytesMut::from(&br#"{"type":"object","properties":{"result":"#[..]);
    out.extend_from_slice(schema);
    out.extend_from_slice(br#"},"required":["result"]"#);
    for name in REFERRED {
        if let Some(referred) = object::get(schema, name) {
            for part in [b",\"", name.as_bytes(), b"\":", referred] {
                out.extend_from_slice(part);
            }
        }
    }
    out.extend_from_slice(b"}");
    out.freeze()
}

/// What an error of the server says of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing.
    None,
    /// The client did not declare what this needs.
    Incapable,
    /// We have made a mistake; the code is an internal error's now.
    Ours,
}

/// Makes an error one of these eras: codes that only 2026-07-28 has are about requests as we made
/// them.
pub(super) fn error(message: &mut Message) -> Fault {
    let (Some(error), Some(whole)) = (message.error(), message.error_span()) else {
        return Fault::None;
    };
    let Some(code) = object::find(error, "code") else {
        return Fault::None;
    };
    let said = std::str::from_utf8(code.value).unwrap_or_default();
    match said.parse().map(ErrorCode) {
        Ok(ErrorCode::MISSING_REQUIRED_CLIENT_CAPABILITY) => Fault::Incapable,
        Ok(ErrorCode::HEADER_MISMATCH | ErrorCode::UNSUPPORTED_PROTOCOL_VERSION) => {
            tracing::error!(
                code = said,
                "the server refused a request as this proxy made it"
            );
            let span = code.span.shift(whole.start);
            let internal = ErrorCode::INTERNAL_ERROR.to_string();
            message.replace_span(span, Bytes::from(internal));
            Fault::Ours
        }
        _ => Fault::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(result: &str) -> Message {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#);
        Message::parse(text.into()).unwrap()
    }

    fn text(message: &Message) -> String {
        let text = String::from_utf8(message.to_bytes().to_vec()).unwrap();
        Message::parse(text.clone().into()).unwrap();
        let text = text.strip_prefix(r#"{"jsonrpc":"2.0","id":1,"result":"#);
        text.unwrap().strip_suffix('}').unwrap().to_owned()
    }

    fn older(result: &str, wrapped: bool) -> String {
        let mut message = message(result);
        Survey::of(&message).apply(&mut message, wrapped);
        text(&message)
    }

    #[test]
    fn what_is_newer_goes_and_the_rest_keeps_its_bytes() {
        for (newer, expected) in [
            ("{}", "{}"),
            (r#"{"resultType":"complete"}"#, "{}"),
            (r#"{ "resultType" : "complete" , "a":1.0}"#, r#"{ "a":1.0}"#),
            (r#"{"a":1e3, "resultType":"complete"}"#, r#"{"a":1e3}"#),
            (
                r#"{"ttlMs":1,"a":1,"resultType":"complete","cacheScope":"private","b":2,"ttlMs":3}"#,
                r#"{"a":1,"b":2}"#,
            ),
            (r#"{"resul\u0074Type":"complete","a":1}"#, r#"{"a":1}"#),
            (
                r#"{"a":{"resultType":"complete"}}"#,
                r#"{"a":{"resultType":"complete"}}"#,
            ),
            ("[1]", "[1]"),
        ] {
            assert_eq!(older(newer, false), expected, "{newer}");
        }
    }

    #[test]
    fn a_result_says_what_it_is() {
        for (result, sort) in [
            ("{}", Sort::Complete),
            (r#"{"resultType":"complete"}"#, Sort::Complete),
            (r#"{"resultType":"input_required"}"#, Sort::InputRequired),
            (
                r#"{"resultType":"input_require\u0064"}"#,
                Sort::InputRequired,
            ),
            (r#"{"resultType":"task"}"#, Sort::Other),
            (r#"{"resultType":null}"#, Sort::Other),
        ] {
            assert_eq!(Survey::of(&message(result)).sort, sort, "{result}");
        }
    }

    #[test]
    fn what_is_structured_is_an_object() {
        for (before, wrapped, after) in [
            ("[1,2]", false, r#"{"result":[1,2]}"#),
            ("null", false, r#"{"result":null}"#),
            (r#"{"a":1}"#, false, r#"{"a":1}"#),
            // Its schema says that it may be something else, too.
            (r#"{"a":1}"#, true, r#"{"result":{"a":1}}"#),
        ] {
            let result = format!(r#"{{"structuredContent":{before},"resultType":"complete"}}"#);
            let expected = format!(r#"{{"structuredContent":{after}}}"#);
            assert_eq!(older(&result, wrapped), expected);
        }
    }

    #[test]
    fn the_schema_of_what_is_wrapped_says_so() {
        let mut wrapped = Wrapped::default();
        let list = message(
            r##"{"tools":[ {"name":"plain"}, {"name":"object","outputSchema":{"type":"object"}},
            {"name":"l\u0069st","outputSchema":{"type":"array","items":{"$ref":"#/$defs/x"},"$defs":{"x":{}}},"z":1.0}]}"##,
        );
        let changed = wrapped.schemas(&list).unwrap();
        assert_eq!(
            text(&changed),
            r##"{"tools":[ {"name":"plain"}, {"name":"object","outputSchema":{"type":"object"}},
            {"name":"l\u0069st","outputSchema":{"type":"object","properties":{"result":{"type":"array","items":{"$ref":"#/$defs/x"},"$defs":{"x":{}}}},"required":["result"],"$defs":{"x":{}}},"z":1.0}]}"##
        );
        assert!(wrapped.has("list") && !wrapped.has("object"));
        let without = message(r#"{"tools":[{"name":"list","outputSchema":{"type":"object"}}]}"#);
        assert!(wrapped.schemas(&without).is_none());
        assert!(!wrapped.has("list"), "the tool has changed");
    }

    #[test]
    fn codes_of_the_other_era_are_ours() {
        let said = |code: i64| {
            let text = format!(
                r#"{{"jsonrpc":"2.0","id":1,"error":{{"message":"m","code":{code},"data":1.0}}}}"#
            );
            let mut message = Message::parse(text.into()).unwrap();
            let fault = error(&mut message);
            let text = String::from_utf8(message.to_bytes().to_vec()).unwrap();
            (fault, text.contains("-32603,\"data\":1.0"))
        };
        assert_eq!(said(-32020), (Fault::Ours, true));
        assert_eq!(said(-32022), (Fault::Ours, true));
        assert_eq!(said(-32021), (Fault::Incapable, false));
        assert_eq!(said(-32602), (Fault::None, false));
    }
}
