//! Who is it? The holder of one of the static bearer tokens, whomever the authorization server says,
//! or nobody asked.
//!
//! A token is read from the `Authorization` header and from nowhere else: a token in a URL ends up
//! in logs and histories (RFC 6750 section 2.3; the MCP authorization pages forbid it). It goes no
//! further than this file, the keyring and `jwt/`.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use crate::config::{Door, Listen, Scope};

use super::Principal;
use super::cors::is_preflight;
use super::jwt::{Flaw, Following, Tokens};
use super::keyring::Keyring;
use super::place::{Places, describes};
use super::refusal::Refusal;
use super::resource::{Grant, Resources};

/// The challenge when no bearer token came. RFC 6750 section 3.1: no error code in that case.
const ASK: &str = r#"Bearer realm="mcp-proxy""#;

/// The challenge when one came and is not ours.
const WRONG: &str = r#"Bearer realm="mcp-proxy", error="invalid_token", error_description="The token is none of this server's""#;

/// The challenge when more than one came.
const SEVERAL: &str = r#"Bearer realm="mcp-proxy", error="invalid_request", error_description="There is more than one Authorization header""#;

/// How soon a client may come again whose token could not be checked.
const RETRY_UNCHECKED: Duration = Duration::from_secs(5);

/// The policy for tokens.
#[derive(Clone, Debug)]
pub struct Auth {
    keys: Option<Arc<Keyring>>,
    issued: Option<Issued>,
    places: Places,
    /// Made once.
    anonymous: Principal,
}

/// Tokens of an authorization server, and what they are for.
#[derive(Clone, Debug)]
struct Issued {
    tokens: Arc<Tokens>,
    resources: Arc<Resources>,
}

/// Whose request it is, and what its token may do where that is limited.
#[derive(Debug)]
pub struct Known {
    /// Whose it is.
    pub principal: Principal,
    /// What its token grants; `None` for a token of the configuration, whose holder may do everything.
    pub grant: Option<Grant>,
}

impl From<Principal> for Known {
    fn from(principal: Principal) -> Self {
        Self {
            principal,
            grant: None,
        }
    }
}

impl Auth {
    /// The policy of this door of a proxy that listens there. With an authorization server it must be
    /// called in a runtime.
    #[must_use]
    pub fn new(listen: &Listen, door: &Door) -> Self {
        let resources = Resources::new(listen, door);
        let issued = door.issuer.as_ref().zip(resources);
        Self {
            keys: Keyring::new(&door.tokens),
            issued: issued.map(|(issuer, resources)| Issued {
                tokens: Tokens::new(issuer),
                resources,
            }),
            places: Places::new(door),
            anonymous: Principal::anonymous(),
        }
    }

    /// The tokens, where they may change while the proxy runs.
    #[must_use]
    pub fn changing(&self) -> Option<Arc<Keyring>> {
        self.keys.clone().filter(|keys| keys.can_change())
    }

    /// What tokens of the authorization server are for.
    #[must_use]
    pub fn resources(&self) -> Option<&Arc<Resources>> {
        self.issued.as_ref().map(|issued| &issued.resources)
    }

    /// Who looks for the key that the token of this request is signed by, where it is not known.
    #[must_use]
    pub fn missing(&self, head: &Parts) -> Option<Arc<Following>> {
        let issued = self.issued.as_ref()?;
        let (presented, several) = presented(head);
        issued.tokens.missing(presented.filter(|_| !several)?)
    }

    /// Whose request this is.
    ///
    /// Where no token is asked for it is [`Principal::anonymous`], whatever was sent. That is so for
    /// a door without a token, for `/`, health and metrics (rule 11), and for a browser's preflight,
    /// which never carries credentials (Fetch standard, CORS protocol) and does nothing.
    ///
    /// # Errors
    ///
    /// [`Refusal::Unauthorized`] with the challenge to send, and what else may be wrong with a token.
    pub fn check(&self, head: &Parts) -> Result<Known, Refusal> {
        if self.keys.is_none() && self.issued.is_none() {
            return Ok(self.anonymous.clone().into());
        }
        let path = head.uri.path();
        let describes = self.issued.is_some() && describes(path);
        if self.places.is_public(path) || describes || is_preflight(head) {
            return Ok(self.anonymous.clone().into());
        }
        let (presented, several) = presented(head);
        if several {
            let sentence = "There is more than one Authorization header";
            let challenge = self.challenge(path, "invalid_request", sentence);
            return Err(Refusal::Ambiguous {
                challenge: challenge.unwrap_or(Cow::Borrowed(SEVERAL)),
            });
        }
        let Some(presented) = presented else {
            let issued = self.issued.as_ref();
            let challenge = issued.map(|issued| issued.resources.challenge(path, None, &[]));
            return Err(Refusal::Unauthorized {
                challenge: challenge.map_or(Cow::Borrowed(ASK), Cow::Owned),
                sentence: "this server asks for a token; send it as the header \
                           `Authorization: Bearer TOKEN`",
                why: "missing",
            });
        };
        if let Some(principal) = self.keys.as_ref().and_then(|keys| keys.find(presented)) {
            return Ok(principal.into());
        }
        match &self.issued {
            Some(issued) => self.issued(issued, presented, path),
            None => Err(Refusal::Unauthorized {
                challenge: Cow::Borrowed(WRONG),
                sentence: "the bearer token is none of this server's; its owner finds them in \
                           MCP_PROXY_AUTH_TOKEN or MCP_PROXY_AUTH_TOKENS, in the file of \
                           --auth-token-file, or in what the proxy printed at start",
                why: "unknown",
            }),
        }
    }

    /// Whose token of the authorization server this is. It opens servers and nothing else: the other
    /// pages tell of everybody.
    fn issued(&self, issued: &Issued, presented: &[u8], path: &str) -> Result<Known, Refusal> {
        let Issued { tokens, resources } = issued;
        let resource = resources.at(path);
        let is_ours = |audience: &str| {
            let meant = resource.as_ref();
            meant.is_none_or(|resource| resource.is_meant_by(audience))
        };
        let token = tokens.check(presented, is_ours).map_err(|flaw| {
            if flaw == Flaw::Unchecked {
                return Refusal::Unchecked {
                    retry_after: RETRY_UNCHECKED,
                };
            }
            let challenge = self.challenge(path, "invalid_token", flaw.sentence());
            Refusal::Unauthorized {
                challenge: challenge.unwrap_or(Cow::Borrowed(WRONG)),
                sentence: flaw.sentence(),
                why: flaw.word(),
            }
        })?;
        if resource.is_none() {
            return Err(Refusal::OwnersOnly);
        }
        let grant = Grant::new(resources, path, &token.scopes);
        let needed: Vec<&Scope> = resources.scopes().iter().collect();
        grant.covers(&needed)?;
        Ok(Known {
            principal: token.principal.clone(),
            grant: Some(grant),
        })
    }

    /// The challenge that leads to the authorization server, where there is one.
    fn challenge(&self, path: &str, error: &str, sentence: &str) -> Option<Cow<'static, str>> {
        let resources = self.resources()?;
        Some(
            resources
                .challenge(path, Some((error, sentence)), &[])
                .into(),
        )
    }
}

/// The bearer token of a request, and whether there may be another.
fn presented(head: &Parts) -> (Option<&[u8]>, bool) {
    let mut headers = head.headers.get_all(AUTHORIZATION).iter();
    let presented = headers.next().and_then(|value| bearer(value.as_bytes()));
    (presented, headers.next().is_some())
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
        let listen = Listen {
            host: "127.0.0.1".into(),
            port: 8080,
            mcp_path: "/mcp".into(),
        };
        Auth::new(&listen, &Door::with(tokens))
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
                auth.check(&head("/mcp", &[value])).unwrap().principal,
                Principal::named("token"),
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
                Err(
                    Refusal::Unauthorized {
                        challenge: found, ..
                    }
                    | Refusal::Ambiguous { challenge: found },
                ) => {
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
            let who = who.map(|known| known.principal);
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
        assert_eq!(
            auth.check(&preflight).unwrap().principal,
            Principal::anonymous()
        );
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
            assert_eq!(who.unwrap().principal, Principal::anonymous());
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
