//! The command line before clap sees it (rule 12).
//!
//! People type `-e KEY VALUE` and `--allow-origin A B`, leave out the `--`, and expect the server's
//! own flags to be left alone; clap's positional arguments do not give all of that at once. So the
//! line is cut here: flags, each with its values attached (`--port=8080`), and the command, verbatim.

use super::cli::Takes;

/// A command line cut in two.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// Flags, one word each, as clap reads them.
    pub(super) flags: Vec<String>,
    /// The command and its arguments; empty when none was typed.
    pub(super) command: Vec<String>,
    /// Whether `--` stands before the command, so that its first word cannot have been meant as the
    /// value of a misspelt flag.
    pub(super) marked: bool,
}

/// Cuts the words after the program's name. `takes` says what is known of a flag.
pub(super) fn cut(words: Vec<String>, takes: impl Fn(&str) -> Option<Takes>) -> Cut {
    let mut flags = Vec::new();
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next_if(|word| is_flag(word)) {
        if word == "--" {
            return Cut {
                flags,
                command: words.collect(),
                marked: true,
            };
        }
        // A long flag with `=` and a short flag with more letters carry their value with them.
        match takes(&word) {
            Some(Takes::One) => match words.next_if(|value| is_value(value)) {
                Some(value) => flags.push(format!("{word}={value}")),
                None => flags.push(word),
            },
            Some(Takes::Pair) => match words.next_if(|value| is_value(value)) {
                Some(pair) if pair.contains('=') => flags.push(format!("{word}={pair}")),
                Some(key) => match words.next_if(|value| is_value(value)) {
                    Some(value) => flags.push(format!("{word}={key}={value}")),
                    None => flags.push(format!("{word}={key}")),
                },
                None => flags.push(word),
            },
            Some(Takes::Several) => {
                let rest = words.collect::<Vec<_>>();
                let count = values(&rest, &takes);
                if count == 0 {
                    flags.push(word);
                } else {
                    flags.extend(rest[..count].iter().map(|value| format!("{word}={value}")));
                }
                words = rest
                    .into_iter()
                    .skip(count)
                    .collect::<Vec<_>>()
                    .into_iter()
                    .peekable();
            }
            Some(Takes::Nothing) | None => flags.push(word),
        }
    }
    Cut {
        flags,
        command: words.collect(),
        marked: false,
    }
}

/// How many of `rest` are values of a flag that takes several.
///
/// All words up to the next flag are, if that is `--` or a flag of ours. Otherwise the command
/// began among them without a `--`, and only words that can be origins are values.
fn values(rest: &[String], takes: &impl Fn(&str) -> Option<Takes>) -> usize {
    let run = rest.iter().take_while(|word| !is_flag(word)).count();
    let name = rest
        .get(run)
        .map(|flag| flag.split_once('=').map_or(flag.as_str(), |(name, _)| name));
    if name.is_some_and(|name| name == "--" || takes(name).is_some()) {
        return run;
    }
    let like_origin = |word: &&String| word.contains("://") || *word == "*" || *word == "null";
    rest.iter().take_while(like_origin).count().max(run.min(1))
}

/// `-` alone is a word; anything else that begins with a dash is a flag.
fn is_flag(word: &str) -> bool {
    word.len() > 1 && word.starts_with('-')
}

/// A value may begin with one dash (`-e OFFSET -5`). With two it is the next flag, and the value was
/// forgotten: swallowing the flag would hide that.
fn is_value(word: &str) -> bool {
    !word.starts_with("--")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::cli;

    fn check(line: &[&str], flags: &[&str], command: &[&str]) {
        let description = cli::command();
        let words = line.iter().map(|word| (*word).into()).collect();
        let cut = cut(words, |flag| cli::takes(&description, flag));
        assert_eq!(cut.flags, flags, "flags of {line:?}");
        assert_eq!(cut.command, command, "command of {line:?}");
        let before = &line[..line.len() - command.len()];
        assert_eq!(
            cut.marked,
            before.last() == Some(&"--"),
            "marked in {line:?}"
        );
    }

    #[test]
    fn the_first_word_that_is_no_flag_starts_the_command() {
        check(&["-x"], &["-x"], &[]);
        check(
            &["npx", "-y", "p", "--port", "1"],
            &[],
            &["npx", "-y", "p", "--port", "1"],
        );
        check(&["--", "npx", "--", "x"], &[], &["npx", "--", "x"]);
        check(
            &["--port", "80", "node", "-e", "K"],
            &["--port=80"],
            &["node", "-e", "K"],
        );
        check(&["--port=80", "--", "--odd"], &["--port=80"], &["--odd"]);
        check(&["--eager", "-", "x"], &["--eager"], &["-", "x"]);
        check(
            &[
                "--host=::",
                "--port=8080",
                "--pass-environment",
                "--",
                "npx",
                "-y",
                "PKG",
            ],
            &["--host=::", "--port=8080", "--pass-environment"],
            &["npx", "-y", "PKG"],
        );
    }

    #[test]
    fn variables_come_in_one_word_or_two() {
        check(&["-e", "K", "V", "cmd"], &["-e=K=V"], &["cmd"]);
        check(&["-e", "K=V", "cmd"], &["-e=K=V"], &["cmd"]);
        check(&["-eK=V", "cmd"], &["-eK=V"], &["cmd"]);
        check(&["--env=K=V", "cmd"], &["--env=K=V"], &["cmd"]);
        check(&["--env", "K", "a=b", "cmd"], &["--env=K=a=b"], &["cmd"]);
        check(
            &["-e", "K", "-5", "-e", "L", "", "cmd"],
            &["-e=K=-5", "-e=L="],
            &["cmd"],
        );
        // The value is missing; the next flag is not eaten.
        check(
            &["-e", "K", "--port", "1", "cmd"],
            &["-e=K", "--port=1"],
            &["cmd"],
        );
        check(&["-e", "--", "cmd"], &["-e"], &["cmd"]);
        check(&["-e"], &["-e"], &[]);
    }

    #[test]
    fn origins_run_until_the_next_flag() {
        let two = ["--allow-origin=https://a", "--allow-origin=https://b"];
        check(
            &["--allow-origin", "https://a", "https://b", "--", "cmd"],
            &two,
            &["cmd"],
        );
        check(
            &["--allow-origin", "https://a", "https://b", "cmd", "-y"],
            &two,
            &["cmd", "-y"],
        );
        check(
            &["--allow-origin", "https://a", "https://b", "cmd"],
            &two,
            &["cmd"],
        );
        check(
            &["--allow-origin", "a", "b", "--port=1", "cmd"],
            &["--allow-origin=a", "--allow-origin=b", "--port=1"],
            &["cmd"],
        );
        check(
            &["--allow-origin", "a", "--allow-origin", "*", "cmd"],
            &["--allow-origin=a", "--allow-origin=*"],
            &["cmd"],
        );
        check(
            &["--allow-origin", "--", "cmd"],
            &["--allow-origin"],
            &["cmd"],
        );
    }

    #[test]
    fn a_forgotten_value_does_not_eat_a_flag() {
        check(
            &["--port", "--eager", "cmd"],
            &["--port", "--eager"],
            &["cmd"],
        );
        check(&["--cwd"], &["--cwd"], &[]);
    }
}
