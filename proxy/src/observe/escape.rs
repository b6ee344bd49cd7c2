//! Foreign text, a child's or a client's, made safe to show: one line, bounded, and nothing in it that a terminal or a log viewer obeys.

/// All of a short text, at most `limit` bytes of a long one; see [`escape_part`].
#[must_use]
pub fn escape(text: &[u8], limit: usize) -> String {
    escape_part(text, limit, text.len() as u64)
}

/// At most `limit` bytes of `text` (of the original, before escaping), with everything that is not plain text spelled
/// out: control characters as `\x1b`, invalid UTF-8 as `\xff`, invisible direction marks as `\u{202e}`. A cut is shown as
/// `… (N bytes)`, where `whole` is the length of the original.
#[must_use]
pub fn escape_part(text: &[u8], limit: usize, whole: u64) -> String {
    let shown = cut(text, limit);
    let mut out = String::with_capacity(shown.len() + 16);
    for chunk in shown.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\t' => out.push_str("\\t"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                _ if c.is_ascii_control() => push_byte(&mut out, c as u8),
                _ if c.is_control() || is_invisible(c) => out.extend(c.escape_unicode()),
                _ => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            push_byte(&mut out, *byte);
        }
    }
    if (shown.len() as u64) < whole {
        out.push_str(&format!("… ({whole} bytes)"));
    }
    out
}

fn push_byte(out: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend([
        '\\',
        'x',
        DIGITS[usize::from(byte >> 4)].into(),
        DIGITS[usize::from(byte & 15)].into(),
    ]);
}

/// The first `limit` bytes, without half a character at their end.
fn cut(text: &[u8], limit: usize) -> &[u8] {
    let Some(shown) = text.get(..limit) else {
        return text;
    };
    match shown.utf8_chunks().last() {
        // An incomplete character at the cut is ours, not the child's: it must not be shown as its mistake.
        Some(last) if text.len() > limit && !last.invalid().is_empty() => {
            let whole = shown.len() - last.invalid().len();
            if std::str::from_utf8(last.invalid()).is_err_and(|fault| fault.error_len().is_none()) {
                &shown[..whole]
            } else {
                shown
            }
        }
        _ => shown,
    }
}

/// Characters that a reader does not see but that change what she sees: line and paragraph separators, and the
/// direction overrides of "Trojan Source" (CVE-2021-42574).
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &[u8], limit: usize, expected: &str) {
        assert_eq!(escape_part(text, limit, text.len() as u64), expected);
    }

    #[test]
    fn plain_text_stays() {
        check("Grüße, 世界 \\ \"".as_bytes(), 200, "Grüße, 世界 \\ \"");
    }

    #[test]
    fn what_a_terminal_would_obey_is_spelled_out() {
        check(
            b"\x1b[31mred\x07\0\tx\r\n\x7f",
            200,
            "\\x1b[31mred\\x07\\x00\\tx\\r\\n\\x7f",
        );
        check(
            "\u{9b}1m \u{202e}abc".as_bytes(),
            200,
            "\\u{9b}1m \\u{202e}abc",
        );
        check(b"a\xffb\xc3", 200, "a\\xffb\\xc3");
    }

    #[test]
    fn a_cut_is_shown_and_halves_no_character() {
        check("aaéé".as_bytes(), 4, "aaé… (6 bytes)");
        check("aaéé".as_bytes(), 5, "aaé… (6 bytes)");
        check(b"aa\xff\xff", 3, "aa\\xff… (4 bytes)");
        assert_eq!(escape_part(b"head", 100, 5_000), "head… (5000 bytes)");
    }
}
