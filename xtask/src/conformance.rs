//! The official conformance suite, run against the proxy with our children behind it: one that
//! speaks the legacy era only, and one that speaks both, behind one address for both revisions.
//!
//! There is no list of expected failures: every scenario that a revision requires passes, or
//! the task fails. Scenarios that the suite runs without scoring are reported beside them, and
//! some of those are required here all the same.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::fetch::{self, Node, Python};
use crate::place;
use crate::proxy::{Profile, Proxy};
use crate::run::{self, Log, Result};
use crate::tally::Tally;

/// The children, as scripts of `proxy/tests/children`.
const LEGACY: &str = "legacy.py";
const DUAL: &str = "modern.py";

/// One run of the suite.
struct Judged {
    /// The child behind the proxy.
    child: &'static str,
    /// The revision whose requirements are run.
    revision: &'static str,
    /// How many scenarios the revision scores. The number stands here so that a suite that loses
    /// a scenario does not pass more easily.
    scored: usize,
    /// Scenarios that the suite does not score for this revision, and that we require.
    also: &'static [&'static str],
}

const RUNS: [Judged; 3] = [
    Judged {
        child: LEGACY,
        revision: "2025-11-25",
        scored: 30,
        also: &["json-schema-2020-12"],
    },
    Judged {
        child: DUAL,
        revision: "2025-11-25",
        scored: 30,
        also: &["json-schema-2020-12"],
    },
    Judged {
        child: DUAL,
        revision: "2026-07-28",
        scored: 37,
        also: &[
            "http-header-validation",
            "http-custom-header-server-validation",
            "json-schema-2020-12",
            "tasks-lifecycle",
            "tasks-capability-negotiation",
            "tasks-wire-fields",
            "tasks-request-state-removal",
            "tasks-mrtr-input",
            "tasks-request-headers",
            "tasks-dispatch-and-envelope",
            "tasks-required-task-error",
            "tasks-mrtr-composition",
        ],
    },
];

/// All scenarios together take twenty seconds; one that hangs has a limit of its own.
const SUITE_LIMIT: Duration = Duration::from_secs(600);
const SCENARIO_MILLIS: &str = "15000";

/// What the suite said about one scenario.
#[derive(Debug, PartialEq, Eq)]
struct Scenario {
    name: String,
    passed: bool,
    scored: bool,
    /// Whether it made any check at all.
    checked: bool,
}

/// Runs the suite and prints its verdict.
///
/// # Errors
/// When a required scenario fails.
pub(crate) fn show(profile: Profile) -> Result<()> {
    let log = Log::start(place::target().join("test-logs/conformance.log"))?;
    let (tally, lines) = judge(profile, &log)?;
    print!("{lines}");
    println!("{}", tally.line());
    tally.verdict()
}

/// Runs the suite; its output goes to the log.
///
/// # Errors
/// When anything keeps it from running.
pub(crate) fn group(log: &Log) -> Result<Tally> {
    judge(Profile::Dev, log).map(|(tally, _)| tally)
}

fn judge(profile: Profile, log: &Log) -> Result<(Tally, String)> {
    let node = fetch::node()?;
    let binary = profile.build(log)?;
    let legacy = proxy(&binary, Python::Legacy, LEGACY, log)?;
    let dual = proxy(&binary, Python::Newest, DUAL, log)?;
    // At the same time, because each spends most of its time waiting, and because clients of
    // several revisions at once are what the proxy is for.
    let judged = thread::scope(|scope| {
        let runs = RUNS.map(|judged| {
            let url = match judged.child {
                LEGACY => &legacy.url,
                _ => &dual.url,
            };
            let node = &node;
            scope.spawn(move || judged.run(node, url))
        });
        runs.map(|run| {
            run.join()
                .unwrap_or_else(|_| Err("a run of the suite panicked".to_owned()))
        })
    });
    let mut tally = Tally::default();
    let mut lines = String::new();
    for (judged, outcome) in RUNS.iter().zip(judged) {
        let name = judged.name();
        match outcome {
            Ok((one, said)) => {
                lines.push_str(&format!("{name}: {}\n{said}", one.line()));
                tally.add(one);
            }
            Err(sentence) => {
                lines.push_str(&format!("{name}: {sentence}\n"));
                tally.count(&name, false);
            }
        }
    }
    log.line(&lines)?;
    Ok((tally, lines))
}

/// A proxy with one of the children behind it.
fn proxy(binary: &Path, python: Python, child: &str, log: &Log) -> Result<Proxy> {
    let mut command = Command::new(binary);
    command
        .args(["--port", "0", "--"])
        .arg(python.bin()?.join("python"))
        .arg(place::root().join("proxy/tests/children").join(child));
    Proxy::start(&mut command, log)
}

impl Judged {
    fn name(&self) -> String {
        format!("{} ({})", self.revision, self.child)
    }

    /// Runs the suite against `url`, with a log and a folder for its results of its own.
    fn run(&self, node: &Node, url: &str) -> Result<(Tally, String)> {
        let folder: PathBuf = place::target()
            .join("test-logs/conformance")
            .join(format!("{}-{}", self.child, self.revision));
        let log = Log::start(folder.join("suite.log"))?;
        let mut suite = Command::new(&node.program);
        suite
            .arg(node.script("@modelcontextprotocol/conformance", "dist/index.js"))
            .args(["server", "--url", url, "--requirements", self.revision])
            .args(["--timeout", SCENARIO_MILLIS])
            // The suite leaves its results in the folder it runs in.
            .current_dir(&folder);
        let ended = run::logged(&mut suite, &log, SUITE_LIMIT)?;
        let said = log.read()?;
        let scenarios = scenarios(&said);
        let mut tally = self.count(&scenarios);
        if !ended.success() && tally.failed.is_empty() {
            tally.count(&format!("{}: the suite itself", self.name()), false);
        }
        let mut lines: String = scenarios.iter().map(Scenario::line).collect();
        // What went wrong is in that log alone.
        if !tally.failed.is_empty() {
            lines.push_str(&format!("({} has all of it)\n", log.path().display()));
        }
        Ok((tally, lines))
    }

    /// Scored scenarios and those that we require, and one failure more when there are not as
    /// many as there were.
    fn count(&self, scenarios: &[Scenario]) -> Tally {
        let name = self.name();
        let mut tally = Tally::default();
        let mut scored = 0;
        for scenario in scenarios.iter().filter(|scenario| scenario.scored) {
            tally.count(&format!("{name}: {}", scenario.name), scenario.passed);
            scored += 1;
        }
        if scored != self.scored {
            let sentence = format!("{name}: {scored} of {} required scenarios ran", self.scored);
            tally.count(&sentence, false);
        }
        for also in self.also {
            let passed = scenarios
                .iter()
                .any(|scenario| scenario.name == *also && scenario.passed && scenario.checked);
            tally.count(&format!("{name}: {also}"), passed);
        }
        tally
    }
}

impl Scenario {
    fn line(&self) -> String {
        let verdict = if self.passed { "passed" } else { "failed" };
        let scored = if self.scored { "" } else { " (not scored)" };
        format!("{verdict} {}{scored}\n", self.name)
    }
}

/// Reads the summary: `✓ ping: 2 passed, 0 failed`, then the names that are not scored as
/// `  ✓ json-schema-2020-12 (pending)`.
fn scenarios(said: &str) -> Vec<Scenario> {
    let Some((_, summary)) = said.rsplit_once("=== SUMMARY ===") else {
        return Vec::new();
    };
    let (main, beside) = summary
        .split_once("Not scored for")
        .unwrap_or((summary, ""));
    let unscored: Vec<&str> = beside
        .lines()
        .filter_map(|line| {
            line.trim_start()
                .strip_prefix(['✓', '✗'])?
                .split_whitespace()
                .next()
        })
        .collect();
    main.lines()
        .filter_map(|line| {
            let (name, checks) = line
                .trim()
                .strip_prefix(['✓', '✗'])?
                .trim()
                .split_once(": ")?;
            let none_failed = checks.ends_with(" 0 failed");
            // A scenario without a single check has shown nothing.
            let some_passed = !checks.starts_with("0 passed");
            let scored = !unscored.contains(&name);
            let passed = none_failed && (some_passed || !scored);
            Some(Scenario {
                name: name.to_owned(),
                passed,
                scored,
                checked: some_passed,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "\
=== Running scenario: ping ===
=== SUMMARY ===
✓ ping: 2 passed, 0 failed
✗ dns-rebinding-protection: 1 passed, 1 failed
✓ tools-list: 0 passed, 0 failed
✓ server-sse-polling: 0 passed, 0 failed

Total: 3 passed, 1 failed

Not scored for 2025-11-25: 1 scenario(s) run, 0 failing. These do not affect conformance.
  ✓ server-sse-polling (pending)
";

    #[test]
    fn a_summary_is_read_scenario_by_scenario() {
        let lines: String = scenarios(SAID).iter().map(Scenario::line).collect();
        let expected = "\
passed ping
failed dns-rebinding-protection
failed tools-list
passed server-sse-polling (not scored)
";
        assert_eq!(lines, expected);
    }

    const RUN: Judged = Judged {
        child: "child.py",
        revision: "2025-11-25",
        scored: 30,
        also: &["server-sse-polling"],
    };

    #[test]
    fn a_suite_that_shrinks_fails() {
        let tally = RUN.count(&scenarios(SAID));
        assert_eq!(tally.passed, 1);
        let failed = [
            "dns-rebinding-protection",
            "tools-list",
            "3 of 30 required scenarios ran",
            // One that we require has to show something.
            "server-sse-polling",
        ];
        assert_eq!(
            tally.failed,
            failed.map(|what| format!("2025-11-25 (child.py): {what}"))
        );
    }

    #[test]
    fn a_suite_that_says_nothing_fails() {
        assert_eq!(RUN.count(&scenarios("node: not found")).failed.len(), 2);
    }
}
