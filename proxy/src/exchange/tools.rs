//! What a server's own list says of its tools, as far as it matters to whoever carries their calls.
//!
//! Which arguments are repeated in headers: `x-mcp-header` stands beside a parameter in a tool's `inputSchema` (2026-07-28, Streamable HTTP,
//! "Custom headers from tool parameters"). The front checks those headers against the body; to be
//! able to, the proxy reads the list of tools when the server starts and whenever it changes. Which
//! tools may be run again after a server was lost (`readOnlyHint`, `idempotentHint`), and which of
//! the session eras run as tasks only (`execution.taskSupport`).

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Mirrored;
use crate::observe::escape::escape;

/// The annotation of a parameter.
const ANNOTATION: &str = "x-mcp-header";

/// A tool without any of these letters in its description is not looked at closer.
const TELLING: [&str; 4] = [ANNOTATION, "readOnlyHint", "idempotentHint", "taskSupport"];

/// How much of a tool's name is shown to people, in bytes.
const MAX_SHOWN: usize = 100;

/// How deep parameters may be nested. No schema for people is deeper.
const MAX_NESTING: usize = 32;

/// The tools of which there is anything to know, by name.
#[derive(Debug, Default)]
pub struct Tools(HashMap<String, Known>);

/// What is known of one tool.
#[derive(Debug, Default)]
struct Known {
    mirrored: Option<Arc<[Mirrored]>>,
    repeatable: bool,
    task: bool,
}

/// One page of `tools/list`.
#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow, default)]
    tools: Vec<&'a RawValue>,
    #[serde(borrow, default, rename = "nextCursor")]
    next: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Tool<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(rename = "inputSchema", default)]
    schema: Value,
    #[serde(default)]
    annotations: Value,
    #[serde(default)]
    execution: Value,
}

impl Tools {
    /// What a tool's clients repeat in headers.
    #[must_use]
    pub fn mirrored(&self, tool: &str) -> Option<Arc<[Mirrored]>> {
        self.0.get(tool)?.mirrored.clone()
    }

    /// Whether a call of this tool does no harm when it is made twice, as the server says.
    #[must_use]
    pub fn is_repeatable(&self, tool: &str) -> bool {
        self.0.get(tool).is_some_and(|known| known.repeatable)
    }

    /// Whether this tool is run as a task of 2025-11-25 or not at all.
    #[must_use]
    pub fn needs_task(&self, tool: &str) -> bool {
        self.0.get(tool).is_some_and(|known| known.task)
    }

    /// Adds one page of the list, and says at which cursor the next one begins, as JSON text.
    pub fn add(&mut self, result: &[u8]) -> Option<String> {
        let page: Page<'_> = serde_json::from_slice(result).ok()?;
        let telling = page
            .tools
            .iter()
            .filter(|tool| TELLING.iter().any(|letters| tool.get().contains(letters)));
        for tool in telling {
            if let Ok(tool) = serde_json::from_str::<Tool<'_>>(tool.get()) {
                let known = known(&tool);
                self.0.insert(tool.name.into_owned(), known);
            }
        }
        page.next
            .map(|cursor| cursor.get().to_owned())
            .filter(|cursor| cursor != "null")
    }
}

fn known(tool: &Tool<'_>) -> Known {
    let hint = |name: &str| tool.annotations.get(name) == Some(&Value::Bool(true));
    let mirrored = match mirrored(&tool.schema) {
        Ok(mirrored) => (!mirrored.is_empty()).then(|| mirrored.into()),
        // Clients have to leave such a tool out, so nobody sends its headers.
        Err(fault) => {
            tracing::warn!(
                tool = escape(tool.name.as_bytes(), MAX_SHOWN),
                "the server's tool has an x-mcp-header that {fault}; clients will not show it"
            );
            None
        }
    };
    let support = tool.execution.get("taskSupport").and_then(Value::as_str);
    Known {
        mirrored,
        repeatable: hint("readOnlyHint") || hint("idempotentHint"),
        task: support == Some("required"),
    }
}

/// The annotated parameters of a schema that are reached by `properties` alone.
fn mirrored(schema: &Value) -> Result<Vec<Mirrored>, &'static str> {
    let mut found = Vec::new();
    walk(schema, &mut Vec::new(), &mut found)?;
    let mut names = HashSet::new();
    if found.iter().all(|one: &Mirrored| names.insert(&one.header)) {
        Ok(found)
    } else {
        Err("stands at two parameters under one name")
    }
}

fn walk(
    schema: &Value,
    path: &mut Vec<String>,
    found: &mut Vec<Mirrored>,
) -> Result<(), &'static str> {
    if path.len() > MAX_NESTING {
        return Err("stands in a schema nested too deep");
    }
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return Ok(());
    };
    for (name, property) in properties {
        path.push(name.clone());
        if let Some(annotation) = property.get(ANNOTATION) {
            found.push(Mirrored {
                header: header(annotation)?,
                path: path.clone(),
            });
            let kind = property.get("type").and_then(Value::as_str);
            if !matches!(kind, Some("string" | "integer" | "boolean")) {
                return Err("stands at a parameter that is no string, integer or boolean");
            }
        }
        walk(property, path, found)?;
        path.pop();
    }
    Ok(())
}

/// The whole name of the header, in lower case.
fn header(annotation: &Value) -> Result<String, &'static str> {
    let name = annotation.as_str().unwrap_or_default();
    // RFC 9110, 5.6.2: token.
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        return Err("is no name for a header");
    }
    Ok(format!("mcp-param-{}", name.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tools: &str) -> Tools {
        let mut read = Tools::default();
        read.add(format!(r#"{{"tools":[{tools}]}}"#).as_bytes());
        read
    }

    #[test]
    fn parameters_are_found_where_properties_lead() {
        let tools = read(
            r#"{"name":"plain","inputSchema":{"type":"object"}},
               {"name":"sql","inputSchema":{"properties":{
                 "region":{"type":"string","x-mcp-header":"Region"},
                 "deep":{"type":"object","properties":{"n":{"type":"integer","x-mcp-header":"N"}}},
                 "list":{"type":"array","items":{"properties":{"x":{"type":"string","x-mcp-header":"X"}}}}}}}"#,
        );
        assert!(tools.mirrored("plain").is_none());
        let sql = tools.mirrored("sql").unwrap();
        let mut read: Vec<_> = sql
            .iter()
            .map(|one| (one.header.as_str(), one.path.join("/")))
            .collect();
        read.sort_unstable();
        assert_eq!(
            read,
            [
                ("mcp-param-n", "deep/n".to_owned()),
                ("mcp-param-region", "region".to_owned())
            ]
        );
    }

    #[test]
    fn a_tool_with_a_broken_annotation_is_left_out_and_the_others_are_not() {
        for broken in [
            r#"{"a":{"type":"string","x-mcp-header":""}}"#,
            r#"{"a":{"type":"string","x-mcp-header":"a b"}}"#,
            r#"{"a":{"type":"string","x-mcp-header":7}}"#,
            r#"{"a":{"type":"number","x-mcp-header":"A"}}"#,
            r#"{"a":{"type":"string","x-mcp-header":"A"},"b":{"type":"string","x-mcp-header":"a"}}"#,
        ] {
            let tools = read(&format!(
                r#"{{"name":"broken","inputSchema":{{"properties":{broken}}}}},
                   {{"name":"fine","inputSchema":{{"properties":{{"a":{{"type":"boolean","x-mcp-header":"A"}}}}}}}}"#
            ));
            assert!(tools.mirrored("broken").is_none(), "{broken}");
            assert!(tools.mirrored("fine").is_some(), "{broken}");
        }
    }

    #[test]
    fn what_may_be_run_again_says_so_itself() {
        let tools = read(
            r#"{"name":"read","annotations":{"readOnlyHint":true}},
               {"name":"put","annotations":{"readOnlyHint":false,"idempotentHint":true}},
               {"name":"add","annotations":{"readOnlyHint":false}},
               {"name":"long","execution":{"taskSupport":"required"}}"#,
        );
        let repeatable = |name| tools.is_repeatable(name);
        assert!(repeatable("read") && repeatable("put"));
        assert!(!repeatable("add") && !repeatable("long") && !repeatable("unknown"));
        assert!(tools.needs_task("long") && !tools.needs_task("read"));
    }

    #[test]
    fn pages_follow_each_other() {
        let mut tools = Tools::default();
        let next = tools.add(br#"{"tools":[],"nextCursor":"p\n2"}"#);
        assert_eq!(next.as_deref(), Some(r#""p\n2""#));
        assert_eq!(tools.add(br#"{"tools":[],"nextCursor":null}"#), None);
        assert_eq!(tools.add(b"[]"), None);
    }
}
