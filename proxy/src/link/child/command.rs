//! What is to be run: a program, its arguments, its folder and its whole environment.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    path::PathBuf,
};

/// A program to run as a child, exactly as the operating system gets it: nothing here goes through a shell.
#[derive(Clone, Debug)]
pub struct Command {
    /// A name that is looked up in the `PATH` of `env`, or a path when it contains a slash.
    pub program: String,
    /// The arguments after the program's name.
    pub args: Vec<String>,
    /// The folder to start in; ours when absent.
    pub cwd: Option<PathBuf>,
    /// All the child gets: nothing is inherited beside it.
    pub env: Environment,
}

/// The whole environment of a child, in the order it was given; where a name comes twice the last one counts.
///
/// Its `Debug` shows names only, because credentials are handed to servers as values.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(Vec<(OsString, OsString)>);

impl Environment {
    /// An environment without any variable.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Adds a variable, or replaces the one of this name.
    pub fn set(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// The value of a variable.
    pub fn get(&self, name: impl AsRef<OsStr>) -> Option<&OsStr> {
        self.0
            .iter()
            .rev()
            .find(|(known, _)| known == name.as_ref())
            .map(|(_, value)| value.as_os_str())
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }
}

impl<N: Into<OsString>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(
            variables
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_names_and_hides_values() {
        let env: Environment = [("API_TOKEN", "hunter2")].into_iter().collect();
        let command = Command {
            program: "server".to_owned(),
            args: vec![],
            cwd: None,
            env,
        };
        let shown = format!("{command:?}");
        assert!(shown.contains("API_TOKEN"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn the_last_of_two_equal_names_counts() {
        let mut env: Environment = [("A", "1"), ("A", "2")].into_iter().collect();
        assert_eq!(env.get("A"), Some(OsStr::new("2")));
        env.set("B", "3");
        env.set("B", "4");
        assert_eq!(env.get("B"), Some(OsStr::new("4")));
        assert_eq!(env.iter().count(), 3);
    }
}
