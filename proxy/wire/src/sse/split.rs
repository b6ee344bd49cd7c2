//! Events out of a stream of bytes, as WHATWG HTML section 9.2.5 and 9.2.6 read them.
//!
//! Same shape as the line splitter: fill the buffer, take what is whole. Lines end with LF, CR or
//! CRLF however the stream was chunked, fields are taken line by line, and an event's data shares the
//! buffer when it is one line, as that of a message almost always is. An event over the limit is
//! dropped while it comes and told once.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr2;

use crate::buffer::Buffer;

/// Lines up to this many bytes are still looked at in an event that is too long: its id says from
/// where to resume.
const FIELD: usize = 1024;

/// U+FEFF, which may stand once at the beginning of a stream.
const BOM: &[u8] = b"\xEF\xBB\xBF";

/// An event that says something: it has an id, a reconnection time, or data. (A browser hands out
/// only those with data, and keeps the rest to itself.)
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The id of this event, to be remembered even when the data is empty. An empty one means that
    /// there is no last id any more. `None` leaves the last one standing.
    pub id: Option<String>,
    /// The type, if it is not the default `message`.
    pub event: Option<String>,
    /// How long to wait before reconnecting, in milliseconds.
    pub retry: Option<u64>,
    /// The data, its lines joined by LF. Not checked to be UTF-8.
    pub data: Bytes,
}

/// What the splitter hands out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// An event.
    Event(Event),
    /// An event over the limit, which was dropped while it came.
    TooLong {
        /// Its id, if it had one on a line of bearable length.
        id: Option<String>,
        /// The length of all its lines, without their ends, in bytes.
        length: u64,
    },
}

/// Cuts a stream of bytes into events. Fill [`buffer`](Self::buffer), then take parts with
/// [`next`](Self::next) until there is none. An event that the stream's end cuts short is nothing:
/// drop the splitter.
#[derive(Debug)]
pub struct EventSplitter {
    limit: usize,
    buffer: Buffer,
    /// How much of the buffer is known to contain no line end.
    searched: usize,
    /// Nothing was read yet, so a byte order mark may come.
    fresh: bool,
    /// The last line ended with a CR; an LF that follows belongs to it.
    after_cr: bool,
    /// Set while the rest of a line is dropped.
    dropping: Option<Dropping>,
    pending: Pending,
}

/// Why the rest of a line is dropped.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Dropping {
    /// It is a comment.
    Comment,
    /// It is too long.
    Long,
}

/// The event whose lines are coming in.
#[derive(Debug, Default)]
struct Pending {
    event: Event,
    data: Data,
    length: u64,
    too_long: bool,
}

/// The data lines of an event so far.
#[derive(Debug, Default)]
enum Data {
    #[default]
    None,
    /// One line, which shares the buffer.
    One(Bytes),
    /// Several, joined.
    Joined(BytesMut),
}

impl EventSplitter {
    /// A splitter that refuses events whose lines (other than comments) have more than `limit` bytes
    /// together, not counting their ends.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            buffer: Buffer::default(),
            searched: 0,
            fresh: true,
            after_cr: false,
            dropping: None,
            pending: Pending::default(),
        }
    }

    /// Where the next bytes are to be appended; it has room for some. Only append to it.
    pub fn buffer(&mut self) -> &mut BytesMut {
        self.buffer.fill()
    }

    /// Takes the next event. `None` means: read more.
    #[expect(
        clippy::should_implement_trait,
        reason = "None does not end it: the buffer is filled between calls"
    )]
    pub fn next(&mut self) -> Option<Part> {
        loop {
            if self.fresh && !self.pass_bom() {
                return None;
            }
            if self.after_cr && !self.buffer.waiting().is_empty() {
                self.after_cr = false;
                if self.buffer.waiting()[0] == b'\n' {
                    self.buffer.cut(1);
                }
            }
            let waiting = self.buffer.waiting();
            let Some(found) = memchr2(b'\r', b'\n', &waiting[self.searched..]) else {
                self.wait();
                return None;
            };
            let end = self.searched + found;
            self.after_cr = waiting[end] == b'\r';
            let mut line = self.buffer.cut(end + 1);
            line.truncate(end);
            self.searched = 0;
            let part = self.end(line);
            self.buffer.settle();
            if part.is_some() {
                return part;
            }
        }
    }

    /// Passes the byte order mark; false if it may still be coming.
    fn pass_bom(&mut self) -> bool {
        let waiting = self.buffer.waiting();
        if waiting.len() < BOM.len() && BOM.starts_with(waiting) {
            return false;
        }
        if waiting.starts_with(BOM) {
            self.buffer.cut(BOM.len());
        }
        self.fresh = false;
        true
    }

    /// Takes in the last bytes of a line; an event, if this was the empty line behind it.
    fn end(&mut self, line: BytesMut) -> Option<Part> {
        match self.dropping.take() {
            Some(Dropping::Long) => self.pending.length += line.len() as u64,
            Some(Dropping::Comment) => {}
            None if line.is_empty() => return std::mem::take(&mut self.pending).end(),
            None if line[0] == b':' => {}
            None => {
                self.pending.grow(line.len(), self.limit);
                if !self.pending.too_long || line.len() <= FIELD {
                    self.field(line);
                }
            }
        }
        None
    }

    /// Remembers that no line ends here, and begins or goes on dropping.
    fn wait(&mut self) {
        let waiting = self.buffer.waiting();
        self.searched = waiting.len();
        let total = self.pending.length.saturating_add(waiting.len() as u64);
        if self.dropping.is_none() {
            self.dropping = match waiting.first() {
                Some(b':') => Some(Dropping::Comment),
                Some(_) if total > self.limit as u64 && waiting.len() > FIELD => {
                    Some(Dropping::Long)
                }
                _ => return,
            };
        }
        if self.dropping == Some(Dropping::Long) {
            let length = waiting.len();
            self.pending.grow(length, self.limit);
        }
        self.buffer.clear();
        self.searched = 0;
    }

    /// Takes in a line with a field.
    fn field(&mut self, mut line: BytesMut) {
        let colon = line
            .iter()
            .position(|byte| *byte == b':')
            .unwrap_or(line.len());
        let name = line.split_to(colon);
        if !line.is_empty() {
            line.advance(1);
        }
        if line.first() == Some(&b' ') {
            line.advance(1);
        }
        let event = &mut self.pending.event;
        let text = |line: &BytesMut| Some(String::from_utf8_lossy(line).into_owned());
        match &name[..] {
            b"data" if self.pending.too_long => {}
            b"data" => {
                let line = self.buffer.share(line);
                self.pending.data.add(line);
            }
            b"id" if !line.contains(&0) => event.id = text(&line),
            b"event" => event.event = text(&line),
            b"retry" if !line.is_empty() && line.iter().all(u8::is_ascii_digit) => {
                // More than 64 bits of milliseconds are as good as none.
                let time = std::str::from_utf8(&line)
                    .ok()
                    .and_then(|digits| digits.parse().ok());
                event.retry = time.or(event.retry);
            }
            _ => {}
        }
    }
}

impl Pending {
    fn grow(&mut self, by: usize, limit: usize) {
        self.length += by as u64;
        if self.length > limit as u64 {
            self.too_long = true;
            self.data = Data::None;
        }
    }

    fn end(self) -> Option<Part> {
        let mut event = self.event;
        if self.too_long {
            return Some(Part::TooLong {
                id: event.id,
                length: self.length,
            });
        }
        event.data = match self.data {
            Data::None => Bytes::new(),
            Data::One(line) => line,
            Data::Joined(lines) => lines.freeze(),
        };
        let says = event.id.is_some() || event.retry.is_some() || !event.data.is_empty();
        says.then_some(Part::Event(event))
    }
}

impl Data {
    fn add(&mut self, line: Bytes) {
        let mut joined = match std::mem::take(self) {
            Self::None => {
                *self = Self::One(line);
                return;
            }
            Self::One(first) => BytesMut::from(first),
            Self::Joined(joined) => joined,
        };
        joined.extend_from_slice(b"\n");
        joined.extend_from_slice(&line);
        *self = Self::Joined(joined);
    }
}
