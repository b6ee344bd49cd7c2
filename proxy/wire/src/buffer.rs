//! The buffer that both splitters cut from: it grows for what is big and gives the room back.
//!
//! At rest it is one chunk, and what is cut from it shares it. For a line that does not fit it
//! doubles. The big line then takes the grown buffer with it, and what was read behind it moves to a
//! fresh chunk; only where much was read behind it does the grown buffer stay for a while, and
//! pieces that are small in comparison are copied out of it, so that none of them keeps megabytes
//! alive. Every byte is copied a bounded number of times.

use bytes::{Bytes, BytesMut};

/// The size of a splitter's buffer at rest, in bytes: what an idle peer costs. A few dozen small
/// messages fit.
pub const CHUNK: usize = 8 * 1024;

/// Below this much room a read is not worth a system call, and the buffer makes room first.
const ROOM: usize = CHUNK / 4;

/// Bytes that were read and not cut off yet.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    bytes: BytesMut,
    /// The size of the allocation behind `bytes`, as far as it can matter.
    allocated: usize,
}

impl Buffer {
    /// Where to append, with room for some.
    pub(crate) fn fill(&mut self) -> &mut BytesMut {
        if self.bytes.capacity() - self.bytes.len() < ROOM {
            let length = self.bytes.len();
            // When everything that was cut off is gone, this finds its room again instead of
            // allocating.
            self.bytes.reserve(if length <= CHUNK / 2 {
                CHUNK - length
            } else {
                length
            });
            self.allocated = self.bytes.capacity();
        }
        &mut self.bytes
    }

    /// What is waiting.
    pub(crate) fn waiting(&self) -> &[u8] {
        &self.bytes
    }

    /// Cuts off the first `length` bytes.
    pub(crate) fn cut(&mut self, length: usize) -> BytesMut {
        self.bytes.split_to(length)
    }

    /// Makes what was cut off fit to be kept.
    pub(crate) fn share(&self, part: BytesMut) -> Bytes {
        if self.allocated > CHUNK && part.len() < self.allocated / 2 {
            return Bytes::copy_from_slice(&part);
        }
        part.freeze()
    }

    /// Throws away what is waiting.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.settle();
    }

    /// Leaves a grown allocation as soon as what is waiting fits a chunk.
    pub(crate) fn settle(&mut self) {
        if self.allocated > CHUNK && self.bytes.len() <= CHUNK {
            let mut chunk = BytesMut::with_capacity(CHUNK);
            chunk.extend_from_slice(&self.bytes);
            self.bytes = chunk;
            self.allocated = CHUNK;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_big_piece_leaves_a_chunk_behind() {
        let mut buffer = Buffer::default();
        for _ in 0..1024 {
            buffer.fill().extend_from_slice(&[b'x'; 1024]);
        }
        buffer.fill().extend_from_slice(b"rest");
        let big = buffer.cut(1 << 20);
        let address = big.as_ptr();
        let big = buffer.share(big);
        assert_eq!(big.as_ptr(), address, "a big piece is not copied");
        buffer.settle();
        assert_eq!(buffer.waiting(), b"rest");
        assert!(big.is_unique(), "the rest has moved out");
        assert!(buffer.fill().capacity() <= CHUNK);
    }

    #[test]
    fn a_small_piece_does_not_keep_a_grown_buffer() {
        let mut buffer = Buffer::default();
        for _ in 0..64 {
            buffer.fill().extend_from_slice(&[b'x'; 1024]);
        }
        let small = buffer.cut(100);
        let small = buffer.share(small);
        assert!(small.is_unique());
        buffer.settle();
        assert_eq!(buffer.waiting().len(), 64 * 1024 - 100);
    }

    #[test]
    fn room_is_found_again_when_pieces_are_gone() {
        let mut buffer = Buffer::default();
        let start = buffer.fill().as_ptr();
        for _ in 0..100 {
            buffer.fill().extend_from_slice(&[b'x'; 1000]);
            buffer.cut(1000);
        }
        let end = buffer.fill().as_ptr();
        let moved = end as usize - start as usize;
        assert!(moved <= CHUNK, "another allocation was made");
    }
}
