//! What each principal's own servers are given: the file of `--principal-env`, read again when it
//! changes.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use super::Principal;
use super::refresh::{Reload, is_read_once};
use crate::config::{CredentialsFile, Entries, Machine as _, ThisMachine, parse_credentials};
use crate::exchange::{Variables, Wallet};

/// The variables of this moment.
#[derive(Debug)]
pub struct Credentials {
    path: PathBuf,
    now: RwLock<HashMap<Principal, Variables>>,
    /// What was told of the file last, so that a fault is told once.
    told: Mutex<Option<String>>,
}

impl Credentials {
    /// What the file said when the configuration was read.
    #[must_use]
    pub fn new(file: &CredentialsFile) -> Arc<Self> {
        Arc::new(Self {
            path: file.path.clone(),
            now: RwLock::new(variables(&file.entries)),
            told: Mutex::default(),
        })
    }
}

fn variables(entries: &Entries) -> HashMap<Principal, Variables> {
    let entries = entries.0.iter();
    entries
        .map(|(principal, pairs)| {
            let variables = Variables::of(pairs.iter().cloned());
            (Principal::named(principal), variables)
        })
        .collect()
}

impl Wallet for Credentials {
    fn of(&self, principal: &Principal) -> Variables {
        self.now.read().get(principal).cloned().unwrap_or_default()
    }
}

impl Reload for Credentials {
    /// A file that cannot be read, or is wrong, changes nothing.
    fn reload(&self) {
        if is_read_once(&self.path) {
            return;
        }
        let path = &self.path;
        let read = ThisMachine.read_text(path);
        let read = read.map_err(|error| error.to_string());
        let read =
            read.and_then(|text| parse_credentials(&text).map_err(|faults| faults.join("; ")));
        match read {
            Ok(entries) => {
                self.told.lock().take();
                let new = variables(&entries);
                let mut now = self.now.write();
                if *now != new {
                    let changed = new
                        .iter()
                        .filter(|(who, what)| now.get(*who) != Some(*what));
                    let gone = now.keys().filter(|who| !new.contains_key(*who));
                    let mut whose: Vec<&str> = changed
                        .map(|(who, _)| who.as_str())
                        .chain(gone.map(Principal::as_str))
                        .collect();
                    whose.sort_unstable();
                    tracing::info!(target: "guard", ?path, ?whose, "the variables of principals were read again");
                    *now = new;
                }
            }
            Err(fault) => {
                let mut told = self.told.lock();
                if told.as_ref() != Some(&fault) {
                    tracing::warn!(target: "guard", ?path, "the variables of principals stay as they were: {fault}");
                    *told = Some(fault);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_again_and_one_that_is_wrong_changes_nothing() {
        let path = std::env::temp_dir().join(format!("mcp-credentials-{}", std::process::id()));
        let first = parse_credentials(r#"{"alice": {"KEY": "one"}}"#).unwrap();
        let credentials = Credentials::new(&CredentialsFile {
            path: path.clone(),
            entries: first,
        });
        let key = |who: &str| {
            let found = credentials.of(&Principal::named(who));
            found.iter().next().map(|(_, value)| value.to_owned())
        };
        for (text, alice, bob) in [
            (
                Some(r#"{"alice": {"KEY": "two"}, "bob": {"KEY": "b"}}"#),
                Some("two"),
                Some("b"),
            ),
            (Some(r#"{"alice": {"KEY": "#), Some("two"), Some("b")),
            (Some(r#"{"alice": {"PATH": "x"}}"#), Some("two"), Some("b")),
            (None, Some("two"), Some("b")),
            (Some(r#"{"bob": {"KEY": "b"}}"#), None, Some("b")),
        ] {
            match text {
                Some(text) => std::fs::write(&path, text).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            credentials.reload();
            assert_eq!(key("alice").as_deref(), alice, "{text:?}");
            assert_eq!(key("bob").as_deref(), bob, "{text:?}");
        }
        assert_eq!(key("anybody"), None);
        std::fs::remove_file(&path).unwrap();
        let printed = format!("{credentials:?}");
        assert!(
            printed.contains("KEY") && !printed.contains("\"b\""),
            "{printed}"
        );
    }
}
