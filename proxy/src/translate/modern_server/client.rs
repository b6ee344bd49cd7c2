//! What a client said of itself once, and how each of its requests says it again (2026-07-28, basic,
//! "Request metadata").

use bytes::{Bytes, BytesMut};
use mcp_wire::{Member, Message, Span, Version, object};

use crate::exchange::{Profile, level};

/// The capabilities of the session eras that 2026-07-28 has, too. `tasks` are another thing there.
const CAPABILITIES: [&str; 4] = ["elicitation", "sampling", "roots", "experimental"];

/// The members of `_meta` that are said.
const SAID: [Member; 4] = [
    Member::MetaProtocolVersion,
    Member::MetaClientInfo,
    Member::MetaClientCapabilities,
    Member::MetaLogLevel,
];

/// One client, as its server has to know it.
#[derive(Debug)]
pub(super) struct Client {
    profile: Profile,
    /// The texts of the two objects, copied out of the request they came in.
    info: Bytes,
    capabilities: Bytes,
    level: Option<&'static str>,
    /// The members that every request is given, without braces.
    said: Bytes,
}

impl Client {
    /// A client that has said nothing, or that cannot be asked anything: it declares nothing.
    pub(super) fn unknown() -> Self {
        let info = format!(
            r#"{{"name":"mcp-proxy","version":"{}"}}"#,
            env!("CARGO_PKG_VERSION")
        );
        Self::with(info.into(), Bytes::from_static(b"{}"), None)
    }

    /// The client of this `initialize`.
    pub(super) fn of(initialize: &Message) -> Self {
        let unknown = Self::unknown();
        let info = initialize
            .params()
            .and_then(|params| object::get(params, "clientInfo"))
            .filter(|info| info.starts_with(b"{"))
            .map_or(unknown.info, Bytes::copy_from_slice);
        let declared = initialize.member(Member::Capabilities).unwrap_or(b"{}");
        Self::with(info, capabilities(declared), None)
    }

    fn with(info: Bytes, capabilities: Bytes, level: Option<&'static str>) -> Self {
        let mut said = BytesMut::new();
        let mut say = |member: Member, value: &[u8]| {
            if !said.is_empty() {
                said.extend_from_slice(b",");
            }
            for part in [b"\"", member.name().as_bytes(), b"\":", value] {
                said.extend_from_slice(part);
            }
        };
        let version = format!("\"{}\"", Version::V2026_07_28.as_str());
        say(Member::MetaProtocolVersion, version.as_bytes());
        say(Member::MetaClientInfo, &info);
        say(Member::MetaClientCapabilities, &capabilities);
        if let Some(level) = level {
            say(Member::MetaLogLevel, format!("\"{level}\"").as_bytes());
        }
        Self {
            profile: Profile::of(&capabilities),
            info,
            capabilities,
            level,
            said: said.freeze(),
        }
    }

    /// What it can be asked.
    pub(super) const fn profile(&self) -> Profile {
        self.profile
    }

    /// The members of `_meta` for a request of the proxy in its name, which has no logs.
    pub(super) fn meta(&self) -> Bytes {
        if self.level.is_none() {
            return self.said.clone();
        }
        Self::with(self.info.clone(), self.capabilities.clone(), None).said
    }

    /// The client wants log records from this level on. False, and nothing changes, where there is
    /// no such level.
    pub(super) fn wants(&mut self, level: &str) -> bool {
        let known = level::position(level).and_then(level::name);
        if known.is_some() {
            *self = Self::with(self.info.clone(), self.capabilities.clone(), known);
        }
        known.is_some()
    }

    /// The request as its server wants it. What a client of both eras says itself is said over.
    pub(super) fn stamp(&self, mut message: Message) -> Message {
        let claims = SAID.iter().any(|said| message.member(*said).is_some());
        match (message.member_span(Member::Meta), message.params_span()) {
            (Some(meta), _) if !claims && message.member(Member::Meta).is_some_and(is_object) => {
                let empty = message
                    .member(Member::Meta)
                    .is_none_or(|meta| object::members(meta).next().is_none());
                let comma: &[u8] = if empty { b"" } else { b"," };
                let end = Span {
                    start: meta.end - 1,
                    end: meta.end - 1,
                };
                message.replace_span(end, Bytes::from([comma, &self.said].concat()));
            }
            (Some(_), _) => self.stamp_over(&mut message),
            (None, Some(params)) => {
                let meta = [b"{", &self.said[..], b"}"].concat();
                message.insert_member(params, "_meta", Bytes::from(meta));
            }
            (None, None) => {
                let params = [b"{\"_meta\":{", &self.said[..], b"}}"].concat();
                message.insert_member(message.span(), "params", Bytes::from(params));
            }
        }
        if self.level.is_none() {
            return message;
        }
        // Whose log records are whose is decided by the level that stands in the request, and what is
        // read of a message are the bytes that arrived.
        Message::parse(message.to_bytes()).unwrap_or(message)
    }

    fn stamp_over(&self, message: &mut Message) {
        let version = Version::V2026_07_28.as_str();
        for (member, value) in [
            (
                Member::MetaProtocolVersion,
                Some(format!("\"{version}\"").into()),
            ),
            (Member::MetaClientInfo, Some(self.info.clone())),
            (
                Member::MetaClientCapabilities,
                Some(self.capabilities.clone()),
            ),
            (
                Member::MetaLogLevel,
                self.level.map(|level| format!("\"{level}\"").into()),
            ),
        ] {
            match value {
                Some(value) => message.insert_meta(member.name(), value),
                None => message.remove_meta(member.name()),
            };
        }
    }
}

/// What of these capabilities 2026-07-28 has. That roots change cannot be said there.
fn capabilities(declared: &[u8]) -> Bytes {
    let mut kept = BytesMut::from(&b"{"[..]);
    let known = object::members(declared)
        .filter(|entry| CAPABILITIES.iter().any(|name| entry.key.is(name)));
    for entry in known {
        if kept.len() > 1 {
            kept.extend_from_slice(b",");
        }
        for part in [b"\"", entry.key.raw().as_bytes(), b"\":"] {
            kept.extend_from_slice(part);
        }
        if entry.key.is("roots") && is_object(entry.value) {
            kept.extend_from_slice(b"{}");
        } else {
            kept.extend_from_slice(entry.value);
        }
    }
    kept.extend_from_slice(b"}");
    kept.freeze()
}

/// Whether this is the text of an object.
pub(super) fn is_object(value: &[u8]) -> bool {
    value.starts_with(b"{")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Message {
        Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
    }

    fn client() -> Client {
        Client::of(&message(
            r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","clientInfo":{"name":"c","x":1.0},"capabilities":{"roots":{"listChanged":true},"sampling":{"tools":{}},"tasks":{},"experimental":{"a":{}}}}}"#,
        ))
    }

    const SAID: &str = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"c","x":1.0},"io.modelcontextprotocol/clientCapabilities":{"roots":{},"sampling":{"tools":{}},"experimental":{"a":{}}}"#;

    fn stamped(client: &Client, params: &str) -> String {
        let request = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"m"{params}}}"#);
        let text = client.stamp(message(&request)).to_bytes();
        let text = String::from_utf8(text.to_vec()).unwrap();
        Message::parse(text.clone().into()).unwrap();
        let rest = text.strip_prefix(r#"{"jsonrpc":"2.0","id":1,"method":"m""#);
        rest.unwrap().strip_suffix('}').unwrap().to_owned()
    }

    #[test]
    fn what_was_said_once_stands_in_every_request() {
        let client = client();
        for (before, after) in [
            ("", format!(r#","params":{{"_meta":{{{SAID}}}}}"#)),
            (
                r#","params":{}"#,
                format!(r#","params":{{"_meta":{{{SAID}}}}}"#),
            ),
            (
                r#","params":{"a":1}"#,
                format!(r#","params":{{"a":1,"_meta":{{{SAID}}}}}"#),
            ),
            (
                r#","params":{"_meta":{ }}"#,
                format!(r#","params":{{"_meta":{{ {SAID}}}}}"#),
            ),
            (
                r#","params":{"_meta":{"progressToken":1.0}}"#,
                format!(r#","params":{{"_meta":{{"progressToken":1.0,{SAID}}}}}"#),
            ),
            // Some clients say what both eras want.
            (
                r#","params":{"_meta":{"io.modelcontextprotocol/clientInfo":{},"a":1}}"#,
                format!(r#","params":{{"_meta":{{"a":1,{SAID}}}}}"#),
            ),
        ] {
            assert_eq!(stamped(&client, before), after, "{before}");
        }
    }

    #[test]
    fn a_level_is_said_where_the_server_reads_it_and_there_are_eight() {
        let mut client = client();
        assert!(!client.wants("loud"));
        assert!(client.wants("notice"));
        let request = message(r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#);
        let stamped = client.stamp(request);
        assert_eq!(
            stamped.string(Member::MetaLogLevel).as_deref(),
            Some("notice")
        );
        assert!(!client.meta().windows(8).any(|part| part == b"logLevel"));
    }
}
