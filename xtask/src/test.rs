//! The one test command: groups of tests, a line for each as it ends, and a total.
//!
//! Details go to `target/test-logs/GROUP.log`; the end of the log of a group that failed is
//! shown.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::place;
use crate::run::{self, Log, Result};
use crate::tally::Tally;
use crate::toolchain::NEXTEST;
use crate::{clients, conformance};

/// A clean build of the whole workspace and its tests, on a small machine.
const BUILD_LIMIT: Duration = Duration::from_secs(1800);

/// `cargo nextest --version` answers at once.
const ASK_LIMIT: Duration = Duration::from_secs(60);

/// How much of a failed group's log is shown.
const TAIL_LINES: usize = 60;

struct Group {
    name: &'static str,
    run: fn(&Log) -> Result<Tally>,
    /// Whether a group in which nothing ran is a failure. Only examples in the documentation
    /// may come and go.
    must_run: bool,
}

const GROUPS: [Group; 6] = [
    Group {
        name: "unit+property",
        run: |log| nextest(&["--workspace"], "kind(lib) + kind(bin)", log),
        must_run: true,
    },
    Group {
        name: "integration",
        run: |log| nextest(&["--workspace"], "kind(test)", log),
        must_run: true,
    },
    Group {
        name: "otlp",
        run: |log| nextest(&OTLP, "test(/otlp|spans/)", log),
        must_run: true,
    },
    Group {
        name: "doc",
        run: doc,
        must_run: false,
    },
    Group {
        name: "conformance",
        run: conformance::group,
        must_run: true,
    },
    Group {
        name: "clients",
        run: clients::group,
        must_run: true,
    },
];

/// The feature that is off by default, and has tests of its own.
const OTLP: [&str; 4] = ["--package", "mcp-proxy", "--features", "otlp"];

/// Runs the named groups, or all.
///
/// # Errors
/// When a test failed or nothing ran.
pub(crate) fn run(names: &[&str]) -> Result<()> {
    if let Some(unknown) = names
        .iter()
        .find(|name| !GROUPS.iter().any(|group| group.name == **name))
    {
        let known = GROUPS.map(|group| group.name).join(", ");
        return Err(format!("there is no group {unknown}; there are {known}"));
    }
    let mut total = Tally::default();
    for group in &GROUPS {
        if names.is_empty() || names.contains(&group.name) {
            total.add(one(group)?);
        }
    }
    let failed = !total.failed.is_empty();
    for name in &total.failed {
        println!("failed: {name}");
    }
    println!("{}", total.line());
    if failed {
        Err("some tests failed".to_owned())
    } else {
        Ok(())
    }
}

/// Runs a group. Whatever keeps it from running counts as one failure of its name, so that
/// the groups after it still run.
fn one(group: &Group) -> Result<Tally> {
    let log = Log::start(
        place::target()
            .join("test-logs")
            .join(format!("{}.log", group.name)),
    )?;
    let started = SystemTime::now();
    let outcome = (group.run)(&log).and_then(|tally| {
        if group.must_run && tally.passed == 0 && tally.failed.is_empty() {
            return Err("no test ran".to_owned());
        }
        Ok(tally)
    });
    let took = started.elapsed().unwrap_or_default().as_secs_f64();
    let tally = outcome.or_else(|sentence| {
        log.line(&sentence)?;
        Ok::<_, String>(Tally {
            passed: 0,
            failed: vec![format!("{}: {sentence}", group.name)],
        })
    })?;
    println!("{:<14} {} in {took:.1} s", group.name, tally.line());
    if !tally.failed.is_empty() {
        println!("{}", run::tail(&log.read()?, TAIL_LINES));
        println!("({} has all of it)", log.path().display());
    }
    Ok(tally)
}

/// Tests that nextest runs, by the kind of program they are in.
fn nextest(of: &[&str], filter: &str, log: &Log) -> Result<Tally> {
    // The integration tests start the toy, which nothing else builds.
    let mut toy = cargo(&["build"]);
    toy.args(["--package", "mcp-toy"]);
    if !run::logged(&mut toy, log, BUILD_LIMIT)?.success() {
        return Err("the toy does not build".to_owned());
    }
    let mut nextest = build_here(Command::new(nextest_program()?), &["nextest", "run"]);
    nextest.args(of).args(["--no-fail-fast", "--color=never"]);
    nextest.args(["--filterset", filter]);
    let status = run::logged(&mut nextest, log, BUILD_LIMIT)?;
    let tally = counted(&log.read()?);
    if !status.success() && tally.failed.is_empty() {
        return Err(format!("cargo nextest run failed ({status})"));
    }
    Ok(tally)
}

/// Examples in the documentation.
fn doc(log: &Log) -> Result<Tally> {
    let mut test = cargo(&["test"]);
    let status = run::logged(test.args(["--workspace", "--doc"]), log, BUILD_LIMIT)?;
    let mut tally = Tally::default();
    for line in log
        .read()?
        .lines()
        .filter_map(|line| line.strip_prefix("test "))
    {
        match line.rsplit_once(" ... ") {
            Some((name, "ok")) => tally.count(name, true),
            Some((name, "FAILED")) => tally.count(name, false),
            _ => {}
        }
    }
    if !status.success() && tally.failed.is_empty() {
        return Err(format!("cargo test --doc failed ({status})"));
    }
    Ok(tally)
}

/// `cargo` where it has nextest already, otherwise a `cargo-nextest` built for this project.
fn nextest_program() -> Result<PathBuf> {
    let asked = run::read(
        Command::new("cargo").args(["nextest", "--version"]),
        ASK_LIMIT,
    );
    match asked {
        Ok(_) => Ok("cargo".into()),
        Err(_) => NEXTEST.program(),
    }
}

fn cargo(verbs: &[&str]) -> Command {
    build_here(Command::new("cargo"), verbs)
}

fn build_here(mut command: Command, verbs: &[&str]) -> Command {
    command
        .args(verbs)
        .arg("--locked")
        .arg("--target-dir")
        .arg(place::target());
    command.current_dir(place::root());
    command
}

/// Reads the end of nextest's output: `Summary [1.2s] 9 tests run: 7 passed (1 slow), 1 failed,
/// 1 timed out, 3 skipped`, then a line for each test that did not pass.
fn counted(said: &str) -> Tally {
    let Some((_, end)) = said.rsplit_once("Summary [") else {
        return Tally::default();
    };
    let mut lines = end.lines();
    let summary = lines.next().unwrap_or_default();
    let number_before = |words: &str| {
        let (before, _) = summary.split_once(words)?;
        before
            .rsplit(' ')
            .next()?
            .split('/')
            .next()?
            .parse::<usize>()
            .ok()
    };
    let run = number_before(" tests run:")
        .or_else(|| number_before(" test run:"))
        .unwrap_or(0);
    let mut tally = Tally {
        passed: number_before(" passed").unwrap_or(0),
        failed: Vec::new(),
    };
    // `FAIL [   0.012s] (3/9) mcp-wire id::tests::one`, or TIMEOUT, SIGABRT and so on.
    for line in lines.filter_map(|line| line.split_once("s] ")) {
        tally.failed.push(line.1.to_owned());
    }
    while tally.passed + tally.failed.len() < run {
        tally
            .failed
            .push("a test that nextest does not name".to_owned());
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_of_failures_is_counted_and_named() {
        let said = "\
        PASS [   0.004s] (1/4) xtask run::tests::one
------------
     Summary [   0.020s] 4 tests run: 2 passed (1 slow), 1 failed, 1 timed out, 7 skipped
        FAIL [   0.012s] (3/4) mcp-wire id::tests::one
     TIMEOUT [  60.012s] (4/4) mcp-proxy::it link::two
error: test run failed
";
        let tally = counted(said);
        assert_eq!(tally.line(), "2 passed, 2 failed");
        assert_eq!(tally.failed[1], "(4/4) mcp-proxy::it link::two");
    }

    #[test]
    fn an_interrupted_run_counts_only_what_ran() {
        let said = "     Summary [   0.020s] 3/9 tests run: 3 passed, 0 skipped\n";
        assert_eq!(
            counted(said),
            Tally {
                passed: 3,
                failed: Vec::new()
            }
        );
    }

    #[test]
    fn a_single_test_is_a_test() {
        let said = "     Summary [   0.020s] 1 test run: 1 passed, 0 skipped\n";
        assert_eq!(counted(said).passed, 1);
    }

    #[test]
    fn an_unknown_group_is_refused_with_the_known_ones() {
        let sentence = run(&["unit"]).unwrap_err();
        assert!(
            sentence.contains("unit+property, integration"),
            "{sentence}"
        );
    }
}
