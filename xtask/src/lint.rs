//! Everything that is checked without running the program.

use std::process::Command;

use crate::run::{self, Result};
use crate::toolchain::DENY;
use crate::{absences, place};

type Check = fn() -> Result<()>;

/// The quickest first.
const CHECKS: [Check; 5] = [absences::check, format, clippy, documentation, dependencies];

/// Runs every check, also after one that failed, so that one run tells everything.
///
/// # Errors
/// When any check failed; the sentences of all that did.
pub(crate) fn run() -> Result<()> {
    let failures: Vec<String> = CHECKS.iter().filter_map(|check| check().err()).collect();
    if failures.is_empty() {
        return Ok(());
    }
    Err(failures.join("\n"))
}

fn format() -> Result<()> {
    run::show(cargo().args(["fmt", "--all", "--check"]))
}

/// Once as it is, and the one program that has a feature once more with it.
fn clippy() -> Result<()> {
    let strict = ["--", "-D", "warnings"];
    for which in [
        &["--workspace"][..],
        &["--package", "mcp-proxy", "--features", "otlp"],
    ] {
        let mut clippy = cargo();
        clippy.args(["clippy", "--all-targets", "--locked"]);
        run::show(clippy.args(which).args(strict))?;
    }
    Ok(())
}

/// The documentation is for people who change the program, so it shows private items, and
/// may link to them.
fn documentation() -> Result<()> {
    let mut doc = cargo();
    doc.args(["doc", "--workspace", "--no-deps", "--locked"]);
    doc.arg("--document-private-items");
    let strict = "-D warnings -A rustdoc::private-intra-doc-links";
    run::show(doc.env("RUSTDOCFLAGS", strict))
}

/// Advisories are left out: their database is a git repository, which not every machine that
/// builds this project can reach. Those that matter are named in deny.toml.
fn dependencies() -> Result<()> {
    let mut deny = Command::new(DENY.program()?);
    deny.args(["--locked", "--all-features", "check"]);
    deny.args(["licenses", "bans", "sources"]);
    run::show(deny.current_dir(place::root()))
}

fn cargo() -> Command {
    let mut command = Command::new("cargo");
    command
        .current_dir(place::root())
        .env("CARGO_TARGET_DIR", place::target());
    command
}
