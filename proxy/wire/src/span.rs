//! Where something stands in a buffer: half-open, in bytes, small enough that a message can remember two dozen of them.

/// A half-open range of bytes in a message's source, `start..end`.
///
/// Offsets are 32 bits wide, half the memory of `usize` ranges; [`Message::parse`](crate::Message::parse) refuses a
/// source that they cannot address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset behind the last byte.
    pub end: u32,
}

impl Span {
    /// No member: nothing that is located can end at offset 0, because a message opens with its brace.
    pub(crate) const ABSENT: Self = Self { start: 0, end: 0 };

    /// The range `start..end`. Both must fit 32 bits, which holds for every offset inside an accepted source.
    pub(crate) fn new(start: usize, end: usize) -> Self {
        debug_assert!(start <= end && u32::try_from(end).is_ok());
        Self {
            start: start as u32,
            end: end as u32,
        }
    }

    /// The empty range at `at`: a place to insert.
    pub(crate) fn at(at: u32) -> Self {
        Self { start: at, end: at }
    }

    /// How many bytes it covers.
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether it covers nothing: a place to insert, not a value.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The same range, seen from a buffer that begins `by` bytes earlier. For what `object::members` finds inside a
    /// value: its spans count from the value's own first byte.
    pub fn shift(self, by: u32) -> Self {
        Self {
            start: self.start + by,
            end: self.end + by,
        }
    }

    /// The same range, seen from a buffer that begins `by` bytes later; an absent one stays absent.
    pub(crate) fn rebase(self, by: u32) -> Self {
        if self.is_present() {
            Self {
                start: self.start - by,
                end: self.end - by,
            }
        } else {
            self
        }
    }

    pub(crate) fn is_present(self) -> bool {
        self.end != 0
    }

    pub(crate) fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}
