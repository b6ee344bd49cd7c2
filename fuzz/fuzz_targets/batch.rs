//! Any bytes as a body: a batch is exactly its elements, each judged as it would be alone.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use mcp_wire::{Body, Fault, Message, ParseError};
use serde_json::value::RawValue;

/// Small enough to be reached.
const MAX: usize = 8;

fuzz_target!(|data: &[u8]| {
    let source = Bytes::copy_from_slice(data);
    let array = serde_json::from_slice::<Vec<&RawValue>>(data).ok();
    match (Body::parse(source.clone(), MAX), array) {
        (Ok(Body::One(message)), array) => {
            assert!(array.is_none());
            let alone = Message::parse(source).expect("a batch's door is wider");
            assert_eq!(message.source(), alone.source());
        }
        (Ok(Body::Batch(elements)), Some(array)) => {
            assert!(elements.len() <= MAX);
            assert_eq!(elements.len(), array.len());
            for (element, text) in elements.iter().zip(array) {
                let alone = Message::parse(Bytes::copy_from_slice(text.get().as_bytes()));
                match (element, alone) {
                    (Ok(element), Ok(alone)) => {
                        assert_eq!(element.source(), alone.source());
                        assert_eq!(element.kind(), alone.kind());
                        assert_eq!(element.id(), alone.id());
                        assert_eq!(element.method(), alone.method());
                        assert_eq!(element.params_span(), alone.params_span());
                        assert_eq!(element.has_raw_breaks(), alone.has_raw_breaks());
                    }
                    (Err(element), Err(alone)) => assert_eq!(*element, alone),
                    (element, alone) => panic!("{element:?} in a batch, {alone:?} alone"),
                }
            }
        }
        (Ok(Body::Batch(_)), None) => panic!("accepted what is not JSON"),
        (Err(error), Some(array)) => expect(&error, array.len()),
        (Err(_), None) => {}
    }
});

/// An array that is JSON is refused as a whole only for its length or depth.
fn expect(error: &ParseError, length: usize) {
    match error.kind {
        Fault::EmptyBatch => assert_eq!(length, 0),
        Fault::BatchTooLong { max } => assert!(max == MAX && length > MAX),
        Fault::TooDeep => {}
        fault => panic!("{fault} in an array of {length}"),
    }
}
