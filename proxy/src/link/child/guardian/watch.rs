//! The guardian itself: it reads notes until the pipe ends, ends what is left, and is gone.
//!
//! It runs before any runtime is built, on one thread, and waits in `read`. Its few pages are what a machine pays for
//! never finding a server that nobody stops.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::thread;
use std::time::Duration;

use nix::sys::signal::SigSet;
use rustix::process::{Pid, Signal, kill_process_group};

use super::super::stat::{self, Stat};
use super::roll::{Note, Roll};

/// How long servers get between SIGTERM and SIGKILL. Their clients are gone and their pipes are closed, so this is only
/// for tidying up; an orchestrator that restarts the proxy should not find them.
const TERM_WAIT: Duration = Duration::from_secs(1);

/// How often we look whether they are gone before that.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Enough for a hundred notes; the kernel keeps the rest until they are read.
const BUFFER: usize = 4096;

/// The life of a guardian, from its start to its end. Returns when the proxy has ended and nothing is left of its
/// servers.
///
/// It reads notes from standard input. Whatever ends the proxy ends that pipe, too.
pub fn keep_watch() {
    shut_out_the_world();
    let roll = listen();
    if roll.is_empty() {
        return;
    }
    end(&roll);
}

/// Nothing but the pipe concerns us.
fn shut_out_the_world() {
    // A supervisor that signals everybody, such as systemd at `stop`, means the proxy; we go when it has gone. An
    // error would leave us as mortal as others, which the proxy sees to.
    let _mortal = SigSet::all().thread_block();
    // What `ps` and `top` show. Cosmetic, so a system that refuses may.
    let _nameless = fs::write("/proc/self/comm", "mcp-guardian");
    // Descriptors that the proxy itself inherited, and that its own mark does not cover: holding somebody's pipe open
    // would make them wait for us.
    let open: Vec<i32> = fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|descriptor| *descriptor > 2)
        .collect();
    for descriptor in open {
        // The one that read the folder is among them and closed already.
        let _closed = nix::unistd::close(descriptor);
    }
}

/// Reads notes until the proxy ends.
fn listen() -> Roll {
    let mut roll = Roll::default();
    let mut notes = BufReader::with_capacity(BUFFER, std::io::stdin());
    let mut line = String::new();
    while notes.read_line(&mut line).is_ok_and(|length| length > 0) {
        // Half a note, cut off by the end, has no newline and tells nothing.
        if let Some(note) = line.strip_suffix('\n').and_then(Note::read) {
            roll.note(note);
        }
        line.clear();
    }
    roll
}

/// Ends every group that stands: politely, then not.
fn end(roll: &Roll) {
    signal(roll, Signal::TERM);
    let mut waited = Duration::ZERO;
    while waited < TERM_WAIT && !standing(roll).is_empty() {
        thread::sleep(LOOK_AGAIN);
        waited += LOOK_AGAIN;
    }
    signal(roll, Signal::KILL);
}

fn signal(roll: &Roll, signal: Signal) {
    for group in standing(roll) {
        if let Some(group) = Pid::from_raw(group) {
            // It may have ended since we looked.
            let _gone = kill_process_group(group, signal);
        }
    }
}

fn standing(roll: &Roll) -> Vec<i32> {
    let everyone: Vec<(i32, Stat)> = stat::everyone().into_iter().flatten().collect();
    roll.standing(&everyone)
}
