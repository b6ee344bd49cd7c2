//! Any bytes in any chunks: the same events as in one chunk; and a message in an event is the message.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use mcp_wire::Message;
use mcp_wire::sse::{self, EventSplitter, Part};

fuzz_target!(|input: (u16, Vec<u8>, &[u8])| {
    let (limit, lengths, text) = input;
    for limit in [usize::from(limit), usize::MAX] {
        let whole = split(limit, &[], text);
        assert_eq!(split(limit, &lengths, text), whole);
        for part in &whole {
            match part {
                Part::Event(event) => assert!(event.data.len() <= limit),
                Part::TooLong { length, .. } => assert!(*length > limit as u64),
            }
        }
    }

    if let Ok(message) = Message::parse(Bytes::copy_from_slice(text)) {
        let stream = sse::event(Some("1"), &message).concat();
        let parts = split(usize::MAX, &lengths, &stream);
        let [Part::Event(event)] = &parts[..] else {
            panic!("{parts:?}")
        };
        let read = Message::parse(event.data.clone()).expect("refused what it wrote");
        assert_eq!(read.kind(), message.kind());
        assert_eq!(read.id(), message.id());
        if !message.has_raw_breaks() {
            assert_eq!(event.data, message.source());
        }
    }
});

fn split(limit: usize, lengths: &[u8], mut text: &[u8]) -> Vec<Part> {
    let mut splitter = EventSplitter::new(limit);
    let mut parts = Vec::new();
    let mut lengths = lengths.iter().cycle();
    while !text.is_empty() {
        let length = lengths
            .next()
            .map_or(text.len(), |length| usize::from(*length).pow(2) + 1);
        let (chunk, rest) = text.split_at(text.len().min(length));
        splitter.buffer().extend_from_slice(chunk);
        parts.extend(std::iter::from_fn(|| splitter.next()));
        text = rest;
    }
    parts
}
