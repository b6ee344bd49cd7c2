//! What a call costs: the proxy beside the HTTP floor and the thinnest possible bridge.
//!
//! Machines differ and change by the minute, so nothing is compared across runs. Everything is
//! measured in turns, A B C, then C B A, and a ratio is one of two neighbours in a round. The
//! bars are ratios too, but for the one in bytes.

mod figures;
mod parked;
mod subject;

use std::process::Command;

use self::figures::{Seen, table};
use self::subject::{Case, Subject};
use crate::place;
use crate::proxy::Profile;
use crate::run::{self, Log, Result};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// How many clients call at once where calls are small.
const MANY: usize = 16;

/// A small answer: what costs is the call and not its bytes.
const SMALL: usize = 16;

/// Progress notifications within one call, where those are measured.
const STEPS: usize = 100;

/// The most CPU time a small call may take, in those of the thinnest bridge.
const MAX_OVER_PIPE: f64 = 2.0;

/// The most CPU time a small call may take that is translated between eras, in those of one that
/// is not.
const MAX_TRANSLATED: f64 = 1.5;

/// The most CPU time an answer of 8 MiB may take, in those of one of 1 MiB. Eight would be
/// exactly linear.
const MAX_GROWTH: f64 = 10.0;

/// The most memory the proxy may have had at once when it passed answers of 8 MiB, one in flight.
const MAX_PEAK_MIB: f64 = 60.0;

/// What was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Asked {
    quick: bool,
    report: bool,
}

impl Asked {
    fn read(arguments: &[&str]) -> Result<Self> {
        let mut asked = Self::default();
        for argument in arguments {
            match *argument {
                "--quick" => asked.quick = true,
                "--report" => asked.report = true,
                other => {
                    return Err(format!(
                        "bench takes --quick, --report, or the word wire alone, not {other}"
                    ));
                }
            }
        }
        Ok(asked)
    }

    /// Rounds, and the seconds that a case of small or of large answers takes in each.
    fn effort(self) -> (usize, u64, u64) {
        if self.quick { (5, 2, 1) } else { (11, 4, 2) }
    }
}

/// Measures and judges; with `wire` alone, runs the benchmarks of that crate.
///
/// # Errors
/// When something cannot be measured, or misses a bar and `--report` was not asked for.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    if arguments == ["wire"] {
        return run::show(cargo().args(["bench", "--locked", "--package", "mcp-wire"]));
    }
    if arguments == ["warm"] {
        let log = Log::start(place::target().join("test-logs/warm.log"))?;
        let proxy = Profile::Release.build(&log)?;
        let script = place::root().join("bench/warm.py");
        return run::show(Command::new("python3").arg(script).arg(proxy));
    }
    if arguments == ["parked"] {
        return parked::run();
    }
    let asked = Asked::read(arguments)?;
    run::show(cargo().args([
        "build",
        "--locked",
        "--release",
        "--package",
        "mcp-proxy",
        "--package",
        "mcp-bench",
    ]))?;
    let log = Log::start(place::target().join("test-logs/bench.log"))?;
    let seen = measure(asked, &log)?;
    println!("{}", table(&seen));
    let missed = judge(&seen);
    if missed == 0 || asked.report {
        Ok(())
    } else {
        Err(format!("{missed} missed"))
    }
}

fn cargo() -> Command {
    let mut command = Command::new("cargo");
    command
        .current_dir(place::root())
        .env("CARGO_TARGET_DIR", place::target());
    command
}

const FLOOR: Case = Case::small("floor", Subject::Floor, 1);
const PIPE: Case = Case::small("pipe", Subject::Pipe, 1);
const ONE_SESSION: Case = Case::small("proxy, one session", Subject::Proxy, 1);
const MANY_SESSIONS: Case = Case::small("proxy, 16 sessions", Subject::Proxy, MANY);
const SHARED: Case = Case::small("proxy, one shared child", Subject::Shared, MANY);
const MIRRORED: Case = Case::small("stateless, same era", Subject::Modern, 1).stateless();
const TRANSLATED: Case = Case::small("stateless, translated", Subject::Proxy, 1).stateless();
const PROXY_1M: Case = Case::large("proxy, 1 MiB", Subject::Proxy, MIB);
const PROXY_8M: Case = Case::large("proxy, 8 MiB", Subject::Proxy, 8 * MIB);

/// What is measured. A case that others are compared with stands beside them.
const CASES: [Case; 14] = [
    FLOOR,
    PIPE,
    ONE_SESSION,
    MANY_SESSIONS,
    SHARED,
    MIRRORED,
    TRANSLATED,
    Case::large("pipe, 64 KiB", Subject::Pipe, 64 * KIB),
    Case::large("proxy, 64 KiB", Subject::Proxy, 64 * KIB),
    Case::large("pipe, 1 MiB", Subject::Pipe, MIB),
    PROXY_1M,
    Case::large("pipe, 8 MiB", Subject::Pipe, 8 * MIB),
    PROXY_8M,
    Case::large("proxy, 100 progress", Subject::Proxy, SMALL).telling(STEPS),
];

fn measure(asked: Asked, log: &Log) -> Result<Vec<Seen>> {
    let (rounds, small, large) = asked.effort();
    let mut seen: Vec<Seen> = CASES.iter().map(|case| Seen::of(case.name)).collect();
    for round in 0..rounds {
        println!("round {} of {rounds}", round + 1);
        // Whoever comes first finds the machine as the last one left it; so each comes first
        // as often as last.
        let forth: Vec<usize> = (0..CASES.len()).collect();
        let back = forth.iter().rev().copied().collect();
        for index in if round % 2 == 0 { forth } else { back } {
            let case = CASES[index];
            let seconds = if case.in_flight > 1 { small } else { large };
            seen[index].add(case.measure(seconds, log)?);
        }
    }
    Ok(seen)
}

/// Prints how the proxy stands to each bar, and returns how many it missed.
fn judge(seen: &[Seen]) -> usize {
    let of = |case: Case| seen.iter().find(|seen| seen.name == case.name);
    let cpu = |case: Case, beside: Case| Some(of(case)?.ratio(of(beside)?, |figures| figures.cpu));
    let peak = of(PROXY_8M).map(|seen| seen.median(|figures| figures.peak_mib));
    let bars = [
        (
            "CPU per small call, one session, over pipe",
            cpu(ONE_SESSION, PIPE),
            MAX_OVER_PIPE,
        ),
        (
            "CPU per small call, 16 sessions, over pipe",
            cpu(MANY_SESSIONS, PIPE),
            MAX_OVER_PIPE,
        ),
        (
            "CPU per small call, translated, over same era",
            cpu(TRANSLATED, MIRRORED),
            MAX_TRANSLATED,
        ),
        (
            "CPU per 8 MiB answer, over one of 1 MiB",
            cpu(PROXY_8M, PROXY_1M),
            MAX_GROWTH,
        ),
        ("peak MiB with 8 MiB answers", peak, MAX_PEAK_MIB),
    ];
    let mut missed = 0;
    for (what, value, limit) in bars {
        let value = value.unwrap_or(f64::INFINITY);
        let verdict = if value <= limit { "PASS" } else { "FAIL" };
        missed += usize::from(value > limit);
        println!("{verdict}  {what}: {value:.2} (at most {limit})");
    }
    missed
}

#[cfg(test)]
mod tests {
    use super::figures::Figures;
    use super::*;

    /// A run in which every case costs `cpu`, but for those named.
    fn seen(cpu: f64, others: &[(Case, f64)]) -> Vec<Seen> {
        let figures = |case: &Case| Figures {
            cpu: others
                .iter()
                .find(|(other, _)| other.name == case.name)
                .map_or(cpu, |(_, cpu)| *cpu),
            per_second: 1.0,
            p50: 1.0,
            peak_mib: 30.0,
        };
        let one = |case: &Case| {
            let mut seen = Seen::of(case.name);
            seen.add(figures(case));
            seen
        };
        CASES.iter().map(one).collect()
    }

    #[test]
    fn every_bar_is_judged_by_itself() {
        assert_eq!(judge(&seen(10.0, &[])), 0);
        assert_eq!(judge(&seen(10.0, &[(ONE_SESSION, 20.1)])), 1);
        assert_eq!(judge(&seen(10.0, &[(MANY_SESSIONS, 20.1)])), 1);
        assert_eq!(judge(&seen(10.0, &[(TRANSLATED, 15.1)])), 1);
        assert_eq!(judge(&seen(10.0, &[(PROXY_8M, 100.1)])), 1);
        assert_eq!(judge(&seen(10.0, &[(PIPE, 4.9)])), 2);
    }

    #[test]
    fn what_was_not_measured_is_missed() {
        assert_eq!(judge(&[]), 5);
    }

    #[test]
    fn words_are_read_or_refused() {
        let both = Asked {
            quick: true,
            report: true,
        };
        assert_eq!(Asked::read(&["--report", "--quick"]), Ok(both));
        assert_eq!(Asked::read(&[]), Ok(Asked::default()));
        assert!(Asked::read(&["wire", "--quick"]).is_err());
    }
}
