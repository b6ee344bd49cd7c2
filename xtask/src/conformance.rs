//! The official conformance suite, run against the proxy with our legacy child behind it.
//!
//! There is no list of expected failures: every scenario that a revision requires passes, or
//! the task fails. Scenarios that the suite runs without scoring are reported beside them.

use std::process::Command;
use std::time::Duration;

use crate::fetch::{self, Python};
use crate::place;
use crate::proxy::{Profile, Proxy};
use crate::run::{self, Log, Result};
use crate::tally::Tally;

/// The revision whose requirements are run, and how many scenarios it scores. The number
/// stands here so that a suite that loses a scenario does not pass more easily.
const REVISION: &str = "2025-11-25";
const SCORED: usize = 30;

/// All scenarios together take twenty seconds; one that hangs has a limit of its own.
const SUITE_LIMIT: Duration = Duration::from_secs(600);
const SCENARIO_MILLIS: &str = "15000";

/// What the suite said about one scenario.
#[derive(Debug, PartialEq, Eq)]
struct Scenario {
    name: String,
    passed: bool,
    scored: bool,
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
    let python = Python::Legacy.bin()?.join("python");
    let binary = profile.build(log)?;
    let child = place::root().join("proxy/tests/children/legacy.py");
    let mut command = Command::new(binary);
    command.args(["--port", "0", "--"]).arg(python).arg(child);
    let proxy = Proxy::start(&mut command, log)?;
    let mut suite = Command::new(&node.program);
    suite
        .arg(node.script("@modelcontextprotocol/conformance", "dist/index.js"))
        .args(["server", "--url", &proxy.url, "--requirements", REVISION])
        .args(["--timeout", SCENARIO_MILLIS])
        // The suite leaves its results in the folder it runs in.
        .current_dir(place::fetched());
    let before = log.read()?.len();
    let ended = run::logged(&mut suite, log, SUITE_LIMIT)?;
    drop(proxy);
    let said = log.read()?;
    let scenarios = scenarios(said.get(before..).unwrap_or_default());
    let mut tally = count(&scenarios);
    if !ended.success() && tally.failed.is_empty() {
        tally.count("the suite itself", false);
    }
    let lines = scenarios.iter().map(Scenario::line).collect();
    Ok((tally, lines))
}

impl Scenario {
    fn line(&self) -> String {
        let verdict = if self.passed { "passed" } else { "failed" };
        let scored = if self.scored { "" } else { " (not scored)" };
        format!("{verdict} {}{scored}\n", self.name)
    }
}

/// Scored scenarios, and one failure more when their number is not what it was.
fn count(scenarios: &[Scenario]) -> Tally {
    let mut tally = Tally::default();
    let mut scored = 0;
    for scenario in scenarios.iter().filter(|scenario| scenario.scored) {
        tally.count(&scenario.name, scenario.passed);
        scored += 1;
    }
    if scored != SCORED {
        tally.count(
            &format!("{scored} of {SCORED} required scenarios ran"),
            false,
        );
    }
    tally
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

    #[test]
    fn a_suite_that_shrinks_fails() {
        let tally = count(&scenarios(SAID));
        assert_eq!(tally.passed, 1);
        let shrunk = "3 of 30 required scenarios ran";
        assert_eq!(
            tally.failed,
            ["dns-rebinding-protection", "tools-list", shrunk]
        );
    }

    #[test]
    fn a_suite_that_says_nothing_fails() {
        assert_eq!(count(&scenarios("node: not found")).failed.len(), 1);
    }
}
