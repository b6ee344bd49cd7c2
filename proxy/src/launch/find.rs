//! Where a program is, before anything tries to start it.
//!
//! A missing `npx` is a fault of the configuration, and a person reads about it at once rather than
//! in the answer to the first request. The lookup is pure: it is given the search path and a way to
//! look at files.

use std::path::{Path, PathBuf};

/// The search path of a child whose environment has none, as `execvp` has it (POSIX `confstr`).
pub const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// What there is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// No file.
    Nothing,
    /// A file that may not be executed.
    NotExecutable,
    /// A file that may be executed.
    Program,
}

/// Why a program cannot be started. Each reads as a sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    /// No folder of `PATH` has it.
    #[error("{program} was not found in PATH; {remedy}")]
    NotInPath {
        /// The name that was looked for.
        program: String,
        /// What to install or to type instead.
        remedy: &'static str,
    },
    /// It was given with a folder, and there is nothing there.
    #[error(
        "{path} does not exist; correct the command (a relative path starts in the folder of --cwd)"
    )]
    Absent {
        /// The whole path.
        path: String,
    },
    /// It is there and may not be executed.
    #[error(
        "{path} is not executable; run `chmod +x` on it, or name the program that interprets it (node, python3) first"
    )]
    NotExecutable {
        /// The whole path.
        path: String,
    },
    /// It is empty or holds a NUL byte.
    #[error("the command {program:?} cannot be the name of a program")]
    NoName {
        /// What was given.
        program: String,
    },
}

/// Finds a program as the child would: a name with a slash is a path from `cwd`, any other name is
/// looked for in the folders of `path`.
///
/// Relative folders in `path` are passed over: what they mean changes with the child's folder, and
/// a server must not be taken from wherever the proxy happens to run.
///
/// # Errors
///
/// When there is no such program; see [`FindError`].
pub fn find(
    program: &str,
    path: &str,
    cwd: Option<&Path>,
    look: &dyn Fn(&Path) -> Seen,
) -> Result<PathBuf, FindError> {
    if program.is_empty() || program.contains('\0') {
        return Err(FindError::NoName {
            program: program.into(),
        });
    }
    if program.contains('/') {
        let file = cwd.map_or_else(|| PathBuf::from(program), |cwd| cwd.join(program));
        let path = file.display().to_string();
        return match look(&file) {
            Seen::Program => Ok(file),
            Seen::NotExecutable => Err(FindError::NotExecutable { path }),
            Seen::Nothing => Err(FindError::Absent { path }),
        };
    }
    let mut locked = None;
    for folder in path
        .split(':')
        .map(Path::new)
        .filter(|folder| folder.is_absolute())
    {
        let file = folder.join(program);
        match look(&file) {
            Seen::Program => return Ok(file),
            Seen::NotExecutable => locked = locked.or(Some(file)),
            Seen::Nothing => {}
        }
    }
    Err(match locked {
        Some(file) => FindError::NotExecutable {
            path: file.display().to_string(),
        },
        None => FindError::NotInPath {
            program: program.into(),
            remedy: remedy(program),
        },
    })
}

/// What a person does about a program that is missing.
fn remedy(program: &str) -> &'static str {
    match program {
        "npx" | "npm" | "node" => {
            "install Node.js 20 or newer, or name the server's own command after `--`"
        }
        "uvx" | "uv" => {
            "install uv (https://docs.astral.sh/uv), or name the server's own command after `--`"
        }
        _ => "install it, correct its name, or give its whole path",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(path: &Path) -> Seen {
        match path.to_str().unwrap() {
            "/usr/bin/npx" | "/opt/bin/npx" | "/srv/run" | "./here" | "relative/npx" => {
                Seen::Program
            }
            "/opt/bin/server" | "/usr/bin/data" => Seen::NotExecutable,
            "/usr/bin/server" => Seen::Program,
            _ => Seen::Nothing,
        }
    }

    #[test]
    fn programs_are_found_as_the_child_would_find_them() {
        let path = "relative::/usr/local/bin:/opt/bin:/usr/bin";
        let srv = Some(Path::new("/srv"));
        for (program, cwd, found) in [
            ("npx", None, "/opt/bin/npx"),
            // A file that cannot run does not hide one that can.
            ("server", None, "/usr/bin/server"),
            ("./here", None, "./here"),
            ("/srv/run", None, "/srv/run"),
            ("/srv/run", Some(Path::new("/tmp")), "/srv/run"),
        ] {
            assert_eq!(
                find(program, path, cwd, &look),
                Ok(found.into()),
                "{program}"
            );
        }
        assert_eq!(
            find("./run", path, srv, &|path| {
                if path == Path::new("/srv/./run") {
                    Seen::Program
                } else {
                    Seen::Nothing
                }
            }),
            Ok("/srv/./run".into())
        );
    }

    #[test]
    fn every_refusal_is_a_sentence_that_helps() {
        for (program, sentence) in [
            (
                "npx",
                "npx was not found in PATH; install Node.js 20 or newer, or name the server's own \
                 command after `--`",
            ),
            (
                "uvx",
                "uvx was not found in PATH; install uv (https://docs.astral.sh/uv), or name the \
                 server's own command after `--`",
            ),
            (
                "serverr",
                "serverr was not found in PATH; install it, correct its name, or give its whole path",
            ),
            (
                "./absent",
                "/srv/./absent does not exist; correct the command (a relative path starts in the \
                 folder of --cwd)",
            ),
            (
                "data",
                "/usr/bin/data is not executable; run `chmod +x` on it, or name the program that \
                 interprets it (node, python3) first",
            ),
            ("", "the command \"\" cannot be the name of a program"),
        ] {
            let path = if program == "npx" {
                "/nowhere"
            } else {
                "/usr/bin"
            };
            let fault = find(program, path, Some(Path::new("/srv")), &look).unwrap_err();
            assert_eq!(fault.to_string(), sentence);
        }
    }
}
