//! What a server of the session eras said when it was greeted, and the same for clients of
//! 2026-07-28.

use bytes::Bytes;
use mcp_wire::{Version, object};

use super::long::EXTENSION;
use super::stamp::Stamps;

/// By what a result names the server it comes from.
pub(super) const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// What is known from an `InitializeResult`.
#[derive(Clone, Debug)]
pub(super) struct Welcome {
    /// The whole text of a `DiscoverResult`.
    pub(super) discovered: Bytes,
    /// The text of the server's `Implementation`; empty if it gave none.
    pub(super) info: Bytes,
    /// What is said of results that say nothing themselves.
    pub(super) stamps: Stamps,
    /// What the two sides speak.
    pub(super) version: Version,
    pub(super) tools: bool,
    /// It runs tools as tasks of 2025-11-25.
    pub(super) tasks: bool,
    pub(super) logging: bool,
    /// It takes `resources/subscribe`.
    pub(super) subscribe: bool,
    /// Which lists it tells changes of.
    pub(super) changes: Changes,
}

/// Lists that may change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    pub(super) tools: bool,
    pub(super) prompts: bool,
    pub(super) resources: bool,
}

impl Welcome {
    /// Reads the text of an `InitializeResult`.
    pub(super) fn of(result: &[u8]) -> Self {
        let capabilities = object::get(result, "capabilities").unwrap_or(b"{}");
        let says = |name: &str, member: &str| {
            object::get(capabilities, name).and_then(|it| object::get(it, member)) == Some(b"true")
        };
        let info = object::get(result, "serverInfo").unwrap_or_default();
        let version = object::get(result, "protocolVersion")
            .and_then(object::string)
            .and_then(|text| text.parse().ok());
        Self {
            discovered: discovered(result, capabilities, info),
            info: Bytes::copy_from_slice(info),
            stamps: Stamps::of(info),
            version: version.unwrap_or(Version::LATEST_LEGACY),
            tools: object::get(capabilities, "tools").is_some(),
            tasks: runs_tasks(capabilities),
            logging: object::get(capabilities, "logging").is_some(),
            subscribe: says("resources", "subscribe"),
            changes: Changes {
                tools: says("tools", "listChanged"),
                prompts: says("prompts", "listChanged"),
                resources: says("resources", "listChanged"),
            },
        }
    }
}

/// Whether tools may be called as tasks (2025-11-25, tasks, "Capabilities").
fn runs_tasks(capabilities: &[u8]) -> bool {
    object::get(capabilities, "tasks")
        .and_then(|tasks| object::get(tasks, "requests"))
        .and_then(|requests| object::get(requests, "tools"))
        .and_then(|tools| object::get(tools, "call"))
        .is_some()
}

/// Its capabilities are the server's own, but for tasks: those of 2025-11-25 are not those of the
/// extension, which stands there if there is anything to be long. It is not said how long it holds, since nothing tells when it no longer does.
fn discovered(result: &[u8], capabilities: &[u8], info: &[u8]) -> Bytes {
    let mut text = format!(
        r#"{{"resultType":"complete","supportedVersions":["{}"],"capabilities":{{"#,
        Version::V2026_07_28.as_str()
    )
    .into_bytes();
    let kept = object::members(capabilities).filter(|entry| !entry.key.is("tasks"));
    for (at, entry) in kept.enumerate() {
        if at > 0 {
            text.push(b',');
        }
        text.push(b'"');
        text.extend_from_slice(entry.key.raw().as_bytes());
        text.extend_from_slice(b"\":");
        text.extend_from_slice(entry.value);
    }
    if runs_tasks(capabilities) && object::get(capabilities, "extensions").is_none() {
        if !text.ends_with(b"{") {
            text.push(b',');
        }
        text.extend_from_slice(format!(r#""extensions":{{"{EXTENSION}":{{}}}}"#).as_bytes());
    }
    text.push(b'}');
    if let Some(instructions) = object::get(result, "instructions")
        && instructions.starts_with(b"\"")
    {
        text.extend_from_slice(b",\"instructions\":");
        text.extend_from_slice(instructions);
    }
    text.extend_from_slice(br#","ttlMs":0,"cacheScope":"private""#);
    if !info.is_empty() {
        text.extend_from_slice(b",\"_meta\":");
        text.extend_from_slice(&meta(info));
    }
    text.push(b'}');
    text.into()
}

/// The `_meta` of a result that has none of its own.
pub(super) fn meta(info: &[u8]) -> Vec<u8> {
    [b"{\"", SERVER_INFO.as_bytes(), b"\":", info, b"}"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_initialize_result_is_told_as_a_discover_result() {
        let welcome = Welcome::of(
            br#"{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true},"tasks":{"list":{}},
                "resources":{"subscribe":true},"logging":{},"experimental":{"x":{}}},
                "serverInfo":{"name":"s","version":"1","x":1.0},"instructions":"do \"it\""}"#,
        );
        let told: serde_json::Value = serde_json::from_slice(&welcome.discovered).unwrap();
        assert_eq!(
            told,
            serde_json::json!({
                "resultType": "complete",
                "supportedVersions": ["2026-07-28"],
                "capabilities": {"tools": {"listChanged": true}, "resources": {"subscribe": true},
                    "logging": {}, "experimental": {"x": {}}},
                "instructions": "do \"it\"",
                "ttlMs": 0,
                "cacheScope": "private",
                "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "s", "version": "1", "x": 1.0}},
            })
        );
        assert_eq!(welcome.version, Version::V2025_06_18);
        assert!(welcome.tools && welcome.logging && welcome.subscribe);
        assert!(welcome.changes.tools && !welcome.changes.resources);
    }

    #[test]
    fn one_that_says_little_is_told_as_little() {
        let welcome = Welcome::of(b"{}");
        let told: serde_json::Value = serde_json::from_slice(&welcome.discovered).unwrap();
        assert_eq!(told["capabilities"], serde_json::json!({}));
        assert!(told.get("_meta").is_none());
        assert!(!welcome.tools && !welcome.subscribe);
    }
}
