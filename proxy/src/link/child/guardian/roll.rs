//! The list of groups to be ended with the proxy, and the lines it is kept by. Pure: no process is looked at here.

use std::collections::BTreeMap;
use std::fmt;

use super::super::stat::Stat;

/// What tells a group from a later one of the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// When its leader started, in clock ticks since the machine did.
    pub(super) started: u64,
    /// The session its leader began in.
    pub(super) session: i32,
}

/// One line from the proxy to its guardian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// A group began.
    Began(i32, Mark),
    /// A group has no member any more.
    Ended(i32),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Began(group, mark) => writeln!(f, "+{group} {} {}", mark.started, mark.session),
            Self::Ended(group) => writeln!(f, "-{group}"),
        }
    }
}

impl Note {
    /// Reads a line, without its end.
    pub(super) fn read(line: &str) -> Option<Self> {
        if let Some(group) = line.strip_prefix('-') {
            return Some(Self::Ended(real_group(group)?));
        }
        let mut words = line.strip_prefix('+')?.split(' ');
        let group = real_group(words.next()?)?;
        let started = words.next()?.parse().ok()?;
        let session = words.next()?.parse().ok()?;
        Some(Self::Began(group, Mark { started, session }))
    }
}

/// Group 1 would be everybody to `kill`, and 0 our own group.
fn real_group(word: &str) -> Option<i32> {
    word.parse().ok().filter(|group| *group > 1)
}

/// The groups that began and did not end.
#[derive(Debug, Default)]
pub(super) struct Roll(BTreeMap<i32, Mark>);

impl Roll {
    /// Writes a note down.
    pub(super) fn note(&mut self, note: Note) {
        match note {
            Note::Began(group, mark) => {
                self.0.insert(group, mark);
            }
            Note::Ended(group) => {
                self.0.remove(&group);
            }
        }
    }

    /// Whether no group is left.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many groups are left.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The notes that tell this list to somebody who knows nothing.
    pub(super) fn notes(&self) -> impl Iterator<Item = Note> {
        self.0
            .iter()
            .map(|(group, mark)| Note::Began(*group, *mark))
    }

    /// The groups of the list that have a living member, given all processes there are.
    ///
    /// A number is not given away while its group has a member, so a process of that number that started at another
    /// time means that the group is gone. Where the leader has been collected, whoever is in the group vouches for it,
    /// if it is of the leader's session and not older.
    pub(super) fn standing(&self, everyone: &[(i32, Stat)]) -> Vec<i32> {
        let stands = |group: i32, mark: &Mark| {
            let leader = everyone.iter().find(|(pid, _)| *pid == group);
            if leader.is_some_and(|(_, stat)| stat.started != mark.started) {
                return false;
            }
            everyone.iter().any(|(_, stat)| {
                stat.group == group
                    && !stat.is_zombie
                    && stat.session == mark.session
                    && stat.started >= mark.started
            })
        };
        self.0
            .iter()
            .filter(|(group, mark)| stands(**group, mark))
            .map(|(group, _)| *group)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: Mark = Mark {
        started: 500,
        session: 7,
    };

    fn process(group: i32, started: u64, session: i32) -> Stat {
        Stat {
            parent: 1,
            group,
            session,
            is_zombie: false,
            started,
            resident_pages: 1,
        }
    }

    #[track_caller]
    fn check(everyone: &[(i32, Stat)], stands: bool) {
        let mut roll = Roll::default();
        roll.note(Note::Began(40, MARK));
        let standing = roll.standing(everyone);
        assert_eq!(standing, if stands { vec![40] } else { vec![] });
    }

    #[test]
    fn notes_survive_the_pipe() {
        for note in [Note::Began(40, MARK), Note::Ended(40)] {
            let line = note.to_string();
            assert_eq!(Note::read(line.strip_suffix('\n').unwrap()), Some(note));
        }
    }

    #[test]
    fn no_line_makes_it_signal_everybody() {
        for line in [
            "", "+", "-", "+40", "+40 1", "+0 1 1", "+1 1 1", "-1", "-0", "+-40 1 1", "40 1 1",
            "+40 x 1",
        ] {
            assert_eq!(Note::read(line), None, "{line:?}");
        }
    }

    #[test]
    fn what_ended_is_forgotten() {
        let mut roll = Roll::default();
        roll.note(Note::Began(40, MARK));
        roll.note(Note::Began(41, MARK));
        roll.note(Note::Ended(40));
        roll.note(Note::Ended(99));
        assert_eq!(roll.notes().collect::<Vec<_>>(), [Note::Began(41, MARK)]);
        roll.note(Note::Ended(41));
        assert!(roll.is_empty());
    }

    #[test]
    fn a_group_stands_while_its_leader_or_what_it_left_behind_does() {
        check(&[(40, process(40, 500, 7))], true);
        check(&[(44, process(40, 501, 7))], true);
        let dead = Stat {
            is_zombie: true,
            ..process(40, 500, 7)
        };
        check(&[(40, dead)], false);
        check(&[(40, dead), (41, process(40, 600, 7))], true);
        check(&[], false);
    }

    #[test]
    fn a_number_that_passed_to_somebody_else_is_left_alone() {
        check(&[(40, process(40, 900, 7))], false);
        check(&[(40, process(39, 900, 7))], false);
        // A leader of that number came and went; what it left is of another session, or older than ours ever was.
        check(&[(44, process(40, 901, 8))], false);
        check(&[(44, process(40, 499, 7))], false);
        check(&[(44, process(44, 901, 7))], false);
    }
}
