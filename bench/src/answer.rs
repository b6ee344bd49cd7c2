//! What the echo answers: a text of the size that was asked for, prepared beforehand.
//!
//! Requests come from our own load alone, so they are searched, not parsed: the first `"id":` is
//! the id. What is measured stands between the load and this, and should not wait for it.

use bytes::Bytes;
use memchr::memmem;

/// Answers requests. The texts of one size at a time are kept, because a run asks for one size.
#[derive(Default)]
pub(crate) struct Answers {
    is_modern: bool,
    size: Option<usize>,
    tail: Bytes,
}

/// An answer in two pieces, so that a large text is not copied for each.
pub(crate) struct Answer {
    /// Up to the id, and before it as many progress notifications as were asked for, a line each.
    pub(crate) head: Vec<u8>,
    /// From behind the id to the last brace.
    pub(crate) tail: Bytes,
}

/// What stands between the id and the text, and after the text.
const BEFORE_TEXT: &[u8] = br#","result":{"content":[{"type":"text","text":""#;
const AFTER_TEXT: &[u8] = br#""}]}}"#;
/// The same of 2026-07-28.
const AFTER_TEXT_MODERN: &[u8] = br#""}],"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"echo","version":"1"}}}}"#;

const INITIALIZED: &[u8] = br#","result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"echo","version":"1"}}}"#;
const DISCOVERED: &[u8] = br#","result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"ttlMs":0,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"echo","version":"1"}}}}"#;
const TOOLS_MODERN: &[u8] = br#","result":{"resultType":"complete","tools":[{"name":"echo","inputSchema":{"type":"object"}}],"ttlMs":0,"cacheScope":"private"}}"#;
const TOOLS: &[u8] = br#","result":{"tools":[{"name":"echo","inputSchema":{"type":"object"}}]}}"#;
const NOTHING: &[u8] = br#","result":{}}"#;

const HEAD: &[u8] = br#"{"jsonrpc":"2.0","id":"#;

/// How long the answer to a call is, but for the digits of its id.
pub(crate) const fn length(size: usize) -> usize {
    HEAD.len() + BEFORE_TEXT.len() + size + AFTER_TEXT.len()
}

impl Answers {
    /// Those of a server of 2026-07-28.
    pub(crate) fn modern() -> Self {
        Self {
            is_modern: true,
            ..Self::default()
        }
    }

    /// The answer to a request; `None` for what is none.
    pub(crate) fn to(&mut self, line: &[u8]) -> Option<Answer> {
        let id = after(line, b"\"id\":")?;
        let mut head = Vec::with_capacity(64);
        let tail = match after(line, b"\"method\":\"")? {
            b"server/discover" if self.is_modern => Bytes::from_static(DISCOVERED),
            b"tools/list" if self.is_modern => Bytes::from_static(TOOLS_MODERN),
            b"initialize" => Bytes::from_static(INITIALIZED),
            b"tools/list" => Bytes::from_static(TOOLS),
            b"tools/call" => {
                progress(line, &mut head);
                self.text(number(line, b"\"size\":"))
            }
            _ => Bytes::from_static(NOTHING),
        };
        head.extend_from_slice(HEAD);
        head.extend_from_slice(id);
        Some(Answer { head, tail })
    }

    fn text(&mut self, size: usize) -> Bytes {
        if self.size != Some(size) {
            let mut tail = BEFORE_TEXT.to_vec();
            tail.resize(BEFORE_TEXT.len() + size, b'x');
            tail.extend_from_slice(if self.is_modern {
                AFTER_TEXT_MODERN
            } else {
                AFTER_TEXT
            });
            (self.size, self.tail) = (Some(size), tail.into());
        }
        self.tail.clone()
    }
}

/// The progress notifications a call asks for.
fn progress(line: &[u8], head: &mut Vec<u8>) {
    let Some(token) = after(line, b"\"progressToken\":") else {
        return;
    };
    for step in 1..=number(line, b"\"progress\":") {
        head.extend_from_slice(
            br#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"#,
        );
        head.extend_from_slice(token);
        head.extend_from_slice(format!(",\"progress\":{step}}}}}\n").as_bytes());
    }
}

/// The text of the value behind `name`, up to what ends a number or a word.
pub(crate) fn after<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let rest = &line[memmem::find(line, name)? + name.len()..];
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b',' | b'}' | b'"'));
    end.map(|end| &rest[..end])
}

fn number(line: &[u8], name: &[u8]) -> usize {
    after(line, name)
        .and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(answer: &Answer) -> String {
        String::from_utf8([&answer.head[..], &answer.tail].concat()).unwrap()
    }

    #[test]
    fn a_call_is_answered_in_the_size_it_asks_for() {
        let call = br#"{"jsonrpc":"2.0","id":17,"method":"tools/call","params":{"name":"echo","arguments":{"size":3}}}"#;
        let mut answers = Answers::default();
        let text = text(&answers.to(call).unwrap());
        assert_eq!(
            text,
            r#"{"jsonrpc":"2.0","id":17,"result":{"content":[{"type":"text","text":"xxx"}]}}"#
        );
        assert_eq!(text.len(), length(3) + "17".len());
    }

    #[test]
    fn progress_comes_first_under_the_token_that_was_given() {
        let call = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"size":0,"progress":2},"_meta":{"progressToken":9}}}"#;
        let text = text(&Answers::default().to(call).unwrap());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[1],
            r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":9,"progress":2}}"#
        );
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn a_server_of_2026_07_28_says_so_and_an_older_one_does_not() {
        let probe = br#"{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{}}"#;
        let modern = text(&Answers::modern().to(probe).unwrap());
        assert!(modern.contains(r#""supportedVersions":["2026-07-28"]"#));
        let legacy = text(&Answers::default().to(probe).unwrap());
        assert_eq!(legacy, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
        let call = br#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","arguments":{"size":3}}}"#;
        let modern = text(&Answers::modern().to(call).unwrap());
        assert!(modern.contains(r#""text":"xxx"}],"resultType":"complete""#));
    }

    #[test]
    fn a_notification_is_not_answered() {
        let notice = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        assert!(Answers::default().to(notice).is_none());
    }
}
