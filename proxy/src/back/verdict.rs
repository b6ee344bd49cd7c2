//! Which eras a server speaks (rule 5).
//!
//! A server is asked by `server/discover`, and its answer is judged here (2026-07-28, stdio,
//! "Backward compatibility"). What was found is an [`Eras`]: what is known, and what is not yet.

use mcp_wire::{Era, ErrorCode, Version, object};
use serde::{Deserialize, Serialize};

use crate::exchange::Outcome;

/// What is known of the eras a server speaks; `None` is not known yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Eras {
    /// It accepts `initialize`.
    pub legacy: Option<bool>,
    /// It answers `server/discover`.
    pub modern: Option<bool>,
}

impl Eras {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self {
        legacy: None,
        modern: None,
    };

    /// Whether the server is known to speak this era, or not to.
    #[must_use]
    pub const fn speaks(self, era: Era) -> Option<bool> {
        match era {
            Era::Legacy => self.legacy,
            Era::Modern => self.modern,
        }
    }

    /// Notes that the server speaks this era, or does not. True if that is news.
    pub fn note(&mut self, era: Era, speaks: bool) -> bool {
        let known = match era {
            Era::Legacy => &mut self.legacy,
            Era::Modern => &mut self.modern,
        };
        let news = *known != Some(speaks);
        *known = Some(speaks);
        news
    }
}

/// What an answer to `server/discover` says of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It speaks 2026-07-28.
    Modern,
    /// It speaks the modern era, and none of its versions that we speak. The text is for people.
    OtherVersion(String),
    /// It answered as only a server of the session eras does.
    Legacy,
    /// Death, silence or garbage: a server of the session eras does that too, and so does one that
    /// is broken.
    Unclear(String),
}

/// Judges the answer to `server/discover`.
///
/// The fallback is not keyed to one error code: servers of the session eras refuse what comes
/// before `initialize` in many ways.
#[must_use]
pub fn judge(outcome: &Outcome) -> Finding {
    match outcome {
        Outcome::Result(message) => message.result().map_or(Finding::Legacy, discovered),
        Outcome::Error(message) => {
            let error = message.error().unwrap_or_default();
            match code(error) {
                Some(ErrorCode::UNSUPPORTED_PROTOCOL_VERSION) => {
                    Finding::OtherVersion(versions(object::get(error, "data"), "supported"))
                }
                Some(
                    ErrorCode::HEADER_MISMATCH | ErrorCode::MISSING_REQUIRED_CLIENT_CAPABILITY,
                ) => Finding::Modern,
                // It has a fault of its own, which may be gone the next time.
                Some(ErrorCode::INTERNAL_ERROR) | None => Finding::Unclear(
                    "it answered server/discover with an internal error".to_owned(),
                ),
                Some(_) => Finding::Legacy,
            }
        }
        Outcome::Lost(loss) => Finding::Unclear(loss.sentence.clone()),
        Outcome::Cancelled => Finding::Unclear("it was stopped".to_owned()),
    }
}

fn discovered(result: &[u8]) -> Finding {
    let Some(listed) = object::get(result, "supportedVersions") else {
        return Finding::Legacy;
    };
    let listed: Vec<&str> = serde_json::from_slice(listed).unwrap_or_default();
    if listed.contains(&Version::V2026_07_28.as_str()) {
        Finding::Modern
    } else {
        Finding::OtherVersion(versions(Some(result), "supportedVersions"))
    }
}

/// What an error says its code is.
#[must_use]
pub(super) fn code(error: &[u8]) -> Option<ErrorCode> {
    let code = object::get(error, "code")?;
    std::str::from_utf8(code).ok()?.parse().ok().map(ErrorCode)
}

/// A list of versions for people, bounded and without anything that is not a version's letter.
fn versions(object: Option<&[u8]>, member: &str) -> String {
    const SHOWN: usize = 8;
    let listed: Vec<String> = object
        .and_then(|object| object::get(object, member))
        .and_then(|listed| serde_json::from_slice(listed).ok())
        .unwrap_or_default();
    let plain = |version: &String| {
        version.len() <= 20
            && version
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
    };
    let shown: Vec<String> = listed.into_iter().filter(plain).take(SHOWN).collect();
    if shown.is_empty() {
        "it does not say which".to_owned()
    } else {
        shown.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use mcp_wire::Message;

    use super::*;
    use crate::exchange::Loss;

    fn answer(text: &str) -> Outcome {
        let message = Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap();
        if message.result().is_some() {
            Outcome::Result(message)
        } else {
            Outcome::Error(message)
        }
    }

    fn error(code: i64) -> Outcome {
        answer(&format!(
            r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":{code},"message":"m","data":{{"supported":["2027-01-01","x y"]}}}}}}"#
        ))
    }

    #[test]
    fn answers_to_discover_are_judged_as_real_servers_give_them() {
        let result =
            |result: &str| answer(&format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#));
        for (outcome, finding) in [
            (
                result(r#"{"supportedVersions":["2026-07-28"]}"#),
                Finding::Modern,
            ),
            (
                result(r#"{"supportedVersions":["2099-01-01"]}"#),
                Finding::OtherVersion("2099-01-01".to_owned()),
            ),
            (
                result(r#"{"supportedVersions":"no"}"#),
                Finding::OtherVersion("it does not say which".to_owned()),
            ),
            // A server that answers everything with something.
            (result("{}"), Finding::Legacy),
            // Python SDK 1.x, TypeScript SDK 1.x, and a general refusal.
            (error(-32602), Finding::Legacy),
            (error(-32601), Finding::Legacy),
            (error(-32000), Finding::Legacy),
            (error(-32021), Finding::Modern),
            (
                error(-32603),
                Finding::Unclear("it answered server/discover with an internal error".to_owned()),
            ),
            (
                error(-32022),
                Finding::OtherVersion("2027-01-01".to_owned()),
            ),
        ] {
            assert_eq!(judge(&outcome), finding, "{outcome:?}");
        }
        let lost = Outcome::Lost(Loss::shutting_down());
        assert!(matches!(judge(&lost), Finding::Unclear(_)));
    }

    #[test]
    fn what_is_noted_once_is_no_news_again() {
        let mut eras = Eras::UNKNOWN;
        assert_eq!(eras.speaks(Era::Legacy), None);
        assert!(eras.note(Era::Legacy, true));
        assert!(!eras.note(Era::Legacy, true));
        assert!(eras.note(Era::Legacy, false));
        assert_eq!(
            (eras.speaks(Era::Legacy), eras.speaks(Era::Modern)),
            (Some(false), None)
        );
    }
}
