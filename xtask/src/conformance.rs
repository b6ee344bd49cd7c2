//! The official conformance suite, run against the proxy with our children behind it: one that
//! speaks the legacy era only, one that speaks both, behind one address for both revisions, and one
//! that speaks the newer era only, for clients of the older.
//!
//! There is no list of expected failures: every scenario that a revision requires passes, or
//! the task fails. Scenarios that the suite runs without scoring are reported beside them, and
//! some of those are required here all the same. What the suite only warns of is a failure here.

mod scenario;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::fetch::{self, Node, Python};
use crate::place;
use crate::proxy::{Profile, Proxy};
use crate::run::{self, Log, Result};
use crate::tally::Tally;
use scenario::Scenario;

/// The children, as scripts of `proxy/tests/children`.
const LEGACY: &str = "legacy.py";
const DUAL: &str = "modern.py";
const MODERN_ONLY: &str = "modern.py --modern-only";

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

const RUNS: [Judged; 5] = [
    Judged {
        child: LEGACY,
        revision: "2025-11-25",
        scored: 30,
        also: &["json-schema-2020-12"],
    },
    // The hard one: a child that asks in the middle of a call, and a client that can only be
    // asked by the answer to it.
    Judged {
        child: LEGACY,
        revision: "2026-07-28",
        scored: 37,
        also: &[
            "http-header-validation",
            "http-custom-header-server-validation",
            "json-schema-2020-12",
        ],
    },
    Judged {
        child: DUAL,
        revision: "2025-11-25",
        scored: 30,
        also: &["json-schema-2020-12"],
    },
    Judged {
        child: MODERN_ONLY,
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

/// Runs the suite and prints its verdict. `--only PART` leaves out the runs whose names, such as
/// `2026-07-28 (legacy.py)`, have no such part; given twice, both have to be there.
///
/// # Errors
/// When a required scenario fails, or no run is left.
pub(crate) fn show(arguments: &[&str]) -> Result<()> {
    let (chosen, rest) = chosen(arguments)?;
    let profile = Profile::read(&rest)?;
    let log = Log::start(place::target().join("test-logs/conformance.log"))?;
    let (tally, lines) = judge(&chosen, profile, &log)?;
    print!("{lines}");
    println!("{}", tally.line());
    tally.verdict()
}

/// Runs the suite; its output goes to the log.
///
/// # Errors
/// When anything keeps it from running.
pub(crate) fn group(log: &Log) -> Result<Tally> {
    let all: Vec<&Judged> = RUNS.iter().collect();
    judge(&all, Profile::Dev, log).map(|(tally, _)| tally)
}

/// The runs that are meant, and the arguments that say nothing of it.
fn chosen<'a>(arguments: &[&'a str]) -> Result<(Vec<&'static Judged>, Vec<&'a str>)> {
    let mut runs: Vec<&Judged> = RUNS.iter().collect();
    let mut rest = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if *argument != "--only" {
            rest.push(*argument);
            continue;
        }
        let part = arguments.next().ok_or("--only needs a part of a name")?;
        runs.retain(|judged| judged.name().contains(part));
    }
    if runs.is_empty() {
        let known: Vec<String> = RUNS.iter().map(Judged::name).collect();
        return Err(format!(
            "there is no such run; there are {}",
            known.join(", ")
        ));
    }
    Ok((runs, rest))
}

fn judge(chosen: &[&Judged], profile: Profile, log: &Log) -> Result<(Tally, String)> {
    let node = fetch::node()?;
    let binary = profile.build(log)?;
    let legacy = proxy(&binary, Python::Legacy, LEGACY, log)?;
    let dual = proxy(&binary, Python::Newest, DUAL, log)?;
    let modern_only = proxy(&binary, Python::Newest, MODERN_ONLY, log)?;
    // At the same time, because each spends most of its time waiting, and because clients of
    // several revisions at once are what the proxy is for.
    let outcomes: Vec<_> = thread::scope(|scope| {
        let runs: Vec<_> = chosen
            .iter()
            .map(|judged| {
                let url = match judged.child {
                    LEGACY => &legacy.url,
                    MODERN_ONLY => &modern_only.url,
                    _ => &dual.url,
                };
                let node = &node;
                scope.spawn(move || judged.run(node, url))
            })
            .collect();
        let ended = runs.into_iter().map(|run| {
            run.join()
                .unwrap_or_else(|_| Err("a run of the suite panicked".to_owned()))
        });
        ended.collect()
    });
    let mut tally = Tally::default();
    let mut lines = String::new();
    for (judged, outcome) in chosen.iter().zip(outcomes) {
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

/// A proxy with one of the children behind it: a script, and its arguments.
fn proxy(binary: &Path, python: Python, child: &str, log: &Log) -> Result<Proxy> {
    let mut words = child.split_whitespace();
    let script = words.next().unwrap_or_default();
    let mut command = Command::new(binary);
    command
        .args(["--port", "0", "--"])
        .arg(python.bin()?.join("python"))
        .arg(place::root().join("proxy/tests/children").join(script))
        .args(words);
    Proxy::start(&mut command, log)
}

impl Judged {
    fn name(&self) -> String {
        format!("{} ({})", self.revision, self.child)
    }

    /// Runs the suite against `url`, with a log and a folder for its results of its own.
    fn run(&self, node: &Node, url: &str) -> Result<(Tally, String)> {
        let folder: PathBuf = place::target().join("test-logs/conformance").join(format!(
            "{}-{}",
            self.child.replace(' ', ""),
            self.revision
        ));
        let results = folder.join("results");
        if results.exists() {
            std::fs::remove_dir_all(&results)
                .map_err(|err| run::cannot("remove", &results, &err))?;
        }
        let log = Log::start(folder.join("suite.log"))?;
        let mut suite = Command::new(&node.program);
        suite
            .arg(node.script("@modelcontextprotocol/conformance", "dist/index.js"))
            .args(["server", "--url", url, "--requirements", self.revision])
            .args(["--timeout", SCENARIO_MILLIS])
            .arg("--output-dir")
            .arg(&results)
            .current_dir(&folder);
        let ended = run::logged(&mut suite, &log, SUITE_LIMIT)?;
        let scenarios = scenario::read(&log.read()?, &results)?;
        let mut tally = self.count(&scenarios);
        if !ended.success() && tally.failed.is_empty() {
            tally.count(&format!("{}: the suite itself", self.name()), false);
        }
        let mut lines: String = scenarios.iter().map(Scenario::line).collect();
        if !tally.failed.is_empty() {
            lines.push_str(&format!("({} has all of it)\n", results.display()));
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

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: Judged = Judged {
        child: "child.py",
        revision: "2025-11-25",
        scored: 30,
        also: &["server-sse-polling"],
    };

    #[test]
    fn a_suite_that_shrinks_fails() {
        let tally = RUN.count(&scenario::summary(scenario::tests::SAID));
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
        let scenarios = scenario::summary("node: not found");
        assert_eq!(RUN.count(&scenarios).failed.len(), 2);
    }

    #[test]
    fn a_run_is_chosen_by_parts_of_its_name() {
        let words = ["--only", "legacy", "--release", "--only", "2026"];
        let (runs, rest) = chosen(&words).unwrap();
        let names: Vec<String> = runs.iter().map(|judged| judged.name()).collect();
        assert_eq!(names, ["2026-07-28 (legacy.py)"]);
        assert_eq!(rest, ["--release"]);
        assert_eq!(chosen(&[]).unwrap().0.len(), RUNS.len());
        let Err(sentence) = chosen(&["--only", "2024"]) else {
            panic!("something was chosen")
        };
        assert!(sentence.contains("2025-11-25 (modern.py)"), "{sentence}");
    }
}
