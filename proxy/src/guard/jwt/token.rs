//! One token: what has to be true of it, and whose it is.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Header, Validation, dangerous, decode, decode_header};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::follow::Following;
use super::signatures::{self, ALGORITHMS};
use crate::config::Issuer;
use crate::guard::Principal;

/// The longest token, in bytes: what fits a common 8 KiB budget for headers.
const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// How far the clock of the authorization server may be from ours, in seconds.
const LEEWAY: u64 = 30;

/// The longest subject, in characters (OpenID Connect Core, section 2, has 255).
const MAX_SUBJECT: usize = 255;

/// Scopes that are kept of one token.
const MAX_SCOPES: usize = 256;

/// Tokens whose signature is remembered. Each is some hundred bytes; when there are as many, all are
/// forgotten and checked again.
const MAX_SEEN: usize = 4096;

/// What the authorization server says of whoever presents a token.
#[derive(Debug, PartialEq, Eq)]
pub struct Token {
    /// Whose it is: the issuer and the subject, which no name in a configuration can be.
    pub principal: Principal,
    /// What it may be used for.
    pub scopes: Arc<[Box<str>]>,
    /// Whom it is for.
    audiences: Vec<String>,
    /// Until when, in seconds since 1970.
    expires: u64,
}

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It is no JWT, or one of another kind.
    Malformed,
    /// It is signed by something else than a public key.
    Algorithm,
    /// It is signed by a key the authorization server does not have.
    Key,
    /// Somebody else has signed it.
    Signature,
    /// Another authorization server has issued it.
    Issuer,
    /// It is for another server.
    Audience,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    Early,
    /// It lacks what an access token has.
    Claims,
    /// It is bound to a key that its bearer would have to prove.
    Bound,
    /// The keys of the authorization server are not known.
    Unchecked,
}

impl Flaw {
    /// One word for it, to count by.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Algorithm => "algorithm",
            Self::Key => "key",
            Self::Signature => "signature",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Expired => "expired",
            Self::Early => "early",
            Self::Claims => "claims",
            Self::Bound => "bound",
            Self::Unchecked => "unchecked",
        }
    }

    /// What is wrong, for the client's owner; without quotes or backslashes, because it stands in a
    /// quoted string.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Malformed => "The token is no access token of the authorization server",
            Self::Algorithm => "The token is signed by an algorithm that is not taken",
            Self::Key => "The token is signed by a key that the authorization server does not have",
            Self::Signature => "The signature of the token is wrong",
            Self::Issuer => "The token is of another issuer",
            Self::Audience => "The token is for another server",
            Self::Expired => "The token has expired",
            Self::Early => "The token is not valid yet",
            Self::Claims => "The token lacks exp, sub or another claim that an access token has",
            Self::Bound => "The token is bound to a key, and only bearer tokens are taken",
            Self::Unchecked => "The keys of the authorization server cannot be had",
        }
    }
}

/// The claims that are read (RFC 9068, section 2.2).
#[derive(Deserialize)]
struct Claims {
    sub: Option<String>,
    exp: Option<f64>,
    aud: Option<Several>,
    /// Words with spaces between (RFC 8693, section 4.2).
    scope: Option<Several>,
    /// The same as Microsoft and Okta have it.
    scp: Option<Several>,
    cnf: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Several {
    One(String),
    Many(Vec<String>),
}

impl Several {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

#[derive(Deserialize)]
struct Claimed {
    iss: Option<String>,
}

/// Tokens by their digests.
type Seen = HashMap<[u8; 32], Arc<Token>>;

/// Tokens of one authorization server.
#[derive(Debug)]
pub struct Tokens {
    issuer: String,
    following: Arc<Following>,
    /// Tokens whose signature was found right, by their digest, and by which edition of keys.
    seen: Mutex<(u64, Seen)>,
}

impl Tokens {
    /// Tokens of this one. Must be called in a runtime, where its keys are followed from now on.
    #[must_use]
    pub fn new(issuer: &Issuer) -> Arc<Self> {
        signatures::install();
        Arc::new(Self {
            issuer: issuer.name.clone(),
            following: Following::start(issuer),
            seen: Mutex::default(),
        })
    }

    /// Who looks for keys, where this token has one that is not known.
    #[must_use]
    pub fn missing(&self, presented: &[u8]) -> Option<Arc<Following>> {
        let header = header(presented).ok()?;
        let known = self
            .following
            .now()
            .is_some_and(|(keys, _)| keys.of(header.kid.as_deref(), header.alg).next().is_some());
        if known {
            return None;
        }
        // Unchecked, so it says nothing; but whoever does not even say it needs no key of ours.
        let claimed: Claimed = dangerous::insecure_decode_claims(presented).ok()?;
        (claimed.iss.as_deref() == Some(&*self.issuer)).then(|| Arc::clone(&self.following))
    }

    /// Whose token this is, if it is for one of these audiences.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn check(
        &self,
        presented: &[u8],
        is_ours: impl Fn(&str) -> bool,
    ) -> Result<Arc<Token>, Flaw> {
        let header = header(presented)?;
        let (keys, edition) = self.following.now().ok_or(Flaw::Unchecked)?;
        let digest: [u8; 32] = Sha256::digest(presented).into();
        let seen = self.recall(&digest, edition);
        let token = match seen {
            Some(token) => token,
            None => {
                let mut flaw = Flaw::Key;
                let mut candidates = keys.of(header.kid.as_deref(), header.alg);
                let read = candidates.find_map(|key| {
                    let read = self.read(presented, key, header.alg);
                    read.map_err(|found| flaw = found).ok()
                });
                let token = Arc::new(read.ok_or(flaw)?);
                self.remember(digest, edition, &token);
                token
            }
        };
        if jsonwebtoken::get_current_timestamp() > token.expires.saturating_add(LEEWAY) {
            return Err(Flaw::Expired);
        }
        if !token.audiences.iter().any(|audience| is_ours(audience)) {
            return Err(Flaw::Audience);
        }
        Ok(token)
    }

    fn read(
        &self,
        presented: &[u8],
        key: &jsonwebtoken::DecodingKey,
        algorithm: Algorithm,
    ) -> Result<Token, Flaw> {
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        // It depends on what was asked for, and is looked at each time.
        validation.validate_aud = false;
        validation.set_issuer(&[&self.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "sub", "aud"]);
        let data = decode::<Claims>(presented, key, &validation);
        let claims = match data {
            Ok(data) => data.claims,
            Err(error) => {
                return Err(match error.kind() {
                    ErrorKind::InvalidSignature => Flaw::Signature,
                    ErrorKind::InvalidIssuer => Flaw::Issuer,
                    ErrorKind::ExpiredSignature => Flaw::Expired,
                    ErrorKind::ImmatureSignature => Flaw::Early,
                    ErrorKind::MissingRequiredClaim(_) | ErrorKind::Json(_) => Flaw::Claims,
                    ErrorKind::InvalidAlgorithm => Flaw::Algorithm,
                    _ => Flaw::Malformed,
                });
            }
        };
        if claims.cnf.is_some() {
            return Err(Flaw::Bound);
        }
        let subject = claims.sub.filter(|subject| is_subject(subject));
        let subject = subject.ok_or(Flaw::Claims)?;
        let expires = claims.exp.and_then(seconds).ok_or(Flaw::Claims)?;
        let words = [claims.scope, claims.scp].into_iter().flatten();
        let words: Vec<String> = words.flat_map(Several::into_vec).collect();
        let scopes = words
            .iter()
            .flat_map(|words| words.split_ascii_whitespace());
        Ok(Token {
            principal: Principal::issued(&self.issuer, &subject),
            scopes: scopes.take(MAX_SCOPES).map(Box::from).collect(),
            audiences: claims.aud.map(Several::into_vec).unwrap_or_default(),
            expires,
        })
    }

    fn recall(&self, digest: &[u8; 32], edition: u64) -> Option<Arc<Token>> {
        let seen = self.seen.lock();
        let (known, tokens) = &*seen;
        tokens.get(digest).filter(|_| *known == edition).cloned()
    }

    fn remember(&self, digest: [u8; 32], edition: u64, token: &Arc<Token>) {
        let mut seen = self.seen.lock();
        let (known, tokens) = &mut *seen;
        if *known != edition || tokens.len() >= MAX_SEEN {
            tokens.clear();
            *known = edition;
        }
        tokens.insert(digest, Arc::clone(token));
    }
}

/// The header of what may be an access token.
fn header(presented: &[u8]) -> Result<Header, Flaw> {
    if presented.len() > MAX_TOKEN_BYTES {
        return Err(Flaw::Malformed);
    }
    // An algorithm that is not known is not read at all; whether it was that is not worth telling.
    let header = decode_header(presented).map_err(|_| Flaw::Malformed)?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(Flaw::Algorithm);
    }
    // What must be understood and is not (RFC 7515, section 4.1.11); what is a token of another kind,
    // for instance of a logout (RFC 8725, section 3.11). Not everybody writes at+jwt (RFC 9068).
    let is_access = header.typ.as_deref().is_none_or(|kind| {
        let kind = kind.to_ascii_lowercase();
        matches!(
            kind.strip_prefix("application/").unwrap_or(&kind),
            "jwt" | "at+jwt"
        )
    });
    if header.crit.is_some() || !is_access {
        return Err(Flaw::Malformed);
    }
    Ok(header)
}

/// A subject is a key, and stands in logs.
fn is_subject(subject: &str) -> bool {
    let known = |letter: char| !letter.is_control() && letter != '\u{2028}' && letter != '\u{2029}';
    (1..=MAX_SUBJECT).contains(&subject.chars().count()) && subject.chars().all(known)
}

/// A NumericDate (RFC 7519, section 2) in whole seconds.
fn seconds(date: f64) -> Option<u64> {
    Duration::try_from_secs_f64(date)
        .ok()
        .map(|date| date.as_secs())
}

#[cfg(test)]
mod tests;
