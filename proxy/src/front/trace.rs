//! A request's trace context: from its headers into its `_meta` (SEP-414), where servers look for it,
//! on stdio too.
//!
//! A request without these headers costs two look-ups. What its client wrote into `_meta` itself wins:
//! the header is then another hop's. Nothing goes back: neither the specification nor W3C Trace
//! Context has a place for it in an answer.

use axum::http::{HeaderMap, HeaderName};
use bytes::Bytes;
use mcp_wire::{Kind, Message};
use serde_json::Value;

use crate::observe::trace::{self, Parent, is_baggage, is_state};

static TRACEPARENT: HeaderName = HeaderName::from_static(trace::TRACEPARENT);
static TRACESTATE: HeaderName = HeaderName::from_static(trace::TRACESTATE);
static BAGGAGE: HeaderName = HeaderName::from_static(trace::BAGGAGE);

/// Puts the trace context of these headers into a request. What is malformed is left out.
pub(super) fn carry(headers: &HeaderMap, message: &mut Message) {
    let parent = headers.contains_key(&TRACEPARENT);
    let baggage = headers.contains_key(&BAGGAGE);
    if !(parent || baggage) || message.kind() != Kind::Request {
        return;
    }
    let own = |key| message.meta(key).is_some();
    // A state belongs to its parent: one of the client's is not mixed with another hop's.
    let carries_parent = parent && !own(trace::TRACEPARENT) && !own(trace::TRACESTATE);
    let carries_baggage = baggage && !own(trace::BAGGAGE);
    if carries_parent
        && let Some(parent) = joined(headers, &TRACEPARENT)
        && Parent::parse(&parent).is_some()
    {
        put(message, trace::TRACEPARENT, parent);
        let state = joined(headers, &TRACESTATE).filter(|state| is_state(state));
        if let Some(state) = state {
            put(message, trace::TRACESTATE, state);
        }
    }
    if carries_baggage
        && let Some(baggage) = joined(headers, &BAGGAGE).filter(|baggage| is_baggage(baggage))
    {
        put(message, trace::BAGGAGE, baggage);
    }
}

/// A header that may be split into several, as one (RFC 9110, 5.3). Two parents make no parent: the
/// comma is in no grammar of one.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values = headers.get_all(name).iter().map(|value| value.to_str());
    let values: Vec<&str> = values.collect::<Result<_, _>>().ok()?;
    (!values.is_empty()).then(|| values.join(","))
}

fn put(message: &mut Message, key: &str, value: String) {
    // Where `_meta` is no object the server refuses the request anyway.
    let _put = message.insert_meta(key, Bytes::from(Value::from(value).to_string()));
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    /// The `_meta` of what leaves.
    fn carried(headers: &[(&'static str, &str)], request: &str) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        let mut message = Message::parse(Bytes::copy_from_slice(request.as_bytes())).unwrap();
        carry(&map, &mut message);
        let text = String::from_utf8(message.to_bytes().to_vec()).unwrap();
        Message::parse(Bytes::from(text.clone())).expect("it is still a message");
        match text.split_once(r#""_meta":"#) {
            Some((_, meta)) => meta.trim_end_matches('}').to_owned() + "}",
            None => {
                assert_eq!(text, request, "nothing else changes");
                "none".to_owned()
            }
        }
    }

    #[test]
    fn headers_go_into_meta_and_the_clients_own_words_win() {
        let bare = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        let with = |meta: &str| {
            format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{{"_meta":{meta}}}}}"#
            )
        };
        let parent = ("traceparent", TRACE);
        for (headers, request, expected) in [
            (&[][..], bare, "none".to_owned()),
            (&[("tracestate", "a=1")], bare, "none".to_owned()),
            (&[("traceparent", "00-x")], bare, "none".to_owned()),
            (&[parent, parent], bare, "none".to_owned()),
            (&[parent], bare, format!(r#"{{"traceparent":"{TRACE}"}}"#)),
            (
                &[
                    parent,
                    ("tracestate", "a=\"1"),
                    ("tracestate", "b=2"),
                    ("baggage", "u=x"),
                ],
                bare,
                format!(r#"{{"traceparent":"{TRACE}","tracestate":"a=\"1,b=2","baggage":"u=x"}}"#),
            ),
            (
                &[parent, ("tracestate", "A"), ("baggage", "\"")],
                bare,
                format!(r#"{{"traceparent":"{TRACE}"}}"#),
            ),
            (
                &[parent, ("tracestate", "a=1"), ("baggage", "u=x")],
                &with(r#"{"k":1,"traceparent":"mine"}"#),
                r#"{"k":1,"traceparent":"mine","baggage":"u=x"}"#.to_owned(),
            ),
            (
                &[parent],
                &with(r#"{"tr\u0061ceparent":null}"#),
                r#"{"tr\u0061ceparent":null}"#.to_owned(),
            ),
        ] {
            assert_eq!(carried(headers, request), expected, "{headers:?} {request}");
        }
        let told = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        assert_eq!(carried(&[parent], told), "none");
    }
}
