//! What is spliced in: bytes, or a number that is printed where it lands.

use bytes::{Bytes, BytesMut};

use crate::id::Id;

/// JSON text that takes the place of a member. It is trusted to be one JSON value (or what the splice needs): this
/// crate's callers write ids, tokens, and slices of other messages.
#[derive(Clone, Debug)]
pub enum Text {
    /// Bytes, shared.
    Bytes(Bytes),
    /// A number in canonical digits. It is printed into the output directly, so that giving a message an id of our
    /// own allocates nothing.
    Number(u64),
}

impl Text {
    /// How many bytes it prints as.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Number(number) => Digits::new(*number).as_bytes().len(),
        }
    }

    /// Whether it prints as nothing, which makes the splice a deletion.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Bytes(bytes) if bytes.is_empty())
    }

    /// Appends what it prints as.
    pub(crate) fn write(&self, out: &mut BytesMut) {
        match self {
            Self::Bytes(bytes) => out.extend_from_slice(bytes),
            Self::Number(number) => out.extend_from_slice(Digits::new(*number).as_bytes()),
        }
    }

    /// As shared bytes. A number is allocated here, which is why small messages are written, not shared.
    pub(crate) fn to_bytes(&self) -> Bytes {
        match self {
            Self::Bytes(bytes) => bytes.clone(),
            Self::Number(number) => Bytes::copy_from_slice(Digits::new(*number).as_bytes()),
        }
    }
}

/// The decimal digits of a number, on the stack.
pub(crate) struct Digits {
    /// Filled from the end; 20 digits hold `u64::MAX`.
    buffer: [u8; 20],
    start: usize,
}

impl Digits {
    pub(crate) fn new(mut number: u64) -> Self {
        let mut buffer = [b'0'; 20];
        let mut start = buffer.len() - 1;
        loop {
            buffer[start] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return Self { buffer, start };
            }
            start -= 1;
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.buffer[self.start..]
    }
}

impl From<u64> for Text {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<Bytes> for Text {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<&'static str> for Text {
    fn from(text: &'static str) -> Self {
        Self::Bytes(Bytes::from_static(text.as_bytes()))
    }
}

impl From<Id> for Text {
    fn from(id: Id) -> Self {
        Self::Bytes(id.bytes().clone())
    }
}

impl From<&Id> for Text {
    fn from(id: &Id) -> Self {
        Self::Bytes(id.bytes().clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_what_the_standard_library_prints() {
        for number in [0, 1, 9, 10, 99, 100, 12_345_678_901_234_567_890, u64::MAX] {
            assert_eq!(
                Digits::new(number).as_bytes(),
                number.to_string().as_bytes()
            );
            assert_eq!(Text::from(number).len(), number.to_string().len());
        }
    }
}
