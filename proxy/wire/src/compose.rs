//! Messages of our own making.
//!
//! Every one is composed as text and read back through the same door as a stranger's, so that nothing leaves here
//! that would not be let in.

use bytes::{BufMut, Bytes, BytesMut};

use crate::error::ErrorCode;
use crate::id::Id;
use crate::message::Message;
use crate::unescape::escape;

/// An error response. Without an `id` its id is null: JSON-RPC 2.0 section 5, for requests whose id could not be
/// read. `data` is the text of one JSON value.
///
/// # Panics
/// If `data` is not JSON. It is a literal, or cut from a message that was read.
pub fn error_message(
    id: Option<&Id>,
    code: ErrorCode,
    message: &str,
    data: Option<&[u8]>,
) -> Message {
    let mut out = head(
        id.map_or(&b"null"[..], Id::text),
        b"error",
        64 + message.len(),
    );
    out.put_slice(b"{\"code\":");
    out.put_slice(code.to_string().as_bytes());
    out.put_slice(b",\"message\":");
    escape(message, &mut out);
    if let Some(data) = data {
        out.put_slice(b",\"data\":");
        out.put_slice(data);
    }
    out.put_slice(b"}}");
    read(out)
}

/// A response that succeeded. `result` is the text of one JSON value.
///
/// # Panics
/// If `result` is not JSON. It is a literal, or cut from a message that was read.
pub fn result_message(id: &Id, result: &[u8]) -> Message {
    let mut out = head(id.text(), b"result", result.len());
    out.put_slice(result);
    out.put_u8(b'}');
    read(out)
}

/// The answer that ends a subscription gracefully (2026-07-28, subscriptions, "Graceful closure"). `subscription` is
/// the text of the id by which its client knows it.
///
/// # Panics
/// If `subscription` is not JSON. It is an id that was read.
pub fn subscription_ended(id: &Id, subscription: &[u8]) -> Message {
    let mut result =
        b"{\"resultType\":\"complete\",\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":"
            .to_vec();
    result.extend_from_slice(subscription);
    result.extend_from_slice(b"}}");
    result_message(id, &result)
}

/// A notification. `params` is the text of a JSON object or array.
///
/// # Panics
/// If `method` needs escapes, or `params` is not JSON. They are names of this crate, or cut from a message that was
/// read.
pub fn notification(method: &str, params: Option<&[u8]>) -> Message {
    call(None, method, params)
}

/// A request. `params` is the text of a JSON object or array.
///
/// # Panics
/// As [`notification`].
pub fn request(id: &Id, method: &str, params: Option<&[u8]>) -> Message {
    call(Some(id), method, params)
}

fn call(id: Option<&Id>, method: &str, params: Option<&[u8]>) -> Message {
    let mut out = match id {
        Some(id) => head(
            id.text(),
            b"method",
            method.len() + params.map_or(0, <[u8]>::len),
        ),
        None => BytesMut::from(&b"{\"jsonrpc\":\"2.0\",\"method\":"[..]),
    };
    escape(method, &mut out);
    if let Some(params) = params {
        out.put_slice(b",\"params\":");
        out.put_slice(params);
    }
    out.put_u8(b'}');
    read(out)
}

/// The beginning of a message up to the value of the member called `last`.
fn head(id: &[u8], last: &[u8], rest: usize) -> BytesMut {
    let mut out = BytesMut::with_capacity(64 + id.len() + rest);
    out.put_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    out.put_slice(id);
    out.put_slice(b",\"");
    out.put_slice(last);
    out.put_slice(b"\":");
    out
}

#[expect(
    clippy::panic,
    reason = "only a fault of this program can get here; what strangers write is never composed"
)]
fn read(out: BytesMut) -> Message {
    match Message::parse(Bytes::from(out)) {
        Ok(message) => message,
        Err(error) => panic!("failed to compose message: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(message: &Message) -> String {
        String::from_utf8(message.to_bytes().to_vec()).unwrap()
    }

    #[test]
    fn errors() {
        let id = Id::parse(Bytes::from_static(b"1.0")).unwrap();
        let error = error_message(
            Some(&id),
            ErrorCode::INVALID_PARAMS,
            "no \"x\"\n",
            Some(b"{\"a\":[1]}"),
        );
        assert_eq!(
            text(&error),
            r#"{"jsonrpc":"2.0","id":1.0,"error":{"code":-32602,"message":"no \"x\"\n","data":{"a":[1]}}}"#
        );
        assert_eq!(error.id(), Some(id));
        let anonymous = error_message(None, ErrorCode::PARSE_ERROR, "é", None);
        assert_eq!(
            text(&anonymous),
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"é"}}"#
        );
        assert_eq!(anonymous.id(), None);
    }

    #[test]
    fn results_requests_and_notifications() {
        let id = Id::number(7);
        assert_eq!(
            text(&result_message(&id, b"{}")),
            r#"{"jsonrpc":"2.0","id":7,"result":{}}"#
        );
        assert_eq!(
            text(&request(&id, "ping", None)),
            r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#
        );
        assert_eq!(
            text(&notification(
                "notifications/cancelled",
                Some(b"{\"requestId\":7}")
            )),
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#
        );
    }

    #[test]
    #[should_panic(expected = "failed to compose message: JSON syntax error")]
    fn what_is_not_json_is_not_composed() {
        result_message(&Id::number(1), b"}{");
    }
}
