//! The environment, as something that can be passed in.
//!
//! This file is the only one that reads the process's own variables and arguments. Everything else
//! takes a [`Strings`], so that configuration is a pure function and its tests pass a map.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// A set of named strings.
pub trait Strings {
    /// The value of one variable; `None` when it is not set.
    fn get(&self, key: &str) -> Option<String>;

    /// Every variable, for what the child inherits.
    fn all(&self) -> Vec<(String, String)>;

    /// Names of variables that are set but cannot be read because they are not UTF-8.
    fn unreadable(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A map is an environment: for tests, and for whoever checks a plan before starting it.
impl Strings for BTreeMap<String, String> {
    fn get(&self, key: &str) -> Option<String> {
        Self::get(self, key).cloned()
    }

    fn all(&self) -> Vec<(String, String)> {
        self.clone().into_iter().collect()
    }
}

/// The environment this process was started with.
#[derive(Clone, Copy, Debug)]
pub struct ProcessEnvironment;

impl Strings for ProcessEnvironment {
    fn get(&self, key: &str) -> Option<String> {
        std::env::var_os(key)?.into_string().ok()
    }

    fn all(&self) -> Vec<(String, String)> {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    fn unreadable(&self) -> Vec<String> {
        std::env::vars_os()
            .filter(|(name, value)| name.to_str().is_none() || value.to_str().is_none())
            .map(|(name, _)| name.to_string_lossy().into_owned())
            .collect()
    }
}

/// The command line this process was started with, the program's own name first.
#[must_use]
pub fn arguments() -> Vec<OsString> {
    std::env::args_os().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_has_an_environment_that_agrees_with_itself() {
        // Cargo sets this for every test it runs, so it is a fact here and not a guess.
        let name = "CARGO_MANIFEST_DIR";
        let value = ProcessEnvironment.get(name).unwrap();
        assert!(ProcessEnvironment.all().contains(&(name.into(), value)));
        assert_eq!(ProcessEnvironment.get("MCP_PROXY_NO_SUCH_VARIABLE"), None);
        assert!(!arguments().is_empty());
    }
}
