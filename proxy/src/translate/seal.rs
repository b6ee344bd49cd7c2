//! States that only this proxy, or another with the same keys, can have made.
//!
//! What a client is given to hand back is attacker's input when it comes (2026-07-28, multi round-trip
//! requests, "Security"). So it is encrypted and authenticated, together with what it was given for:
//! used for anything else it does not open, and why it does not is nobody's business.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};

/// Bytes of a key.
const KEY_BYTES: usize = 32;

/// Bytes of a nonce. So many that random ones never meet, whatever a key has sealed before.
const NONCE_BYTES: usize = 24;

/// Keys by their names: the first one seals, all of them open.
pub struct Keys(Vec<(String, XChaCha20Poly1305)>);

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&String> = self.0.iter().map(|(name, _)| name).collect();
        f.debug_tuple("Keys").field(&names).finish()
    }
}

impl Keys {
    /// One key that nobody else has, and that ends with this process.
    #[must_use]
    pub fn random() -> Self {
        let mut key = [0; KEY_BYTES];
        // Without random numbers there is no key to share either, and the system says so elsewhere:
        // it has no session ids.
        let _random = getrandom::fill(&mut key);
        Self(vec![(
            "own".to_owned(),
            XChaCha20Poly1305::new(&key.into()),
        )])
    }

    /// These keys, by their names.
    #[must_use]
    pub fn new(keys: &[(String, [u8; KEY_BYTES])]) -> Self {
        let key = |(name, key): &(String, [u8; KEY_BYTES])| {
            (name.clone(), XChaCha20Poly1305::new(&(*key).into()))
        };
        Self(keys.iter().map(key).collect())
    }

    /// `plain` in a form that opens for the same `purpose` alone: `<key>.<base64url>`.
    #[must_use]
    pub fn seal(&self, purpose: &[u8], plain: &[u8]) -> Option<String> {
        let (name, key) = self.0.first()?;
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).ok()?;
        let payload = Payload {
            msg: plain,
            aad: purpose,
        };
        let sealed = key.encrypt(&XNonce::from(nonce), payload).ok()?;
        let whole = [&nonce[..], &sealed].concat();
        Some(format!("{name}.{}", URL_SAFE_NO_PAD.encode(whole)))
    }

    /// What was sealed for this purpose; `None` for anything else.
    #[must_use]
    pub fn open(&self, purpose: &[u8], text: &str) -> Option<Vec<u8>> {
        let (name, sealed) = text.split_once('.')?;
        let (_, key) = self.0.iter().find(|(known, _)| known == name)?;
        let whole = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, sealed) = whole.split_at_checked(NONCE_BYTES)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().ok()?;
        let payload = Payload {
            msg: sealed,
            aad: purpose,
        };
        key.decrypt(&XNonce::from(nonce), payload).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, byte: u8) -> (String, [u8; KEY_BYTES]) {
        (name.to_owned(), [byte; KEY_BYTES])
    }

    #[test]
    fn what_is_sealed_opens_for_its_purpose_and_no_other() {
        let keys = Keys::random();
        let sealed = keys.seal(b"alice", b"text").unwrap();
        assert_eq!(keys.open(b"alice", &sealed).unwrap(), b"text");
        assert_ne!(keys.seal(b"alice", b"text").unwrap(), sealed);
        assert!(keys.open(b"bob", &sealed).is_none());
        assert!(Keys::random().open(b"alice", &sealed).is_none());
        for at in 0..sealed.len() {
            let mut broken = sealed.clone().into_bytes();
            broken[at] = if broken[at] == b'A' { b'B' } else { b'A' };
            let broken = String::from_utf8(broken).unwrap();
            // The last letter of the base64 may hold bits that mean nothing.
            let same = keys.open(b"alice", &broken).is_some();
            assert!(!same || at + 1 == sealed.len(), "{at}");
        }
        for rubbish in ["", ".", "own", "own.", "own.AAAA", "own.é"] {
            assert!(keys.open(b"alice", rubbish).is_none(), "{rubbish}");
        }
    }

    #[test]
    fn an_older_key_still_opens() {
        let old = Keys::new(&[key("2025", 1)]);
        let sealed = old.seal(b"x", b"text").unwrap();
        let both = Keys::new(&[key("2026", 2), key("2025", 1)]);
        assert_eq!(both.open(b"x", &sealed).unwrap(), b"text");
        assert!(both.seal(b"x", b"").unwrap().starts_with("2026."));
        assert!(old.open(b"x", &both.seal(b"x", b"").unwrap()).is_none());
    }

    #[test]
    fn nothing_here_prints_a_key() {
        assert_eq!(format!("{:?}", Keys::new(&[key("a", 7)])), r#"Keys(["a"])"#);
    }
}
