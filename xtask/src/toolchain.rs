//! Helpers of cargo that are not part of the toolchain: built once, kept under the target folder.

use std::path::PathBuf;
use std::process::Command;

use crate::place;
use crate::run::{self, Result};

/// A cargo subcommand from the registry, at one version.
pub(crate) struct Tool {
    /// The package, which is also the name of its program.
    pub(crate) name: &'static str,
    /// The exact version.
    pub(crate) version: &'static str,
}

/// Reads licences, bans and sources.
pub(crate) const DENY: Tool = Tool {
    name: "cargo-deny",
    version: "0.20.2",
};

/// Runs tests, one process each. Used where the machine has none of its own.
pub(crate) const NEXTEST: Tool = Tool {
    name: "cargo-nextest",
    version: "0.9.143",
};

/// Builds and runs fuzz targets.
pub(crate) const FUZZ: Tool = Tool {
    name: "cargo-fuzz",
    version: "0.13.2",
};

impl Tool {
    /// The program, built now if it is not there yet.
    ///
    /// # Errors
    /// When it does not build.
    pub(crate) fn program(&self) -> Result<PathBuf> {
        let home = place::tools().join(format!("{}-{}", self.name, self.version));
        let program = home.join("bin").join(self.name);
        if program.exists() {
            return Ok(program);
        }
        // cargo writes the program last and by renaming it, so an interrupted build leaves
        // nothing that looks finished; the build folder lets the next one go on from there.
        let build = place::tools().join("build");
        let mut install = Command::new("cargo");
        install
            .args([
                "install",
                "--locked",
                self.name,
                "--version",
                self.version,
                "--root",
            ])
            .arg(&home)
            .env("CARGO_TARGET_DIR", &build)
            .current_dir(place::root());
        run::show(&mut install)?;
        std::fs::remove_dir_all(&build).map_err(|err| run::cannot("remove", &build, &err))?;
        Ok(program)
    }
}
