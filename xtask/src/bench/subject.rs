//! What is measured, and one measurement of it: a process of its own, a load, its figures.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::figures::Figures;
use super::{MANY, SMALL};
use crate::place;
use crate::proxy::Proxy;
use crate::run::{self, Log, Result};

/// What a load may take beside its seconds: opening sessions, warming up, the last answers.
const LOAD_GRACE: Duration = Duration::from_secs(30);

/// Who answers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Subject {
    /// axum that answers in process.
    Floor,
    /// The thinnest possible bridge.
    Pipe,
    /// The proxy, with a child for each session.
    Proxy,
    /// The proxy, with one child for all.
    Shared,
    /// The proxy before a server of 2026-07-28.
    Modern,
}

impl Subject {
    fn command(self) -> Command {
        let bench = built("mcp-bench");
        let mut command = match self {
            Self::Floor | Self::Pipe => Command::new(&bench),
            Self::Proxy | Self::Shared | Self::Modern => Command::new(built("mcp-proxy")),
        };
        match self {
            Self::Floor => command.arg("floor"),
            Self::Pipe => command.arg("pipe"),
            Self::Proxy => command.args(["--port", "0", "--"]).arg(bench).arg("echo"),
            Self::Shared => command
                .args(["--port", "0", "--child-mode", "shared", "--"])
                .arg(bench)
                .arg("echo"),
            Self::Modern => command
                .args(["--port", "0", "--"])
                .arg(bench)
                .args(["echo", "--modern"]),
        };
        command
    }
}

/// A program of the release build.
fn built(name: &str) -> PathBuf {
    place::target().join("release").join(name)
}

/// What one line of the table tells of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) name: &'static str,
    subject: Subject,
    sessions: usize,
    pub(super) in_flight: usize,
    size: usize,
    progress: usize,
    stateless: bool,
}

impl Case {
    /// Small calls, many in flight.
    pub(super) const fn small(name: &'static str, subject: Subject, sessions: usize) -> Self {
        Self {
            name,
            subject,
            sessions,
            in_flight: MANY,
            size: SMALL,
            progress: 0,
            stateless: false,
        }
    }

    /// Answers of `size` bytes, one in flight.
    pub(super) const fn large(name: &'static str, subject: Subject, size: usize) -> Self {
        Self {
            name,
            subject,
            sessions: 1,
            in_flight: 1,
            size,
            progress: 0,
            stateless: false,
        }
    }

    /// The same with so many progress notifications in each call.
    pub(super) const fn telling(self, progress: usize) -> Self {
        Self { progress, ..self }
    }

    /// The same by clients of 2026-07-28.
    pub(super) const fn stateless(self) -> Self {
        Self {
            stateless: true,
            ..self
        }
    }

    /// One measurement, with a process of its own: the peak of its memory is this case's alone,
    /// and no case inherits another one's luck with addresses.
    ///
    /// # Errors
    /// When the subject does not start or an answer is wrong.
    pub(super) fn measure(&self, seconds: u64, log: &Log) -> Result<Figures> {
        let subject = Proxy::start(&mut self.subject.command(), log)?;
        let mut load = Command::new(built("mcp-bench"));
        load.arg("load").arg(&subject.url);
        for (flag, value) in [
            ("--pid", subject.pid() as usize),
            ("--sessions", self.sessions),
            ("--in-flight", self.in_flight),
            ("--size", self.size),
            ("--progress", self.progress),
            ("--stateless", usize::from(self.stateless)),
        ] {
            load.arg(flag).arg(value.to_string());
        }
        load.arg("--seconds").arg(seconds.to_string());
        let printed = run::read(&mut load, Duration::from_secs(seconds) + LOAD_GRACE)?;
        log.line(&format!("{}: {}", self.name, printed.trim_end()))?;
        figures(&printed).ok_or_else(|| format!("the load printed {printed:?}"))
    }
}

fn figures(printed: &str) -> Option<Figures> {
    let printed: serde_json::Value = serde_json::from_str(printed).ok()?;
    let number = |name: &str| printed.get(name)?.as_f64();
    Some(Figures {
        cpu: number("cpu_us")?,
        per_second: number("per_second")?,
        p50: number("p50_us")?,
        peak_mib: number("peak_kib")? / 1024.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_load_prints_is_read() {
        let printed = r#"{"cpu_us":12.5,"per_second":80000.0,"p50_us":170,"peak_kib":2048}"#;
        let expected = Figures {
            cpu: 12.5,
            per_second: 80_000.0,
            p50: 170.0,
            peak_mib: 2.0,
        };
        assert_eq!(figures(printed), Some(expected));
        assert_eq!(figures(r#"{"cpu_us":12.5}"#), None);
    }
}
