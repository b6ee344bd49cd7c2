//! One setting at a time: the flag if it was typed, else its variable, else the default.
//!
//! Whatever is wrong with a value is noted with the name of the place it came from, and the default
//! stands in, so that reading goes on to the next fault.

use std::time::Duration;

use super::cli;
use super::env::Strings;
use super::family::Translated;
use super::faults::Notes;
use super::{duration, size};

/// A value and where it came from.
pub(super) struct Picked {
    pub(super) text: String,
    /// `--port` or `MCP_PROXY_PORT`: what a person has to change.
    pub(super) source: String,
}

/// Picks settings, and notes what is wrong with them.
pub(super) struct Picker<'a> {
    pub(super) env: &'a dyn Strings,
    pub(super) notes: Notes,
    /// What was typed in the words of another program.
    pub(super) translated: Translated,
}

impl Picker<'_> {
    /// A variable that is set to something. An empty one counts as not set: compose files and
    /// manifests write `X=` for "nothing".
    pub(super) fn variable(&self, name: &str) -> Option<Picked> {
        let text = self.env.get(name).filter(|text| !text.is_empty())?;
        Some(Picked {
            text,
            source: name.into(),
        })
    }

    /// A setting with one value.
    pub(super) fn text(&self, flag: &str, typed: Option<&String>) -> Option<Picked> {
        match typed {
            Some(text) => Some(Picked {
                text: text.clone(),
                source: self.translated.spelling(flag),
            }),
            None => self.variable(&cli::variable(flag)),
        }
    }

    /// A setting with several values, each of which may be a comma list.
    pub(super) fn list(&self, flag: &str, typed: &[String]) -> Vec<Picked> {
        let (texts, source) = if typed.is_empty() {
            let variable = self.variable(&cli::variable(flag));
            (
                variable.iter().map(|picked| picked.text.clone()).collect(),
                cli::variable(flag),
            )
        } else {
            (typed.to_vec(), self.translated.spelling(flag))
        };
        let parts = texts.iter().flat_map(|text| text.split(','));
        let texts = parts.map(str::trim).filter(|text| !text.is_empty());
        texts
            .map(|text| Picked {
                text: text.into(),
                source: source.clone(),
            })
            .collect()
    }

    /// A switch. Typing it turns it on; its variable can say either, and so can other programs'
    /// flags (`--no-debug`).
    pub(super) fn switch(&mut self, flag: &str, typed: bool) -> bool {
        if typed {
            return true;
        }
        if self.translated.turned_off(flag).is_some() {
            return false;
        }
        let Some(picked) = self.variable(&cli::variable(flag)) else {
            return false;
        };
        match picked.text.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => true,
            "0" | "false" | "no" | "off" => false,
            _ => {
                self.wrong(&picked, "neither true nor false");
                false
            }
        }
    }

    /// One of a few words, in any case.
    pub(super) fn choice<T: Copy>(
        &mut self,
        flag: &str,
        typed: Option<&String>,
        default: T,
        choices: &[(&str, T)],
    ) -> T {
        let Some(picked) = self.text(flag, typed) else {
            return default;
        };
        let chosen = choices
            .iter()
            .find(|(word, _)| picked.text.eq_ignore_ascii_case(word));
        if let Some((_, meaning)) = chosen {
            return *meaning;
        }
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        self.wrong(&picked, &format!("not one of {}", words.join(", ")));
        default
    }

    /// A duration of at least `least`.
    pub(super) fn duration(
        &mut self,
        flag: &str,
        typed: Option<&String>,
        default: Duration,
        least: Duration,
    ) -> Duration {
        self.bounded(flag, typed, default, least, duration::parse, |least| {
            format!("{least:?}")
        })
    }

    /// A size in bytes of at least `least`.
    pub(super) fn size(
        &mut self,
        flag: &str,
        typed: Option<&String>,
        default: usize,
        least: usize,
    ) -> usize {
        self.bounded(flag, typed, default, least, size::parse, |least| {
            format!("{least} bytes")
        })
    }

    /// A whole number of at least one.
    pub(super) fn count(&mut self, flag: &str, typed: Option<&String>, default: usize) -> usize {
        let parse = |text: &str| text.trim().parse().map_err(|_| "not a whole number".into());
        self.bounded(flag, typed, default, 1, parse, |least: &usize| {
            least.to_string()
        })
    }

    /// Notes what is wrong with a value: `--port: "http" is not a port`.
    pub(super) fn wrong(&mut self, picked: &Picked, fragment: &str) {
        self.notes.fault(format!(
            "{}: {:?} is {fragment}",
            picked.source, picked.text
        ));
    }

    fn bounded<T: PartialOrd>(
        &mut self,
        flag: &str,
        typed: Option<&String>,
        default: T,
        least: T,
        parse: impl Fn(&str) -> Result<T, String>,
        show: impl Fn(&T) -> String,
    ) -> T {
        let Some(picked) = self.text(flag, typed) else {
            return default;
        };
        match parse(&picked.text) {
            Ok(value) if value < least => {
                self.wrong(&picked, &format!("less than {}", show(&least)));
                default
            }
            Ok(value) => value,
            Err(fragment) => {
                self.wrong(&picked, &fragment);
                default
            }
        }
    }
}
