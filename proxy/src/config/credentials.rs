//! Variables of one principal's own servers: the file of `--principal-env`, and what `--header-env`
//! makes of headers.
//!
//! The values are credentials. Nothing here prints one, faults included; an entry is named by its
//! principal and its variable.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use axum::http::HeaderName;
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};

use super::child_env::is_protected;

/// Principals in one file. Each of them is looked up whenever a server of hers starts, and once a
/// second while one runs.
const MAX_ENTRIES: usize = 1000;

/// What each principal's servers are given, by the principal's name.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Entries(pub BTreeMap<String, Vec<(String, String)>>);

/// Shows whose variables there are, and their names.
impl fmt::Debug for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.iter().map(|(principal, variables)| {
            let names: Vec<&str> = variables.iter().map(|(name, _)| name.as_str()).collect();
            (principal, names)
        });
        f.debug_map().entries(names).finish()
    }
}

/// The file, and what it said when the configuration was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialsFile {
    /// Where it is read again when it changes.
    pub path: PathBuf,
    /// What it said.
    pub entries: Entries,
}

/// A header that becomes a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderVariable {
    /// The header.
    pub header: HeaderName,
    /// The variable.
    pub name: String,
}

/// Reads the file: a JSON object of principals, each an object of variables.
///
/// # Errors
///
/// Everything that is wrong with it, without a value.
pub fn parse(text: &str) -> Result<Entries, Vec<String>> {
    let read: Result<Pairs<Pairs<serde_json::Value>>, _> = serde_json::from_str(text);
    let pairs = match read {
        Ok(pairs) => pairs.0,
        // The error's text could repeat what stands there.
        Err(error) => {
            return Err(vec![format!(
                "it is not a JSON object like {{\"alice\": {{\"NAME\": \"value\"}}}} (line {}, column \
                 {})",
                error.line(),
                error.column()
            )]);
        }
    };
    let mut faults = Vec::new();
    if pairs.len() > MAX_ENTRIES {
        faults.push(format!("there are more than {MAX_ENTRIES} principals"));
    }
    let mut entries = BTreeMap::new();
    for (principal, variables) in pairs {
        let mut own: Vec<(String, String)> = Vec::new();
        for (name, value) in variables.0 {
            let fault = match value {
                _ if !is_variable(&name) => Some("is no variable's name"),
                _ if is_protected(&name) => {
                    Some("decides what runs and how; give it to every server with -e")
                }
                _ if own.iter().any(|(known, _)| *known == name) => Some("stands there twice"),
                serde_json::Value::String(value) if !value.contains('\0') => {
                    own.push((name.clone(), value));
                    None
                }
                serde_json::Value::String(_) => Some("holds a NUL byte, which no program is given"),
                _ => Some("has a value that is no string"),
            };
            if let Some(fault) = fault {
                faults.push(format!("{principal}: {name:?} {fault}"));
            }
        }
        if entries.insert(principal.clone(), own).is_some() {
            faults.push(format!("{principal} stands there twice"));
        }
    }
    if faults.is_empty() {
        Ok(Entries(entries))
    } else {
        Err(faults)
    }
}

/// Whether a variable may have this name (POSIX, "Environment Variable Definition").
pub(super) fn is_variable(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let begins = |byte: &u8| !byte.is_ascii_digit();
    name.bytes().all(known) && name.as_bytes().first().is_some_and(begins)
}

/// The members of an object with their doubles, which a map would hide.
struct Pairs<T>(Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Pairs<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Pairs<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<T>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(Members(std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals_and_their_variables() {
        let text = r#"{"alice": {"TOKEN": "a", "EMPTY": ""}, "https://id.example#7": {}}"#;
        let entries = parse(text).unwrap();
        let alice = &entries.0["alice"];
        assert_eq!(alice.len(), 2);
        assert_eq!(alice[0], ("TOKEN".into(), "a".into()));
        assert_eq!(entries.0["https://id.example#7"], []);
        assert_eq!(
            format!("{entries:?}"),
            r#"{"alice": ["TOKEN", "EMPTY"], "https://id.example#7": []}"#
        );
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_and_no_value_is() {
        let text = r#"{"alice": {"LD_PRELOAD": "hunter2", "1A": "hunter2", "B": 7, "C": "x", "C": "hunter2", "D": "\u0000hunter2"},
                       "alice": {"PATH": "hunter2", "MCP_PROXY_X": "hunter2"}}"#;
        let faults = parse(text).unwrap_err();
        for part in [
            "LD_PRELOAD\" decides what runs",
            "1A\" is no variable's name",
            "B\" has a value that is no string",
            "C\" stands there twice",
            "D\" holds a NUL",
            "PATH\" decides",
            "MCP_PROXY_X\" decides",
            "alice stands there twice",
        ] {
            assert!(
                faults.iter().any(|fault| fault.contains(part)),
                "{part}: {faults:?}"
            );
        }
        assert_eq!(faults.len(), 8, "{faults:?}");
        assert!(!faults.concat().contains("hunter2"));
        for broken in [
            "",
            "[]",
            "{\"alice\": \"hunter2\"}",
            "{\"alice\": {\"A\": \"hunter2",
        ] {
            let faults = parse(broken).unwrap_err();
            assert!(
                faults[0].starts_with("it is not a JSON object"),
                "{faults:?}"
            );
            assert!(!faults[0].contains("hunter2"));
        }
    }
}
