//! The laws of this crate, tested from where its users stand, and the words they are written in.

mod laws;
mod oracle;
mod refused;
mod spliced;
mod strategies;
mod streams;

use bytes::{Bytes, BytesMut};

use crate::{Message, ParseError};

fn parse(text: &str) -> Result<Message, ParseError> {
    Message::parse(Bytes::copy_from_slice(text.as_bytes()))
}

fn message(text: &str) -> Message {
    parse(text).unwrap()
}

/// What the message is written as, after checking that every way of writing it says the same.
fn written(message: &Message) -> String {
    let bytes = message.to_bytes();
    assert_eq!(message.len(), bytes.len());
    let pieces: Vec<Bytes> = message.pieces().collect();
    assert!(pieces.iter().all(|piece| !piece.is_empty()));
    assert_eq!(pieces.concat(), bytes);

    let mut line = BytesMut::from(&b"before"[..]);
    message.write_line(&mut line);
    let joined: Vec<u8> = bytes
        .iter()
        .map(|b| if matches!(b, b'\r' | b'\n') { b' ' } else { *b })
        .collect();
    assert_eq!(line[..], [b"before", &joined[..], b"\n"].concat());
    assert_eq!(
        message.line_pieces().collect::<Vec<_>>().concat(),
        line["before".len()..]
    );
    if joined != bytes {
        assert!(message.has_raw_breaks());
    }
    String::from_utf8(bytes.to_vec()).unwrap()
}
