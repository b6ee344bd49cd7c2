//! The dead that nobody has collected.
//!
//! A process that ended keeps its number, and its place in its group, until its parent collects it. An orphan's new
//! parent is process 1, or a nearer one that has asked for orphans. Some programs that run as process 1 collect late or
//! never, and nobody should wait for that: a zombie holds no pipe, no memory and no lock. Where this proxy is process 1
//! itself, collecting is its duty.

use std::collections::BTreeSet;

use rustix::process::{Pid, WaitOptions, getpid, waitpid};

use super::stat;

/// True when every member of the group is a zombie. False when one of them is not, or when this system has no `/proc`
/// to say so. Costs a look at every process of the machine.
pub(super) fn only_zombies(group: Pid) -> bool {
    let Some(everyone) = stat::everyone() else {
        return false;
    };
    let group = group.as_raw_nonzero().get();
    let mut found = false;
    for (_, member) in everyone.filter(|(_, stat)| stat.group == group) {
        if !member.is_zombie {
            return false;
        }
        found = true;
    }
    found
}

/// Collects orphans, as process 1 has to: processes that servers left behind, and whatever else lost its parent.
///
/// The process has children of its own, whose ends are waited for elsewhere and would be lost if they were collected
/// here. Those are collected within moments of their end; so who is found dead twice, a sweep apart, is an orphan.
#[derive(Debug)]
pub struct Orphans {
    dead: BTreeSet<i32>,
}

impl Orphans {
    /// The duty of process 1; `None` for every other process.
    #[must_use]
    pub fn of_this_process() -> Option<Self> {
        getpid().is_init().then(|| Self {
            dead: BTreeSet::new(),
        })
    }

    /// Collects those that were dead at the last call already. To be called about once a second; costs a look at every
    /// process of the container.
    pub fn sweep(&mut self) {
        let own = getpid().as_raw_nonzero().get();
        let dead: BTreeSet<i32> = stat::everyone()
            .into_iter()
            .flatten()
            .filter(|(_, stat)| stat.parent == own && stat.is_zombie)
            .map(|(pid, _)| pid)
            .collect();
        for pid in dead.intersection(&self.dead) {
            // Somebody else may have collected it between the look and now, which is as well.
            let _collected = Pid::from_raw(*pid).map(|pid| waitpid(Some(pid), WaitOptions::NOHANG));
        }
        self.dead = dead;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_group_is_alive() {
        assert!(!only_zombies(rustix::process::getpgrp()));
    }

    #[test]
    fn orphans_are_the_duty_of_process_1_alone() {
        assert!(Orphans::of_this_process().is_none());
    }
}
