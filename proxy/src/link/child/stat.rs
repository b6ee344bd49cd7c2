//! What the kernel tells of a process in one line, and of all of them.
//!
//! `/proc/PID/stat`, proc_pid_stat(5), may be read by everybody, so it answers for processes that are not ours, too.

use std::fs;

use rustix::process::Pid;

/// One process, as the kernel sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    /// Who started it, or took it in when its parent ended.
    pub(super) parent: i32,
    pub(super) group: i32,
    pub(super) session: i32,
    /// It has ended and waits to be collected.
    pub(super) is_zombie: bool,
    /// When it started, in clock ticks since the machine did. Together with the number this names a process for ever.
    pub(super) started: u64,
    /// What it holds in memory, in pages.
    pub(super) resident_pages: u64,
}

/// The process of this number, if there is one and this system has a `/proc` to say so.
pub(super) fn of(pid: Pid) -> Option<Stat> {
    read(&fs::read(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?)
}

/// Every process there is, by number. `None` when this system has no `/proc`.
pub(super) fn everyone() -> Option<impl Iterator<Item = (i32, Stat)>> {
    let processes = fs::read_dir("/proc").ok()?;
    Some(processes.flatten().filter_map(|process| {
        let pid = process.file_name().to_str()?.parse().ok()?;
        // One that ends while we look is nobody any more.
        let line = fs::read(process.path().join("stat")).ok()?;
        Some((pid, read(&line)?))
    }))
}

/// What each of these process groups holds in memory, in bytes, in their order. Pages that processes share count for each
/// of them. Costs one look at every process of the machine, however many groups are asked for.
pub fn resident(groups: &[u32]) -> Vec<u64> {
    let mut pages = vec![0; groups.len()];
    if groups.is_empty() {
        return pages;
    }
    for (_, process) in everyone().into_iter().flatten() {
        let place = groups
            .iter()
            .position(|group| i32::try_from(*group) == Ok(process.group));
        if let Some(pages) = place.and_then(|place| pages.get_mut(place)) {
            *pages += process.resident_pages;
        }
    }
    let page = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
    pages
        .into_iter()
        .map(|pages: u64| pages.saturating_mul(page))
        .collect()
}

/// Reads the line. The name in parentheses may contain anything, so the last parenthesis counts. A process whose first
/// thread has ended shows as a zombie while others of its threads run.
fn read(line: &[u8]) -> Option<Stat> {
    let name_end = line.iter().rposition(|byte| *byte == b')')?;
    let mut fields = std::str::from_utf8(line.get(name_end + 1..)?)
        .ok()?
        .split_ascii_whitespace();
    // The fields in the manual's numbers: 3 is the state, and each `nth` skips to the one that is named.
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let session = fields.next()?.parse().ok()?;
    let threads: u32 = fields.nth(20 - 7)?.parse().ok()?;
    let started = fields.nth(22 - 21)?.parse().ok()?;
    let resident_pages = fields.nth(24 - 23)?.parse().ok()?;
    Some(Stat {
        parent,
        group,
        session,
        is_zombie: matches!(state, "Z" | "X") && threads <= 1,
        started,
        resident_pages,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<(i32, bool)>) {
        let stat = read(line.as_bytes());
        assert_eq!(stat.map(|stat| (stat.group, stat.is_zombie)), expected);
    }

    #[test]
    fn lines_of_the_kernel_are_read() {
        let rest = "77 5 0 -1 4194560 0 0 0 0 0 0 0 0 20 0";
        check(
            &format!("41 (sleep) S 1 {rest} 1 0 123 4096 9 0"),
            Some((77, false)),
        );
        check(
            &format!("41 (sleep) Z 1 {rest} 1 0 123 0 0 0"),
            Some((77, true)),
        );
        check(
            &format!("41 (node) Z 1 {rest} 3 0 123 0 0 0"),
            Some((77, false)),
        );
        check(
            &format!("41 (a) Z 9 (b) R 1 {rest} 1 0 123 0 0 0"),
            Some((77, false)),
        );
        check("41 (sleep) S 1", None);
        check("", None);
        let line = format!("41 (sleep) S 2 {rest} 1 0 123 4096 9 0");
        let stat = read(line.as_bytes()).unwrap();
        assert_eq!((stat.parent, stat.session), (2, 5));
        assert_eq!((stat.started, stat.resident_pages), (123, 9));
    }

    #[test]
    fn this_very_process_is_found_among_everyone() {
        let own = rustix::process::getpid();
        let stat = of(own).unwrap();
        assert!(!stat.is_zombie && stat.resident_pages > 0);
        assert_eq!(
            stat.group,
            rustix::process::getpgrp().as_raw_nonzero().get()
        );
        let (_, found) = everyone()
            .unwrap()
            .find(|(pid, _)| *pid == own.as_raw_nonzero().get())
            .unwrap();
        assert_eq!(found.started, stat.started);
    }
}
