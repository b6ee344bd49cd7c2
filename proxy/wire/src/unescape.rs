//! JSON string escapes, both ways: undone for reading (RFC 8259 section 7), made for what we write ourselves.

use std::borrow::Cow;

use bytes::BytesMut;

/// The characters of a validated JSON string, given without its quotes. Half a surrogate pair, which the grammar
/// allows, is U+FFFD.
struct Characters<'a> {
    rest: &'a str,
}

impl Characters<'_> {
    /// Takes four hexadecimal digits.
    fn unit(&mut self) -> Option<u32> {
        let unit = u32::from_str_radix(self.rest.get(..4)?, 16).ok()?;
        self.rest = &self.rest[4..];
        Some(unit)
    }

    /// Takes a second escape, if the rest begins with one of a low surrogate.
    fn low(&mut self) -> Option<u32> {
        let mut ahead = Self {
            rest: self.rest.strip_prefix("\\u")?,
        };
        let low = ahead
            .unit()
            .filter(|unit| (0xDC00..0xE000).contains(unit))?;
        self.rest = ahead.rest;
        Some(low)
    }
}

impl Iterator for Characters<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let mut take = || {
            let mut characters = self.rest.chars();
            let character = characters.next()?;
            self.rest = characters.as_str();
            Some(character)
        };
        let plain = take()?;
        if plain != '\\' {
            return Some(plain);
        }
        Some(match take()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let mut unit = self.unit()?;
                if (0xD800..0xDC00).contains(&unit)
                    && let Some(low) = self.low()
                {
                    unit = 0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                }
                char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            itself => itself,
        })
    }
}

/// What a validated JSON string says; `inner` is its text without the quotes. Borrowed when there is nothing to undo.
pub(crate) fn unescape(inner: &str) -> Cow<'_, str> {
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Cow::Borrowed(inner);
    }
    Cow::Owned(Characters { rest: inner }.collect())
}

/// Whether a validated JSON string, given without its quotes, says `text`. Allocates nothing.
pub(crate) fn says(inner: &str, text: &str) -> bool {
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return inner == text;
    }
    Characters { rest: inner }.eq(text.chars())
}

/// Appends `text` as a JSON string, with its quotes.
pub(crate) fn escape(text: &str, out: &mut BytesMut) {
    out.extend_from_slice(b"\"");
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&text.as_bytes()[plain..at]);
        plain = at + 1;
        let short = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            _ => {
                let hex = |digit: u8| b"0123456789abcdef"[usize::from(digit)];
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 15)]);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
    out.extend_from_slice(&text.as_bytes()[plain..]);
    out.extend_from_slice(b"\"");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_are_undone() {
        assert!(matches!(unescape("plain é"), Cow::Borrowed("plain é")));
        assert_eq!(unescape(r#"\"\\\/\b\f\n\r\t"#), "\"\\/\u{8}\u{c}\n\r\t");
        assert_eq!(unescape(r"\u00e9\uD83D\ude00!"), "é😀!");
        assert_eq!(unescape(r"\ud83d"), "\u{fffd}");
        assert_eq!(unescape(r"\ud83dx"), "\u{fffd}x");
        assert_eq!(unescape(r"\ud83d\u0041"), "\u{fffd}A");
        assert_eq!(unescape(r"\ude00"), "\u{fffd}");
    }

    #[test]
    fn aliases_say_the_same() {
        assert!(says("id", "id"));
        assert!(says(r"\u0069d", "id"));
        assert!(!says(r"\u0069d", "i"));
        assert!(!says(r"\u0069", "id"));
    }

    proptest! {
        #[test]
        fn what_is_escaped_is_undone_and_is_json(text in any::<String>()) {
            let mut out = BytesMut::new();
            escape(&text, &mut out);
            prop_assert_eq!(&serde_json::from_slice::<String>(&out).unwrap(), &text);
            let inner = std::str::from_utf8(&out[1..out.len() - 1]).unwrap();
            prop_assert_eq!(unescape(inner), text.as_str());
            prop_assert!(says(inner, &text));
        }
    }
}
