//! What a client can be asked for.
//!
//! A server of the session eras is told once, when it is greeted; a request of 2026-07-28 says it
//! each time. Where one serves the other, servers are kept apart by it: one that was told more than
//! a client can do would ask that client for what it never offered.

use bytes::Bytes;
use mcp_wire::{method, object};

/// The kinds of question a client can answer. Small, and a key of tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Profile(u8);

impl Profile {
    /// Nothing can be asked.
    pub const NONE: Self = Self(0);
    /// Questions with a form (`elicitation`).
    pub const FORM: Self = Self(1);
    /// Questions that send a person to a URL (`elicitation.url`).
    pub const URL: Self = Self(1 << 1);
    /// `sampling/createMessage`.
    pub const SAMPLING: Self = Self(1 << 2);
    /// The same with tools for the model (`sampling.tools`).
    pub const SAMPLING_TOOLS: Self = Self(1 << 3);
    /// The same with context of other servers (`sampling.context`).
    pub const SAMPLING_CONTEXT: Self = Self(1 << 4);
    /// `roots/list`.
    pub const ROOTS: Self = Self(1 << 5);

    /// What the text of a `ClientCapabilities` object declares. `elicitation` without a member is
    /// the form alone (2025-11-25 and 2026-07-28, elicitation, "Capabilities").
    #[must_use]
    pub fn of(capabilities: &[u8]) -> Self {
        let mut profile = Self::NONE;
        for entry in object::members(capabilities) {
            if !entry.value.starts_with(b"{") {
                continue;
            }
            let has = |name| object::get(entry.value, name).is_some_and(|it| it.starts_with(b"{"));
            if entry.key.is("elicitation") {
                if has("url") {
                    profile = profile.and(Self::URL);
                }
                if has("form") || !has("url") {
                    profile = profile.and(Self::FORM);
                }
            } else if entry.key.is("sampling") {
                profile = profile.and(Self::SAMPLING);
                if has("tools") {
                    profile = profile.and(Self::SAMPLING_TOOLS);
                }
                if has("context") {
                    profile = profile.and(Self::SAMPLING_CONTEXT);
                }
            } else if entry.key.is("roots") {
                profile = profile.and(Self::ROOTS);
            }
        }
        profile
    }

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` can be asked.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether nothing can be asked.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// The kind of a question; `None` for what is no question to a client's user.
    #[must_use]
    pub fn of_question(name: &str, params: &[u8]) -> Option<Self> {
        let has = |member| object::get(params, member).is_some();
        match name {
            method::ELICIT => {
                let mode = object::get(params, "mode").and_then(object::string);
                Some(if mode.as_deref() == Some("url") {
                    Self::URL
                } else {
                    Self::FORM
                })
            }
            method::CREATE_MESSAGE if has("tools") || has("toolChoice") => {
                Some(Self::SAMPLING.and(Self::SAMPLING_TOOLS))
            }
            method::CREATE_MESSAGE => Some(Self::SAMPLING),
            method::ROOTS_LIST => Some(Self::ROOTS),
            _ => None,
        }
    }

    /// The text of a `ClientCapabilities` object that declares this.
    #[must_use]
    pub fn capabilities(self) -> String {
        let mut members = Vec::new();
        match (self.has(Self::FORM), self.has(Self::URL)) {
            (true, true) => members.push(r#""elicitation":{"form":{},"url":{}}"#.to_owned()),
            (true, false) => members.push(r#""elicitation":{"form":{}}"#.to_owned()),
            (false, true) => members.push(r#""elicitation":{"url":{}}"#.to_owned()),
            (false, false) => {}
        }
        if self.has(Self::SAMPLING) {
            let tools = self.has(Self::SAMPLING_TOOLS).then_some(r#""tools":{}"#);
            let context = self
                .has(Self::SAMPLING_CONTEXT)
                .then_some(r#""context":{}"#);
            let inner: Vec<&str> = tools.into_iter().chain(context).collect();
            members.push(format!(r#""sampling":{{{}}}"#, inner.join(",")));
        }
        if self.has(Self::ROOTS) {
            members.push(r#""roots":{}"#.to_owned());
        }
        format!("{{{}}}", members.join(","))
    }
}

/// What a seat is wanted for, as far as it matters for which server gets the client. Only requests
/// of 2026-07-28 say so; a client of the session eras has a seat for all it does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// What the client can be asked for.
    pub profile: Profile,
    /// Whether the server may ask while it works on the request.
    pub may_ask: bool,
    /// The `requestState` of a request that is sent again with answers, as JSON text.
    pub resumes: Option<Bytes>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_declared_is_read_and_declared_again() {
        for (declared, again) in [
            ("{}", "{}"),
            (r#"{"elicitation":{}}"#, r#"{"elicitation":{"form":{}}}"#),
            (
                r#"{"elicitation":{"url":{}}}"#,
                r#"{"elicitation":{"url":{}}}"#,
            ),
            (
                r#"{"elicitation":{"form":{},"url":{}},"x":{}}"#,
                r#"{"elicitation":{"form":{},"url":{}}}"#,
            ),
            (r#"{"sampling":{}}"#, r#"{"sampling":{}}"#),
            (
                r#"{"sampling":{"context":{},"tools":{}},"roots":{"listChanged":true}}"#,
                r#"{"sampling":{"tools":{},"context":{}},"roots":{}}"#,
            ),
            (r#"{"elicitation":true,"roots":null}"#, "{}"),
        ] {
            let profile = Profile::of(declared.as_bytes());
            assert_eq!(profile.capabilities(), again, "{declared}");
            assert_eq!(Profile::of(again.as_bytes()), profile, "{declared}");
        }
    }

    #[test]
    fn a_question_is_of_one_kind() {
        for (name, params, kind) in [
            ("elicitation/create", "{}", Some(Profile::FORM)),
            (
                "elicitation/create",
                r#"{"mode":"form"}"#,
                Some(Profile::FORM),
            ),
            (
                "elicitation/create",
                r#"{"mode":"url"}"#,
                Some(Profile::URL),
            ),
            ("sampling/createMessage", "{}", Some(Profile::SAMPLING)),
            ("roots/list", "{}", Some(Profile::ROOTS)),
            ("ping", "{}", None),
        ] {
            assert_eq!(Profile::of_question(name, params.as_bytes()), kind);
        }
        let tools = Profile::of_question("sampling/createMessage", br#"{"tools":[]}"#).unwrap();
        assert!(!Profile::SAMPLING.has(tools));
        assert!(Profile::SAMPLING.and(Profile::SAMPLING_TOOLS).has(tools));
    }
}
