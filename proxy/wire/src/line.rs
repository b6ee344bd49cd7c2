//! Lines: what a child writes, cut out of a stream of bytes.
//!
//! MCP's stdio framing is one message a line, ended by LF (2025-11-25 basic/transports). The reader fills the
//! splitter's buffer and asks for lines; lines are slices of that buffer. No byte is looked at twice, no line longer
//! than the limit is ever held, and one big line does not leave a big buffer behind:
//!
//! - At rest there is one buffer of [`CHUNK`] bytes. Lines in it share it.
//! - A line that does not fit makes the buffer double until the line's end is found. That line takes the grown buffer
//!   with it; what was read behind it moves to a fresh chunk.
//! - Where a grown buffer has to stay because much was read behind the big line, lines that are small in comparison
//!   are copied out of it, so that none of them keeps megabytes alive.

use bytes::{Bytes, BytesMut};
use memchr::memchr;

/// The size of a buffer at rest, in bytes: what an idle child costs. A few dozen small messages fit.
pub const CHUNK: usize = 8 * 1024;

/// Below this much room a read is not worth a system call, and the buffer makes room first.
const ROOM: usize = CHUNK / 4;

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
    buffer: BytesMut,
    /// How much of the buffer is known to contain no LF.
    searched: usize,
    /// The size of the allocation behind `buffer`, as far as it can matter.
    allocated: usize,
    /// Set while the rest of a line that is too long is dropped.
    dropping: Option<Dropping>,
}

/// What is remembered of a line that is too long.
#[derive(Debug, Default)]
struct Dropping {
    head: BytesMut,
    length: u64,
    /// The last byte was a CR, which may belong to the line's end.
    after_cr: bool,
}

impl LineSplitter {
    /// A splitter that refuses lines of more than `limit` bytes, not counting their end.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            buffer: BytesMut::new(),
            searched: 0,
            allocated: 0,
            dropping: None,
        }
    }

    /// Where the next bytes are to be appended; it has room for some. Only append to it.
    pub fn buffer(&mut self) -> &mut BytesMut {
        if self.buffer.capacity() - self.buffer.len() < ROOM {
            // Doubling keeps the copying linear. When all lines of this buffer are gone, this finds the room again
            // instead of allocating.
            let length = self.buffer.len();
            self.buffer.reserve(if length <= CHUNK / 2 {
                CHUNK - length
            } else {
                length
            });
            self.allocated = self.buffer.capacity();
        }
        &mut self.buffer
    }

    /// How many bytes wait for the end of their line. At most the limit, plus what one read brought.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Takes the next line. `None` means: read more.
    #[expect(
        clippy::should_implement_trait,
        reason = "None does not end it: the buffer is filled between calls"
    )]
    pub fn next(&mut self) -> Option<Line> {
        loop {
            let Some(found) = memchr(b'\n', &self.buffer[self.searched..]) else {
                self.wait();
                return None;
            };
            let mut line = self.buffer.split_to(self.searched + found + 1);
            self.searched = 0;
            line.truncate(line.len() - 1);
            let line = self.end(line);
            self.give_back();
            if line.is_some() {
                return line;
            }
        }
    }

    /// Takes what stands behind the last LF, when the stream has ended.
    pub fn finish(&mut self) -> Option<Line> {
        let line = self.buffer.split();
        self.searched = 0;
        let line = self.end(line);
        self.give_back();
        line
    }

    /// Makes a line of the last of its bytes.
    fn end(&mut self, mut last: BytesMut) -> Option<Line> {
        if let Some(mut dropping) = self.dropping.take() {
            dropping.pass(&last);
            return Some(dropping.end());
        }
        let length = last.strip_suffix(b"\r").map_or(last.len(), <[u8]>::len);
        if length > self.limit {
            let mut dropping = Dropping::default();
            dropping.pass(&last);
            return Some(dropping.end());
        }
        last.truncate(length);
        if last.is_empty() {
            return None;
        }
        if self.allocated > CHUNK && last.len() < self.allocated / 2 {
            return Some(Line::Whole(Bytes::copy_from_slice(&last)));
        }
        Some(Line::Whole(last.freeze()))
    }

    /// Remembers that no line ends here, and begins or goes on dropping.
    fn wait(&mut self) {
        self.searched = self.buffer.len();
        // One byte more may be the CR of the line's end.
        if self.dropping.is_none() && self.buffer.len() > self.limit + 1 {
            self.dropping = Some(Dropping::default());
        }
        if let Some(dropping) = &mut self.dropping {
            dropping.pass(&self.buffer);
            self.buffer.clear();
            self.searched = 0;
            self.give_back();
        }
    }

    /// Leaves a grown buffer as soon as what is in it fits a chunk.
    fn give_back(&mut self) {
        if self.allocated > CHUNK && self.buffer.len() <= CHUNK {
            let mut chunk = BytesMut::with_capacity(CHUNK);
            chunk.extend_from_slice(&self.buffer);
            self.buffer = chunk;
            self.allocated = CHUNK;
        }
    }
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
