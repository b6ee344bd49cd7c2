//! Which tools clients see and may call: `--allow-tool`, `--deny-tool` and `--read-only`.
//!
//! A tool that is kept from clients is not there for them: it is taken out of every list, and calling
//! it is answered as calling one that never was. The list is spliced; the elements that stay keep
//! their bytes, and so does everything around them.

use bytes::Bytes;
use mcp_wire::{ErrorCode, Id, Member, Message, method, object};
use serde_json::value::RawValue;

use super::hints::only_reads;

/// The owner's choice of tools.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolRules {
    /// Patterns of tools that are offered; empty means all.
    pub allow: Vec<String>,
    /// Patterns of tools that are not, allowed or not.
    pub deny: Vec<String>,
    /// Only tools that are annotated as reading are offered; see `hints.rs`.
    pub read_only: bool,
}

impl ToolRules {
    /// Whether every tool passes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.deny.is_empty() && !self.read_only
    }

    /// Whether the patterns let clients have this tool.
    #[must_use]
    pub fn offers(&self, tool: &str) -> bool {
        let any = |globs: &[String]| globs.iter().any(|glob| matches(glob, tool));
        (self.allow.is_empty() || any(&self.allow)) && !any(&self.deny)
    }

    /// What a call of a tool that clients do not have is answered with: the error of an unknown one
    /// (2025-11-25 and 2026-07-28, server/tools, "Error handling"). `None` for anything else.
    pub(super) fn refuse(&self, message: &Message) -> Option<Message> {
        if self.is_empty() || message.method() != Some(method::TOOLS_CALL) {
            return None;
        }
        // A call without a name is the server's to refuse.
        let name = message.string(Member::Name)?;
        (!self.offers(&name)).then(|| unknown(message.id().as_ref(), &name))
    }

    /// Takes what clients do not have out of the result of `tools/list`.
    pub(super) fn thin(&self, message: &mut Message) {
        let Some(whole) = message.result_span() else {
            return;
        };
        let mut edits = Vec::new();
        for entry in object::members(message.result().unwrap_or_default()) {
            if entry.key.is("tools")
                && let Some(kept) = self.kept(entry.value)
            {
                edits.push((entry.span.shift(whole.start), kept));
            }
        }
        for (span, kept) in edits {
            message.replace_span(span, kept);
        }
    }

    /// The list without those elements; `None` where all of them stay.
    fn kept(&self, list: &[u8]) -> Option<Bytes> {
        let tools: Vec<&RawValue> = serde_json::from_slice(list).ok()?;
        let stays = |tool: &&&RawValue| {
            // Should a server write the name twice, nobody knows which one its client reads.
            let mut names = object::members(tool.get().as_bytes())
                .filter(|member| member.key.is("name"))
                .filter_map(|member| object::string(member.value));
            names.all(|name| self.offers(&name))
                && (!self.read_only || only_reads(tool.get().as_bytes()))
        };
        let kept: Vec<&str> = tools.iter().filter(stays).map(|tool| tool.get()).collect();
        (kept.len() < tools.len()).then(|| format!("[{}]", kept.join(",")).into())
    }
}

/// The error of a tool that is not there.
pub(super) fn unknown(id: Option<&Id>, tool: &str) -> Message {
    mcp_wire::error_message(
        id,
        ErrorCode::INVALID_PARAMS,
        &format!("Unknown tool: {tool}"),
        None,
    )
}

/// Whether a text is of a pattern, in which `*` stands for any text and `?` for one character.
pub(super) fn matches(glob: &str, text: &str) -> bool {
    let (glob, text): (Vec<char>, Vec<char>) = (glob.chars().collect(), text.chars().collect());
    let (mut at, mut position) = (0, 0);
    // The last star, and how much of the text it has taken so far.
    let mut star: Option<(usize, usize)> = None;
    while position < text.len() {
        match glob.get(at) {
            Some('*') => {
                star = Some((at, position));
                at += 1;
            }
            Some(c) if *c == '?' || *c == text[position] => {
                at += 1;
                position += 1;
            }
            _ => match &mut star {
                Some((star_at, taken)) => {
                    *taken += 1;
                    (at, position) = (*star_at + 1, *taken);
                }
                None => return false,
            },
        }
    }
    glob[at..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(allow: &[&str], deny: &[&str]) -> ToolRules {
        let owned = |globs: &[&str]| globs.iter().map(ToString::to_string).collect();
        ToolRules {
            allow: owned(allow),
            deny: owned(deny),
            read_only: false,
        }
    }

    #[test]
    fn patterns() {
        for (glob, text, expected) in [
            ("echo", "echo", true),
            ("echo", "echoes", false),
            ("echo", "Echo", false),
            ("get_*", "get_", true),
            ("get_*", "get_issue", true),
            ("get_*", "forget_issue", false),
            ("*_issue", "get_issue_issue", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("?", "é", true),
            ("?", "", false),
            ("*", "", true),
            ("", "", true),
            ("", "x", false),
            ("**?", "x", true),
        ] {
            assert_eq!(matches(glob, text), expected, "{glob} {text}");
        }
    }

    #[test]
    fn denying_wins_and_saying_nothing_allows_all() {
        assert!(rules(&[], &[]).offers("anything"));
        assert!(rules(&["get_*"], &[]).offers("get_x"));
        assert!(!rules(&["get_*"], &[]).offers("put_x"));
        assert!(!rules(&["get_*"], &["*_secret"]).offers("get_secret"));
        assert!(rules(&[], &["*_secret"]).offers("get_x"));
    }

    fn thinned(rules: &ToolRules, text: &str) -> String {
        let mut message = Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap();
        rules.thin(&mut message);
        String::from_utf8(message.to_bytes().to_vec()).unwrap()
    }

    #[test]
    fn lists_lose_those_elements_and_no_other_byte() {
        let rules = rules(&[], &["b*"]);
        let text = r#"{"jsonrpc":"2.0", "id":1,"result":{"x":1e400, "tools": [ {"name":"a","n":1.0} , {"name":"b"},{"\u006eame":"b\u0032"}, {"name":"c"}] ,"nextCursor":"b"}}"#;
        let expected = r#"{"jsonrpc":"2.0", "id":1,"result":{"x":1e400, "tools": [{"name":"a","n":1.0},{"name":"c"}] ,"nextCursor":"b"}}"#;
        assert_eq!(thinned(&rules, text), expected);
        for untouched in [
            r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[ {"name":"a"} ]}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{"tools":"b"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"b"}}"#,
        ] {
            assert_eq!(thinned(&rules, untouched), untouched);
        }
    }

    #[test]
    fn lists_lose_what_is_not_annotated_as_reading() {
        let rules = ToolRules {
            read_only: true,
            ..rules(&[], &["b"])
        };
        let text = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a","annotations":{"readOnlyHint":true}},{"name":"b","annotations":{"readOnlyHint":true}},{"name":"c"}]}}"#;
        let expected = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a","annotations":{"readOnlyHint":true}}]}}"#;
        assert_eq!(thinned(&rules, text), expected);
    }

    #[test]
    fn calls_are_refused_however_the_name_is_spelled() {
        let rules = rules(&["a"], &[]);
        let call = |text: &str| {
            let message = Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap();
            let refused = rules.refuse(&message)?;
            Some(String::from_utf8(refused.to_bytes().to_vec()).unwrap())
        };
        let refused =
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"\u0062"}}"#;
        let answer = call(refused).unwrap();
        assert!(
            answer.contains("-32602") && answer.contains("Unknown tool: b"),
            "{answer}"
        );
        for passes in [
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a"}}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{}}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"prompts/get","params":{"name":"b"}}"#,
        ] {
            assert_eq!(call(passes), None, "{passes}");
        }
    }
}
