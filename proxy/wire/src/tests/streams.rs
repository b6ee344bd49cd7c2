//! Laws of framings: any chunking gives the same events, and what was written as a stream is read as what it was.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use proptest::sample::select;

use super::strategies::envelope;
use super::{message, written};
use crate::sse::{self, Event, EventSplitter, Part};
use crate::{Line, LineSplitter};

/// Cuts a text into chunks of these lengths, over and over.
fn chunks<'a>(mut text: &'a [u8], lengths: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    lengths.iter().cycle().map_while(move |length| {
        let (chunk, rest) = text.split_at(text.len().min(*length));
        text = rest;
        (!chunk.is_empty()).then_some(chunk)
    })
}

fn split<'a>(limit: usize, chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Part> {
    let mut splitter = EventSplitter::new(limit);
    let mut parts = Vec::new();
    for chunk in chunks {
        splitter.buffer().extend_from_slice(chunk);
        parts.extend(std::iter::from_fn(|| splitter.next()));
    }
    parts
}

/// The events of a whole stream, read as plainly as section 9.2.6 is written.
fn reference(text: &str) -> Vec<Event> {
    let text = text
        .strip_prefix('\u{feff}')
        .unwrap_or(text)
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    let Some((whole, _)) = text.rsplit_once('\n') else {
        return Vec::new();
    };
    let mut events = Vec::new();
    let mut event = Event::default();
    let mut data: Option<String> = None;
    for line in whole.split('\n') {
        if line.is_empty() {
            event.data = Bytes::from(data.take().unwrap_or_default());
            if event.id.is_some() || event.retry.is_some() || !event.data.is_empty() {
                events.push(std::mem::take(&mut event));
            }
            event = Event::default();
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                data =
                    Some(data.map_or_else(|| value.to_owned(), |data| format!("{data}\n{value}")))
            }
            "id" if !value.contains('\0') => event.id = Some(value.to_owned()),
            "event" => event.event = Some(value.to_owned()),
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                event.retry = value.parse().ok().or(event.retry);
            }
            _ => {}
        }
    }
    events
}

/// Something like an event stream.
fn stream() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        6 => select(vec!["\n", "\r", "\r\n"]),
        6 => select(vec!["data: ", "data:", "data", "id: ", "id:", "event: ", "retry: ", ":", ": ping", "other: "]),
        6 => select(vec!["x", "1", "{}", " ", "é", "\0", "\u{feff}", "0123456789", "18446744073709551616"]),
    ];
    (
        prop_oneof![5 => Just(""), 1 => Just("\u{feff}")],
        proptest::collection::vec(token, 0..60),
    )
        .prop_map(|(bom, tokens)| bom.to_owned() + &tokens.concat())
}

fn event(text: &str) -> Vec<Part> {
    split(100, [text.as_bytes()])
}

#[test]
fn fields_are_read_as_the_standard_says() {
    let full = Event {
        id: Some("7".into()),
        event: Some("note".into()),
        retry: Some(1500),
        data: Bytes::from_static(b"a\n b"),
    };
    assert_eq!(
        event("id:7\nevent: note\r\nretry: 1500\rdata: a\ndata:  b\n: c\nwhat: x\n\n"),
        [Part::Event(full)]
    );
    let priming = Event {
        id: Some("1".into()),
        ..Event::default()
    };
    assert_eq!(event("\u{feff}id: 1\ndata: \n\n"), [Part::Event(priming)]);
    let reset = Event {
        id: Some(String::new()),
        ..Event::default()
    };
    assert_eq!(event("id\n\n"), [Part::Event(reset)]);
    for nothing in [
        "\n\n",
        ":\n\n",
        "data\n\n",
        "data: x\n",
        "data: x",
        "event: e\n\n",
        "id: \0\n\n",
        "retry: 1x\n\n",
    ] {
        assert_eq!(event(nothing), [], "{nothing:?}");
    }
}

#[test]
fn the_limit_is_exact_and_a_long_event_is_told_once() {
    let line = "data: 1234567890";
    let text = format!(
        "id: 1\n{line}\n\nid: 22\n{line}\n: a comment counts nothing\n\n{line}\n\n{line}\n{line}\n\n"
    );
    let data = Bytes::from_static(b"1234567890");
    let expected = [
        Part::Event(Event {
            id: Some("1".into()),
            data: data.clone(),
            ..Event::default()
        }),
        Part::TooLong {
            id: Some("22".into()),
            length: 22,
        },
        Part::Event(Event {
            data,
            ..Event::default()
        }),
        Part::TooLong {
            id: None,
            length: 32,
        },
    ];
    assert_eq!(split(21, [text.as_bytes()]), expected);
    assert_eq!(split(21, text.as_bytes().chunks(1)), expected);
}

#[test]
fn long_events_and_comments_are_dropped_in_constant_memory() {
    let mut splitter = EventSplitter::new(1 << 16);
    for beginning in ["data: ", ": "] {
        splitter.buffer().extend_from_slice(beginning.as_bytes());
        for _ in 0..1024 {
            splitter.buffer().extend_from_slice(&[b'x'; 1024]);
            assert_eq!(splitter.next(), None);
            assert!(splitter.buffer().capacity() <= 1 << 18);
        }
        splitter.buffer().extend_from_slice(b"\n");
        assert_eq!(splitter.next(), None);
        assert!(splitter.buffer().capacity() <= crate::CHUNK);
    }
    splitter
        .buffer()
        .extend_from_slice(b"id: 5\n\ndata: next\n\n");
    assert_eq!(
        splitter.next(),
        Some(Part::TooLong {
            id: Some("5".into()),
            length: (1 << 20) + 6 + 5
        })
    );
    let next = Event {
        data: Bytes::from_static(b"next"),
        ..Event::default()
    };
    assert_eq!(splitter.next(), Some(Part::Event(next)));
}

#[test]
fn one_line_of_data_shares_the_buffer() {
    let mut splitter = EventSplitter::new(1 << 21);
    splitter
        .buffer()
        .extend_from_slice(format!("data: {}\n\n", "x".repeat(1 << 20)).as_bytes());
    let address = splitter.buffer().as_ptr();
    let Some(Part::Event(event)) = splitter.next() else {
        panic!("no event")
    };
    assert_eq!(
        event.data.as_ptr() as usize - address as usize,
        "data: ".len()
    );
    assert!(
        event.data.is_unique(),
        "the splitter has moved to a chunk of its own"
    );
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_events(
        text in stream(),
        lengths in proptest::collection::vec(1usize..9, 1..9),
    ) {
        let expected: Vec<Part> = reference(&text).into_iter().map(Part::Event).collect();
        prop_assert_eq!(&split(usize::MAX, [text.as_bytes()]), &expected);
        prop_assert_eq!(&split(usize::MAX, chunks(text.as_bytes(), &lengths)), &expected);
    }

    #[test]
    fn any_chunking_drops_the_same_events(
        text in stream(),
        lengths in proptest::collection::vec(1usize..9, 1..9),
        limit in 0usize..40,
    ) {
        prop_assert_eq!(split(limit, chunks(text.as_bytes(), &lengths)), split(limit, [text.as_bytes()]));
    }

    #[test]
    fn events_carry_messages(
        envelopes in proptest::collection::vec((envelope(), proptest::option::of("[!-~]{1,20}")), 1..4),
        lengths in proptest::collection::vec(1usize..300, 1..9),
    ) {
        let mut stream = BytesMut::new();
        let mut expected = Vec::new();
        for (envelope, id) in &envelopes {
            let message = message(&envelope.text);
            stream.extend_from_slice(&sse::comment());
            for piece in sse::event(id.as_deref(), &message) {
                stream.extend_from_slice(&piece);
            }
            // Joining restores every break as an LF.
            let data = written(&message).replace("\r\n", "\n").replace('\r', "\n");
            let event = Some("message".to_owned());
            expected.push(Part::Event(Event { id: id.clone(), event, retry: None, data: Bytes::from(data) }));
        }
        prop_assert_eq!(split(usize::MAX, chunks(&stream, &lengths)), expected);
    }

    #[test]
    fn lines_carry_messages(
        envelopes in proptest::collection::vec(envelope(), 1..4),
        lengths in proptest::collection::vec(1usize..300, 1..9),
    ) {
        let mut stream = BytesMut::new();
        for envelope in &envelopes {
            message(&envelope.text).write_line(&mut stream);
        }
        let mut splitter = LineSplitter::new(usize::MAX);
        let mut lines = Vec::new();
        for chunk in chunks(&stream, &lengths) {
            splitter.buffer().extend_from_slice(chunk);
            lines.extend(std::iter::from_fn(|| splitter.next()));
        }
        let expected: Vec<Line> = envelopes
            .iter()
            .map(|envelope| Line::Whole(Bytes::from(envelope.text.replace(['\r', '\n'], " "))))
            .collect();
        prop_assert_eq!(lines, expected);
    }
}
