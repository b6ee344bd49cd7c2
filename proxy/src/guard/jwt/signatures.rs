//! Signatures, by the cryptography that rustls brings along.
//!
//! Asymmetric algorithms only. `none` is no algorithm here, and an HMAC would make the public key of
//! the authorization server the secret (RFC 8725, sections 2.1 and 3.1).

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{self, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};

/// What a token may be signed by.
pub(super) const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(unsupported()),
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes signatures of tokens checkable, before the first is.
pub(super) fn install() {
    // Whoever was first in this process installed the same.
    let _first = PROVIDER.install_default();
}

fn unsupported() -> Error {
    ErrorKind::InvalidAlgorithm.into()
}

enum Key {
    Rsa(&'static RsaParameters, RsaPublicKeyComponents<Vec<u8>>),
    Other(UnparsedPublicKey<Vec<u8>>),
}

/// One key for one algorithm.
struct Verifying {
    algorithm: Algorithm,
    key: Key,
}

/// The key has to be of the algorithm's kind: a token says which algorithm is meant, and only the
/// authorization server says what its keys are (RFC 8725, section 3.1).
fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    let other = |with: &'static dyn VerificationAlgorithm| {
        let bytes = key.try_get_as_bytes()?.to_vec();
        Ok::<_, Error>(Key::Other(UnparsedPublicKey::new(with, bytes)))
    };
    let key = match (key.family(), algorithm) {
        (AlgorithmFamily::Rsa, _) => {
            let parameters = rsa(*algorithm).ok_or_else(unsupported)?;
            let DecodingKeyKind::RsaModulusExponent { n, e } = key.kind() else {
                return Err(unsupported());
            };
            let components = RsaPublicKeyComponents {
                n: n.clone(),
                e: e.clone(),
            };
            Key::Rsa(parameters, components)
        }
        (AlgorithmFamily::Ec, Algorithm::ES256) => other(&ECDSA_P256_SHA256_FIXED)?,
        (AlgorithmFamily::Ec, Algorithm::ES384) => other(&ECDSA_P384_SHA384_FIXED)?,
        (AlgorithmFamily::Ed, Algorithm::EdDSA) => other(&ED25519)?,
        _ => return Err(unsupported()),
    };
    Ok(Box::new(Verifying {
        algorithm: *algorithm,
        key,
    }))
}

const fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::RS256 => &RSA_PKCS1_2048_8192_SHA256,
        Algorithm::RS384 => &RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &RSA_PKCS1_2048_8192_SHA512,
        Algorithm::PS256 => &RSA_PSS_2048_8192_SHA256,
        Algorithm::PS384 => &RSA_PSS_2048_8192_SHA384,
        Algorithm::PS512 => &RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

impl Verifier<Vec<u8>> for Verifying {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let verified = match &self.key {
            Key::Rsa(parameters, key) => key.verify(parameters, message, signature),
            Key::Other(key) => key.verify(message, signature),
        };
        verified.map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Verifying {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
