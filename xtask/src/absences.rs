//! What must stay untrue of the sources: the absences of `ARCHITECTURE.md` that a search can see.
//!
//! Comments and test modules are left out of the search: a comment may name what is absent,
//! and tests may start processes.

use std::fs;
use std::path::{Path, PathBuf};

use crate::place;
use crate::run::{Result, cannot};

/// Words that may not stand in some files. `a…b` means both on one line, in this order.
struct Absence {
    words: &'static [&'static str],
    /// Where they may not stand: prefixes of paths from the root.
    within: &'static [&'static str],
    /// Where they may stand all the same.
    but: &'static [&'static str],
    why: &'static str,
}

const ABSENCES: [Absence; 9] = [
    Absence {
        words: &["tokio", "hyper", "axum", "http::"],
        within: &["proxy/wire/src"],
        but: &[],
        why: "wire is pure: bytes in, messages out, no runtime and no HTTP",
    },
    Absence {
        words: &["process::…Command"],
        within: &["proxy/src", "proxy/wire/src"],
        but: &[
            "proxy/src/link/child/process.rs",
            "proxy/src/link/child/guardian/post.rs",
            "proxy/src/launch/",
        ],
        why: "no process is spawned outside link/child/process.rs, its guardian and launch/",
    },
    Absence {
        words: &["StatusCode"],
        within: &["proxy/src"],
        but: &["proxy/src/front/"],
        why: "only a front writes status codes",
    },
    Absence {
        words: &["process::exit", "ExitCode"],
        within: &["proxy/src", "proxy/wire/src"],
        but: &["proxy/src/main.rs"],
        why: "only main chooses an exit code",
    },
    Absence {
        words: &["crate::back"],
        within: &["proxy/src/front"],
        but: &[],
        why: "front and back never import each other; what both need is in exchange",
    },
    Absence {
        words: &["crate::front"],
        within: &["proxy/src/back"],
        but: &[],
        why: "front and back never import each other; what both need is in exchange",
    },
    Absence {
        words: &["crate::front", "crate::back", "crate::link", "crate::pool"],
        within: &["proxy/src/translate"],
        // Scripted servers are real backs without a process.
        but: &[
            "proxy/src/translate/legacy_server/tests",
            "proxy/src/translate/modern_server/tests",
        ],
        why: "translation knows exchanges and messages; the pool puts it in",
    },
    Absence {
        words: &["crate::front", "crate::back", "crate::session", "Version::"],
        within: &["proxy/src/link/child"],
        but: &[],
        why: "the child link knows lines and processes, never eras",
    },
    Absence {
        words: &["std::env::", "env::var", "env::args"],
        within: &["proxy/src", "proxy/wire/src"],
        but: &["proxy/src/config/env.rs", "proxy/src/main.rs"],
        why: "the environment is read once, so that configuration is a pure function",
    },
];

/// A file of the proxy that is longer than this tells more than one story.
const MAX_LINES: usize = 450;
const SHORT: &str = "proxy/src";

/// What is searched.
const SOURCES: [&str; 2] = ["proxy/src", "proxy/wire/src"];

/// Searches the sources.
///
/// # Errors
/// When something is there that must not be; every place is named.
pub(crate) fn check() -> Result<()> {
    let mut found = Vec::new();
    for folder in SOURCES {
        for path in sources(&place::root().join(folder))? {
            let text = fs::read_to_string(&path).map_err(|err| cannot("read", &path, &err))?;
            let name = path
                .strip_prefix(place::root())
                .unwrap_or(&path)
                .display()
                .to_string();
            found.extend(faults(&name, &text));
        }
    }
    if found.is_empty() {
        println!("the absences hold");
        return Ok(());
    }
    Err(found.join("\n"))
}

/// What is wrong with a file.
fn faults(name: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let long = text.lines().count();
    if name.starts_with(SHORT) && long > MAX_LINES {
        found.push(format!(
            "{name}: {long} lines; a file tells one story in {MAX_LINES} at most"
        ));
    }
    let concerned = ABSENCES.iter().filter(|absence| {
        absence.within.iter().any(|within| name.starts_with(within))
            && !absence.but.iter().any(|but| name.starts_with(but))
    });
    for absence in concerned {
        for (number, line) in code(text) {
            if let Some(word) = absence.words.iter().find(|word| stands(word, line)) {
                found.push(format!("{name}:{number}: `{word}`: {}", absence.why));
            }
        }
    }
    found
}

/// Whether the parts of `word` stand in `line`, one after the other.
fn stands(word: &str, line: &str) -> bool {
    let mut rest = Some(line);
    for part in word.split('…') {
        rest = rest.and_then(|rest| Some(rest.split_once(part)?.1));
    }
    rest.is_some()
}

/// The lines of code, without comments and without the test module, which comes last.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line));
    numbered
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        .map(|(number, line)| (number, line.split_once("//").map_or(line, |(code, _)| code)))
}

fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(|err| cannot("read", &folder, &err))?;
        for entry in entries {
            let path = entry.map_err(|err| cannot("read", &folder, &err))?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_searched_and_comments_and_tests_are_not() {
        let text = "\
// tokio is not here
use bytes::Bytes; // nor here: tokio
#[cfg(test)]
mod tests { use tokio::time; }
";
        assert_eq!(faults("proxy/wire/src/lib.rs", text), Vec::<String>::new());
        let found = faults("proxy/wire/src/lib.rs", "use tokio::time;\n");
        assert_eq!(found.len(), 1);
        assert!(
            found[0].starts_with("proxy/wire/src/lib.rs:1: `tokio`"),
            "{found:?}"
        );
    }

    #[test]
    fn an_exception_is_a_place() {
        let text = "use axum::http::StatusCode;\n";
        assert!(faults("proxy/src/front/rescue.rs", text).is_empty());
        assert_eq!(faults("proxy/src/guard/auth.rs", text).len(), 1);
    }

    #[test]
    fn a_process_may_be_handled_but_not_started() {
        let name = "proxy/src/link/child/stdio.rs";
        assert!(faults(name, "use tokio::process::{ChildStdin, ChildStdout};\n").is_empty());
        assert_eq!(
            faults(name, "use std::process::{Child, Command};\n").len(),
            1
        );
        assert_eq!(
            faults(name, "tokio::process::Command::new(program)\n").len(),
            1
        );
    }

    #[test]
    fn a_long_file_is_named() {
        let found = faults("proxy/src/pool.rs", &"\n".repeat(MAX_LINES + 1));
        assert!(found[0].contains("451 lines"), "{found:?}");
    }
}
