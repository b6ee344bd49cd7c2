//! What a certificate and its key mean: how the proxy speaks TLS.
//!
//! TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1, no client certificates: who somebody is, tokens say. The
//! two files are read at the start, so that what is wrong with them is told with everything else
//! that is wrong, and again whenever they change.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::{Error as PemError, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};

/// A certificate with its key: where they are, and what they said at the start. They may have been
/// pipes, which say it once.
#[derive(Clone)]
pub struct Certificate {
    /// The certificate, and those that lead from it to one that clients know, in PEM.
    pub cert: PathBuf,
    /// Its private key, in PEM. It may be the same file.
    pub key: PathBuf,
    /// How TLS is spoken with them.
    pub pair: Pair,
}

/// What a certificate and its key come to.
#[derive(Clone)]
pub struct Pair {
    /// How TLS is spoken.
    pub server: Arc<ServerConfig>,
    /// A digest of both texts, to know them again by.
    pub digest: [u8; 32],
}

/// Shows where it comes from.
impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries([&self.cert, &self.key]).finish()
    }
}

/// What is wrong with a certificate or its key: a fragment that fits after the name of the file.
/// None shows any of the key.
#[derive(Debug, thiserror::Error)]
pub enum CertificateFault {
    /// The first file has none.
    #[error("there is no certificate in it (a block -----BEGIN CERTIFICATE-----)")]
    NoCertificate,
    /// The first file is damaged.
    #[error("the certificate in it cannot be read")]
    DamagedCertificate,
    /// The second file has none.
    #[error("there is no private key in it (a block -----BEGIN PRIVATE KEY-----)")]
    NoKey,
    /// The key needs a password, and there is nobody to ask.
    #[error(
        "the private key in it is encrypted; write it without a password, with `openssl pkey -in FILE -out OTHER`"
    )]
    EncryptedKey,
    /// The second file is damaged, or of a kind we do not know.
    #[error("the private key in it cannot be used: {0}")]
    UnusableKey(String),
    /// They are not a pair.
    #[error("the private key in it does not belong to the certificate of --tls-cert")]
    NotAPair,
}

impl CertificateFault {
    /// Whether it is the file with the certificate that has to be repaired.
    #[must_use]
    pub const fn is_of_certificate(&self) -> bool {
        matches!(self, Self::NoCertificate | Self::DamagedCertificate)
    }
}

impl Pair {
    /// This certificate and this key, both as PEM text.
    ///
    /// # Errors
    ///
    /// What is wrong with either.
    pub fn read(cert: &str, key: &str) -> Result<Self, CertificateFault> {
        Ok(Self {
            server: server_config(cert, key)?,
            digest: Self::digest(cert, key),
        })
    }

    /// The digest of two texts.
    #[must_use]
    pub fn digest(cert: &str, key: &str) -> [u8; 32] {
        let mut digest = Sha256::new();
        // The length stands before, so that no text can be moved from one into the other.
        digest.update(cert.len().to_be_bytes());
        digest.update(cert);
        digest.update(key);
        digest.finalize().into()
    }
}

fn server_config(cert: &str, key: &str) -> Result<Arc<ServerConfig>, CertificateFault> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(cert.as_bytes()).collect();
    let chain = chain.map_err(|_| CertificateFault::DamagedCertificate)?;
    if chain.is_empty() {
        return Err(CertificateFault::NoCertificate);
    }
    // PKCS #8, and what came before it (RFC 1421).
    if key.contains("BEGIN ENCRYPTED PRIVATE KEY") || key.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(CertificateFault::EncryptedKey);
    }
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| match error {
        PemError::NoItemsFound => CertificateFault::NoKey,
        _ => CertificateFault::UnusableKey("it is damaged".to_owned()),
    })?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let unusable = |error: rustls::Error| CertificateFault::UnusableKey(error.to_string());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => CertificateFault::NotAPair,
            rustls::Error::InvalidCertificate(_) => CertificateFault::DamagedCertificate,
            other => unusable(other),
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate for a name and its key.
    fn made() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn a_pair_is_usable_also_in_one_file() {
        let (cert, key) = made();
        let config = server_config(&cert, &key).unwrap();
        assert_eq!(config.alpn_protocols, [&b"h2"[..], b"http/1.1"]);
        let both = cert + &key;
        assert!(server_config(&both, &both).is_ok());
    }

    #[test]
    fn what_is_wrong_is_said_and_shows_nothing_of_the_key() {
        let (cert, key) = made();
        let (_, other) = made();
        let inside = key.lines().nth(1).unwrap();
        let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let old = format!(
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n{inside}\n-----END RSA PRIVATE KEY-----\n"
        );
        let damaged = key.replace(inside, "AAAA");
        let no_certificate = cert.replace(cert.lines().nth(1).unwrap(), "AAAA");
        for (cert, key, part) in [
            ("", key.as_str(), "there is no certificate in it"),
            (&key, &key, "there is no certificate in it"),
            (
                &no_certificate,
                &key,
                "the certificate in it cannot be read",
            ),
            (&cert, "", "there is no private key in it"),
            (&cert, &cert, "there is no private key in it"),
            (&cert, &encrypted, "is encrypted"),
            (&cert, &old, "is encrypted"),
            (&cert, &damaged, "the private key in it cannot be used"),
            (&cert, &other, "does not belong to the certificate"),
        ] {
            let fault = server_config(cert, key).unwrap_err();
            let said = fault.to_string();
            assert!(said.contains(part), "{part}: {said}");
            assert!(!said.contains(inside), "{said}");
            assert_eq!(
                fault.is_of_certificate(),
                part.contains("certificate in it")
            );
        }
    }
}
