//! Everything that is checked without running the program.

use std::process::Command;

use crate::run::{self, Result};
use crate::toolchain::DENY;
use crate::{absences, place};

/// Checks formatting, lints, the absences, documentation, licences, bans and sources, the
/// quickest first.
///
/// # Errors
/// At the first check that fails.
pub(crate) fn run() -> Result<()> {
    absences::check()?;
    run::show(cargo().args(["fmt", "--all", "--check"]))?;
    run::show(
        cargo()
            .args(["clippy", "--workspace", "--all-targets", "--locked"])
            .args(["--", "-D", "warnings"]),
    )?;
    run::show(
        cargo()
            .args([
                "doc",
                "--workspace",
                "--no-deps",
                "--locked",
                "--document-private-items",
            ])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )?;
    // Advisories are left out: their database is a git repository, which not every machine
    // that builds this project can reach. Those that matter are named in deny.toml.
    let deny = DENY.program()?;
    run::show(
        Command::new(deny)
            .args([
                "--locked",
                "--all-features",
                "check",
                "licenses",
                "bans",
                "sources",
            ])
            .current_dir(place::root()),
    )
}

fn cargo() -> Command {
    let mut command = Command::new("cargo");
    command
        .current_dir(place::root())
        .env("CARGO_TARGET_DIR", place::target());
    command
}
