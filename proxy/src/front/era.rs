//! Which era a request is of (rule 1).

use axum::http::HeaderMap;
use mcp_wire::{Body, Era, Kind, Member, Message, Version, method};

use super::Fault;
use super::headers::{self, Claim};
use super::stateless::Wrong;

/// Decides by the body first: headers get lost on the way, and a session's id is worth more than
/// either, because a widely used connector sends 2026-07-28's `_meta` inside sessions.
///
/// # Errors
///
/// What is of neither: an unknown version, a batch with a message of 2026-07-28 in it, an answer
/// posted in that version.
pub(super) fn of(headers: &HeaderMap, body: &Body) -> Result<Era, Fault> {
    let claim = headers::version(headers);
    match body {
        Body::One(message) => of_message(headers, &claim, message),
        Body::Batch(messages) => {
            let modern = matches!(claim, Claim::Modern(_)) || messages.iter().flatten().any(claims);
            if modern {
                return Err(Wrong::Batch.into());
            }
            legacy(&claim)
        }
    }
}

fn of_message(headers: &HeaderMap, claim: &Claim, message: &Message) -> Result<Era, Fault> {
    let by_header = matches!(claim, Claim::Modern(_));
    if message.kind().is_response() {
        return if by_header {
            Err(Wrong::Answer.into())
        } else {
            legacy(claim)
        };
    }
    let in_session = headers::session_id(headers).is_some();
    if in_session && matches!(claim, Claim::Absent | Claim::Legacy) {
        return Ok(Era::Legacy);
    }
    if message.method() == Some(method::INITIALIZE) && message.kind() == Kind::Request {
        // It begins a session, whatever version its header names, unless it is a whole request of
        // 2026-07-28; that revision has no such method and has to say so.
        return match (is_whole(message), claim) {
            (true, _) => Ok(Era::Modern),
            (false, Claim::Modern(_)) => Ok(Era::Legacy),
            (false, _) => legacy(claim),
        };
    }
    if claims(message) || by_header {
        Ok(Era::Modern)
    } else {
        legacy(claim)
    }
}

fn legacy(claim: &Claim) -> Result<Era, Fault> {
    match claim {
        Claim::Unknown => Err(Fault::VersionUnknown),
        Claim::Newer(requested) => Err(Wrong::Version {
            requested: requested.clone(),
        }
        .into()),
        _ => Ok(Era::Legacy),
    }
}

/// Whether a message says of itself that it is of 2026-07-28 or later.
pub(super) fn claims(message: &Message) -> bool {
    message.member(Member::MetaProtocolVersion).is_some()
}

/// Whether a message has what a request of 2026-07-28 must have.
pub(super) fn is_whole(message: &Message) -> bool {
    let version = message
        .string(Member::MetaProtocolVersion)
        .and_then(|text| text.parse::<Version>().ok());
    version.is_some_and(|version| version.era() == Era::Modern)
        && message.member(Member::MetaClientCapabilities).is_some()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};
    use bytes::Bytes;

    use super::*;

    const WHOLE: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
    const CLAIM: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#;

    fn decide(pairs: &[(&'static str, &'static str)], body: &str) -> Result<Era, String> {
        let headers: HeaderMap = pairs
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect();
        let body = Body::parse(Bytes::copy_from_slice(body.as_bytes()), 10).unwrap();
        of(&headers, &body).map_err(|fault| fault.to_string())
    }

    fn request(method: &str, params: &str) -> String {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{params}}}}}"#)
    }

    #[test]
    fn the_body_decides_and_a_session_is_worth_more() {
        let modern = ("mcp-protocol-version", "2026-07-28");
        let legacy = ("mcp-protocol-version", "2025-06-18");
        let session = ("mcp-session-id", "s");
        for (headers, body, era) in [
            (&[][..], request("tools/call", ""), Era::Legacy),
            (&[legacy], request("tools/call", ""), Era::Legacy),
            (&[], request("tools/call", CLAIM), Era::Modern),
            // A header that differs is the ladder's to refuse.
            (&[legacy], request("tools/call", CLAIM), Era::Modern),
            (&[modern], request("tools/call", ""), Era::Modern),
            (&[session], request("tools/call", CLAIM), Era::Legacy),
            (
                &[session, legacy],
                request("tools/call", WHOLE),
                Era::Legacy,
            ),
            (
                &[session, modern],
                request("tools/call", WHOLE),
                Era::Modern,
            ),
            (&[], request("initialize", ""), Era::Legacy),
            (&[], request("initialize", CLAIM), Era::Legacy),
            (&[modern], request("initialize", ""), Era::Legacy),
            (&[modern], request("initialize", WHOLE), Era::Modern),
            (
                &[],
                r#"{"jsonrpc":"2.0","id":1,"result":{}}"#.to_owned(),
                Era::Legacy,
            ),
            (
                &[modern],
                r#"{"jsonrpc":"2.0","method":"notifications/x"}"#.to_owned(),
                Era::Modern,
            ),
            (&[], format!("[{}]", request("ping", "")), Era::Legacy),
        ] {
            assert_eq!(decide(headers, &body), Ok(era), "{headers:?} {body}");
        }
    }

    #[test]
    fn what_is_of_no_era_is_refused() {
        let modern = ("mcp-protocol-version", "2026-07-28");
        for (headers, body) in [
            (
                &[("mcp-protocol-version", "1999-01-01")][..],
                request("ping", ""),
            ),
            (&[], format!("[{}]", request("ping", CLAIM))),
            (&[modern], format!("[{}]", request("ping", ""))),
            (
                &[modern],
                r#"{"jsonrpc":"2.0","id":1,"result":{}}"#.to_owned(),
            ),
        ] {
            assert!(decide(headers, &body).is_err(), "{headers:?} {body}");
        }
    }
}
