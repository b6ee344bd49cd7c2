//! The answer to `initialize`, made of what the server said to `server/discover`.

use mcp_wire::{Era, Version, object};

/// Where the server's name and version stand in a result of 2026-07-28.
const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// What stands for the name of a server that does not say its own; these eras want one.
const NAMELESS: &[u8] = br#"{"name":"unnamed","version":"unknown"}"#;

/// What 2026-07-28 has in its capabilities and these eras have not, or not so.
const OTHER: [&str; 2] = ["extensions", "tasks"];

/// The text of an `InitializeResult` (2025-11-25, lifecycle) that says what this `DiscoverResult`
/// says. The version is the one that was asked for, where it is of these eras.
pub(super) fn welcome(discovered: &[u8], asked: Option<&str>) -> Vec<u8> {
    let version = asked
        .and_then(|asked| asked.parse::<Version>().ok())
        .filter(|version| version.era() == Era::Legacy)
        .unwrap_or(Version::LATEST_LEGACY);
    let mut out = format!(
        r#"{{"protocolVersion":"{}","capabilities":{{"#,
        version.as_str()
    )
    .into_bytes();
    let capabilities = object::get(discovered, "capabilities").unwrap_or_default();
    let mut first = true;
    let known = object::members(capabilities)
        .filter(|entry| !OTHER.iter().any(|other| entry.key.is(other)));
    for entry in known {
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        for part in [b"\"", entry.key.raw().as_bytes(), b"\":", entry.value] {
            out.extend_from_slice(part);
        }
    }
    out.extend_from_slice(b"},\"serverInfo\":");
    let info = object::get(discovered, "_meta")
        .and_then(|meta| object::get(meta, SERVER_INFO))
        .filter(|info| info.starts_with(b"{"));
    out.extend_from_slice(info.unwrap_or(NAMELESS));
    let instructions = object::get(discovered, "instructions");
    if let Some(instructions) = instructions.filter(|text| text.starts_with(b"\"")) {
        out.extend_from_slice(b",\"instructions\":");
        out.extend_from_slice(instructions);
    }
    out.push(b'}');
    out
}

/// What the server offers apart from answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Offers {
    /// Log records.
    pub(super) logging: bool,
    /// News of the list of tools.
    pub(super) tools: bool,
    /// News of the list of prompts.
    pub(super) prompts: bool,
    /// News of the list of resources.
    pub(super) resources: bool,
}

impl Offers {
    /// What a `DiscoverResult` says.
    pub(super) fn of(discovered: &[u8]) -> Self {
        let capabilities = object::get(discovered, "capabilities").unwrap_or_default();
        let tells = |list| {
            object::get(capabilities, list).and_then(|list| object::get(list, "listChanged"))
                == Some(b"true")
        };
        Self {
            logging: object::get(capabilities, "logging").is_some(),
            tools: tells("tools"),
            prompts: tells("prompts"),
            resources: tells("resources"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISCOVERED: &[u8] = br#"{"supportedVersions":["2026-07-28"],"capabilities":{"extensions":{"x":{}},"tools":{"listChanged":true},"logging":{}, "prompts":{},"tasks":{}},"instructions":"Be\u0020kind.","ttlMs":1,"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"n","version":"1"}}}"#;

    fn said(discovered: &[u8], asked: Option<&str>) -> String {
        String::from_utf8(welcome(discovered, asked)).unwrap()
    }

    #[test]
    fn a_discovered_server_is_introduced_in_the_old_words() {
        assert_eq!(
            said(DISCOVERED, Some("2025-06-18")),
            r#"{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true},"logging":{},"prompts":{}},"serverInfo":{"name":"n","version":"1"},"instructions":"Be\u0020kind."}"#
        );
        let offers = Offers {
            logging: true,
            tools: true,
            ..Offers::default()
        };
        assert_eq!(Offers::of(DISCOVERED), offers);
    }

    #[test]
    fn a_version_these_eras_do_not_have_becomes_their_newest() {
        for asked in [None, Some("2026-07-28"), Some("1999-01-01")] {
            assert_eq!(
                said(b"{}", asked),
                r#"{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"unnamed","version":"unknown"}}"#
            );
        }
    }
}
