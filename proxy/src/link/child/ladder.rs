//! The stop ladder, written once, as a function of facts and time.
//!
//! ```text
//!   resting ──stop──▶ input closed ──wait──▶ SIGTERM ──wait──▶ SIGKILL ──wait──▶ finished
//!      └────────── the leader ended ──────────▲ (what is left of its group, with a shorter wait)
//! ```
//!
//! The leader is the process we started; `npx` starts `sh`, which starts `node`, and all of them are its group. A
//! group without its leader serves nobody, so it is ended too, whatever ended the leader. The ladder does nothing
//! itself: the supervisor tells it what it sees and performs the [`Action`] it answers.

use std::time::Duration;

use tokio::time::Instant;

use super::StopLadder;

/// How long what is left of a group gets between SIGTERM and SIGKILL once its leader has ended. Nobody waits for
/// these processes any more, so this is only for their own tidying up.
pub(super) const SWEEP_WAIT: Duration = Duration::from_millis(500);

/// How long we wait for the kernel after SIGKILL. Only a process in uninterruptible sleep, or a zombie whose parent
/// does not collect it, outlasts this; waiting longer would not help either.
pub(super) const KILL_WAIT: Duration = Duration::from_secs(2);

/// Where on the ladder a child stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ladder {
    waits: StopLadder,
    rung: Rung,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rung {
    /// Nobody asked it to stop.
    Resting,
    /// Its input is closed.
    Closed { until: Instant },
    /// The group got SIGTERM. `sweeping` once the leader has ended and only the rest is waited for.
    Asked { until: Instant, sweeping: bool },
    /// The group got SIGKILL.
    Forced { until: Instant },
    /// Nothing more is to be done.
    Finished,
}

/// What the supervisor sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// Somebody wants the child to stop.
    pub(super) stop: bool,
    /// The leader has ended and was collected.
    pub(super) leader_ended: bool,
    /// No process is left in the group.
    pub(super) group_empty: bool,
}

/// What the supervisor is to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Wait: until [`Ladder::deadline`], or until something else is seen.
    Wait,
    /// Close the child's input, after what is queued.
    CloseInput,
    /// SIGTERM to the group.
    Terminate,
    /// SIGKILL to the group.
    Kill,
    /// All is over. `left_behind` when something in the group outlived SIGKILL.
    Finish {
        /// Something in the group is still there.
        left_behind: bool,
    },
}

impl Ladder {
    pub(super) fn new(waits: StopLadder) -> Self {
        Self {
            waits,
            rung: Rung::Resting,
        }
    }

    /// The next action. Called again at once after every action but `Wait` and `Finish`.
    pub(super) fn step(&mut self, now: Instant, seen: Seen) -> Action {
        if seen.leader_ended && seen.group_empty {
            self.rung = Rung::Finished;
            return Action::Finish { left_behind: false };
        }
        match self.rung {
            Rung::Resting | Rung::Closed { .. } if seen.leader_ended => {
                self.rung = Rung::Asked {
                    until: now + SWEEP_WAIT,
                    sweeping: true,
                };
                Action::Terminate
            }
            Rung::Resting if seen.stop => {
                self.rung = Rung::Closed {
                    until: now + self.waits.close_wait,
                };
                Action::CloseInput
            }
            Rung::Closed { until } if now >= until => {
                self.rung = Rung::Asked {
                    until: now + self.waits.term_wait,
                    sweeping: false,
                };
                Action::Terminate
            }
            Rung::Asked {
                until,
                sweeping: false,
            } if seen.leader_ended => {
                // They all got the signal already; what the leader left behind does not get the leader's patience.
                self.rung = Rung::Asked {
                    until: until.min(now + SWEEP_WAIT),
                    sweeping: true,
                };
                Action::Wait
            }
            Rung::Asked { until, .. } if now >= until => {
                self.rung = Rung::Forced {
                    until: now + KILL_WAIT,
                };
                Action::Kill
            }
            Rung::Forced { until } if now >= until => {
                self.rung = Rung::Finished;
                Action::Finish { left_behind: true }
            }
            Rung::Finished => Action::Finish { left_behind: true },
            Rung::Resting | Rung::Closed { .. } | Rung::Asked { .. } | Rung::Forced { .. } => {
                Action::Wait
            }
        }
    }

    /// When time alone changes the answer of [`Ladder::step`].
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.rung {
            Rung::Closed { until } | Rung::Asked { until, .. } | Rung::Forced { until } => {
                Some(until)
            }
            Rung::Resting | Rung::Finished => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNNING: Seen = Seen {
        stop: false,
        leader_ended: false,
        group_empty: false,
    };
    const STOP: Seen = Seen {
        stop: true,
        leader_ended: false,
        group_empty: false,
    };
    const ORPHANS: Seen = Seen {
        stop: true,
        leader_ended: true,
        group_empty: false,
    };
    const GONE: Seen = Seen {
        stop: true,
        leader_ended: true,
        group_empty: true,
    };

    /// Plays what is seen at which millisecond, and compares the actions.
    #[track_caller]
    fn check(script: &[(u64, Seen, Action)]) -> Ladder {
        let start = Instant::now();
        let waits = StopLadder {
            close_wait: Duration::from_millis(2_000),
            term_wait: Duration::from_millis(5_000),
        };
        let mut ladder = Ladder::new(waits);
        for (at, seen, expected) in script {
            let action = ladder.step(start + Duration::from_millis(*at), *seen);
            assert_eq!(action, *expected, "at {at} ms, seeing {seen:?}");
        }
        ladder
    }

    #[test]
    fn a_running_child_is_left_alone() {
        let ladder = check(&[
            (0, RUNNING, Action::Wait),
            (3_600_000, RUNNING, Action::Wait),
        ]);
        assert_eq!(ladder.deadline(), None);
    }

    #[test]
    fn a_polite_child_gets_no_signal() {
        check(&[
            (0, STOP, Action::CloseInput),
            (0, STOP, Action::Wait),
            (30, GONE, Action::Finish { left_behind: false }),
        ]);
    }

    #[test]
    fn each_rung_waits_its_time_and_asking_twice_changes_nothing() {
        check(&[
            (0, STOP, Action::CloseInput),
            (1_999, STOP, Action::Wait),
            (2_000, STOP, Action::Terminate),
            (2_001, STOP, Action::Wait),
            (6_999, STOP, Action::Wait),
            (7_000, STOP, Action::Kill),
            (8_999, STOP, Action::Wait),
            (9_000, STOP, Action::Finish { left_behind: true }),
            (9_001, STOP, Action::Finish { left_behind: true }),
        ]);
    }

    #[test]
    fn a_crash_ends_the_rest_of_the_group() {
        let crashed = Seen {
            stop: false,
            ..ORPHANS
        };
        check(&[
            (0, RUNNING, Action::Wait),
            (10, crashed, Action::Terminate),
            (11, crashed, Action::Wait),
            (510, crashed, Action::Kill),
            (515, GONE, Action::Finish { left_behind: false }),
        ]);
    }

    #[test]
    fn a_leader_that_ends_politely_does_not_leave_orphans() {
        check(&[
            (0, STOP, Action::CloseInput),
            (100, ORPHANS, Action::Terminate),
            (600, ORPHANS, Action::Kill),
            (601, GONE, Action::Finish { left_behind: false }),
        ]);
    }

    #[test]
    fn orphans_do_not_inherit_the_patience_for_their_leader() {
        check(&[
            (0, STOP, Action::CloseInput),
            (2_000, STOP, Action::Terminate),
            (2_100, ORPHANS, Action::Wait),
            (2_599, ORPHANS, Action::Wait),
            (2_600, ORPHANS, Action::Kill),
            (2_610, GONE, Action::Finish { left_behind: false }),
        ]);
    }

    #[test]
    fn a_child_that_never_ran_long_is_finished_at_once() {
        let vanished = Seen {
            stop: false,
            ..GONE
        };
        check(&[(0, vanished, Action::Finish { left_behind: false })]);
    }
}
