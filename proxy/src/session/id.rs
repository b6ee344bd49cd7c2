//! Session ids.

use std::borrow::Borrow;
use std::fmt;

use sha2::{Digest as _, Sha256};

/// The name of a session: `<machine>.<128 random bits>`, or only the bits where the machine has
/// no name.
///
/// The specification wants visible ASCII and a value that cannot be guessed (2025-11-25,
/// basic/transports, session management). Possession is still not authentication: the table
/// compares the principal too. The machine's name only selects from a configured table of
/// replicas; it is never a host to dial.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SessionId(Box<str>);

impl SessionId {
    /// A new id on this machine.
    ///
    /// # Errors
    ///
    /// The operating system has no random numbers to give.
    pub fn random(machine: Option<&str>) -> Result<Self, getrandom::Error> {
        let mut bits = [0_u8; 16];
        getrandom::fill(&mut bits)?;
        let bits = u128::from_ne_bytes(bits);
        Ok(Self(match machine {
            Some(machine) => format!("{machine}.{bits:032x}").into(),
            None => format!("{bits:032x}").into(),
        }))
    }

    /// The id a client presents, which was found to be one of ours.
    pub(super) fn known(text: &str) -> Self {
        Self(text.into())
    }

    /// The id as a header value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What may stand in a log: enough to tell sessions apart, and no part of the id.
    #[must_use]
    pub fn short(&self) -> String {
        let hash = Sha256::digest(self.0.as_bytes());
        hash.iter()
            .take(6)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// A table can be searched with the header's text; equal texts hash equally.
impl Borrow<str> for SessionId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({}…)", self.short())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_visible_ascii_and_differ() {
        let a = SessionId::random(Some("m1")).unwrap();
        let b = SessionId::random(Some("m1")).unwrap();
        assert_ne!(a, b);
        assert!(a.as_str().starts_with("m1."));
        assert!(a.as_str().bytes().all(|b| (0x21..=0x7e).contains(&b)));
        assert_eq!(SessionId::random(None).unwrap().as_str().len(), 32);
    }

    #[test]
    fn a_log_never_shows_a_usable_id() {
        let id = SessionId::random(Some("m1")).unwrap();
        let shown = id.short();
        assert!(!format!("{id:?}").contains(id.as_str()));
        assert!(
            shown.len() == 12 && !id.as_str().contains(&shown),
            "{shown}"
        );
        assert_eq!(shown, id.short());
    }
}
