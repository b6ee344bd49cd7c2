//! Which scope calling a tool takes: `--tool-scope`.
//!
//! Lists show every tool: a client that knows a tool can ask its person for more, and one that does
//! not cannot. A call is judged by its body, before anything is sent.

use mcp_wire::{Body, Member, Message, method};

use super::tools::matches;
use crate::config::{Scope, ToolScope};
use crate::guard::{Grant, Refusal};

/// The owner's choice.
#[derive(Clone, Debug, Default)]
pub struct ToolScopes(Vec<ToolScope>);

impl ToolScopes {
    /// These.
    #[must_use]
    pub const fn new(scopes: Vec<ToolScope>) -> Self {
        Self(scopes)
    }

    /// Whether what was granted covers every call in a body. A token of the configuration has no grant
    /// and may call everything.
    ///
    /// # Errors
    ///
    /// [`Refusal::Scope`], with everything that the calls take.
    pub fn check(&self, grant: Option<&Grant>, body: &Body) -> Result<(), Refusal> {
        let Some(grant) = grant.filter(|_| !self.0.is_empty()) else {
            return Ok(());
        };
        let mut needed = Vec::new();
        match body {
            Body::One(message) => self.needs(message, &mut needed),
            Body::Batch(messages) => {
                for message in messages.iter().flatten() {
                    self.needs(message, &mut needed);
                }
            }
        }
        grant.covers(&needed)
    }

    /// What a message takes. Every pattern that fits counts.
    fn needs<'a>(&'a self, message: &Message, needed: &mut Vec<&'a Scope>) {
        if message.method() != Some(method::TOOLS_CALL) {
            return;
        }
        let Some(tool) = message.string(Member::Name) else {
            return;
        };
        for ToolScope { glob, scope } in &self.0 {
            if matches(glob, &tool) && !needed.contains(&scope) {
                needed.push(scope);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn needs(body: &str) -> Vec<String> {
        let rule = |glob: &str, scope: &str| ToolScope {
            glob: glob.into(),
            scope: Scope::parse(scope).unwrap(),
        };
        let scopes = ToolScopes::new(vec![rule("get_*", "read|write"), rule("*_all", "all")]);
        let body = Body::parse(Bytes::copy_from_slice(body.as_bytes()), 10).unwrap();
        let mut needed = Vec::new();
        match &body {
            Body::One(message) => scopes.needs(message, &mut needed),
            Body::Batch(messages) => {
                for message in messages.iter().flatten() {
                    scopes.needs(message, &mut needed);
                }
            }
        }
        needed
            .iter()
            .map(|scope| scope.least().to_owned())
            .collect()
    }

    #[test]
    fn every_pattern_that_fits_a_call_counts() {
        let call = |tool: &str| {
            format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}"}}}}"#
            )
        };
        assert_eq!(needs(&call("get_x")), ["read"]);
        assert_eq!(needs(&call("get_all")), ["read", "all"]);
        // However it is spelled.
        assert_eq!(needs(&call(r"\u0067et_x")), ["read"]);
        assert!(needs(&call("put_x")).is_empty());
        let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        assert!(needs(list).is_empty());
        let batch = format!("[{},{list},{}]", call("del_all"), call("get_x"));
        assert_eq!(needs(&batch), ["all", "read"]);
    }
}
