//! `${VAR}` and `${VAR:-default}` in a value of the file, from the proxy's environment.
//!
//! That much is what desktop clients share, and all there is: no `$VAR`, no nesting, no escape. What
//! merely looks like it (`${input:token}`, a template of the server's own) stays as it stands, and
//! the person is told.

use crate::config::env::Strings;

/// Variables that begin like this are the proxy's own, its token among them: no server gets them.
const OURS: &str = "MCP_PROXY_";

/// A value with its variables filled in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expanded {
    pub(super) text: String,
    /// Whether a `${` was left as it stood.
    pub(super) left: bool,
}

/// Fills in a value.
///
/// # Errors
///
/// What is wrong with each variable that cannot be filled in. The value itself is not repeated: it
/// may hold a credential.
pub(super) fn expand(value: &str, env: &dyn Strings) -> Result<Expanded, Vec<String>> {
    let (mut text, mut left, mut faults) = (String::with_capacity(value.len()), false, Vec::new());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        text.push_str(before);
        match Reference::read(after) {
            None => {
                text.push_str("${");
                left = true;
                rest = after;
            }
            Some((reference, behind)) => {
                match reference.value(env) {
                    Ok(value) => text.push_str(&value),
                    Err(fault) => faults.push(fault),
                }
                rest = behind;
            }
        }
    }
    text.push_str(rest);
    if faults.is_empty() {
        Ok(Expanded { text, left })
    } else {
        Err(faults)
    }
}

struct Reference<'a> {
    name: &'a str,
    default: Option<&'a str>,
}

impl<'a> Reference<'a> {
    /// What stands behind a `${`, and the rest behind its `}`.
    fn read(after: &'a str) -> Option<(Self, &'a str)> {
        let (inside, behind) = after.split_once('}')?;
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let first_is_digit = name.bytes().next().is_none_or(|byte| byte.is_ascii_digit());
        (!first_is_digit && name.bytes().all(plain)).then_some((Self { name, default }, behind))
    }

    /// As shells have it, the default stands in for an empty variable too.
    fn value(&self, env: &dyn Strings) -> Result<String, String> {
        let name = self.name;
        if name.starts_with(OURS) {
            return Err(format!(
                "${{{name}}} is the proxy's own and is not given to a server"
            ));
        }
        match (env.get(name), self.default) {
            (Some(value), None) => Ok(value),
            (Some(value), Some(_)) if !value.is_empty() => Ok(value),
            (_, Some(default)) => Ok(default.to_owned()),
            (None, None) => Err(format!(
                "${{{name}}} is not set; set it, or write ${{{name}:-a default}}"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn env() -> BTreeMap<String, String> {
        [
            ("HOME", "/h"),
            ("EMPTY", ""),
            ("_A1", "a"),
            ("MCP_PROXY_AUTH_TOKEN", "hunter2"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    #[test]
    fn variables_are_filled_in_and_nothing_else_is_touched() {
        for (value, text, left) in [
            ("", "", false),
            (
                "plain $HOME ~ $(x) `x` $$ }",
                "plain $HOME ~ $(x) `x` $$ }",
                false,
            ),
            ("${HOME}", "/h", false),
            ("${HOME}/${_A1}-${HOME}", "/h/a-/h", false),
            (
                "${NO:-d}${NO:-}${EMPTY:-e}${EMPTY}${HOME:-d}",
                "de/h",
                false,
            ),
            ("${NO:-a:-b}", "a:-b", false),
            ("${NO:-${HOME}}", "${HOME}", false),
            // Others' spellings, and what is not closed.
            (
                "${input:token} ${env:HOME} ${HOME}",
                "${input:token} ${env:HOME} /h",
                true,
            ),
            ("${} ${1A} ${HOME", "${} ${1A} ${HOME", true),
            ("${${HOME}", "${/h", true),
        ] {
            let expanded = expand(value, &env()).unwrap();
            let expected = Expanded {
                text: text.into(),
                left,
            };
            assert_eq!(expanded, expected, "{value}");
        }
    }

    #[test]
    fn what_is_not_set_is_named_and_our_own_is_not_given() {
        let faults = expand("${NO} ${HOME} ${ALSO_NO}", &env()).unwrap_err();
        assert_eq!(faults.len(), 2);
        assert!(faults[0].contains("${NO} is not set; set it, or write ${NO:-a default}"));
        let faults = expand("${MCP_PROXY_AUTH_TOKEN:-x}", &env()).unwrap_err();
        assert!(faults[0].contains("is the proxy's own"), "{faults:?}");
        assert!(!faults[0].contains("hunter2"));
    }
}
