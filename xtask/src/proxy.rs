//! Starting `mcp-proxy` as a person does, and learning its address from what it prints.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::place;
use crate::run::{self, Log, Result, Running};

/// Listening comes before anything slow (the child starts on demand), so this is generous.
const LISTEN_LIMIT: Duration = Duration::from_secs(20);

/// A clean build of the proxy with all its dependencies, on a small machine.
const BUILD_LIMIT: Duration = Duration::from_secs(1500);

/// Which build of the proxy.
#[derive(Clone, Copy)]
pub(crate) enum Profile {
    /// `target/debug`: built quickest, and with overflow checks.
    Dev,
    /// `target/release`: what users run.
    Release,
}

impl Profile {
    /// Reads what follows the verb.
    ///
    /// # Errors
    /// When it is anything but `--release`.
    pub(crate) fn read(arguments: &[&str]) -> Result<Self> {
        match arguments {
            [] => Ok(Self::Dev),
            ["--release"] => Ok(Self::Release),
            other => Err(format!(
                "only --release may follow, not {}",
                other.join(" ")
            )),
        }
    }

    /// The proxy of this profile, built now.
    ///
    /// # Errors
    /// When it does not build; the log has the compiler's words.
    pub(crate) fn build(self, log: &Log) -> Result<PathBuf> {
        let mut cargo = Command::new("cargo");
        cargo.args([
            "build",
            "--locked",
            "--package",
            "mcp-proxy",
            "--bin",
            "mcp-proxy",
        ]);
        let folder = match self {
            Self::Dev => "debug",
            Self::Release => {
                cargo.arg("--release");
                "release"
            }
        };
        cargo
            .arg("--target-dir")
            .arg(place::target())
            .current_dir(place::root());
        if run::logged(&mut cargo, log, BUILD_LIMIT)?.success() {
            Ok(place::target().join(folder).join("mcp-proxy"))
        } else {
            Err(format!(
                "mcp-proxy does not build; see {}",
                log.path().display()
            ))
        }
    }
}

/// A proxy that listens. Dropping it stops it, and it stops its child.
pub(crate) struct Proxy {
    running: Running,
    /// The address of its MCP endpoint.
    pub(crate) url: String,
}

impl Proxy {
    /// Starts `command` on any free loopback port and waits until it says where it listens.
    /// What it says goes to the log.
    ///
    /// # Errors
    /// When it ends or says nothing in time.
    pub(crate) fn start(command: &mut Command, log: &Log) -> Result<Self> {
        Self::named_by(command, log, address_in)
    }

    /// The same for another program that listens, and names its address in a line of its own kind.
    ///
    /// # Errors
    /// When it ends or says nothing in time.
    pub(crate) fn named_by(
        command: &mut Command,
        log: &Log,
        address: fn(&str) -> Option<&str>,
    ) -> Result<Self> {
        command
            .stdin(Stdio::null())
            .stdout(log.file()?)
            .stderr(Stdio::piped());
        let mut running = Running::start(command)?;
        let stderr = running
            .stderr()
            .ok_or("the proxy's standard error was not piped")?;
        let (found, named) = mpsc::channel();
        let copy = log.clone();
        // Reads to the end, so that the proxy never blocks on a full pipe.
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                let Ok(line) = line else { break };
                if let Some(url) = address(&line) {
                    // Nobody listens for the second one: the first was enough.
                    let _ = found.send(url.to_owned());
                }
                let _ = copy.line(&format!("proxy: {line}"));
            }
        });
        match named.recv_timeout(LISTEN_LIMIT) {
            Ok(url) => Ok(Self { running, url }),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                let words = run::tail(&log.read()?, 10);
                Err(format!("it ended before it listened:\n{words}"))
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                Err(format!("it named no address within {LISTEN_LIMIT:?}"))
            }
        }
    }
}

impl Proxy {
    /// The process that listens, for as long as this lives.
    pub(crate) fn pid(&self) -> u32 {
        self.running.pid()
    }
}

/// The address in a line such as `listening on http://127.0.0.1:8080/mcp`.
fn address_in(line: &str) -> Option<&str> {
    let from = line.find("http://127.0.0.1:")?;
    let rest = &line[from..];
    let to = rest.find("/mcp")? + "/mcp".len();
    Some(&rest[..to])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_wherever_it_stands() {
        let line = r#"  "url": "http://127.0.0.1:41234/mcp","#;
        assert_eq!(address_in(line), Some("http://127.0.0.1:41234/mcp"));
        assert_eq!(address_in("http://127.0.0.1:1/health"), None);
        assert_eq!(address_in("a server"), None);
    }

    #[test]
    fn a_proxy_that_ends_at_once_is_reported_with_its_words() {
        let path = std::env::temp_dir().join(format!("xtask-proxy-{}.log", std::process::id()));
        let log = Log::start(path.clone()).unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo no server was named >&2; exit 2"]);
        let Err(sentence) = Proxy::start(&mut shell, &log) else {
            panic!("it listened")
        };
        assert!(sentence.contains("no server was named"), "{sentence}");
        std::fs::remove_file(path).unwrap();
    }
}
