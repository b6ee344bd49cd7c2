//! What is checked before a request is taken, in the order of the specification: its version, its
//! `_meta`, its headers, its method (2026-07-28, Streamable HTTP, "Request metadata").

use axum::http::{HeaderMap, HeaderName};
use mcp_wire::{Era, Member, Message, Version, method};

use super::super::Fault;
use super::super::headers::PROTOCOL_VERSION;
use super::mirror;

static METHOD: HeaderName = HeaderName::from_static("mcp-method");
static NAME: HeaderName = HeaderName::from_static("mcp-name");

/// How much of a client's own text is repeated to it.
const MAX_SHOWN: usize = 80;

/// What can be wrong with a message of 2026-07-28.
#[derive(Debug, thiserror::Error)]
pub enum Wrong {
    /// Something every request carries in its `_meta` is not there, or not what it has to be.
    #[error("every request must carry {0} in params._meta")]
    Envelope(&'static str),
    /// A version nobody here speaks.
    #[error("protocol version {requested} is not served here")]
    Version {
        /// What the client asked for.
        requested: String,
    },
    /// A header is missing, unreadable, or says something else than the body.
    #[error("header mismatch: {0}")]
    Header(String),
    /// A method that this revision has taken out.
    #[error("there is no method {0} in 2026-07-28")]
    Method(String),
    /// Several messages in one body.
    #[error("2026-07-28 has no batches; every message is a POST of its own")]
    Batch,
    /// A client that answers a question.
    #[error("2026-07-28 has no answers to post; send the request again with inputResponses")]
    Answer,
}

/// Looks at everything that can be seen without a server.
///
/// # Errors
///
/// The first thing that is wrong, in the order the specification gives.
pub(super) fn check(headers: Option<&HeaderMap>, message: &Message) -> Result<(), Fault> {
    Ok(rungs(headers, message)?)
}

/// Where there is no HTTP there are no headers to compare.
fn rungs(headers: Option<&HeaderMap>, message: &Message) -> Result<(), Wrong> {
    let version = message
        .string(Member::MetaProtocolVersion)
        .ok_or(Wrong::Envelope(
            "io.modelcontextprotocol/protocolVersion, a string,",
        ))?;
    if headers.is_some_and(|headers| headers.contains_key(&PROTOCOL_VERSION)) {
        // Which of two versions is meant cannot be known, so neither is judged.
        same(headers, &PROTOCOL_VERSION, &version)?;
    }
    let known = version.parse::<Version>();
    if !known.is_ok_and(|version| version.era() == Era::Modern) {
        return Err(Wrong::Version {
            requested: shown(&version),
        });
    }
    let capabilities = message.member(Member::MetaClientCapabilities);
    if !capabilities.is_some_and(|text| text.starts_with(b"{")) {
        return Err(Wrong::Envelope(
            "io.modelcontextprotocol/clientCapabilities, an object,",
        ));
    }
    let name = message.method().unwrap_or_default();
    same(headers, &PROTOCOL_VERSION, &version)?;
    same(headers, &METHOD, name)?;
    if let Some(named) = names(name).and_then(|member| message.string(member)) {
        same(headers, &NAME, &named)?;
    }
    if method::is_legacy_only(name) {
        return Err(Wrong::Method(shown(name)));
    }
    Ok(())
}

/// What `Mcp-Name` repeats, of methods that are about one thing. The Tasks extension adds its own.
fn names(name: &str) -> Option<Member> {
    match name {
        method::TOOLS_CALL | method::PROMPTS_GET => Some(Member::Name),
        method::RESOURCES_READ => Some(Member::Uri),
        method::TASKS_GET | method::TASKS_UPDATE | method::TASKS_CANCEL => Some(Member::TaskId),
        _ => None,
    }
}

/// A header that must be there once and say what the body says.
fn same(headers: Option<&HeaderMap>, name: &HeaderName, body: &str) -> Result<(), Wrong> {
    let Some(headers) = headers else {
        return Ok(());
    };
    let said = if *name == NAME {
        mirror::one(headers, name)
    } else {
        mirror::plain(headers, name).map(|said| said.map(str::to_owned))
    };
    let said = said
        .map_err(Wrong::Header)?
        .ok_or_else(|| Wrong::Header(format!("{name} is missing")))?;
    if said == body {
        Ok(())
    } else {
        Err(Wrong::Header(format!(
            "{name} says {:?}, the body says {:?}",
            shown(&said),
            shown(body)
        )))
    }
}

fn shown(text: &str) -> String {
    text.chars().take(MAX_SHOWN).collect()
}
