//! The toy child: a stdio MCP server of any revision that misbehaves on request.
//!
//! It behaves well until a tool call or a flag says otherwise, so one program serves as the fixture for every test of
//! what a proxy must endure. It takes nothing from the proxy's own crates: a fixture that shared code with what it
//! tests would share its mistakes. Each tool call runs in a thread of its own, and every line leaves in one write.

#![expect(
    clippy::disallowed_types,
    reason = "a synchronous program that depends on std and serde_json alone"
)]

mod era;
mod flags;
mod listen;
mod message;
mod misbehave;
mod modern;
mod notices;
mod rounds;
mod server;
mod tasks;
mod tools;
mod toy;

use std::{
    io::{self, BufRead, Write},
    process::ExitCode,
    thread,
};

use flags::Flags;
use toy::Toy;

fn main() -> ExitCode {
    let flags = match Flags::read() {
        Ok(flags) => flags,
        Err(fault) => {
            // Nobody reads standard error where it cannot be written.
            _ = writeln!(io::stderr(), "mcp-toy: {fault}; see mcp-toy --help");
            return ExitCode::from(2);
        }
    };
    if flags.help {
        _ = io::stdout().write_all(flags::help().as_bytes());
        return ExitCode::SUCCESS;
    }
    if flags.ignore_term && !flags.term_is_ignored {
        return misbehave::restart_ignoring_term();
    }
    let toy = Toy::new(flags);
    misbehave::before_reading(&toy);
    read(&toy);
    misbehave::after_reading(&toy);
    ExitCode::SUCCESS
}

/// Reads lines until the input ends.
fn read(toy: &Toy) {
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        match input.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        toy.saw(&line);
        if !toy.flags.silent {
            server::receive(toy, &line);
        }
        while toy.is_deaf() {
            thread::park();
        }
    }
}
