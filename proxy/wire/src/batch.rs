//! Batches: an array of messages where one message could stand.
//!
//! Only 2025-03-26 has them, and only towards servers. The door is separate, so that everybody else refuses arrays by
//! not using it.

use bytes::Bytes;

use crate::fault::{Fault, ParseError};
use crate::locate::Located;
use crate::message::{Message, check_size};
use crate::scan::Scan;

/// What a request body holds.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a body is taken apart where it is made; one message is the rule"
)]
pub enum Body {
    /// One message.
    One(Message),
    /// An array of them, in order. Each is judged by itself: JSON-RPC 2.0 section 6 answers the invalid ones and runs
    /// the others. Elements are slices of the one buffer.
    Batch(Vec<Result<Message, ParseError>>),
}

impl Body {
    /// Reads a message or a batch of at most `max_elements`, in one scan. Whitespace around it is cut off.
    ///
    /// # Errors
    /// For one message, those of [`Message::parse`]. For an array, only what concerns all of it: it is not JSON, it
    /// is empty, or it has too many elements, which is noticed without reading the rest.
    pub fn parse(source: Bytes, max_elements: usize) -> Result<Self, ParseError> {
        let first = source
            .iter()
            .find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
        if first != Some(&b'[') {
            return Message::parse(source).map(Self::One);
        }
        check_size(&source)?;
        if std::str::from_utf8(&source).is_err() {
            return Err(Fault::NotUtf8.into());
        }
        Ok(Self::Batch(elements(&source, max_elements)?))
    }
}

fn elements(source: &Bytes, max: usize) -> Result<Vec<Result<Message, ParseError>>, Fault> {
    let mut scan = Scan::new(source);
    let mut elements = Vec::new();
    scan.space();
    // The opening bracket.
    scan.at += 1;
    scan.space();
    if scan.peek() == b']' {
        scan.at += 1;
        scan.space();
        scan.expect_end()?;
        return Err(Fault::EmptyBatch);
    }
    loop {
        if elements.len() == max {
            return Err(Fault::BatchTooLong { max });
        }
        elements.push(match scan.peek() {
            b'{' => {
                let mut located = Located::default();
                located.read(&mut scan, 1)?;
                Message::cut(source, located)
            }
            first => {
                scan.skip(1)?;
                Err(if first == b'[' {
                    Fault::Array
                } else {
                    Fault::NotObject
                }
                .into())
            }
        });
        scan.space();
        match scan.peek() {
            b',' => scan.at += 1,
            b']' => break,
            _ => return Err(scan.unexpected()),
        }
        scan.space();
    }
    scan.at += 1;
    scan.space();
    scan.expect_end()?;
    Ok(elements)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id;
    use crate::member::Member;
    use crate::message::Kind;

    fn parse(text: &'static str) -> Result<Body, Fault> {
        Body::parse(Bytes::from_static(text.as_bytes()), 3).map_err(|error| error.kind)
    }

    #[test]
    fn each_element_is_judged_by_itself() {
        let text = concat!(
            " [ {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\n",
            "\"params\":{\"name\":\"x\",\"_meta\":{\"progressToken\":7}}} ,",
            "{\"jsonrpc\":\"2.0\",\"id\":2}, {\"jsonrpc\":\"2.0\",\"method\":\"n\"}]\n"
        );
        let Ok(Body::Batch(elements)) = parse(text) else {
            panic!("not a batch")
        };
        let [Ok(call), Err(invalid), Ok(told)] = &elements[..] else {
            panic!("{elements:?}")
        };
        assert_eq!(
            (call.kind(), call.id()),
            (Kind::Request, Some(Id::number(1)))
        );
        assert_eq!(call.member(Member::Name), Some(&b"\"x\""[..]));
        assert_eq!(call.member(Member::ProgressToken), Some(&b"7"[..]));
        assert!(call.has_raw_breaks());
        assert_eq!(
            (invalid.kind, invalid.id.clone()),
            (Fault::NoMethod, Some(Id::number(2)))
        );
        assert_eq!(
            (told.kind(), told.method()),
            (Kind::Notification, Some("n"))
        );
        assert!(!told.has_raw_breaks());
        assert_eq!(
            &told.source()[..],
            b"{\"jsonrpc\":\"2.0\",\"method\":\"n\"}"
        );
    }

    #[test]
    fn one_message_is_one_message() {
        let Ok(Body::One(message)) = parse(" {\"jsonrpc\":\"2.0\",\"method\":\"n\"} ") else {
            panic!("not one")
        };
        assert_eq!(message.method(), Some("n"));
        assert_eq!(parse("1").unwrap_err(), Fault::NotObject);
    }

    #[test]
    fn what_is_wrong_with_a_whole_batch() {
        assert_eq!(parse(" [ ] ").unwrap_err(), Fault::EmptyBatch);
        assert_eq!(
            parse("[1,2,3,4]").unwrap_err(),
            Fault::BatchTooLong { max: 3 }
        );
        assert_eq!(parse("[1,]").unwrap_err(), Fault::Syntax { at: 3 });
        assert_eq!(parse("[1").unwrap_err(), Fault::Truncated);
        assert_eq!(parse("[]]").unwrap_err(), Fault::Syntax { at: 2 });
        assert_eq!(parse("[1]]").unwrap_err(), Fault::Syntax { at: 3 });
        let Ok(Body::Batch(elements)) = parse("[1,[],null]") else {
            panic!("not a batch")
        };
        let faults: Vec<_> = elements
            .into_iter()
            .map(|element| element.unwrap_err().kind)
            .collect();
        assert_eq!(faults, [Fault::NotObject, Fault::Array, Fault::NotObject]);
    }

    #[test]
    fn the_array_counts_for_depth() {
        let depth = crate::MAX_DEPTH;
        let batch = |inner: usize| {
            let (open, close) = ("[".repeat(inner), "]".repeat(inner));
            let text = format!("[{{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{open}{close}}}]");
            Body::parse(Bytes::from(text), 3).map_err(|error| error.kind)
        };
        assert!(batch(depth - 2).is_ok());
        assert_eq!(batch(depth - 1).unwrap_err(), Fault::TooDeep);
    }
}
