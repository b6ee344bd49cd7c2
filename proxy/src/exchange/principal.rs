//! Who a request comes from.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The name under which a request was let in.
///
/// It is a key, cheap to clone and safe to log and to store in a session's record: sessions and
/// children are kept apart by it. It never holds a token or anything made from one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Principal(Arc<str>);

/// The name of whoever came in without being asked for a token. Names given to
/// [`Principal::named`] come from the program, not from clients, so nobody else can take it.
const ANONYMOUS: &str = "anonymous";

impl Principal {
    /// Whoever came in where no token is asked for.
    #[must_use]
    pub fn anonymous() -> Self {
        Self(ANONYMOUS.into())
    }

    /// Whoever presented the credential of this name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self(name.into())
    }

    /// The name, of those who have one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        (*self != Self::anonymous()).then(|| self.as_str())
    }

    /// Whoever presented a token that this authorization server issued to this subject.
    ///
    /// The issuer is a URL without a fragment, so the first `#` ends it, and what begins with a URL is
    /// never a name that somebody configured: those have no colon.
    #[must_use]
    pub fn issued(issuer: &str, subject: &str) -> Self {
        Self(format!("{issuer}#{subject}").into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Principal {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl From<Principal> for String {
    fn from(principal: Principal) -> Self {
        principal.0.as_ref().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_survives_a_session_record() {
        let before = Principal::named("token");
        let text = serde_json::to_string(&before).unwrap();
        assert_eq!(text, r#""token""#);
        let after: Principal = serde_json::from_str(&text).unwrap();
        assert_eq!(after, before);
        assert_ne!(after, Principal::anonymous());
    }
}
