//! Any bytes at all: what is accepted is JSON by a second opinion, leaves as it came, and can be
//! changed and changed back.

#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use mcp_wire::{Fault, Kind, Message};
use serde_json::value::RawValue;

fuzz_target!(|data: &[u8]| {
    let json = std::str::from_utf8(data)
        .ok()
        .and_then(|text| serde_json::from_str::<&RawValue>(text).ok());
    let message = match Message::parse(Bytes::copy_from_slice(data)) {
        Ok(message) => message,
        Err(error) => {
            // Whoever calls text that is no JSON an invalid request, or the other way round, misleads the writer.
            let syntax = matches!(
                error.kind,
                Fault::NotUtf8
                    | Fault::Bom
                    | Fault::Empty
                    | Fault::Truncated
                    | Fault::Syntax { .. }
            );
            assert!(
                error.kind == Fault::TooDeep || syntax == json.is_none(),
                "{error}"
            );
            return;
        }
    };
    let json = json.expect("accepted what is not JSON");
    assert_eq!(message.source(), json.get().as_bytes());
    check(&message);

    if let Some(id) = message.id() {
        let mut relayed = message.clone();
        assert!(relayed.set_id(u64::MAX));
        let mut relayed = check(&relayed);
        assert_eq!(relayed.id().and_then(|id| id.as_u64()), Some(u64::MAX));
        assert!(relayed.set_id(&id));
        assert_eq!(relayed.to_bytes(), message.source());
    }
    let mut stamped = message.clone();
    if stamped.insert_meta("fuzz", 1) {
        let mut stamped = check(&stamped);
        assert!(stamped.remove_meta("fuzz"));
        assert!(!check(&stamped).remove_meta("fuzz"));
    } else {
        assert_eq!(stamped.to_bytes(), message.source());
    }
});

/// Every way of writing says the same, and what is written is read as the same kind of message.
fn check(message: &Message) -> Message {
    let bytes = message.to_bytes();
    assert_eq!(message.len(), bytes.len());
    assert_eq!(message.pieces().collect::<Vec<_>>().concat(), bytes);
    let mut line = BytesMut::new();
    message.write_line(&mut line);
    assert_eq!(message.line_pieces().collect::<Vec<_>>().concat(), line);
    let end = line.len() - 1;
    assert_eq!(
        line.iter().position(|byte| matches!(byte, b'\r' | b'\n')),
        Some(end)
    );
    assert_eq!(line.len(), bytes.len() + 1);
    assert!(message.has_raw_breaks() || line[..end] == bytes);

    let again = Message::parse(bytes).expect("refused what it wrote");
    assert_eq!(again.kind(), message.kind());
    assert_eq!(again.method(), message.method());
    assert_eq!(again.id().is_some(), message.id().is_some());
    assert_eq!(again.kind() == Kind::Result, again.result().is_some());
    again
}
