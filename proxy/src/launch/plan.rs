//! The resolved command of a server.

use std::fmt;
use std::path::PathBuf;

use super::install::Recipe;

/// Everything needed to start a server's process.
///
/// `Debug` shows the names of the environment and none of its values: they are where people put
/// their credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Launch {
    /// The program's file, found and executable when the configuration was read.
    pub program: String,
    /// Its arguments, each one word to the child whatever it contains.
    pub args: Vec<String>,
    /// The folder it runs in; `None` is the proxy's own.
    pub cwd: Option<PathBuf>,
    /// The child's whole environment, sorted by name. Nothing else is inherited.
    pub env: Vec<(String, String)>,
    /// Where the command came from.
    pub kind: Kind,
    /// How the server is installed instead of run by `npx` or `uvx`, where it is a package.
    pub install: Option<Box<Installable>>,
}

/// A server that is a package, to be installed once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installable {
    /// The package, and what installing it takes.
    pub recipe: Recipe,
    /// The server's own arguments.
    pub args: Vec<String>,
    /// Whether the program of the launch (`npx`, `uvx`) is there to run the package where it cannot
    /// be installed.
    pub has_fallback: bool,
}

/// Where the command came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It was written out, on the command line or in `MCP_COMMAND`.
    Command,
    /// An npm package, installed, or run by `npx`.
    Npm,
    /// A PyPI package, installed, or run by `uvx`.
    PyPi,
    /// A program already installed (`bin:name`).
    Binary,
}

impl fmt::Debug for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.env.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Launch")
            .field("program", &self.program)
            .field("args", &self.args)
            .field("cwd", &self.cwd)
            .field("env", &names)
            .field("kind", &self.kind)
            .field("install", &self.install)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_the_environment_are_not_printed() {
        let launch = Launch {
            program: "/bin/server".into(),
            args: vec!["--stdio".into()],
            cwd: None,
            env: vec![("API_KEY".into(), "hunter2".into())],
            kind: Kind::Command,
            install: None,
        };
        let printed = format!("{launch:?}");
        assert!(printed.contains("API_KEY"), "{printed}");
        assert!(!printed.contains("hunter2"), "{printed}");
    }
}
