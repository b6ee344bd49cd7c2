//! What is wrong with the configuration, all of it at once.
//!
//! A person who repairs one fault only to meet the next is badly served, so reading goes on after
//! the first and hands back the whole list. Each sentence names the flag or variable that repairs it.

use std::fmt;

use super::meaning::Log;
use crate::launch::install::Order;

/// Why there is no configuration to run with.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// The person asked for packages to be installed (`mcp-proxy install`), and no server.
    Errand(Box<Errand>),
    /// The person asked for this text (`--help`, `--print-config`, a verb) and has no fault.
    Told(String),
    /// What was typed or set cannot be followed.
    Faults(Faults),
}

/// Something to be done instead of serving.
#[derive(Debug, PartialEq, Eq)]
pub struct Errand {
    /// What to install.
    pub order: Order,
    /// What is written to standard error.
    pub log: Log,
    /// What a person should know and nothing depends on.
    pub warnings: Vec<String>,
}

/// At least one fault, in the order they were found.
#[derive(Debug, PartialEq, Eq)]
pub struct Faults(Vec<String>);

impl Faults {
    /// The sentences, one a fault, without a final dot.
    #[must_use]
    pub fn sentences(&self) -> &[String] {
        &self.0
    }
}

/// Shown as a list of sentences under one heading, ready for standard error.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("mcp-proxy cannot start:\n")?;
        for sentence in &self.0 {
            writeln!(f, "  - {sentence}")?;
        }
        f.write_str("`mcp-proxy --help` lists every flag and variable.")
    }
}

impl std::error::Error for Faults {}

/// Where reading leaves what it finds on its way.
#[derive(Default)]
pub(super) struct Notes {
    faults: Vec<String>,
    /// Sentences that stop nothing.
    warnings: Vec<String>,
}

impl Notes {
    pub(super) fn fault(&mut self, sentence: impl Into<String>) {
        self.faults.push(sentence.into());
    }

    pub(super) fn warn(&mut self, sentence: impl Into<String>) {
        self.warnings.push(sentence.into());
    }

    /// How many faults there are so far.
    pub(super) fn count(&self) -> usize {
        self.faults.len()
    }

    /// Notes the fault of a failed step; `None` then stands for the value that is missing.
    pub(super) fn keep<T, E: fmt::Display>(&mut self, step: Result<T, E>) -> Option<T> {
        step.map_err(|fault| self.fault(fault.to_string())).ok()
    }

    /// The warnings when nothing is wrong, else the faults.
    pub(super) fn settle(self) -> Result<Vec<String>, Stop> {
        if self.faults.is_empty() {
            Ok(self.warnings)
        } else {
            Err(Stop::Faults(Faults(self.faults)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_a_list_for_people() {
        let mut notes = Notes::default();
        notes.warn("a warning is not a fault");
        notes.fault("--port is wrong");
        notes.fault("MCP_ARGS is wrong");
        let Err(Stop::Faults(faults)) = notes.settle() else {
            panic!("there were faults");
        };
        assert_eq!(
            faults.to_string(),
            "mcp-proxy cannot start:\n  - --port is wrong\n  - MCP_ARGS is wrong\n\
             `mcp-proxy --help` lists every flag and variable."
        );
    }
}
