//! What a process has used, as the kernel counts it: its own, never its children's.

use std::fs;
use std::io;
use std::time::Duration;

/// A process under measurement.
pub(crate) struct Process {
    folder: String,
}

impl Process {
    /// The process of this id.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        let process = Self {
            folder: format!("/proc/{pid}"),
        };
        process.cpu()?;
        Ok(process)
    }

    /// The time it has run, in user mode and in the kernel, of all its threads.
    ///
    /// # Errors
    /// When it has ended.
    pub(crate) fn cpu(&self) -> io::Result<Duration> {
        let stat = fs::read_to_string(format!("{}/stat", self.folder))?;
        cpu_in(&stat).ok_or_else(|| io::Error::other("/proc/PID/stat is not as proc(5) says"))
    }

    /// The most memory it has had at once, in KiB.
    ///
    /// # Errors
    /// As [`Process::cpu`].
    pub(crate) fn peak_kib(&self) -> io::Result<u64> {
        let status = fs::read_to_string(format!("{}/status", self.folder))?;
        peak_in(&status).ok_or_else(|| io::Error::other("/proc/PID/status has no VmHWM"))
    }
}

/// `utime` and `stime`, the fields 14 and 15 of proc(5). The second field is the program's name,
/// which may hold spaces and parentheses, so counting starts behind its last one. A tick is a
/// hundredth of a second on every architecture that runs this (USER_HZ), so a measurement has to
/// last for a few hundred of them.
fn cpu_in(stat: &str) -> Option<Duration> {
    const TICK_MS: u64 = 10;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * TICK_MS))
}

fn peak_in(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 9 9 20 0 3 0 1 2 3";
        assert_eq!(cpu_in(stat), Some(Duration::from_secs(3)));
    }

    #[test]
    fn the_peak_is_read_from_status() {
        let status = "Name:\tx\nVmPeak:\t  900 kB\nVmHWM:\t    512 kB\nVmRSS:\t 4 kB\n";
        assert_eq!(peak_in(status), Some(512));
    }

    #[test]
    fn our_own_process_has_used_something() {
        let own = Process::of(std::process::id()).unwrap();
        assert!(own.peak_kib().unwrap() > 0);
        assert!(Process::of(u32::MAX).is_err());
    }
}
