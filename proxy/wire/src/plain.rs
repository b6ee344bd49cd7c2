//! The inside of strings, where most bytes of a big message are.

/// Where the run of plain string bytes that begins at `at` ends: at a quote, a backslash, a control character, or the
/// end of the text.
///
/// Words come first because most strings are short or full of escapes; blocks, which the compiler turns into vector
/// code, take over in the megabytes of a long one. One pass looks for all three stops, where memchr would find two
/// and leave the control characters to a second.
pub(crate) fn plain_end(text: &[u8], mut at: usize) -> usize {
    loop {
        for _ in 0..BLOCK / WORD {
            let Some(word) = text.get(at..).and_then(|rest| rest.first_chunk::<WORD>()) else {
                let rest = text.get(at..).unwrap_or_default();
                return at
                    + rest
                        .iter()
                        .position(|byte| is_stop(*byte))
                        .unwrap_or(rest.len());
            };
            let stops = stops(u64::from_le_bytes(*word));
            if stops != 0 {
                return at + stops.trailing_zeros() as usize / 8;
            }
            at += WORD;
        }
        while let Some(block) = text.get(at..).and_then(|rest| rest.first_chunk::<BLOCK>()) {
            if block.iter().fold(false, |any, byte| any | is_stop(*byte)) {
                break;
            }
            at += BLOCK;
        }
    }
}

const WORD: usize = 8;
const BLOCK: usize = 64;

fn is_stop(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// The top bit of the lowest byte of `word` that is a stop is set, and none below it. (Bits above it may be wrong:
/// a subtraction borrows upwards.)
fn stops(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const TOPS: u64 = ONES << 7;
    let below = |word: u64, bound: u64| word.wrapping_sub(ONES * bound) & !word & TOPS;
    let equals = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    below(word, 0x20) | equals(b'"') | equals(b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stop_is_found_at_every_offset() {
        for length in [0, 1, 7, 8, 9, 63, 64, 65, 127, 128, 200, 300] {
            let plain = vec![0xC3; length];
            assert_eq!(plain_end(&plain, 0), length);
            for at in 0..length {
                for stop in [0, 0x1F, b'\n', b'"', b'\\'] {
                    let mut text = plain.clone();
                    text[at] = stop;
                    if let Some(next) = text.get_mut(at + 1) {
                        *next = b'!';
                    }
                    assert_eq!(plain_end(&text, 0), at, "{stop} at {at} of {length}");
                }
            }
        }
    }

    #[test]
    fn bytes_that_are_no_stop() {
        for byte in 0..=u8::MAX {
            let text = [byte; 16];
            assert_eq!(
                plain_end(&text, 0),
                if is_stop(byte) { 0 } else { 16 },
                "{byte}"
            );
        }
    }
}
