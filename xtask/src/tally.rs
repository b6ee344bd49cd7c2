//! What a group of tests came to: so many passed, so many failed, and the names of those.

/// The outcome of a group.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// How many passed.
    pub(crate) passed: usize,
    /// The names of those that failed.
    pub(crate) failed: Vec<String>,
}

impl Tally {
    /// Counts one more.
    pub(crate) fn count(&mut self, name: &str, passed: bool) {
        if passed {
            self.passed += 1;
        } else {
            self.failed.push(name.to_owned());
        }
    }

    /// Adds another group's outcome to this one.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed.extend(other.failed);
    }

    /// `12 passed, 0 failed`: the line by which runs are compared.
    pub(crate) fn line(&self) -> String {
        format!("{} passed, {} failed", self.passed, self.failed.len())
    }

    /// A sentence when anything failed or nothing ran, for tasks that are one group.
    pub(crate) fn verdict(&self) -> crate::run::Result<()> {
        if self.failed.is_empty() && self.passed > 0 {
            Ok(())
        } else {
            Err(format!("failed: {}", self.failed.join(", ")))
        }
    }
}
