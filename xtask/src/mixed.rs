//! Clients of every era at the same time on one proxy with the dual-era child behind it: HTTP+SSE,
//! sessions and 2026-07-28, with both lines of both official SDKs.
//!
//! Each client calls and checks until the time is over, and one wrong or missing reply fails the
//! whole. What is looked for is what only happens together: an answer for somebody else, a child
//! of the wrong era, a session that another one's start put out.

use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::fetch::{self, Python};
use crate::place;
use crate::proxy::{Profile, Proxy};
use crate::run::{self, Log, Result};
use crate::tally::Tally;

/// How long a run takes unless told otherwise.
const SECONDS: u64 = 60;

/// How long the one in the group `clients` takes.
pub(crate) const SHORT_SECONDS: u64 = 10;

/// From the end of the calls to the end of a script: one call at most, and closing.
const END_LIMIT: Duration = Duration::from_secs(60);

/// How many kinds of client there are. The number stands here so that a script that runs fewer
/// does not pass more easily.
const KINDS: usize = 7;

/// Runs for a minute, or `--seconds N`, and prints what each kind of client did.
///
/// # Errors
/// When a client saw anything wrong.
pub(crate) fn show(arguments: &[&str]) -> Result<()> {
    let (profile, seconds) = read(arguments)?;
    let log = Log::start(place::target().join("test-logs/mixed.log"))?;
    let binary = profile.build(&log)?;
    let (tally, lines) = judge(binary, seconds, &log)?;
    print!("{lines}");
    println!("{}", tally.line());
    tally.verdict()
}

fn read(arguments: &[&str]) -> Result<(Profile, u64)> {
    match arguments {
        ["--seconds", seconds, rest @ ..] => {
            let seconds = seconds
                .parse()
                .map_err(|_| format!("--seconds {seconds}: not a number"))?;
            Ok((Profile::read(rest)?, seconds))
        }
        rest => Ok((Profile::read(rest)?, SECONDS)),
    }
}

/// Runs the clients for so many seconds; their words go to the log.
///
/// # Errors
/// When anything keeps them from running.
pub(crate) fn judge(binary: PathBuf, seconds: u64, log: &Log) -> Result<(Tally, String)> {
    let node = fetch::node()?;
    let old = Python::Legacy.bin()?.join("python");
    let new = Python::Newest.bin()?.join("python");
    let tests = place::root().join("proxy/tests");
    let mut command = Command::new(binary);
    command
        .args(["--port", "0", "--"])
        .arg(&new)
        .arg(tests.join("children/modern.py"));
    let proxy = Proxy::start(&mut command, log)?;
    let clients = [
        (&old, "mixed.py"),
        (&new, "mixed.py"),
        (&node.program, "mixed.mjs"),
    ];
    let limit = Duration::from_secs(seconds) + END_LIMIT;
    // A log for each, so that their lines do not mix.
    let ended = thread::scope(|scope| {
        let runs = clients.map(|(program, script)| {
            let mut client = Command::new(program);
            client
                .arg(tests.join("clients").join(script))
                .args([proxy.url.clone(), seconds.to_string()])
                // The TypeScript scripts find the SDK here.
                .current_dir(&node.home);
            scope.spawn(move || run::read(&mut client, limit))
        });
        runs.map(|run| {
            run.join()
                .unwrap_or_else(|_| Err("the thread of a client panicked".to_owned()))
        })
    });
    drop(proxy);
    let mut tally = Tally::default();
    let mut lines = String::new();
    for said in ended {
        // The sentence about a script that failed has its last words, checks among them.
        let said = match said {
            Err(sentence) if !sentence.contains("\nnot ok ") => format!("not ok mixed: {sentence}"),
            Ok(said) | Err(said) => said,
        };
        log.line(&said)?;
        for line in said.lines().filter(|line| verdict(line).is_some()) {
            lines.push_str(line);
            lines.push('\n');
        }
    }
    for (name, passed) in lines.lines().filter_map(verdict) {
        tally.count(name, passed);
    }
    let kinds = tally.passed + tally.failed.len();
    if kinds != KINDS {
        tally.count(
            &format!("mixed: {kinds} of {KINDS} kinds of client ran"),
            false,
        );
    }
    Ok((tally, lines))
}

/// `ok NAME: WHAT` or `not ok NAME: WHAT`, as the scripts print.
fn verdict(line: &str) -> Option<(&str, bool)> {
    let (rest, passed) = match line.strip_prefix("ok ") {
        Some(rest) => (rest, true),
        None => (line.strip_prefix("not ok ")?, false),
    };
    // A client that did nothing has shown nothing.
    Some((rest, passed && !rest.contains(" 0 calls")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_called_nothing_has_not_passed() {
        assert_eq!(
            verdict("ok mixed a: 1 connections, 10 calls"),
            Some(("mixed a: 1 connections, 10 calls", true))
        );
        assert!(
            !verdict("ok mixed a: 0 connections, 0 lists, 0 calls")
                .unwrap()
                .1
        );
        assert!(!verdict("not ok mixed a: 3 calls; then it ended").unwrap().1);
        assert_eq!(verdict("  at somewhere"), None);
    }

    #[test]
    fn the_time_can_be_chosen() {
        assert!(matches!(read(&[]), Ok((Profile::Dev, SECONDS))));
        assert!(matches!(
            read(&["--seconds", "5", "--release"]),
            Ok((Profile::Release, 5))
        ));
        assert!(read(&["--seconds", "soon"]).is_err());
    }
}
