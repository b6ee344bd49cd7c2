//! A JSON-RPC message: the bytes that arrived, where their few interesting members are, and what is to be changed.
//!
//! Everything that reads (`id`, `method`, `member`, …) reads the bytes as they arrived. Everything that changes adds to
//! a list of edits, and only writing (`pieces`, `to_bytes`, `write_line`) looks at it. So a clone is cheap, the
//! original spelling of an id is always at hand, and no body is copied because its id must change.

use std::borrow::Cow;
use std::fmt;

use bytes::{Buf, Bytes};

use crate::edit::Edits;
use crate::fault::{Fault, ParseError};
use crate::id::Id;
use crate::locate::{Located, Places};
use crate::member::Member;
use crate::scan::Scan;
use crate::span::Span;
use crate::text::Text;
use crate::unescape::unescape;

/// What a message is, by the members of its envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A method and an id.
    Request,
    /// A method without an id.
    Notification,
    /// A response that succeeded. `"result":null` is one.
    Result,
    /// A response that failed.
    Error,
}

impl Kind {
    /// Whether it answers a request.
    pub fn is_response(self) -> bool {
        matches!(self, Self::Result | Self::Error)
    }
}

/// One JSON-RPC 2.0 message. See the module's text for what its methods look at.
#[derive(Clone)]
pub struct Message {
    source: Bytes,
    kind: Kind,
    places: Places,
    edits: Edits,
}

impl Message {
    /// Reads exactly one message. Whitespace around it is cut off, nothing is copied, and one scan without recursion
    /// does all of it: grammar (RFC 8259), UTF-8, nesting up to [`MAX_DEPTH`](crate::MAX_DEPTH), and the places of
    /// the members that are read here. A duplicate or escape-spelled name of one of those is refused, because two
    /// readers could then see two different messages; all other duplicates pass.
    ///
    /// # Errors
    /// What [`Fault`] lists, with the id if it was told before the fault.
    pub fn parse(mut source: Bytes) -> Result<Self, ParseError> {
        let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        source.truncate(
            source
                .iter()
                .rposition(|byte| !is_space(byte))
                .map_or(0, |last| last + 1),
        );
        source.advance(source.iter().position(|byte| !is_space(byte)).unwrap_or(0));
        check_size(&source)?;
        if source.is_empty() {
            return Err(Fault::Empty.into());
        }
        // What is not UTF-8 is scanned up to that point all the same: an id in front of it is still owed an answer.
        let checked = std::str::from_utf8(&source);
        let sound = checked.map_or_else(|error| error.valid_up_to(), str::len);
        let mut scan = Scan::new(&source[..sound]);
        let mut located = Located::default();
        let read = read_one(&mut scan, &mut located);
        let read = if checked.is_ok() {
            read
        } else {
            Err(Fault::NotUtf8)
        };
        match read.and_then(|()| located.judge()) {
            Ok(kind) => Ok(Self {
                source,
                kind,
                places: located.settle(kind),
                edits: Edits::default(),
            }),
            Err(kind) => Err(refuse(kind, &located, &source)),
        }
    }

    /// Cuts the message that a scan has just located out of a buffer that holds several.
    pub(crate) fn cut(buffer: &Bytes, located: Located) -> Result<Self, ParseError> {
        match located.judge() {
            Ok(kind) => Ok(Self {
                source: buffer.slice(located.places.whole.range()),
                kind,
                places: located.settle(kind),
                edits: Edits::default(),
            }),
            Err(kind) => Err(refuse(kind, &located, buffer)),
        }
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The bytes as they arrived, without whitespace around them.
    pub fn source(&self) -> &Bytes {
        &self.source
    }

    /// The id, sharing the message's buffer (see [`Id::compact`]). `None` for notifications, and for an error
    /// response whose id is null or absent because the request could not be read.
    pub fn id(&self) -> Option<Id> {
        let span = self.places.id;
        span.is_present()
            .then(|| Id::located(self.source.slice(span.range())))
    }

    /// The id's text, without touching a reference count.
    pub fn id_text(&self) -> Option<&[u8]> {
        self.text(self.places.id)
    }

    /// The method: the raw text between its quotes, which has no escapes in it.
    pub fn method(&self) -> Option<&str> {
        self.text(self.places.method).map(utf8)
    }

    /// The text of `params`, of a request or notification.
    pub fn params(&self) -> Option<&[u8]> {
        self.text(self.places.params)
    }

    /// The text of `result`.
    pub fn result(&self) -> Option<&[u8]> {
        self.text(self.places.result)
    }

    /// The text of `error`.
    pub fn error(&self) -> Option<&[u8]> {
        self.text(self.places.error)
    }

    /// Where [`params`](Self::params) stands in the source.
    pub fn params_span(&self) -> Option<Span> {
        present(self.places.params)
    }

    /// Where [`result`](Self::result) stands in the source.
    pub fn result_span(&self) -> Option<Span> {
        present(self.places.result)
    }

    /// Where [`error`](Self::error) stands in the source.
    pub fn error_span(&self) -> Option<Span> {
        present(self.places.error)
    }

    /// The whole object, from brace to brace: where members of the envelope itself are inserted or removed.
    pub fn span(&self) -> Span {
        self.places.whole
    }

    /// Where a member of `params` or `params._meta` stands in the source.
    pub fn member_span(&self, member: Member) -> Option<Span> {
        present(self.places.members[member as usize])
    }

    /// The raw text of a member of `params` or `params._meta`, quotes included, as it arrived. `None` when it is
    /// absent, and in responses.
    pub fn member(&self, member: Member) -> Option<&[u8]> {
        self.text(self.places.members[member as usize])
    }

    /// What a member says, when it is a string: escapes undone (half a surrogate pair becomes U+FFFD).
    pub fn string(&self, member: Member) -> Option<Cow<'_, str>> {
        let inner = self
            .member(member)?
            .strip_prefix(b"\"")?
            .strip_suffix(b"\"")?;
        Some(unescape(utf8(inner)))
    }

    /// Puts `with` in the place of a member's value. False, and nothing changes, if the member is absent or removed.
    pub fn replace(&mut self, member: Member, with: impl Into<Text>) -> bool {
        match self.member_span(member) {
            Some(span) => self.edits.replace(span, with.into()),
            None => false,
        }
    }

    /// Gives a request or response another id; in an error response it also takes the place of `"id":null`, and is
    /// inserted if there is none. False for notifications: an id would make one a request.
    pub fn set_id(&mut self, id: impl Into<Text>) -> bool {
        match present(self.places.id_member) {
            Some(span) => self.edits.replace(span, id.into()),
            None if self.kind == Kind::Error => self.insert_member(self.places.whole, "id", id),
            None => false,
        }
    }

    /// Puts `with` in the place of any range of the source: an empty range inserts, an empty text deletes. Edits
    /// inside the range are dropped. False, and nothing changes, if the range is outside the source, or overlaps an
    /// earlier edit without containing it.
    ///
    /// The caller answers for the JSON: commas, and nothing that would have been refused in parsing.
    pub fn replace_span(&mut self, span: Span, with: impl Into<Text>) -> bool {
        span.start <= span.end
            && span.end as usize <= self.source.len()
            && self.edits.replace(span, with.into())
    }

    /// Whether anything is to be changed.
    pub fn is_edited(&self) -> bool {
        !self.edits.is_empty()
    }

    pub(crate) fn edits(&self) -> &Edits {
        &self.edits
    }

    pub(crate) fn edits_mut(&mut self) -> &mut Edits {
        &mut self.edits
    }

    pub(crate) fn source_breaks(&self) -> bool {
        self.places.breaks
    }

    fn text(&self, span: Span) -> Option<&[u8]> {
        present(span).map(|span| &self.source[span.range()])
    }
}

/// Kind, method, id and size; never content, which may be a user's.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Message");
        debug.field("kind", &self.kind);
        if let Some(method) = self.method() {
            debug.field("method", &method);
        }
        if let Some(id) = self.id() {
            debug.field("id", &id);
        }
        debug
            .field("length", &self.source.len())
            .finish_non_exhaustive()
    }
}

/// Spans are 32 bits wide.
pub(crate) fn check_size(source: &[u8]) -> Result<(), Fault> {
    if u32::try_from(source.len()).is_err() {
        Err(Fault::TooLarge)
    } else {
        Ok(())
    }
}

/// Passes one message and insists that nothing follows.
fn read_one(scan: &mut Scan<'_>, located: &mut Located) -> Result<(), Fault> {
    let kind = match scan.peek() {
        b'{' => {
            located.read(scan, 0)?;
            Ok(())
        }
        // The three bytes of U+FEFF.
        0xEF if scan.text().starts_with(b"\xEF\xBB\xBF") => return Err(Fault::Bom),
        first => {
            // What is not JSON at all is told apart from JSON that is no message.
            scan.skip(0)?;
            Err(if first == b'[' {
                Fault::Array
            } else {
                Fault::NotObject
            })
        }
    };
    scan.space();
    scan.expect_end()?;
    kind
}

fn refuse(kind: Fault, located: &Located, source: &Bytes) -> ParseError {
    let id =
        present(located.places.id).map(|span| Id::located(source.slice(span.range())).compact());
    ParseError {
        kind,
        id,
        response: located.is_response(),
    }
}

fn present(span: Span) -> Option<Span> {
    span.is_present().then_some(span)
}

/// The whole source was checked before it was scanned, and what is located begins and ends at ASCII. Should that ever
/// be untrue, an empty text is a harmless answer.
fn utf8(text: &[u8]) -> &str {
    std::str::from_utf8(text).unwrap_or_default()
}
