//! The verbs: `help`, `man`, `completions`. Each prints a text about the flags and starts nothing.
//! `install` does something, and is read by its own file.
//!
//! They are verbs as the first word only (rule 12). Anywhere else, and after `--`, the same word is
//! the name of a server's program.

use clap_complete::Shell;

use super::faults::{Notes, Stop};

/// The program's own name, as shells and manual pages know it.
const NAME: &str = "mcp-proxy";

/// The verb that installs packages.
pub(super) const INSTALL: &str = "install";

/// The text a verb asks for, or what is wrong with it; `None` when the first word is no verb.
pub(super) fn told(flags: &clap::Command, words: &[String]) -> Option<Stop> {
    let (verb, rest) = words.split_first()?;
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    let text = match (verb.as_str(), rest.as_slice()) {
        ("help", _) => Ok(flags.clone().render_help().to_string()),
        ("man", []) => man(flags),
        ("man", _) => Err("man takes nothing after it; for a server of that name, put -- before it".into()),
        ("completions", ["bash"]) => completions(flags, Shell::Bash),
        ("completions", ["zsh"]) => completions(flags, Shell::Zsh),
        ("completions", ["fish"]) => completions(flags, Shell::Fish),
        ("completions", _) => Err("completions takes one word, the shell: bash, zsh or fish; for a server of that name, put -- before it".into()),
        _ => return None,
    };
    match text {
        Ok(text) => Some(Stop::Told(text)),
        Err(fault) => {
            let mut notes = Notes::default();
            notes.fault(fault);
            notes.settle().err()
        }
    }
}

/// The flags with nothing hidden among them: a flag that is there only to be refused is not offered.
fn offered(flags: &clap::Command) -> clap::Command {
    let seen = flags.get_arguments().filter(|arg| !arg.is_hide_set());
    clap::Command::new(NAME)
        .version(env!("CARGO_PKG_VERSION"))
        .about(flags.get_about().cloned().unwrap_or_default())
        .override_usage("mcp-proxy [FLAGS] [--] COMMAND [ARGS]...")
        .after_help(flags.get_after_help().cloned().unwrap_or_default())
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args(seen.cloned())
}

fn man(flags: &clap::Command) -> Result<String, String> {
    let mut page = Vec::new();
    clap_mangen::Man::new(offered(flags))
        .render(&mut page)
        .map_err(|error| format!("man: the page could not be written: {error}"))?;
    String::from_utf8(page).map_err(|error| format!("man: the page is not UTF-8: {error}"))
}

fn completions(flags: &clap::Command, shell: Shell) -> Result<String, String> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut offered(flags), NAME, &mut script);
    String::from_utf8(script)
        .map_err(|error| format!("completions: the script is not UTF-8: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::cli;

    fn told_by(line: &str) -> Option<Stop> {
        let words: Vec<String> = line.split_whitespace().map(Into::into).collect();
        told(&cli::command(), &words)
    }

    #[test]
    fn verbs_tell_of_every_flag_that_is_offered_and_of_no_other() {
        for (line, first) in [
            ("help", "Offers any stdio MCP server"),
            ("man", ".ie"),
            ("completions bash", "_mcp__proxy()"),
            ("completions zsh", "#compdef mcp-proxy"),
            ("completions fish", "complete -c mcp-proxy"),
        ] {
            let Some(Stop::Told(text)) = told_by(line) else {
                panic!("{line} told nothing");
            };
            assert!(text.starts_with(first), "{line}: {text}");
            // roff escapes dashes and marks fonts, and fish leaves the dashes out.
            let text = text.replace("\\fR", " ").replace('\\', "");
            for arg in cli::command().get_arguments() {
                let flag = arg.get_long().unwrap();
                let bounds = |byte: Option<&u8>| {
                    byte.is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'-')
                };
                let found = text.match_indices(flag).any(|(start, _)| {
                    bounds(text.as_bytes().get(start + flag.len()))
                        && (line == "completions fish" || text[..start].ends_with("--"))
                });
                assert_eq!(found, !arg.is_hide_set(), "--{flag} in {line}");
            }
        }
    }

    #[test]
    fn verbs_are_first_words_and_take_what_they_take() {
        for line in ["", "-- man", "node man", "--eager completions bash", "mann"] {
            assert_eq!(told_by(line), None, "{line}");
        }
        for (line, part) in [
            ("man page", "man takes nothing after it"),
            ("completions", "bash, zsh or fish"),
            ("completions tcsh", "bash, zsh or fish"),
            ("completions bash zsh", "bash, zsh or fish"),
        ] {
            let Some(Stop::Faults(faults)) = told_by(line) else {
                panic!("{line} was accepted");
            };
            assert!(faults.to_string().contains(part), "{line}: {faults}");
        }
    }
}
