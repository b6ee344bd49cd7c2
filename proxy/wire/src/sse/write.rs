//! Events for messages.

use bytes::{BufMut, Bytes, BytesMut};
use memchr::memchr2;
use smallvec::{SmallVec, smallvec};

use crate::message::Message;
use crate::text::Digits;

/// Up to this many bytes a message is copied into one piece with its fields, which costs less than
/// sending three. Beyond it the message's own slices are sent.
pub const WHOLE: usize = 16 * 1024;

/// How many pieces an event has without allocating for their list: fields, three slices and two
/// splices of a message with an id and a token of our own, and the end.
pub const PIECES: usize = 7;

/// How much is copied into one piece of a big message that needs a `data:` for each of its lines.
const COPIED: usize = 64 * 1024;

/// The event that carries `message`, as pieces to be sent in order. One piece up to [`WHOLE`] bytes;
/// beyond it, slices of the message between its fields and its end.
///
/// Where the message has raw line breaks each line has its own `data:`, so that the reader's joining
/// restores it (a CR or CRLF becomes the LF that joins). Such a message is copied whatever its size.
pub fn event(id: Option<&str>, message: &Message) -> SmallVec<[Bytes; PIECES]> {
    if message.len() <= WHOLE {
        let mut out = BytesMut::new();
        write_event(id, message, &mut out);
        return smallvec![out.freeze()];
    }
    let mut pieces = SmallVec::new();
    let mut open = BytesMut::with_capacity(64);
    begin(id, &mut open);
    if message.has_raw_breaks() {
        let mut data = Data {
            out: open,
            after_cr: false,
        };
        for piece in message.pieces() {
            // A part at a time, so that no piece is much larger than its neighbours.
            for part in piece.chunks(COPIED) {
                data.write(part);
                pieces.push(data.out.split().freeze());
            }
        }
    } else {
        pieces.push(open.freeze());
        pieces.extend(message.pieces());
    }
    pieces.push(Bytes::from_static(b"\n\n"));
    pieces
}

/// Appends the event that carries `message`.
pub fn write_event(id: Option<&str>, message: &Message, out: &mut BytesMut) {
    // Room for the fields' names, and a few lines.
    out.reserve(message.len() + id.map_or(0, str::len) + 64);
    begin(id, out);
    if message.has_raw_breaks() {
        let mut data = Data {
            out: std::mem::take(out),
            after_cr: false,
        };
        for piece in message.pieces() {
            data.write(&piece);
        }
        *out = data.out;
    } else {
        message.write(out);
    }
    out.put_slice(b"\n\n");
}

/// An event of another type than `message`, with one line of data: 2024-11-05 names its POST address
/// in an `endpoint` event. Line breaks in either are left out.
pub fn named(name: &str, data: &str) -> Bytes {
    let mut out = BytesMut::with_capacity(32 + name.len() + data.len());
    field("event: ", name, &mut out);
    field("data: ", data, &mut out);
    out.put_u8(b'\n');
    out.freeze()
}

/// A comment, which readers ignore: a sign of life for whatever stands in between.
pub fn comment() -> Bytes {
    Bytes::from_static(b":\n\n")
}

/// The event with an id and empty data that opens a stream of 2025-11-25, so that a client can resume
/// before anything was said; with `retry_ms`, also how long it is to wait before that.
pub fn priming(id: &str, retry_ms: Option<u64>) -> Bytes {
    let mut out = BytesMut::with_capacity(64 + id.len());
    field("id: ", id, &mut out);
    if let Some(retry_ms) = retry_ms {
        reconnection_time(retry_ms, &mut out);
    }
    out.put_slice(b"data: \n\n");
    out.freeze()
}

/// How long a client is to wait before it reconnects, in milliseconds, by itself.
pub fn retry(retry_ms: u64) -> Bytes {
    let mut out = BytesMut::with_capacity(32);
    reconnection_time(retry_ms, &mut out);
    out.put_u8(b'\n');
    out.freeze()
}

/// The fields in front of a message's data. The type is the default one, but spelled out as the
/// official SDKs do: clients that were written by hand look for it.
fn begin(id: Option<&str>, out: &mut BytesMut) {
    out.put_slice(b"event: message\n");
    if let Some(id) = id {
        field("id: ", id, out);
    }
    out.put_slice(b"data: ");
}

/// A field whose value must stay one line; a NUL would make readers ignore an id.
fn field(name: &str, value: &str, out: &mut BytesMut) {
    out.put_slice(name.as_bytes());
    for line in value.split(['\r', '\n', '\0']) {
        out.put_slice(line.as_bytes());
    }
    out.put_u8(b'\n');
}

fn reconnection_time(milliseconds: u64, out: &mut BytesMut) {
    out.put_slice(b"retry: ");
    out.put_slice(Digits::new(milliseconds).as_bytes());
    out.put_u8(b'\n');
}

/// Data with line breaks on its way out.
struct Data {
    out: BytesMut,
    /// The last byte was a CR, so that an LF belongs to the same break.
    after_cr: bool,
}

impl Data {
    fn write(&mut self, mut part: &[u8]) {
        if self.after_cr && !part.is_empty() {
            self.after_cr = false;
            part = part.strip_prefix(b"\n").unwrap_or(part);
        }
        while let Some(end) = memchr2(b'\r', b'\n', part) {
            self.out.put_slice(&part[..end]);
            self.out.put_slice(b"\ndata: ");
            let cr = part[end] == b'\r';
            part = &part[end + 1..];
            self.after_cr = cr && part.is_empty();
            if cr {
                part = part.strip_prefix(b"\n").unwrap_or(part);
            }
        }
        self.out.put_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::Member;

    fn message(text: &str) -> Message {
        Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
    }

    fn text(pieces: &[Bytes]) -> String {
        String::from_utf8(pieces.concat()).unwrap()
    }

    #[test]
    fn one_line_and_one_field() {
        let ping = message(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
        assert_eq!(
            text(&event(Some("s-1"), &ping)),
            "event: message\nid: s-1\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n\n"
        );
        assert_eq!(
            text(&event(None, &ping)),
            "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n\n"
        );
    }

    #[test]
    fn every_line_has_its_own_field() {
        let broken = message("{\"jsonrpc\":\"2.0\",\r\n\"id\":1,\r\"method\"\n\n:\"ping\"}");
        assert_eq!(
            text(&event(None, &broken)),
            "event: message\ndata: {\"jsonrpc\":\"2.0\",\ndata: \"id\":1,\ndata: \"method\"\ndata: \ndata: :\"ping\"}\n\n"
        );
    }

    #[test]
    fn a_big_message_is_sent_as_its_own_slices() {
        let long = "x".repeat(2 * WHOLE);
        let mut big = message(&format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":{{\"_meta\":{{\"progressToken\":1}},\"a\":\"{long}\"}}}}"
        ));
        big.set_id(77);
        big.replace(Member::ProgressToken, 88);
        let pieces = event(Some("1"), &big);
        assert_eq!(pieces.len(), PIECES);
        assert!(!pieces.spilled());
        let shared = &big.source()[big.source().len() - 10..];
        let last = &pieces[PIECES - 2];
        assert_eq!(
            last[last.len() - 10..].as_ptr(),
            shared.as_ptr(),
            "not copied"
        );
        let mut small = BytesMut::new();
        write_event(Some("1"), &big, &mut small);
        assert_eq!(small, pieces.concat());
    }

    #[test]
    fn a_break_between_pieces_is_one_break() {
        let filler = " ".repeat(COPIED - "{\"jsonrpc\":\"2.0\",".len() - 1);
        let big = message(&format!(
            "{{\"jsonrpc\":\"2.0\",{filler}\r\n\"id\":1,\"method\":\"ping\"}}"
        ));
        let sent = text(&event(None, &big));
        assert_eq!(sent.matches("\ndata: ").count(), 2);
        assert!(sent.ends_with("\ndata: \"id\":1,\"method\":\"ping\"}\n\n"));
    }

    #[test]
    fn what_is_no_message() {
        assert_eq!(comment(), ":\n\n");
        assert_eq!(priming("a\r\nb\0c", None), "id: abc\ndata: \n\n");
        assert_eq!(priming("7", Some(1500)), "id: 7\nretry: 1500\ndata: \n\n");
        assert_eq!(retry(0), "retry: 0\n\n");
        assert_eq!(
            named("endpoint", "/message?s=1"),
            "event: endpoint\ndata: /message?s=1\n\n"
        );
    }
}
