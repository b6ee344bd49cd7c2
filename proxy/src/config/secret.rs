//! A secret that cannot be printed by accident.
//!
//! The proxy has secrets of its own (the bearer tokens of its clients). They must not reach a log, an
//! error, a page or a child, so the type that carries them shows nothing; the two places that need
//! the text (the banner of a generated token, and the digests in `guard/keyring.rs`) ask for it by
//! name.

use std::fmt;
use std::sync::Arc;

/// The longest secret accepted, in bytes.
///
/// It has room for any bearer token that fits a common 8 KiB header budget; what is longer is refused
/// before any work is done on it.
pub const MAX_SECRET_BYTES: usize = 1024;

/// The length, in bytes, below which a secret chosen by a person draws a warning.
///
/// Sixteen characters of base64 are 96 bits, which nobody guesses over a network.
pub const SHORT_SECRET_BYTES: usize = 16;

/// A secret of the proxy. `Debug` and `Display` show that there is one and nothing else.
#[derive(Clone)]
pub struct Secret(Arc<str>);

/// Why a text is not accepted as a secret. None of the variants carries the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretFault {
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// It is longer than [`MAX_SECRET_BYTES`].
    #[error("it is longer than {MAX_SECRET_BYTES} bytes")]
    TooLong,
    /// It holds a byte that cannot stand in an `Authorization` header (RFC 6750 section 2.1 allows
    /// visible ASCII only), so no client could ever present it.
    #[error(
        "it holds a space, a control character or a character outside ASCII, which an Authorization header cannot carry"
    )]
    NotVisibleAscii,
}

impl Secret {
    /// Takes a text that a person chose.
    ///
    /// # Errors
    ///
    /// When no client could present it, or it is too long; see [`SecretFault`].
    pub fn new(text: &str) -> Result<Self, SecretFault> {
        if text.is_empty() {
            return Err(SecretFault::Empty);
        }
        if text.len() > MAX_SECRET_BYTES {
            return Err(SecretFault::TooLong);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SecretFault::NotVisibleAscii);
        }
        Ok(Self(text.into()))
    }

    /// Writes 256 random bits as 64 hexadecimal digits, which survive every shell and JSON file.
    #[must_use]
    pub fn from_random(random: [u8; 32]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let text: String = random
            .iter()
            .flat_map(|byte| [byte >> 4, byte & 15])
            .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
            .collect();
        Self(text.into())
    }

    /// The text itself, for the one reader who must see it. Never for a log.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_no_client_could_present_are_refused() {
        let long = "a".repeat(MAX_SECRET_BYTES + 1);
        for (text, fault) in [
            ("", SecretFault::Empty),
            (long.as_str(), SecretFault::TooLong),
            ("two words", SecretFault::NotVisibleAscii),
            ("line\n", SecretFault::NotVisibleAscii),
            ("clé", SecretFault::NotVisibleAscii),
        ] {
            assert_eq!(Secret::new(text).unwrap_err(), fault);
        }
    }

    #[test]
    fn nothing_of_it_is_printed() {
        let secret = Secret::new("correct-horse").unwrap();
        let printed = format!("{secret:?} {secret} {secret:#?}");
        assert_eq!(printed, "Secret(hidden) (hidden) Secret(hidden)");
    }

    #[test]
    fn random_bits_become_hexadecimal_digits() {
        let mut random = [0_u8; 32];
        random[0] = 0x0f;
        random[31] = 0xa7;
        let secret = Secret::from_random(random);
        assert_eq!(secret.expose(), format!("0f{}a7", "0".repeat(60)));
    }
}
