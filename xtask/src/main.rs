//! Project tasks: what a person types here is what the build server runs.
//!
//! `cargo xtask` alone lists the verbs. Everything that a verb fetches or builds
//! stays under the target folder, so a clone needs nothing but the toolchain,
//! Node.js with npm, and Python.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a person reads what a task prints; no protocol is spoken here"
)]

mod absences;
mod bench;
mod clients;
mod conformance;
mod fetch;
mod fuzz;
mod lint;
mod mixed;
mod place;
mod provide;
mod proxy;
mod run;
mod small;
mod tally;
mod test;
mod toolchain;

use std::process::ExitCode;

const HELP: &str = "\
Usage: cargo xtask VERB

  lint                          formatting, clippy, licences, documentation, absences
  test [GROUP...]               every test, or the named groups
  conformance [--release]       the official suite, both revisions, against the proxy and our children;
              [--only PART]     of its runs, those whose names have this part, as legacy or 2026
  clients [--release]           the official clients through the proxy to real servers
  mixed [--seconds N]           clients of every era at the same time, for a minute
  small [--release]             three sessions and a stateless client in 256 MiB, without an OOM
  bench [--quick] [--report]    what a call costs, beside the thinnest bridge; --report only prints
  bench wire                    the benchmarks of the byte path
  bench warm                    starting an installed package, beside npx -y
  bench parked                  the memory of eight calls that wait for a person
  fuzz [TARGET] [--seconds N]   fuzz targets on the nightly toolchain (60 seconds each)
  fetch                         what the tests need, ahead of time

Groups: unit+property, integration, doc, conformance, clients.
Details of each group are in target/test-logs.
";

/// The exit code of a command line that names no task, as in BSD's sysexits.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        [] | ["help" | "--help" | "-h", ..] => {
            print!("{HELP}");
            Ok(())
        }
        ["lint"] => lint::run(),
        ["test", groups @ ..] => test::run(groups),
        ["conformance", rest @ ..] => conformance::show(rest),
        ["clients", rest @ ..] => proxy::Profile::read(rest).and_then(clients::show),
        ["mixed", rest @ ..] => mixed::show(rest),
        ["small", rest @ ..] => small::show(rest),
        ["bench", rest @ ..] => bench::run(rest),
        ["fuzz", rest @ ..] => fuzz::run(rest),
        ["fetch"] => fetch::everything(),
        _ => {
            eprint!(
                "cargo xtask {}: no such task\n\n{HELP}",
                arguments.join(" ")
            );
            return ExitCode::from(USAGE);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}
