//! The public keys of an authorization server (JWK Set: RFC 7517).

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Keys that are kept of a set: an authorization server that rotates has two or three. A token that
/// names none is tried with all of its kind.
const MAX_KEYS: usize = 32;

/// The longest name of a key that is kept, in bytes.
const MAX_KID_BYTES: usize = 256;

/// The keys of this moment.
#[derive(Debug, Default)]
pub(super) struct Keys(Vec<Key>);

#[derive(Debug)]
struct Key {
    kid: Option<String>,
    /// What it is for, where it says so.
    algorithm: Option<Algorithm>,
    curve: Option<EllipticCurve>,
    key: DecodingKey,
}

#[derive(Deserialize)]
struct Set<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

impl Keys {
    /// Reads a set. What is not understood in it is left out, as RFC 7517 (section 5) asks, and so is
    /// what signs nothing.
    ///
    /// # Errors
    ///
    /// It is no set, or none of its keys can be used: a sentence.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let set: Set<'_> = serde_json::from_slice(text)
            .map_err(|_| "what is there is no set of keys (JWKS)".to_owned())?;
        let keys = set.keys.iter().filter_map(|key| {
            let jwk: Jwk = serde_json::from_str(key.get()).ok()?;
            Key::of(&jwk)
        });
        let keys: Vec<Key> = keys.take(MAX_KEYS).collect();
        if keys.is_empty() {
            return Err(
                "the set of keys (JWKS) has none for RS256 to RS512, PS256 to PS512, ES256, ES384 \
                 or EdDSA"
                    .to_owned(),
            );
        }
        Ok(Self(keys))
    }

    /// The keys that a token may be signed with: those it names, else all of the algorithm's kind.
    pub(super) fn of<'a>(
        &'a self,
        kid: Option<&'a str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &'a DecodingKey> {
        let fits = move |key: &&Key| {
            let named = kid.is_none() || key.kid.as_deref() == kid;
            let meant = key.algorithm.is_none_or(|known| known == algorithm);
            named && meant && key.signs(algorithm)
        };
        self.0.iter().filter(fits).map(|key| &key.key)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Their names, for a log.
    pub(super) fn names(&self) -> Vec<&str> {
        let names = self.0.iter().map(|key| key.kid.as_deref());
        names.map(|name| name.unwrap_or("(unnamed)")).collect()
    }
}

impl Key {
    fn of(jwk: &Jwk) -> Option<Self> {
        let common = &jwk.common;
        let signs = |uses: &PublicKeyUse| *uses == PublicKeyUse::Signature;
        let verifies =
            |operations: &Vec<KeyOperations>| operations.contains(&KeyOperations::Verify);
        if !common.public_key_use.as_ref().is_none_or(signs)
            || !common.key_operations.as_ref().is_none_or(verifies)
        {
            return None;
        }
        let kid = common.key_id.clone();
        if kid.as_ref().is_some_and(|kid| kid.len() > MAX_KID_BYTES) {
            return None;
        }
        let curve = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => None,
            AlgorithmParameters::EllipticCurve(key) => Some(key.curve.clone()),
            AlgorithmParameters::OctetKeyPair(key) => Some(key.curve.clone()),
            // A secret in a public set is no secret.
            _ => return None,
        };
        let algorithm = match common.key_algorithm {
            None => None,
            Some(named) => Some(named.to_string().parse().ok()?),
        };
        Some(Self {
            kid,
            algorithm,
            curve,
            key: DecodingKey::from_jwk(jwk).ok()?,
        })
    }

    /// Whether it is of the algorithm's kind.
    fn signs(&self, algorithm: Algorithm) -> bool {
        match algorithm {
            Algorithm::ES256 => self.curve == Some(EllipticCurve::P256),
            Algorithm::ES384 => self.curve == Some(EllipticCurve::P384),
            Algorithm::EdDSA => self.curve == Some(EllipticCurve::Ed25519),
            _ => self.key.family() == AlgorithmFamily::Rsa && self.curve.is_none(),
        }
    }
}
