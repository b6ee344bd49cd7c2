//! Who is it? The holder of one of the static bearer tokens, or nobody asked.
//!
//! A token is read from the `Authorization` header and from nowhere else: a token in a URL ends up
//! in logs and histories (RFC 6750 section 2.3; the MCP authorization pages forbid it). It goes no
//! further than this file and the keyring.

use std::sync::Arc;

use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use crate::config::Door;

use super::Principal;
use super::cors::is_preflight;
use super::keyring::Keyring;
use super::place::Places;
use super::refusal::Refusal;

/// The challenge when no bearer token came. RFC 6750 section 3.1: no error code in that case.
const ASK: &str = r#"Bearer realm="mcp-proxy""#;

/// The challenge when one came and is not ours.
const WRONG: &str = r#"Bearer realm="mcp-proxy", error="invalid_token", error_description="The token is none of this server's""#;

/// The challenge when more than one came.
const SEVERAL: &str = r#"Bearer realm="mcp-proxy", error="invalid_request", error_description="There is more than one Authorization header""#;

/// The policy for tokens.
#[derive(Clone, Debug)]
pub struct Auth {
    keys: Option<Arc<Keyring>>,
    places: Places,
    /// Made once.
    anonymous: Principal,
}

impl Auth {
    /// The policy of this door.
    #[must_use]
    pub fn new(door: &Door) -> Self {
        Self {
            keys: Keyring::new(&door.tokens),
            places: Places::new(door),
            anonymous: Principal::anonymous(),
        }
    }

    /// The tokens, where they may change while the proxy runs.
    #[must_use]
    pub fn changing(&self) -> Option<Arc<Keyring>> {
        self.keys.clone().filter(|keys| keys.can_change())
    }

    /// Whose request this is.
    ///
    /// Where no token is asked for it is [`Principal::anonymous`], whatever was sent. That is so for
    /// a door without a token, for `/`, health and metrics (rule 11), and for a browser's preflight,
    /// which never carries credentials (Fetch standard, CORS protocol) and does nothing.
    ///
    /// # Errors
    ///
    /// [`Refusal::Unauthorized`] with the challenge to send.
    pub fn check(&self, head: &Parts) -> Result<Principal, Refusal> {
        let Some(keys) = &self.keys else {
            return Ok(self.anonymous.clone());
        };
        if self.places.is_public(head.uri.path()) || is_preflight(head) {
            return Ok(self.anonymous.clone());
        }
        let mut headers = head.headers.get_all(AUTHORIZATION).iter();
        let presented = headers.next().and_then(|value| bearer(value.as_bytes()));
        if headers.next().is_some() {
            return Err(Refusal::Unauthorized {
                challenge: SEVERAL,
                sentence: "there is more than one Authorization header",
            });
        }
        match presented.map(|presented| keys.find(presented)) {
            Some(Some(principal)) => Ok(principal),
            Some(None) => Err(Refusal::Unauthorized {
                challenge: WRONG,
                sentence: "the bearer token is none of this server's; its owner finds them in \
                           MCP_PROXY_AUTH_TOKEN or MCP_PROXY_AUTH_TOKENS, in the file of \
                           --auth-token-file, or in what the proxy printed at start",
            }),
            None => Err(Refusal::Unauthorized {
                challenge: ASK,
                sentence: "this server asks for a token; send it as the header \
                           `Authorization: Bearer TOKEN`",
            }),
        }
    }
}

/// The token of `Bearer TOKEN`. The scheme may be in any case (RFC 9110 section 11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let space = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = value.split_at(space);
    scheme
        .eq_ignore_ascii_case(b"bearer")
        .then(|| rest.trim_ascii())
}

#[cfg(test)]
mod tests {
    use axum::http::header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN};
    use axum::http::{Method, Request};

    use super::*;
    use crate::config::{Roster, Secret, TokenPolicy};

    const TOKEN: &str = "correct-horse-battery";

    fn auth(tokens: TokenPolicy) -> Auth {
        Auth::new(&Door::with(tokens))
    }

    fn given() -> TokenPolicy {
        TokenPolicy::Given(Roster::of(Secret::new(TOKEN).unwrap()))
    }

    fn head(uri: &str, values: &[&str]) -> Parts {
        let mut request = Request::builder().uri(uri);
        for value in values {
            request = request.header(AUTHORIZATION, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn only_the_token_in_the_header_opens() {
        let auth = auth(given());
        for value in [
            "Bearer correct-horse-battery",
            "bearer correct-horse-battery",
            "BEARER   correct-horse-battery ",
        ] {
            assert_eq!(
                auth.check(&head("/mcp", &[value])),
                Ok(Principal::named("token")),
                "{value}"
            );
        }
        for (values, challenge) in [
            (&[][..], ASK),
            (&["correct-horse-battery"], ASK),
            (&["Basic correct-horse-battery"], ASK),
            (&["Bearer"], ASK),
            (&["Bearer "], WRONG),
            (&["Bearer correct-horse-batterY"], WRONG),
            (&["Bearer correct-horse-batter"], WRONG),
            (&["Bearer correct-horse-battery2"], WRONG),
            (
                &[
                    "Bearer correct-horse-battery",
                    "Bearer correct-horse-battery",
                ],
                SEVERAL,
            ),
        ] {
            match auth.check(&head("/mcp", values)) {
                Err(Refusal::Unauthorized {
                    challenge: found, ..
                }) => {
                    assert_eq!(found, challenge, "{values:?}");
                }
                other => panic!("{values:?}: {other:?}"),
            }
        }
        let in_url = head(
            "/mcp?token=correct-horse-battery&access_token=correct-horse-battery",
            &[],
        );
        assert!(auth.check(&in_url).is_err());
    }

    #[test]
    fn each_token_is_its_holders() {
        let roster = Roster::parse_list("alice:correct-horse,bob:battery-staple").unwrap();
        let auth = auth(TokenPolicy::Given(roster));
        for (value, name) in [
            ("Bearer correct-horse", Some("alice")),
            ("Bearer battery-staple", Some("bob")),
            ("Bearer alice:correct-horse", None),
        ] {
            let who = auth.check(&head("/mcp", &[value])).ok();
            assert_eq!(who, name.map(Principal::named), "{value}");
        }
    }

    #[test]
    fn doors_by_path() {
        let auth = auth(TokenPolicy::Generated(Secret::from_random([7; 32])));
        for (path, open) in [
            ("/", true),
            ("/health", true),
            ("/health/ready", true),
            ("/metrics", true),
            ("/mcp", false),
            ("/status", false),
            ("/config", false),
            ("/health/x", false),
            ("/unknown", false),
        ] {
            assert_eq!(auth.check(&head(path, &[])).is_ok(), open, "{path}");
        }
    }

    #[test]
    fn a_preflight_needs_no_token() {
        let auth = auth(given());
        let mut preflight = head("/mcp", &[]);
        preflight.method = Method::OPTIONS;
        assert!(
            auth.check(&preflight).is_err(),
            "OPTIONS alone is no preflight"
        );
        preflight
            .headers
            .insert(ORIGIN, "https://app.example".parse().unwrap());
        preflight
            .headers
            .insert(ACCESS_CONTROL_REQUEST_METHOD, "POST".parse().unwrap());
        assert_eq!(auth.check(&preflight), Ok(Principal::anonymous()));
        preflight.method = Method::POST;
        assert!(
            auth.check(&preflight).is_err(),
            "only OPTIONS is a preflight"
        );
    }

    #[test]
    fn without_a_token_everyone_is_anonymous() {
        for tokens in [TokenPolicy::Open, TokenPolicy::OpenDeclared] {
            let who = auth(tokens).check(&head("/mcp", &["Bearer whatever"]));
            assert_eq!(who, Ok(Principal::anonymous()));
        }
    }

    #[test]
    fn nothing_here_prints_a_token() {
        let auth = auth(given());
        let refusal = auth
            .check(&head("/mcp", &["Bearer guess-guess"]))
            .unwrap_err();
        let printed = format!("{auth:?} {refusal:?} {}", refusal.sentence());
        assert!(
            !printed.contains(TOKEN) && !printed.contains("guess-guess"),
            "{printed}"
        );
    }
}
