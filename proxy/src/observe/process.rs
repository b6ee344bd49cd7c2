//! What the system says of processes: memory, processor time, descriptors.
//!
//! Read from `/proc`; where there is none, nothing is known and nothing is shown.

use std::collections::HashMap;
use std::fs;

/// What one process group uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Resident memory in bytes; pages that several share are counted for each.
    pub rss: u64,
    /// Processor time in clock ticks, with that of children that were waited for.
    pub ticks: u64,
}

/// What every process group of this machine uses, by its id.
///
/// A server is often `npx`, a shell and the program itself, so a single process would show the
/// wrong one of the three.
#[must_use]
pub fn groups() -> HashMap<u32, Usage> {
    let mut groups: HashMap<u32, Usage> = HashMap::new();
    let Ok(entries) = fs::read_dir("/proc") else {
        return groups;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_process = name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
        if !is_process {
            continue;
        }
        // Gone between the listing and now: it uses nothing.
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        if let Some((group, usage)) = parse(&stat) {
            let sum = groups.entry(group).or_default();
            sum.rss += usage.rss;
            sum.ticks += usage.ticks;
        }
    }
    groups
}

/// How many clock ticks a second has.
#[must_use]
pub fn ticks_a_second() -> u64 {
    rustix::param::clock_ticks_per_second().max(1)
}

/// Resident memory of this process in bytes, and its open descriptors.
#[must_use]
pub fn this() -> Option<(u64, usize)> {
    let (_, usage) = parse(&fs::read_to_string("/proc/self/stat").ok()?)?;
    // The listing itself is one of them while it is read.
    let open = fs::read_dir("/proc/self/fd")
        .ok()?
        .count()
        .saturating_sub(1);
    Some((usage.rss, open))
}

/// Process group and usage, from a line of `/proc/PID/stat` (proc_pid_stat(5)).
fn parse(stat: &str) -> Option<(u32, Usage)> {
    // The name in parentheses may hold anything, parentheses and spaces included; what follows its
    // last one is numbers, the third of all fields first.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let ticks = (14..=17).map(number).sum::<Option<u64>>()?;
    Some((
        u32::try_from(number(5)?).ok()?,
        Usage {
            rss: number(24)? * rustix::param::page_size() as u64,
            ticks,
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_moves_no_field() {
        let stat = "7 (a) R 1 9 (b) S 1 77 77 0 -1 4194304 1 2 3 4 10 20 30 40 20 0 1 0 5 6 100 7";
        let (group, usage) = parse(stat).unwrap();
        assert_eq!(group, 77);
        assert_eq!(usage.ticks, 100);
        assert_eq!(usage.rss, 100 * rustix::param::page_size() as u64);
        assert_eq!(parse("7 (a) S 1"), None);
    }

    #[test]
    fn this_process_uses_something() {
        let (rss, open) = this().unwrap();
        assert!(
            rss > 100_000 && open >= 3,
            "{rss} bytes, {open} descriptors"
        );
        let own = rustix::process::getpgrp().as_raw_nonzero().get();
        let group = groups()[&u32::try_from(own).unwrap()];
        assert!(group.rss >= rss / 2, "{group:?}");
    }
}
