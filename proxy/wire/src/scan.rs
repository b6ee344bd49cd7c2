//! One forward scan over JSON text: the grammar of RFC 8259, without recursion and without allocation.
//!
//! The scanner walks values and says where they end; what a member means is the business of whoever drives it. It
//! expects text that is already known to be UTF-8, so it only ever looks at ASCII.

use crate::fault::Fault;
use crate::plain::plain_end;
use crate::span::Span;

/// How many objects and arrays may stand inside each other. Real replies reach a few dozen and generated ones a few
/// thousand; a bit for each is 512 bytes of stack. Nobody recurses here, but a reader behind us may, and 200,000
/// brackets would be its end.
pub const MAX_DEPTH: usize = 4096;

/// A bit per open container: set for an object, clear for an array.
type Open = [u64; MAX_DEPTH / 64];

/// A position in JSON text.
pub(crate) struct Scan<'a> {
    text: &'a [u8],
    pub(crate) at: usize,
    /// A raw CR or LF was passed between tokens. (Inside strings the grammar forbids them.)
    pub(crate) breaks: bool,
    open: Open,
}

/// The name of a member.
#[derive(Clone, Copy)]
pub(crate) struct Key {
    /// Its text, with the quotes.
    pub(crate) span: Span,
    /// Whether it contains a backslash.
    pub(crate) escaped: bool,
}

impl Key {
    /// The text between the quotes.
    pub(crate) fn inner(self) -> Span {
        Span {
            start: self.span.start + 1,
            end: self.span.end - 1,
        }
    }
}

impl<'a> Scan<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            at: 0,
            breaks: false,
            open: [0; MAX_DEPTH / 64],
        }
    }

    pub(crate) fn text(&self) -> &'a [u8] {
        self.text
    }

    /// The next byte, or 0 at the end: NUL can stand nowhere between tokens, so both are refused by the same arms.
    pub(crate) fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    /// The fault of finding what [`peek`](Self::peek) shows.
    pub(crate) fn unexpected(&self) -> Fault {
        if self.at < self.text.len() {
            Fault::Syntax { at: self.at }
        } else {
            Fault::Truncated
        }
    }

    pub(crate) fn expect_end(&self) -> Result<(), Fault> {
        if self.at == self.text.len() {
            Ok(())
        } else {
            Err(Fault::Syntax { at: self.at })
        }
    }

    /// Passes whitespace.
    pub(crate) fn space(&mut self) {
        while let Some(&byte) = self.text.get(self.at) {
            match byte {
                b' ' | b'\t' => {}
                b'\n' | b'\r' => self.breaks = true,
                _ => return,
            }
            self.at += 1;
        }
    }

    /// Passes the object whose opening brace is next, giving each member to `member`, which must pass its value.
    pub(crate) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, Key) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut more = self.enter()?;
        while more {
            let key = self.key()?;
            member(self, key)?;
            more = self.next_member()?;
        }
        Ok(())
    }

    /// Passes the opening brace that is next; returns whether there is a member.
    pub(crate) fn enter(&mut self) -> Result<bool, Fault> {
        if self.peek() != b'{' {
            return Err(self.unexpected());
        }
        self.at += 1;
        self.space();
        if self.peek() == b'}' {
            self.at += 1;
            return Ok(false);
        }
        Ok(true)
    }

    /// Behind a member's value: passes the comma or the closing brace; returns whether there is another member.
    pub(crate) fn next_member(&mut self) -> Result<bool, Fault> {
        self.space();
        let more = match self.peek() {
            b',' => true,
            b'}' => false,
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        if more {
            self.space();
        }
        Ok(more)
    }

    /// Passes a member's name and colon, up to its value.
    pub(crate) fn key(&mut self) -> Result<Key, Fault> {
        let start = self.at;
        if self.peek() != b'"' {
            return Err(self.unexpected());
        }
        let escaped = self.string()?;
        let span = Span::new(start, self.at);
        self.space();
        if self.peek() != b':' {
            return Err(self.unexpected());
        }
        self.at += 1;
        self.space();
        Ok(Key { span, escaped })
    }

    /// Passes one value of any kind, which stands inside `outer` open containers, and returns where it was.
    pub(crate) fn value(&mut self, outer: usize) -> Result<Span, Fault> {
        let start = self.at;
        self.skip(outer)?;
        Ok(Span::new(start, self.at))
    }

    /// Passes one value of any kind, which stands inside `outer` open containers.
    pub(crate) fn skip(&mut self, outer: usize) -> Result<(), Fault> {
        let mut depth = outer;
        // Whether the innermost open container is an object; its outer ones are bits in `open`.
        let mut object = false;
        loop {
            // A value begins here.
            match self.peek() {
                b'"' => {
                    self.string()?;
                }
                brace @ (b'{' | b'[') => {
                    if depth == MAX_DEPTH {
                        return Err(Fault::TooDeep);
                    }
                    self.mark(depth, object);
                    depth += 1;
                    object = brace == b'{';
                    self.at += 1;
                    self.space();
                    // Braces and brackets are two apart in ASCII.
                    if self.peek() == brace + 2 {
                        self.at += 1;
                        depth -= 1;
                        object = self.marked(depth);
                    } else {
                        if object {
                            self.key()?;
                        }
                        continue;
                    }
                }
                b'-' | b'0'..=b'9' => self.number()?,
                b't' => self.literal(b"true")?,
                b'f' => self.literal(b"false")?,
                b'n' => self.literal(b"null")?,
                _ => return Err(self.unexpected()),
            }
            // A value has ended here; so may the containers around it.
            loop {
                if depth == outer {
                    return Ok(());
                }
                self.space();
                match self.peek() {
                    b',' => {
                        self.at += 1;
                        self.space();
                        if object {
                            self.key()?;
                        }
                        break;
                    }
                    b'}' if object => {}
                    b']' if !object => {}
                    _ => return Err(self.unexpected()),
                }
                self.at += 1;
                depth -= 1;
                object = self.marked(depth);
            }
        }
    }

    fn mark(&mut self, depth: usize, object: bool) {
        let bit = 1 << (depth % 64);
        let word = &mut self.open[depth / 64];
        *word = if object { *word | bit } else { *word & !bit };
    }

    fn marked(&self, depth: usize) -> bool {
        self.open[depth / 64] >> (depth % 64) & 1 == 1
    }

    /// Passes the string whose opening quote is next; returns whether it contains a backslash.
    pub(crate) fn string(&mut self) -> Result<bool, Fault> {
        let mut at = self.at + 1;
        let mut escaped = false;
        loop {
            at = plain_end(self.text, at);
            match self.text.get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    at = self.escape(at + 1)?;
                }
                _ => {
                    self.at = at;
                    return Err(self.unexpected());
                }
            }
        }
    }

    /// Passes an escape whose backslash is just before `at`.
    fn escape(&mut self, at: usize) -> Result<usize, Fault> {
        self.at = at;
        match self.peek() {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(at + 1),
            b'u' => {
                for _ in 0..4 {
                    self.at += 1;
                    if !self.peek().is_ascii_hexdigit() {
                        return Err(self.unexpected());
                    }
                }
                Ok(self.at + 1)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn number(&mut self) -> Result<(), Fault> {
        if self.peek() == b'-' {
            self.at += 1;
        }
        if self.peek() == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// At least one digit.
    fn digits(&mut self) -> Result<(), Fault> {
        if !self.peek().is_ascii_digit() {
            return Err(self.unexpected());
        }
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        Ok(())
    }

    fn literal(&mut self, literal: &[u8]) -> Result<(), Fault> {
        for &byte in literal {
            if self.peek() != byte {
                return Err(self.unexpected());
            }
            self.at += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skip(text: &str) -> Result<usize, Fault> {
        let mut scan = Scan::new(text.as_bytes());
        scan.skip(0).map(|()| scan.at)
    }

    #[test]
    fn the_grammar_as_a_table() {
        for good in [
            "0",
            "-0",
            "10",
            "1.0",
            "0.5e10",
            "1E+2",
            "-1e-2",
            "true",
            "false",
            "null",
            "\"\"",
            "\"\\u00e9\\/\"",
            "[]",
            "{}",
            "[ ]",
            "{ }",
            "[1,[2,{}],{\"a\":[]}]",
            "{\"a\":{\"b\":[{}]},\"c\":1}",
            "\"\\ud800\"",
            "\"\u{7f}\"",
        ] {
            assert_eq!(skip(good), Ok(good.len()), "{good}");
        }
        for (bad, fault) in [
            ("", Fault::Truncated),
            ("-", Fault::Truncated),
            ("1.", Fault::Truncated),
            ("1e", Fault::Truncated),
            ("+1", Fault::Syntax { at: 0 }),
            (".5", Fault::Syntax { at: 0 }),
            ("tru", Fault::Truncated),
            ("trux", Fault::Syntax { at: 3 }),
            ("\"", Fault::Truncated),
            ("\"\\", Fault::Truncated),
            ("\"\\x\"", Fault::Syntax { at: 2 }),
            ("\"\\u00g0\"", Fault::Syntax { at: 5 }),
            ("\"\t\"", Fault::Syntax { at: 1 }),
            ("[1,]", Fault::Syntax { at: 3 }),
            ("[1}", Fault::Syntax { at: 2 }),
            ("[", Fault::Truncated),
            ("[1 2]", Fault::Syntax { at: 3 }),
            ("{\"a\":1]", Fault::Syntax { at: 6 }),
            ("{\"a\"}", Fault::Syntax { at: 4 }),
            ("{\"a\":1,}", Fault::Syntax { at: 7 }),
            ("{a:1}", Fault::Syntax { at: 1 }),
            ("\u{a0}1", Fault::Syntax { at: 0 }),
            ("[\0]", Fault::Syntax { at: 1 }),
        ] {
            assert_eq!(skip(bad), Err(fault), "{bad}");
        }
    }

    #[test]
    fn depth_is_bounded_exactly() {
        let nested = |depth: usize| "[{\"a\":".repeat(depth / 2) + "1" + &"}]".repeat(depth / 2);
        assert!(skip(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(skip(&nested(MAX_DEPTH + 2)), Err(Fault::TooDeep));
        let mut inside = Scan::new(b"[[]]");
        assert_eq!(inside.skip(MAX_DEPTH - 1), Err(Fault::TooDeep));
    }
}
