//! What changes in a message on its way between the eras: members come and go, everything else stays
//! the bytes it was.

use bytes::Bytes;
use mcp_wire::object::Key;
use mcp_wire::{ErrorCode, Member, Message, Span, object};

use super::welcome::{SERVER_INFO, meta};

/// What 2026-07-28 keeps for itself in `_meta`. Some servers of the session eras refuse a `_meta`
/// they do not know.
const RESERVED: &str = "io.modelcontextprotocol/";

/// Takes out of a request what only 2026-07-28 has.
pub(super) fn to_legacy(message: &mut Message) {
    if let Some(meta) = message.member_span(Member::Meta) {
        let text = message.member(Member::Meta).unwrap_or_default();
        if object::members(text).all(|entry| is_reserved(&entry.key)) {
            // Nearly always, and one edit instead of one for each.
            message.replace_span(meta, Bytes::from_static(b"{}"));
        } else {
            let reserved: Vec<String> = object::members(text)
                .filter(|entry| is_reserved(&entry.key))
                .map(|entry| entry.key.name().into_owned())
                .collect();
            for name in reserved {
                message.remove_member(meta, &name);
            }
        }
    }
    if let Some(params) = message.params_span() {
        for member in [Member::InputResponses, Member::RequestState] {
            if message.member(member).is_some() {
                message.remove_member(params, name(member));
            }
        }
        if message.member(Member::Task).is_some() {
            // Tasks of 2025-11-25 were not advertised.
            message.remove_member(params, "task");
        }
    }
}

fn is_reserved(key: &Key<'_>) -> bool {
    key.name().starts_with(RESERVED)
}

const fn name(member: Member) -> &'static str {
    match member {
        Member::InputResponses => "inputResponses",
        _ => "requestState",
    }
}

/// What is said of a result that says none of it itself, which is nearly every one of these servers.
#[derive(Clone, Debug)]
pub(super) struct Stamps {
    plain: Bytes,
    cacheable: Bytes,
}

impl Stamps {
    /// For results of a server that gave this `Implementation`, if it gave one.
    pub(super) fn of(info: &[u8]) -> Self {
        let tail = if info.is_empty() {
            Vec::new()
        } else {
            [b",\"_meta\":", &meta(info)[..]].concat()
        };
        let whole = |hints: &[u8]| Bytes::from([KIND, hints, &tail].concat());
        Self {
            plain: whole(b""),
            cacheable: whole(HINTS),
        }
    }
}

/// That a result is complete.
const KIND: &[u8] = br#","resultType":"complete""#;

/// For how long it holds, where that may matter to the client.
const HINTS: &[u8] = br#","ttlMs":0,"cacheScope":"private""#;

/// Says of a result what 2026-07-28 wants said: that it is complete, where it comes from, and for how
/// long it holds if that may matter to the client.
pub(super) fn complete(message: &mut Message, info: &[u8], stamps: &Stamps, cacheable: bool) {
    let Some((result, whole)) = message.result().zip(message.result_span()) else {
        return;
    };
    let mut own_meta = None;
    let mut said = Said::default();
    for entry in object::members(result) {
        said.any = true;
        if entry.key.is("_meta") {
            own_meta = Some((entry.span.shift(whole.start), entry.value.starts_with(b"{")));
        } else if entry.key.is("resultType") {
            said.kind = true;
        } else if entry.key.is("ttlMs") {
            said.ttl = true;
        } else if entry.key.is("cacheScope") {
            said.scope = true;
        }
    }
    let end = Span {
        start: whole.end - 1,
        end: whole.end - 1,
    };
    if said.nothing_of_it() && own_meta.is_none() {
        let stamp = if cacheable {
            &stamps.cacheable
        } else {
            &stamps.plain
        };
        message.replace_span(end, stamp.clone());
        return;
    }
    let mut text = Vec::with_capacity(160 + info.len());
    let mut put = |member: &[u8]| {
        if said.any {
            text.push(b',');
        }
        said.any = true;
        text.extend_from_slice(member);
    };
    if !said.kind {
        put(&KIND[1..]);
    }
    if cacheable && !said.ttl {
        put(br#""ttlMs":0"#);
    }
    if cacheable && !said.scope {
        put(br#""cacheScope":"private""#);
    }
    if !info.is_empty() {
        match own_meta {
            Some((span, true)) => {
                message.insert_member(span, SERVER_INFO, Bytes::copy_from_slice(info));
            }
            Some((_, false)) => {}
            None => put(&[&b"\"_meta\":"[..], &meta(info)].concat()),
        }
    }
    message.replace_span(end, Bytes::from(text));
}

/// What a result says already.
#[derive(Default)]
struct Said {
    any: bool,
    kind: bool,
    ttl: bool,
    scope: bool,
}

impl Said {
    /// It says something, and nothing of what is to be said.
    const fn nothing_of_it(&self) -> bool {
        self.any && !self.kind && !self.ttl && !self.scope
    }
}

/// An error as clients of 2026-07-28 know it: that revision has no code of its own for a resource
/// that is not there, and keeps a range of codes to itself. Whatever a server of the session eras
/// answers to a method that is not `known`, it means that it does not know it either.
pub(super) fn error(mut message: Message, known: bool) -> Message {
    let Some((error, whole)) = message.error().zip(message.error_span()) else {
        return message;
    };
    let Some(entry) = object::find(error, "code") else {
        return message;
    };
    let Some(code) = number(entry.value).map(ErrorCode) else {
        return message;
    };
    if code == ErrorCode::RESOURCE_NOT_FOUND {
        let text = ErrorCode::INVALID_PARAMS.to_string();
        message.replace_span(entry.span.shift(whole.start), Bytes::from(text));
    } else if code.is_reserved() || !known && code != ErrorCode::METHOD_NOT_FOUND {
        let said = object::get(error, "message").and_then(object::string);
        let data = [b"{\"error\":", error, b"}"].concat();
        let code = if known {
            ErrorCode::INTERNAL_ERROR
        } else {
            ErrorCode::METHOD_NOT_FOUND
        };
        return mcp_wire::error_message(
            message.id().as_ref(),
            code,
            said.as_deref().unwrap_or("the MCP server failed"),
            Some(&data),
        );
    }
    message
}

/// The code of an error.
pub(super) fn code(message: &Message) -> Option<ErrorCode> {
    number(object::get(message.error()?, "code")?).map(ErrorCode)
}

fn number(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Message {
        Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
    }

    use super::code as stamp_code;

    fn text(message: &Message) -> String {
        String::from_utf8(message.to_bytes().to_vec()).unwrap()
    }

    #[test]
    fn a_request_loses_what_is_new_and_nothing_else() {
        for (params, left) in [
            (
                r#"{"name":"t","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","progressToken":1,"io.modelcontextprotocol/clientCapabilities":{},"x":1.0}}"#,
                r#"{"name":"t","_meta":{"progressToken":1,"x":1.0}}"#,
            ),
            (
                r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/logLevel":"debug"},"name":"t"}"#,
                r#"{"_meta":{},"name":"t"}"#,
            ),
            (
                r#"{"inputResponses":{"a":{}},"name":"t","requestState":"s","task":{}}"#,
                r#"{"name":"t"}"#,
            ),
        ] {
            let frame = |params| {
                format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#)
            };
            let mut message = message(&frame(params));
            to_legacy(&mut message);
            assert_eq!(text(&message), frame(left));
        }
    }

    #[test]
    fn a_result_is_said_to_be_complete() {
        for (cacheable, result, stamped) in [
            (
                false,
                r#"{"content":[]}"#,
                r#"{"content":[],"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s"}}}"#,
            ),
            (
                true,
                r#"{}"#,
                r#"{"resultType":"complete","ttlMs":0,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s"}}}"#,
            ),
            (
                true,
                r#"{ "_meta":{"x":1} , "ttlMs":5 }"#,
                r#"{ "_meta":{"x":1,"io.modelcontextprotocol/serverInfo":{"name":"s"}} , "ttlMs":5 ,"resultType":"complete","cacheScope":"private"}"#,
            ),
        ] {
            let frame = |result| format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#);
            let mut message = message(&frame(result));
            let info = br#"{"name":"s"}"#;
            complete(&mut message, info, &Stamps::of(info), cacheable);
            assert_eq!(text(&message), frame(stamped));
        }
    }

    #[test]
    fn codes_that_mean_something_else_now_are_changed() {
        for (given, told) in [
            (
                r#"{"code":-32002,"message":"gone","data":{"uri":"x"}}"#,
                r#"{"code":-32602,"message":"gone","data":{"uri":"x"}}"#,
            ),
            (
                r#"{"code":-32050,"message":"own"}"#,
                r#"{"code":-32603,"message":"own","data":{"error":{"code":-32050,"message":"own"}}}"#,
            ),
            (
                r#"{"code":-32000,"message":"x"}"#,
                r#"{"code":-32000,"message":"x"}"#,
            ),
        ] {
            let frame = |error| format!(r#"{{"jsonrpc":"2.0","id":1,"error":{error}}}"#);
            assert_eq!(text(&error(message(&frame(given)), true)), frame(told));
        }
        let unknown = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no"}}"#;
        let told = stamp_code(&error(message(unknown), false));
        assert_eq!(told, Some(ErrorCode::METHOD_NOT_FOUND));
    }
}
