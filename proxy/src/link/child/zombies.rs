//! Whether what is left of a process group is dead already and only waits to be collected.
//!
//! An orphan that ended stays a member of its group until its new parent collects it. Some programs that run as
//! process 1 do so late or never, and nobody should wait for that: a zombie holds no pipe, no memory and no lock.

use std::fs;

use rustix::process::Pid;

/// True when every member of the group is a zombie. False when one of them is not, or when this system has no `/proc`
/// to say so. Costs a look at every process of the machine.
pub(super) fn only_zombies(group: Pid) -> bool {
    let Ok(processes) = fs::read_dir("/proc") else {
        return false;
    };
    let group = group.as_raw_nonzero().get();
    let mut found = false;
    for process in processes.flatten() {
        let path = process.path();
        let is_process = process
            .file_name()
            .as_encoded_bytes()
            .first()
            .is_some_and(u8::is_ascii_digit);
        // One that ends while we look is no member any more.
        let Some(member) = is_process
            .then(|| fs::read(path.join("stat")).ok())
            .flatten()
        else {
            continue;
        };
        match read_stat(&member) {
            Some(stat) if stat.group == group && !stat.is_zombie => return false,
            Some(stat) => found |= stat.group == group,
            None => {}
        }
    }
    found
}

#[derive(Debug, PartialEq, Eq)]
struct Stat {
    group: i32,
    is_zombie: bool,
}

/// Reads a line of `/proc/<pid>/stat`, proc_pid_stat(5). The name in parentheses may contain anything, so the last
/// parenthesis counts. A process whose first thread has ended shows as a zombie while others of its threads run.
fn read_stat(line: &[u8]) -> Option<Stat> {
    let name_end = line.iter().rposition(|byte| *byte == b')')?;
    let mut fields = std::str::from_utf8(line.get(name_end + 1..)?)
        .ok()?
        .split_ascii_whitespace();
    let state = fields.next()?;
    let group = fields.nth(1)?.parse().ok()?;
    let threads: u32 = fields.nth(14)?.parse().ok()?;
    Some(Stat {
        group,
        is_zombie: matches!(state, "Z" | "X") && threads <= 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<(i32, bool)>) {
        let expected = expected.map(|(group, is_zombie)| Stat { group, is_zombie });
        assert_eq!(read_stat(line.as_bytes()), expected);
    }

    #[test]
    fn lines_of_the_kernel_are_read() {
        let rest = "77 5 0 -1 4194560 0 0 0 0 0 0 0 0 20 0";
        check(
            &format!("41 (sleep) S 1 {rest} 1 0 123 0"),
            Some((77, false)),
        );
        check(
            &format!("41 (sleep) Z 1 {rest} 1 0 123 0"),
            Some((77, true)),
        );
        check(
            &format!("41 (node) Z 1 {rest} 3 0 123 0"),
            Some((77, false)),
        );
        check(
            &format!("41 (a) Z 9 (b) R 1 {rest} 1 0 123 0"),
            Some((77, false)),
        );
        check("41 (sleep) S 1", None);
        check("", None);
    }

    #[test]
    fn our_own_group_is_alive() {
        assert!(!only_zombies(rustix::process::getpgrp()));
    }
}
