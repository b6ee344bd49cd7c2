//! Lines: what a child writes, cut out of a stream of bytes.
//!
//! MCP's stdio framing is one message a line, ended by LF (2025-11-25 basic/transports). The reader
//! fills the splitter's buffer and asks for lines; lines are slices of that buffer. No byte is
//! searched twice, and no line longer than the limit is ever held. How a big line's buffer is given
//! back: once the line is out, the splitter is back at [`CHUNK`](crate::CHUNK) bytes, and a line that
//! is small compared with the buffer it was read into is copied out of it.

use bytes::{Bytes, BytesMut};
use memchr::memchr;

use crate::buffer::Buffer;

/// How much of a line that is too long is kept to say what it was, in bytes. An id is almost always in it.
pub const TOO_LONG_HEAD: usize = 1024;

/// A line without its end. Empty lines are skipped and never seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// All of it.
    Whole(Bytes),
    /// It was longer than the limit and was dropped while it came.
    TooLong {
        /// The first [`TOO_LONG_HEAD`] bytes, copied.
        head: Bytes,
        /// The length of the whole line, in bytes.
        length: u64,
    },
}

/// Cuts a stream of bytes into lines. Fill [`buffer`](Self::buffer), then take lines with [`next`](Self::next) until
/// there is none.
#[derive(Debug)]
pub struct LineSplitter {
    limit: usize,
    buffer: Buffer,
    /// How much of the buffer is known to contain no LF.
    searched: usize,
    /// Set while the rest of a line that is too long is dropped.
    dropping: Option<Dropping>,
}

impl LineSplitter {
    /// A splitter that refuses lines of more than `limit` bytes, not counting their end.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            buffer: Buffer::default(),
            searched: 0,
            dropping: None,
        }
    }

    /// Where the next bytes are to be appended; it has room for some. Only append to it.
    pub fn buffer(&mut self) -> &mut BytesMut {
        self.buffer.fill()
    }

    /// How many bytes wait for the end of their line. At most the limit, plus what one read brought.
    pub fn buffered(&self) -> usize {
        self.buffer.waiting().len()
    }

    /// Takes the next line. `None` means: read more.
    #[expect(
        clippy::should_implement_trait,
        reason = "None does not end it: the buffer is filled between calls"
    )]
    pub fn next(&mut self) -> Option<Line> {
        loop {
            let Some(found) = memchr(b'\n', &self.buffer.waiting()[self.searched..]) else {
                self.wait();
                return None;
            };
            let mut line = self.buffer.cut(self.searched + found + 1);
            line.truncate(line.len() - 1);
            let line = self.end(line);
            if line.is_some() {
                return line;
            }
        }
    }

    /// Takes what stands behind the last LF, when the stream has ended.
    pub fn finish(&mut self) -> Option<Line> {
        let line = self.buffer.cut(self.buffered());
        self.end(line)
    }

    /// Gives up the line whose end has not come: what waits of it is dropped, the rest as it comes, and
    /// it comes out as one that was too long. For when [`next`](Self::next) has given `None`; between
    /// two lines nothing happens.
    pub fn give_up(&mut self) {
        if self.dropping.is_none() && self.buffered() > 0 {
            self.dropping = Some(Dropping::default());
            self.wait();
        }
    }

    /// Makes a line of the last of its bytes.
    fn end(&mut self, mut last: BytesMut) -> Option<Line> {
        self.searched = 0;
        let length = last.strip_suffix(b"\r").map_or(last.len(), <[u8]>::len);
        let line = if self.dropping.is_some() || length > self.limit {
            let mut dropping = self.dropping.take().unwrap_or_default();
            dropping.pass(&last);
            Some(dropping.end())
        } else {
            last.truncate(length);
            (length > 0).then(|| Line::Whole(self.buffer.share(last)))
        };
        self.buffer.settle();
        line
    }

    /// Remembers that no line ends here, and begins or goes on dropping.
    fn wait(&mut self) {
        self.searched = self.buffered();
        // One byte more may be the CR of the line's end.
        if self.dropping.is_none() && self.buffered() > self.limit.saturating_add(1) {
            self.dropping = Some(Dropping::default());
        }
        if let Some(dropping) = &mut self.dropping {
            dropping.pass(self.buffer.waiting());
            self.buffer.clear();
            self.searched = 0;
        }
    }
}

/// What is remembered of a line that is too long.
#[derive(Debug, Default)]
struct Dropping {
    head: BytesMut,
    length: u64,
    /// The last byte was a CR, which may belong to the line's end.
    after_cr: bool,
}

impl Dropping {
    fn pass(&mut self, bytes: &[u8]) {
        if let Some(last) = bytes.last() {
            let room = TOO_LONG_HEAD - self.head.len();
            self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
            self.length += bytes.len() as u64;
            self.after_cr = *last == b'\r';
        }
    }

    fn end(mut self) -> Line {
        let length = self.length - u64::from(self.after_cr);
        self.head
            .truncate(usize::try_from(length).unwrap_or(TOO_LONG_HEAD));
        Line::TooLong {
            head: self.head.freeze(),
            length,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Cuts `chunks` with a limit, and ends the stream.
    fn split<'a>(limit: usize, chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Line> {
        let mut splitter = LineSplitter::new(limit);
        let mut lines = Vec::new();
        for chunk in chunks {
            splitter.buffer().extend_from_slice(chunk);
            lines.extend(std::iter::from_fn(|| splitter.next()));
            assert!(splitter.buffered() <= limit + 1);
        }
        lines.extend(splitter.finish());
        assert_eq!(splitter.finish(), None);
        lines
    }

    fn whole(text: &'static str) -> Line {
        Line::Whole(Bytes::from_static(text.as_bytes()))
    }

    fn too_long(head: &'static str, length: u64) -> Line {
        Line::TooLong {
            head: Bytes::from_static(head.as_bytes()),
            length,
        }
    }

    #[test]
    fn a_line_that_is_given_up_comes_out_as_too_long_and_the_next_one_whole() {
        let mut splitter = LineSplitter::new(100);
        splitter.give_up();
        splitter.buffer().extend_from_slice(b"one\ntw");
        assert_eq!(splitter.next(), Some(whole("one")));
        assert_eq!(splitter.next(), None);
        splitter.give_up();
        assert_eq!(splitter.buffered(), 0);
        splitter.buffer().extend_from_slice(b"o\nthree\n");
        assert_eq!(splitter.next(), Some(too_long("two", 3)));
        assert_eq!(splitter.next(), Some(whole("three")));
        assert_eq!(splitter.next(), None);
    }

    #[test]
    fn ends_are_taken_off_and_empty_lines_skipped() {
        let lines = split(100, [&b"a\n\n\r\nb\r\n \nc\rd\r\r\nlast"[..]]);
        assert_eq!(
            lines,
            [
                whole("a"),
                whole("b"),
                whole(" "),
                whole("c\rd\r"),
                whole("last")
            ]
        );
    }

    #[test]
    fn the_limit_is_exact_and_a_long_line_is_told_once() {
        let text = b"1234\n12345\n1234\r\n12345\r\n123456\n1234\r\r\n1\n12345";
        let expected = [
            whole("1234"),
            too_long("12345", 5),
            whole("1234"),
            too_long("12345", 5),
            too_long("123456", 6),
            too_long("1234\r", 5),
            whole("1"),
            too_long("12345", 5),
        ];
        assert_eq!(split(4, [&text[..]]), expected);
        assert_eq!(split(4, text.chunks(1)), expected);
    }

    #[test]
    fn a_long_line_is_dropped_in_constant_memory() {
        let mut splitter = LineSplitter::new(1 << 16);
        for _ in 0..1024 {
            splitter.buffer().extend_from_slice(&[b'x'; 1024]);
            assert_eq!(splitter.next(), None);
            assert!(splitter.buffer().capacity() <= 1 << 18);
        }
        assert!(splitter.buffer().capacity() <= crate::CHUNK);
        splitter.buffer().extend_from_slice(b"\nnext\n");
        let head = Bytes::from(vec![b'x'; TOO_LONG_HEAD]);
        assert_eq!(
            splitter.next(),
            Some(Line::TooLong {
                head,
                length: 1 << 20
            })
        );
        assert_eq!(splitter.next(), Some(whole("next")));
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_lines(
            text in proptest::collection::vec(
                prop_oneof![4 => Just(b'x'), 2 => Just(b'\n'), 1 => Just(b'\r')], 0..200),
            cuts in proptest::collection::vec(1usize..20, 1..20),
            limit in 1usize..12,
        ) {
            let mut chunks = Vec::new();
            let mut rest = &text[..];
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (chunk, behind) = rest.split_at(rest.len().min(*cut));
                chunks.push(chunk);
                rest = behind;
            }
            // The reference: the standard library's own splitting.
            let expected: Vec<Line> = text
                .split(|byte| *byte == b'\n')
                .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
                .filter(|line| !line.is_empty())
                .map(|line| {
                    let bytes = Bytes::copy_from_slice(line);
                    if line.len() > limit {
                        Line::TooLong { head: bytes, length: line.len() as u64 }
                    } else {
                        Line::Whole(bytes)
                    }
                })
                .collect();
            prop_assert_eq!(split(limit, chunks), expected);
        }
    }
}
