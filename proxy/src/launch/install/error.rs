//! Why a package could not be installed, and whether `npx` or `uvx` might still do better.

use std::io;
use std::path::Path;
use std::time::Duration;

/// Why a package could not be installed. Each reads as a sentence about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InstallError {
    /// The registry has no such package, or not in this version.
    #[error("{spec} is not in the registry: {said}; correct its name or version")]
    NoSuch {
        /// What was asked for.
        spec: String,
        /// The installer's own words.
        said: String,
    },
    /// It has no program, or several and none named like it.
    #[error("{spec} {trouble}")]
    NoProgram {
        /// What was asked for.
        spec: String,
        /// What is there instead, and what to do.
        trouble: String,
    },
    /// Two settings do not go together here.
    #[error("{0}")]
    Refused(String),
    /// A program that installs is missing.
    #[error("{what} is not in PATH; {remedy}")]
    NoTool {
        /// Its name.
        what: &'static str,
        /// What to install.
        remedy: &'static str,
    },
    /// It took longer than its budget, and was stopped.
    #[error(
        "installing {spec} took longer than {}s and was stopped; --install-timeout gives it longer",
        limit.as_secs()
    )]
    Late {
        /// What was asked for.
        spec: String,
        /// The budget.
        limit: Duration,
    },
    /// The installer ended with a failure.
    #[error("{tool} failed for {spec}: {said}")]
    Tool {
        /// Which program.
        tool: &'static str,
        /// What was asked for.
        spec: String,
        /// Its last words.
        said: String,
    },
    /// The cache cannot be used.
    #[error("the cache {path} cannot be used: {cause}; choose another with --cache-dir")]
    Cache {
        /// The file or folder.
        path: String,
        /// What the system said.
        cause: String,
    },
}

impl InstallError {
    /// A file of the cache that could not be made, read or moved.
    pub(super) fn cache(path: &Path, cause: &io::Error) -> Self {
        Self::Cache {
            path: path.display().to_string(),
            cause: cause.to_string(),
        }
    }

    /// Whether `npx` or `uvx` would meet the same end, so that trying them only hides the reason.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::NoSuch { .. } | Self::NoProgram { .. } | Self::Refused(_)
        )
    }
}
