//! What the headers of the session eras say.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use mcp_wire::{Era, Version};

use super::Fault;

pub(super) static SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
pub(super) static PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
static LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The session a request names.
pub(super) fn session_id(headers: &HeaderMap) -> Option<&str> {
    headers.get(&SESSION_ID)?.to_str().ok()
}

/// The stream and event a client wants to come back to, in the form we mint: `<stream>-<event>`.
pub(super) fn last_event_id(headers: &HeaderMap) -> Option<Result<(u32, u64), Fault>> {
    let value = headers.get(&LAST_EVENT_ID)?;
    let parsed = value
        .to_str()
        .ok()
        .and_then(|text| text.split_once('-'))
        .and_then(|(stream, event)| Some((stream.parse().ok()?, event.parse().ok()?)));
    Some(parsed.ok_or(Fault::NotResumable))
}

/// What `MCP-Protocol-Version` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// Nothing: 2025-03-26 is to be assumed.
    Absent,
    /// A version of the session eras.
    Legacy,
    /// 2026-07-28.
    Modern(String),
    /// A version that is newer than any we know.
    Newer(String),
    /// Something else.
    Unknown,
}

pub(super) fn version(headers: &HeaderMap) -> Claim {
    let Some(value) = headers.get(&PROTOCOL_VERSION) else {
        return Claim::Absent;
    };
    let Ok(text) = value.to_str() else {
        return Claim::Unknown;
    };
    match text.parse::<Version>() {
        Ok(version) if version.era() == Era::Legacy => Claim::Legacy,
        Ok(_) => Claim::Modern(text.to_owned()),
        Err(_) if is_newer(text) => Claim::Newer(text.to_owned()),
        Err(_) => Claim::Unknown,
    }
}

/// Whether a text is the date of a revision that is still to come.
fn is_newer(text: &str) -> bool {
    let shape = text.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    text.len() == 10 && shape && text > Version::LATEST.as_str()
}

/// How the official SDKs spell what a POST must accept. Nearly every request says it like this, and
/// comparing it once costs a tenth of reading it.
const USUAL_ACCEPT: &str = "application/json, text/event-stream";

/// A POST carries JSON and its client can take JSON and SSE (2025-03-26 and later, Streamable
/// HTTP, sending messages).
///
/// A client that sends no Accept header at all takes anything (RFC 9110, 12.5.1).
pub(super) fn check_post(headers: &HeaderMap) -> Result<(), Fault> {
    check_json(headers)?;
    let usual = headers
        .get(header::ACCEPT)
        .is_some_and(|value| value == USUAL_ACCEPT);
    if usual || accepts(headers, "application", "json") && accepts(headers, "text", "event-stream")
    {
        Ok(())
    } else {
        Err(Fault::NotAcceptable {
            wanted: "both application/json and text/event-stream",
        })
    }
}

/// A body is JSON.
pub(super) fn check_json(headers: &HeaderMap) -> Result<(), Fault> {
    let json = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| media_type(value).eq_ignore_ascii_case("application/json"));
    if json { Ok(()) } else { Err(Fault::NotJson) }
}

/// `MCP-Protocol-Version`, where there is one, is of the session eras. `/sse` and `/messages` are
/// nobody else's.
pub(super) fn check_legacy(headers: &HeaderMap) -> Result<(), Fault> {
    match version(headers) {
        Claim::Absent | Claim::Legacy => Ok(()),
        Claim::Modern(requested) => Err(Fault::ModernUnserved { requested }),
        Claim::Newer(_) | Claim::Unknown => Err(Fault::VersionUnknown),
    }
}

/// A GET wants a stream.
pub(super) fn check_get(headers: &HeaderMap) -> Result<(), Fault> {
    if headers.contains_key(header::ACCEPT) {
        check_stream(headers)
    } else {
        Err(NO_STREAM)
    }
}

/// A stream would be taken; whoever sends no Accept header takes anything.
pub(super) fn check_stream(headers: &HeaderMap) -> Result<(), Fault> {
    if accepts(headers, "text", "event-stream") {
        Ok(())
    } else {
        Err(NO_STREAM)
    }
}

const NO_STREAM: Fault = Fault::NotAcceptable {
    wanted: "text/event-stream",
};

fn media_type(value: &HeaderValue) -> &str {
    let text = value.to_str().unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim()
}

fn accepts(headers: &HeaderMap, kind: &str, subtype: &str) -> bool {
    if !headers.contains_key(header::ACCEPT) {
        return true;
    }
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let Some((k, s)) = parts.next().and_then(|range| range.split_once('/')) else {
                return false;
            };
            let refused = parts.any(|param| {
                param.split_once('=').is_some_and(|(name, value)| {
                    name.eq_ignore_ascii_case("q") && value.parse() == Ok(0.0_f32)
                })
            });
            !refused
                && (k == "*" || k.eq_ignore_ascii_case(kind))
                && (s == "*" || s.eq_ignore_ascii_case(subtype))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn a_post_must_be_json_and_take_both_kinds_of_answer() {
        let json = ("content-type", "application/json; charset=utf-8");
        for (accept, fine) in [
            ("application/json, text/event-stream", true),
            ("TEXT/event-stream;q=0.5,application/JSON", true),
            ("*/*", true),
            ("application/json", false),
            ("text/event-stream", false),
            ("application/json, text/event-stream;q=0", false),
            ("application/*, text/*", true),
            ("", false),
        ] {
            let got = check_post(&headers(&[json, ("accept", accept)]));
            assert_eq!(got.is_ok(), fine, "{accept}");
        }
        assert!(check_post(&headers(&[json])).is_ok());
        assert!(matches!(
            check_post(&headers(&[("content-type", "text/plain")])),
            Err(Fault::NotJson)
        ));
        assert!(matches!(check_post(&headers(&[])), Err(Fault::NotJson)));
    }

    #[test]
    fn event_ids_are_ours_or_refused() {
        let read = |text| last_event_id(&headers(&[("last-event-id", text)]));
        assert!(matches!(read("3-17"), Some(Ok((3, 17)))));
        for foreign in ["", "3", "-", "a-b", "3-17-2", "3--1", "99999999999-1"] {
            assert!(matches!(read(foreign), Some(Err(_))), "{foreign}");
        }
        assert!(last_event_id(&headers(&[])).is_none());
    }

    #[test]
    fn versions_are_told_apart() {
        let read = |text| version(&headers(&[("mcp-protocol-version", text)]));
        assert_eq!(read("2025-06-18"), Claim::Legacy);
        assert_eq!(read("2026-07-28"), Claim::Modern("2026-07-28".to_owned()));
        assert_eq!(read("1999-01-01"), Claim::Unknown);
        assert_eq!(read("2099-01-01"), Claim::Newer("2099-01-01".to_owned()));
        assert_eq!(read("2099-01-1x"), Claim::Unknown);
        assert_eq!(version(&headers(&[])), Claim::Absent);
    }
}
