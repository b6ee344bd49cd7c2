//! What the suite said about each scenario: its summary tells which were scored and whether checks
//! failed, and the folder of its results has every check, with those it only warns of.

use std::fs;
use std::path::Path;

use crate::run::{Result, cannot};

/// What the suite said about one scenario.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scenario {
    /// Its name in the suite.
    pub(super) name: String,
    /// Whether nothing failed, nothing was warned of, and, if it is scored, anything was checked.
    pub(super) passed: bool,
    /// Whether the revision requires it.
    pub(super) scored: bool,
    /// Whether it made any check at all.
    pub(super) checked: bool,
    /// The checks that failed or were warned of, in the suite's words.
    faults: Vec<String>,
}

impl Scenario {
    /// What a person reads: the verdict, and under it what was wrong.
    pub(super) fn line(&self) -> String {
        let verdict = if self.passed { "passed" } else { "failed" };
        let scored = if self.scored { "" } else { " (not scored)" };
        let mut line = format!("{verdict} {}{scored}\n", self.name);
        for fault in &self.faults {
            line.push_str(&format!("    {fault}\n"));
        }
        line
    }
}

/// Reads the summary the suite printed, and the results it left.
///
/// # Errors
/// When there are results that cannot be read.
pub(super) fn read(said: &str, results: &Path) -> Result<Vec<Scenario>> {
    let mut scenarios = summary(said);
    if scenarios.is_empty() {
        return Ok(scenarios);
    }
    let folders = fs::read_dir(results).map_err(|err| cannot("read", results, &err))?;
    let folders: Vec<_> = folders.filter_map(std::result::Result::ok).collect();
    for scenario in &mut scenarios {
        let left = folders.iter().find(|folder| {
            scenario_of(&folder.file_name().to_string_lossy()) == Some(&scenario.name)
        });
        let file = left.map(|folder| folder.path().join("checks.json"));
        // A scenario that could not even begin leaves none, and the summary counts it as failed.
        let Some(file) = file.filter(|file| file.exists()) else {
            scenario.faults.push("it left no results".to_owned());
            scenario.passed = false;
            continue;
        };
        let text = fs::read_to_string(&file).map_err(|err| cannot("read", &file, &err))?;
        let checks = serde_json::from_str(&text)
            .map_err(|err| format!("{} is no list of checks: {err}", file.display()))?;
        scenario.faults = faults(&checks);
        scenario.passed &= scenario.faults.is_empty();
    }
    Ok(scenarios)
}

/// Reads the summary: `✓ ping: 2 passed, 0 failed`, then the names that are not scored as
/// `  ✓ json-schema-2020-12 (pending)`.
pub(super) fn summary(said: &str) -> Vec<Scenario> {
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
            Some(Scenario {
                name: name.to_owned(),
                passed: none_failed && (some_passed || !scored),
                scored,
                checked: some_passed,
                faults: Vec::new(),
            })
        })
        .collect()
}

/// The scenario whose results are in a folder called `server-ping-2026-07-28T10-00-00-000Z`.
fn scenario_of(folder: &str) -> Option<&str> {
    const TIME: usize = "-2026-07-28T10-00-00-000Z".len();
    let name = folder.strip_prefix("server-")?;
    name.get(..name.len().checked_sub(TIME)?)
}

/// The checks that did not simply succeed. The suite passes a scenario it warns of, because the
/// specification says SHOULD there; we do what it says.
fn faults(checks: &serde_json::Value) -> Vec<String> {
    let text = |check: &serde_json::Value, member: &str| {
        let text = check.get(member).and_then(serde_json::Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    checks
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|check| {
            let status = text(check, "status");
            let verdict = match status.as_str() {
                "FAILURE" => "failed",
                "WARNING" => "warned",
                _ => return None,
            };
            let (id, sentence) = (text(check, "id"), text(check, "errorMessage"));
            Some(format!("{verdict}: {id}: {sentence}"))
        })
        .collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) const SAID: &str = "\
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
        let lines: String = summary(SAID).iter().map(Scenario::line).collect();
        let expected = "\
passed ping
failed dns-rebinding-protection
failed tools-list
passed server-sse-polling (not scored)
";
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_warning_is_a_fault() {
        let checks = serde_json::json!([
            {"id": "one", "status": "SUCCESS"},
            {"id": "two", "status": "WARNING", "errorMessage": "SHOULD"},
            {"id": "three", "status": "SKIPPED"},
            {"id": "four", "status": "FAILURE", "errorMessage": "MUST"},
        ]);
        assert_eq!(
            faults(&checks),
            ["warned: two: SHOULD", "failed: four: MUST"]
        );
    }

    #[test]
    fn results_are_found_by_the_name_of_their_folder() {
        let folder = "server-tools-call-error-2026-07-28T10-00-00-000Z";
        assert_eq!(scenario_of(folder), Some("tools-call-error"));
        assert_eq!(scenario_of("server-x"), None);
    }
}
