//! A message on its way out: source and edits put together, as slices, as one buffer, or as a line.

use bytes::{BufMut, Bytes, BytesMut};
use memchr::memchr2;

use crate::edit::Edit;
use crate::message::Message;
use crate::span::Span;
use crate::text::Text;

/// How much of a slice with raw line breaks is copied at a time to take them out: small enough that a consumer that
/// writes as it goes never holds a second message, large enough to be one write.
const COPIED: usize = 64 * 1024;

/// A stretch of the output: of the source, or of an edit's text.
enum Stretch<'a> {
    Source(Span),
    Text(&'a Text),
}

/// The output in order, empty stretches left out.
#[derive(Clone)]
struct Stretches<'a> {
    edits: std::slice::Iter<'a, Edit>,
    /// The edit that stands at `at`.
    next: Option<&'a Edit>,
    at: u32,
    end: u32,
}

impl<'a> Iterator for Stretches<'a> {
    type Item = Stretch<'a>;

    fn next(&mut self) -> Option<Stretch<'a>> {
        loop {
            let until = self.next.map_or(self.end, |edit| edit.span.start);
            if self.at < until {
                let span = Span {
                    start: self.at,
                    end: until,
                };
                self.at = until;
                return Some(Stretch::Source(span));
            }
            let edit = self.next?;
            self.at = edit.span.end;
            self.next = self.edits.next();
            if !edit.with.is_empty() {
                return Some(Stretch::Text(&edit.with));
            }
        }
    }
}

impl Message {
    /// How many bytes it has with its edits.
    pub fn len(&self) -> usize {
        let edits = self.edits().iter();
        edits.fold(self.source().len(), |length, edit| {
            length + edit.with.len() - edit.span.len()
        })
    }

    /// Never: a message has at least its braces.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a CR or LF byte stands in what will be written. In JSON they can only stand between tokens. (True also
    /// when the only ones are in a part that an edit removes.)
    pub fn has_raw_breaks(&self) -> bool {
        let breaks = |edit: &Edit| matches!(&edit.with, Text::Bytes(bytes) if memchr2(b'\r', b'\n', bytes).is_some());
        self.source_breaks() || self.edits().iter().any(breaks)
    }

    /// The message as shared slices of the source and of what was spliced in, in order and none of them empty.
    pub fn pieces(&self) -> Pieces<'_> {
        Pieces {
            message: self,
            stretches: self.stretches(),
            lines: None,
            copying: Bytes::new(),
        }
    }

    /// Like [`pieces`](Self::pieces), as one line: raw CR and LF become spaces, and a last piece is the LF that ends
    /// it. Only slices that contain breaks are copied, a part at a time. For messages too big to be copied by
    /// [`write_line`](Self::write_line).
    pub fn line_pieces(&self) -> Pieces<'_> {
        let lines = Some(Line {
            breaks: self.has_raw_breaks(),
            ended: false,
        });
        Pieces {
            message: self,
            stretches: self.stretches(),
            lines,
            copying: Bytes::new(),
        }
    }

    /// The message in one buffer: the source itself when nothing was changed.
    pub fn to_bytes(&self) -> Bytes {
        if !self.is_edited() {
            return self.source().clone();
        }
        let mut out = BytesMut::with_capacity(self.len());
        self.write(&mut out);
        out.freeze()
    }

    /// Appends the message as it is, without a line end.
    pub fn write(&self, out: &mut BytesMut) {
        out.reserve(self.len());
        for stretch in self.stretches() {
            match stretch {
                Stretch::Source(span) => out.extend_from_slice(&self.source()[span.range()]),
                Stretch::Text(text) => text.write(out),
            }
        }
    }

    /// Appends the message as one line: raw CR and LF become spaces, which between tokens mean the same, and an LF
    /// ends it.
    pub fn write_line(&self, out: &mut BytesMut) {
        out.reserve(self.len() + 1);
        let start = out.len();
        self.write(out);
        if self.has_raw_breaks() {
            join_lines(&mut out[start..]);
        }
        out.put_u8(b'\n');
    }

    fn stretches(&self) -> Stretches<'_> {
        let mut edits = self.edits().iter();
        let next = edits.next();
        Stretches {
            edits,
            next,
            at: 0,
            end: self.source().len() as u32,
        }
    }
}

fn join_lines(text: &mut [u8]) {
    for byte in text {
        if matches!(byte, b'\r' | b'\n') {
            *byte = b' ';
        }
    }
}

/// A message as slices, made by [`Message::pieces`] and [`Message::line_pieces`].
pub struct Pieces<'a> {
    message: &'a Message,
    stretches: Stretches<'a>,
    /// Set when the pieces are to make one line.
    lines: Option<Line>,
    /// What is left of a slice that has breaks in it.
    copying: Bytes,
}

struct Line {
    breaks: bool,
    ended: bool,
}

impl Pieces<'_> {
    /// The next part of `copying`, without its breaks.
    fn copied(&mut self) -> Bytes {
        let part = self.copying.split_to(self.copying.len().min(COPIED));
        if memchr2(b'\r', b'\n', &part).is_none() {
            return part;
        }
        let mut copy = BytesMut::from(&part[..]);
        join_lines(&mut copy);
        copy.freeze()
    }
}

impl Iterator for Pieces<'_> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if !self.copying.is_empty() {
            return Some(self.copied());
        }
        let piece = match self.stretches.next() {
            Some(Stretch::Source(span)) => self.message.source().slice(span.range()),
            Some(Stretch::Text(text)) => text.to_bytes(),
            None => {
                let line = self.lines.as_mut().filter(|line| !line.ended)?;
                line.ended = true;
                return Some(Bytes::from_static(b"\n"));
            }
        };
        if self.lines.as_ref().is_some_and(|line| line.breaks) {
            self.copying = piece;
            return Some(self.copied());
        }
        Some(piece)
    }
}
