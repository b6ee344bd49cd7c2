//! Which file of an npm package is its program, and what runs it.

use std::fs::File;
use std::io::Read as _;
use std::path::{Component, Path};

use serde::Deserialize;

use super::store::Program;

/// What `package.json` says that matters here (npm docs, package.json, `bin`).
#[derive(Debug, Deserialize)]
pub(super) struct Manifest {
    pub(super) version: String,
    #[serde(default)]
    bin: Option<Bin>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Bin {
    /// One program, named like the package.
    One(String),
    /// Programs by name.
    Named(std::collections::BTreeMap<String, String>),
}

impl Manifest {
    /// The program's file within the package: the only one, or the one named like the package
    /// without its scope, as `npx` chooses.
    ///
    /// # Errors
    ///
    /// What is there instead, and what to do.
    pub(super) fn program(&self, package: &str) -> Result<&str, String> {
        let file = match &self.bin {
            None => None,
            Some(Bin::One(file)) => Some(file),
            Some(Bin::Named(named)) => {
                let short = package.rsplit('/').next().unwrap_or(package);
                let only = named.values().next().filter(|_| named.len() == 1);
                let chosen = named.get(short).or(only);
                if chosen.is_none() && !named.is_empty() {
                    let names: Vec<&str> = named.keys().map(String::as_str).collect();
                    return Err(format!(
                        "has several programs and none is called {short}: {}; run one of them as a \
                         command (npx -y --package {package} {})",
                        names.join(", "),
                        names[0]
                    ));
                }
                chosen
            }
        };
        let file = file.ok_or("has no program (no \"bin\" in its package.json), so it is not a server that can be run")?;
        let inside = Path::new(file)
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if inside {
            Ok(file)
        } else {
            Err(format!("names a program outside of itself: {file:?}"))
        }
    }
}

/// What runs a file: Node.js, unless its first line names another interpreter or it is a program
/// for the system.
pub(super) fn program(folder: &Path, file: String) -> std::io::Result<Program> {
    /// The longest first line the system reads (`BINPRM_BUF_SIZE`, Linux 5.1).
    const FIRST_LINE: u64 = 256;
    let mut head = Vec::new();
    File::open(folder.join(&file))?
        .take(FIRST_LINE)
        .read_to_end(&mut head)?;
    Ok(match interpreter(&head) {
        Runner::Node(flags) => Program::Node { flags, file },
        Runner::System => Program::Own { file },
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Runner {
    Node(Vec<String>),
    System,
}

fn interpreter(head: &[u8]) -> Runner {
    if head.starts_with(b"\x7fELF") {
        return Runner::System;
    }
    let Some(line) = head.strip_prefix(b"#!") else {
        return Runner::Node(Vec::new());
    };
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let name = |word: &str| word.rsplit('/').next().unwrap_or_default().to_owned();
    let mut words = line.split_whitespace().peekable();
    let mut program = words.next().map(name).unwrap_or_default();
    if program == "env" {
        // `env -S` splits the rest of the line into words.
        let _split = words.next_if_eq(&"-S");
        program = words.next().map(name).unwrap_or_default();
    }
    if matches!(program.as_str(), "node" | "nodejs") {
        Runner::Node(words.map(str::to_owned).collect())
    } else {
        Runner::System
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_chosen_as_npx_does() {
        for (package, bin, chosen) in [
            ("name", r#""./cli.js""#, Ok("./cli.js")),
            ("@s/name", r#"{"name":"a.js","other":"b.js"}"#, Ok("a.js")),
            ("@s/name", r#"{"other":"b.js"}"#, Ok("b.js")),
            (
                "name",
                r#"{"a":"a.js","b":"b.js"}"#,
                Err("called name: a, b;"),
            ),
            ("name", "{}", Err("has no program")),
            ("name", "null", Err("has no program")),
            ("name", r#""../../evil""#, Err("outside of itself")),
            ("name", r#""/bin/sh""#, Err("outside of itself")),
        ] {
            let text = format!(r#"{{"version":"1.0.0","bin":{bin}}}"#);
            let manifest: Manifest = serde_json::from_str(&text).unwrap();
            match (manifest.program(package), chosen) {
                (Ok(file), Ok(chosen)) => assert_eq!(file, chosen),
                (Err(said), Err(part)) => assert!(said.contains(part), "{said}"),
                (got, _) => panic!("{package} {bin}: {got:?}"),
            }
        }
    }

    #[test]
    fn the_first_line_says_what_runs_a_file() {
        let node = |flags: &[&str]| Runner::Node(flags.iter().map(|flag| (*flag).into()).collect());
        for (head, runner) in [
            (&b"#!/usr/bin/env node\nx"[..], node(&[])),
            (b"#!/usr/bin/env node\r\nx", node(&[])),
            (
                b"#!/usr/local/bin/node --no-warnings\n",
                node(&["--no-warnings"]),
            ),
            (
                b"#!/usr/bin/env -S node --no-warnings\n",
                node(&["--no-warnings"]),
            ),
            (b"import x from 'y'", node(&[])),
            (b"", node(&[])),
            (b"#!/usr/bin/env bun\n", Runner::System),
            (b"#!/bin/sh\n", Runner::System),
            (b"#!\n", Runner::System),
            (b"\x7fELF\x02", Runner::System),
        ] {
            assert_eq!(interpreter(head), runner, "{}", head.escape_ascii());
        }
    }
}
