//! The envelope: where a message keeps the members that are read here, found in the same single scan that validates
//! the text, and whether together they make a message.
//!
//! Faults of the grammar end the scan. Faults of the envelope (a wrong version, a duplicate) do not: the first is
//! remembered and the scan goes on, because the text may still turn out not to be JSON at all, and because the id that
//! the answer needs may come later.

use crate::fault::Fault;
use crate::id::MAX_ID_BYTES;
use crate::member::Member;
use crate::message::Kind;
use crate::scan::{Key, Scan};
use crate::span::Span;
use crate::unescape::says;

/// Where the members of a message stand. Spans count from the first byte of the scanned text.
#[derive(Clone, Copy, Default)]
pub(crate) struct Places {
    /// The message itself, from brace to brace.
    pub(crate) whole: Span,
    /// The id as it may be told: present only when it is a string or a number of bearable length,
    /// and stands once.
    pub(crate) id: Span,
    /// The `id` member, whatever it is.
    pub(crate) id_member: Span,
    /// The method without its quotes.
    pub(crate) method: Span,
    pub(crate) params: Span,
    pub(crate) result: Span,
    pub(crate) error: Span,
    pub(crate) members: [Span; Member::COUNT],
    /// A raw CR or LF stands between tokens.
    pub(crate) breaks: bool,
}

/// What a scan has found out about a message so far.
#[derive(Default)]
pub(crate) struct Located {
    pub(crate) places: Places,
    /// A bit for each [`Slot`] that was seen.
    seen: u8,
    /// The first fault of the envelope itself.
    fault: Option<Fault>,
    /// The first fault inside `params`. It counts only if there is a method: in a response `params`
    /// is one of the members that nobody here reads.
    params_fault: Option<Fault>,
}

/// The members of the envelope.
#[derive(Clone, Copy, PartialEq)]
enum Slot {
    Version,
    Id,
    Method,
    Params,
    Result,
    Error,
}

const ENVELOPE: &[(&str, Slot)] = &[
    ("jsonrpc", Slot::Version),
    ("id", Slot::Id),
    ("method", Slot::Method),
    ("params", Slot::Params),
    ("result", Slot::Result),
    ("error", Slot::Error),
];

/// Looks a member's name up in `table`. The name comes back too, and `Err` when it is one of the table in disguise.
fn look_up<T: Copy>(
    text: &[u8],
    key: Key,
    table: &[(&'static str, T)],
) -> Result<Option<(&'static str, T)>, Fault> {
    let name = &text[key.inner().range()];
    if !key.escaped {
        return Ok(table
            .iter()
            .find(|(known, _)| known.as_bytes() == name)
            .copied());
    }
    // The text was checked to be UTF-8, and a name begins and ends at quotes.
    let name = std::str::from_utf8(name).unwrap_or_default();
    match table.iter().find(|(known, _)| says(name, known)) {
        Some((known, _)) => Err(Fault::EscapedName(known)),
        None => Ok(None),
    }
}

impl Located {
    /// Passes the object that is next, which stands inside `outer` open containers, and locates its members.
    ///
    /// # Errors
    /// A fault of the grammar. What was located before it stays readable.
    pub(crate) fn read(&mut self, scan: &mut Scan<'_>, outer: usize) -> Result<(), Fault> {
        let start = scan.at;
        scan.breaks = false;
        let read = scan.object(|scan, key| self.member(scan, key, outer + 1));
        self.places.breaks = scan.breaks;
        if read.is_ok() {
            self.places.whole = Span::new(start, scan.at);
        }
        read
    }

    fn member(&mut self, scan: &mut Scan<'_>, key: Key, depth: usize) -> Result<(), Fault> {
        let (name, slot) = match look_up(scan.text(), key, ENVELOPE) {
            Ok(Some(found)) => found,
            Ok(None) => return scan.skip(depth),
            Err(alias) => {
                self.fault.get_or_insert(alias);
                return scan.skip(depth);
            }
        };
        if self.has(slot) {
            if slot == Slot::Id {
                // Two ids are none: nobody can say which one the writer meant.
                self.places.id = Span::ABSENT;
            }
            self.fault.get_or_insert(Fault::Duplicate(name));
            return scan.skip(depth);
        }
        self.seen |= 1 << slot as u8;
        match slot {
            Slot::Version => {
                let value = scan.value(depth)?;
                if &scan.text()[value.range()] != b"\"2.0\"" {
                    self.fault.get_or_insert(Fault::WrongVersion);
                }
            }
            Slot::Id => {
                let first = scan.peek();
                self.places.id_member = scan.value(depth)?;
                match first {
                    b'"' | b'-' | b'0'..=b'9' if self.places.id_member.len() <= MAX_ID_BYTES => {
                        self.places.id = self.places.id_member
                    }
                    b'"' | b'-' | b'0'..=b'9' => {
                        self.fault.get_or_insert(Fault::IdTooLong);
                    }
                    b'n' => {}
                    _ => {
                        self.fault.get_or_insert(Fault::IdType);
                    }
                }
            }
            Slot::Method => self.method(scan, depth)?,
            Slot::Params => self.params(scan, depth)?,
            Slot::Result => self.places.result = scan.value(depth)?,
            Slot::Error => self.places.error = scan.value(depth)?,
        }
        Ok(())
    }

    fn method(&mut self, scan: &mut Scan<'_>, depth: usize) -> Result<(), Fault> {
        if scan.peek() != b'"' {
            self.fault.get_or_insert(Fault::MethodType);
            return scan.skip(depth);
        }
        let start = scan.at;
        if scan.string()? {
            self.fault.get_or_insert(Fault::MethodEscaped);
        }
        self.places.method = Span::new(start + 1, scan.at - 1);
        Ok(())
    }

    fn params(&mut self, scan: &mut Scan<'_>, depth: usize) -> Result<(), Fault> {
        let start = scan.at;
        match scan.peek() {
            b'{' => scan.object(|scan, key| self.param(scan, key, depth + 1))?,
            b'[' => scan.skip(depth)?,
            _ => {
                self.params_fault.get_or_insert(Fault::ParamsType);
                scan.skip(depth)?;
            }
        }
        self.places.params = Span::new(start, scan.at);
        Ok(())
    }

    fn param(&mut self, scan: &mut Scan<'_>, key: Key, depth: usize) -> Result<(), Fault> {
        let start = scan.at;
        let slot = self.slot(scan, key, Member::OF_PARAMS);
        if slot == Some(Member::Meta) && scan.peek() == b'{' {
            scan.object(|scan, key| {
                let start = scan.at;
                let slot = self.slot(scan, key, Member::OF_META);
                scan.skip(depth + 1)?;
                self.keep(slot, Span::new(start, scan.at));
                Ok(())
            })?;
        } else {
            scan.skip(depth)?;
        }
        self.keep(slot, Span::new(start, scan.at));
        Ok(())
    }

    /// Which member of `table` is named, if it is one and stands there for the first time.
    fn slot(
        &mut self,
        scan: &Scan<'_>,
        key: Key,
        table: &[(&'static str, Member)],
    ) -> Option<Member> {
        let fault = match look_up(scan.text(), key, table) {
            Ok(None) => return None,
            Ok(Some((_, member))) if !self.places.members[member as usize].is_present() => {
                return Some(member);
            }
            Ok(Some((name, _))) => Fault::Duplicate(name),
            Err(alias) => alias,
        };
        self.params_fault.get_or_insert(fault);
        None
    }

    fn keep(&mut self, slot: Option<Member>, span: Span) {
        if let Some(member) = slot {
            self.places.members[member as usize] = span;
        }
    }

    fn has(&self, slot: Slot) -> bool {
        self.seen >> slot as u8 & 1 == 1
    }

    /// Whether what has been seen so far answers a request. See [`ParseError::response`](crate::ParseError).
    pub(crate) fn is_response(&self) -> bool {
        !self.has(Slot::Method) && (self.has(Slot::Result) || self.has(Slot::Error))
    }

    /// What the members amount to.
    pub(crate) fn judge(&self) -> Result<Kind, Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if !self.has(Slot::Version) {
            return Err(Fault::NoVersion);
        }
        let null = self.has(Slot::Id) && !self.places.id.is_present();
        match (
            self.has(Slot::Method),
            self.has(Slot::Result),
            self.has(Slot::Error),
        ) {
            (false, false, false) => Err(Fault::NoMethod),
            (true, true, _) | (true, _, true) => Err(Fault::MethodAndResponse),
            (false, true, true) => Err(Fault::ResultAndError),
            (false, false, true) => Ok(Kind::Error),
            _ if null => Err(Fault::NullId),
            (false, true, false) if !self.has(Slot::Id) => Err(Fault::NoId),
            (false, true, false) => Ok(Kind::Result),
            (true, false, false) => match self.params_fault {
                Some(fault) => Err(fault),
                None if self.has(Slot::Id) => Ok(Kind::Request),
                None => Ok(Kind::Notification),
            },
        }
    }

    /// The places counted from the message's own first byte, and only those that its kind has.
    pub(crate) fn settle(self, kind: Kind) -> Places {
        let mut places = self.places;
        if kind.is_response() {
            places.params = Span::ABSENT;
            places.members = [Span::ABSENT; Member::COUNT];
        }
        let by = places.whole.start;
        if by != 0 {
            let envelope = [
                &mut places.whole,
                &mut places.id,
                &mut places.id_member,
                &mut places.method,
                &mut places.params,
                &mut places.result,
                &mut places.error,
            ];
            for span in envelope.into_iter().chain(&mut places.members) {
                *span = span.rebase(by);
            }
        }
        places
    }
}
