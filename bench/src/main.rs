//! `mcp-bench`: what the proxy is measured with, and the floors it is measured against.
//!
//! One program with a verb for each part, so that one build has them all:
//!
//! - `echo`: the fastest sensible stdio server, so that what stands before it is measured; of the
//!   session eras, or with `--modern` of 2026-07-28;
//! - `floor`: the same answers over HTTP, in process: what no proxy can beat;
//! - `pipe`: the thinnest possible bridge to an `echo`: what a proxy is compared with;
//! - `load`: clients that call, verify every answer, and print one line of JSON.
//!
//! `cargo xtask bench` starts them in turns and judges. Nothing here is part of the product.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "load prints its measurement, and the servers say where they listen"
)]

mod answer;
mod echo;
mod floor;
mod load;
mod pipe;

use std::io;
use std::process::ExitCode;

use self::answer::Answers;

const HELP: &str = "\
Usage: mcp-bench echo [--modern]
       mcp-bench floor
       mcp-bench pipe
       mcp-bench load URL --pid PID [--sessions N] [--in-flight N] [--size BYTES]
                      [--progress N] [--seconds N] [--stateless 1]
";

/// The exit code of a command line that names no verb, as in BSD's sysexits.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["echo"] => echo::serve(Answers::default()),
        ["echo", "--modern"] => echo::serve(Answers::modern()),
        ["floor"] => serving(floor::serve()),
        ["pipe"] => serving(pipe::serve()),
        ["load", rest @ ..] => match load::Plan::read(rest) {
            Ok(plan) => load::run(&plan).map(|measured| println!("{measured}")),
            Err(sentence) => {
                eprint!("mcp-bench load: {sentence}\n\n{HELP}");
                return ExitCode::from(USAGE);
            }
        },
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(USAGE);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            eprintln!("mcp-bench: {cause}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a server on the runtime that the proxy runs on, so that the runtime's own price is the
/// same on both sides of every ratio.
fn serving(server: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(server)
}

/// Takes any free loopback port and says which, in the words in which the proxy does.
async fn listen() -> io::Result<tokio::net::TcpListener> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    eprintln!("listening on http://{}/mcp", listener.local_addr()?);
    Ok(listener)
}
