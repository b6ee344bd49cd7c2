//! Scopes of tokens (RFC 6749, section 3.3), and which tools take one.

/// One scope, or several of which any will do: how a scope that includes another is accounted for
/// (2026-07-28, authorization, "Scope challenge handling"), because no token says so itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope(Vec<String>);

impl Scope {
    /// Reads `one` or `one|other`; `None` where that is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let names: Vec<String> = text.split('|').map(ToOwned::to_owned).collect();
        names
            .iter()
            .all(|name| is_token(name))
            .then_some(Self(names))
    }

    /// What a client is told to ask for: the first, which should be the least of them.
    #[must_use]
    pub fn least(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// Whether one of these will do.
    #[must_use]
    pub fn is_among(&self, granted: &[Box<str>]) -> bool {
        self.0
            .iter()
            .any(|name| granted.iter().any(|scope| **scope == **name))
    }
}

/// `scope-token` of RFC 6749, which has neither spaces nor quotes, without the sign that stands
/// between two here.
fn is_token(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_graphic() && !b"\"\\|".contains(&byte);
    !text.is_empty() && text.bytes().all(known)
}

/// What calling some tools takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolScope {
    /// Which tools, as `--deny-tool` names them.
    pub glob: String,
    /// What a token must have.
    pub scope: Scope,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_of_them_will_do_and_the_first_is_asked_for() {
        let scope = Scope::parse("files:read|files:admin").unwrap();
        assert_eq!(scope.least(), "files:read");
        let granted = |names: &[&str]| -> Vec<Box<str>> {
            names.iter().map(|name| Box::from(*name)).collect()
        };
        assert!(scope.is_among(&granted(&["x", "files:admin"])));
        assert!(scope.is_among(&granted(&["files:read"])));
        assert!(!scope.is_among(&granted(&["files", "files:read2", "FILES:READ"])));
        assert!(!scope.is_among(&[]));
    }

    #[test]
    fn what_no_token_could_name_is_no_scope() {
        for text in ["", "a b", "|a", "a|", "a\"b", "a\\b", "é", "a\n"] {
            assert_eq!(Scope::parse(text), None, "{text:?}");
        }
    }
}
