//! Variables that are one client's own, for a server that is its own, too.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::Principal;

/// Variables for the environment of one client's own server: credentials, mostly. Cheap to clone.
///
/// They are told apart by a digest, which may be a key where the values may not. `Debug` shows names.
#[derive(Clone, Default)]
pub struct Variables(Option<Arc<Inner>>);

struct Inner {
    pairs: Vec<(String, String)>,
    stamp: [u8; 32],
}

impl Variables {
    /// These. Where a name comes twice the last one counts.
    #[must_use]
    pub fn of(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut own: Vec<(String, String)> = Vec::new();
        for (name, value) in pairs {
            match own.iter_mut().find(|(known, _)| *known == name) {
                Some((_, old)) => *old = value,
                None => own.push((name, value)),
            }
        }
        if own.is_empty() {
            return Self::default();
        }
        // In whichever order they came they are the same.
        own.sort();
        let mut digest = Sha256::new();
        for part in own.iter().flat_map(|(name, value)| [name, value]) {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        Self(Some(Arc::new(Inner {
            pairs: own,
            stamp: digest.finalize().into(),
        })))
    }

    /// These, and those of `other`, which win.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        match (&self.0, &other.0) {
            (None, _) => other.clone(),
            (_, None) => self.clone(),
            (Some(these), Some(those)) => Self::of(these.pairs.iter().chain(&those.pairs).cloned()),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.0.iter().flat_map(|inner| &inner.pairs);
        pairs.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    fn stamp(&self) -> Option<&[u8; 32]> {
        self.0.as_ref().map(|inner| &inner.stamp)
    }
}

impl PartialEq for Variables {
    fn eq(&self, other: &Self) -> bool {
        self.stamp() == other.stamp()
    }
}

impl Eq for Variables {}

impl Hash for Variables {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.stamp().hash(state);
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|(name, _)| name))
            .finish()
    }
}

/// For whom a server is wanted: a principal, and what its client brought along for it.
#[derive(Clone, Debug)]
pub struct Whom {
    /// Whose it is.
    pub principal: Principal,
    /// What of the request's headers goes into its environment.
    pub variables: Variables,
}

/// What each principal's own servers are given.
pub trait Wallet: fmt::Debug + Send + Sync + 'static {
    /// What this principal's are given, as of now.
    fn of(&self, principal: &Principal) -> Variables;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Variables::of(pairs.iter().map(own))
    }

    #[test]
    fn equal_ones_are_equal_and_no_others() {
        let one = variables(&[("A", "1"), ("B", "2")]);
        assert_eq!(one, variables(&[("B", "2"), ("A", "0"), ("A", "1")]));
        for other in [
            variables(&[]),
            variables(&[("A", "1")]),
            variables(&[("A", "2"), ("B", "1")]),
            // Nothing runs together.
            variables(&[("A", "1B"), ("", "2")]),
            variables(&[("A1", ""), ("B", "2")]),
        ] {
            assert_ne!(one, other);
        }
        assert!(variables(&[]).is_empty());
    }

    #[test]
    fn the_others_win() {
        let both = variables(&[("A", "1"), ("B", "1")]).and(&variables(&[("B", "2")]));
        assert_eq!(both, variables(&[("A", "1"), ("B", "2")]));
        assert_eq!(both.and(&Variables::default()), both);
        assert_eq!(Variables::default().and(&both), both);
    }

    #[test]
    fn values_are_not_printed() {
        let printed = format!("{:?}", variables(&[("TOKEN", "hunter2")]));
        assert_eq!(printed, r#"["TOKEN"]"#);
    }
}
