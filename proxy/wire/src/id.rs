//! Ids are text. `1`, `1.0` and `"1"` are three ids, and each goes back to its owner spelled as it came.

use std::fmt;

use bytes::Bytes;

use crate::fault::Fault;
use crate::scan::Scan;
use crate::text::Digits;

/// The longest id that is accepted, in bytes of JSON text including quotes. Real ids are integers or UUIDs; the bound
/// is what a table entry per request in flight may cost.
pub const MAX_ID_BYTES: usize = 256;

/// The exact JSON text of a request's id. Equal when the bytes are.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Id(Bytes);

/// The JSON type of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdKind {
    /// A JSON string.
    String,
    /// A JSON number, in any spelling.
    Number,
}

impl Id {
    /// One of our own ids: canonical digits.
    pub fn number(number: u64) -> Self {
        Self(Bytes::copy_from_slice(Digits::new(number).as_bytes()))
    }

    /// Takes `text`, which must be exactly one JSON string or number, without whitespace around it.
    ///
    /// # Errors
    /// [`Fault::IdType`] or [`Fault::NullId`] for another type, [`Fault::IdTooLong`] over [`MAX_ID_BYTES`], and the
    /// faults of JSON itself.
    pub fn parse(text: Bytes) -> Result<Self, Fault> {
        if std::str::from_utf8(&text).is_err() {
            return Err(Fault::NotUtf8);
        }
        let mut scan = Scan::new(&text);
        let first = scan.peek();
        scan.skip(0)?;
        scan.expect_end()?;
        match first {
            b'"' | b'-' | b'0'..=b'9' if text.len() > MAX_ID_BYTES => Err(Fault::IdTooLong),
            b'"' | b'-' | b'0'..=b'9' => Ok(Self(text)),
            b'n' => Err(Fault::NullId),
            _ => Err(Fault::IdType),
        }
    }

    /// An id whose text a scan has already judged.
    pub(crate) fn located(text: Bytes) -> Self {
        Self(text)
    }

    /// The JSON text, quotes included.
    pub fn text(&self) -> &[u8] {
        &self.0
    }

    /// The JSON text as shared bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// The JSON type.
    pub fn kind(&self) -> IdKind {
        if self.0.first() == Some(&b'"') {
            IdKind::String
        } else {
            IdKind::Number
        }
    }

    /// The number, when the text is what [`Id::number`] writes. Other spellings of the same number are other ids and
    /// give `None`.
    pub fn as_u64(&self) -> Option<u64> {
        let canonical = match *self.0 {
            [b'0'] => true,
            [b'1'..=b'9', ref rest @ ..] => rest.iter().all(u8::is_ascii_digit),
            _ => false,
        };
        if !canonical {
            return None;
        }
        self.0.iter().try_fold(0u64, |sum, digit| {
            sum.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        })
    }

    /// The same id in a buffer of its own. An id cut out of a message keeps the message's whole buffer alive; a table
    /// that remembers it for long wants this.
    #[must_use]
    pub fn compact(&self) -> Self {
        Self(Bytes::copy_from_slice(&self.0))
    }
}

impl From<u64> for Id {
    fn from(number: u64) -> Self {
        Self::number(number)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A located id is UTF-8, because the message was; its control characters are escaped, because it is JSON.
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Id {
        Id::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
    }

    #[test]
    fn three_spellings_are_three_ids() {
        assert_ne!(id("1"), id("1.0"));
        assert_ne!(id("1"), id("\"1\""));
        assert_ne!(id("\"a\""), id("\"\\u0061\""));
        assert_eq!(id("\"1\"").kind(), IdKind::String);
        assert_eq!(id("-1.5e3").kind(), IdKind::Number);
    }

    #[test]
    fn only_canonical_digits_are_our_own() {
        for number in [0, 1, 10, u64::MAX] {
            assert_eq!(Id::number(number).as_u64(), Some(number));
            assert_eq!(id(&number.to_string()), Id::number(number));
        }
        for other in [
            "1.0",
            "1e0",
            "-0",
            "-1",
            "\"1\"",
            "18446744073709551616",
            "99999999999999999999999",
        ] {
            assert_eq!(id(other).as_u64(), None, "{other}");
        }
    }

    #[test]
    fn what_is_no_id() {
        let fault =
            |text: &'static str| Id::parse(Bytes::from_static(text.as_bytes())).unwrap_err();
        assert_eq!(fault("null"), Fault::NullId);
        assert_eq!(fault("true"), Fault::IdType);
        assert_eq!(fault("[]"), Fault::IdType);
        assert_eq!(fault("1 "), Fault::Syntax { at: 1 });
        assert_eq!(fault("01"), Fault::Syntax { at: 1 });
        assert_eq!(fault(""), Fault::Truncated);
        let long = format!("\"{}\"", "x".repeat(MAX_ID_BYTES - 1));
        assert_eq!(Id::parse(Bytes::from(long)), Err(Fault::IdTooLong));
    }

    #[test]
    fn compact_lets_go_of_the_buffer() {
        let big = Bytes::from(vec![b'1'; 1 << 16]);
        let small = Id::located(big.slice(..2));
        let copy = small.compact();
        assert_eq!(copy, small);
        drop(small);
        assert!(big.is_unique());
        assert_eq!(copy.as_u64(), Some(11));
    }
}
