//! What the toy is told before it starts: arguments, or the same words in `MCP_TOY_FLAGS`.

use std::{env, fmt::Write as _, time::Duration};

use crate::{
    era::{Era, OnDiscover},
    tools,
};

/// The knobs that cannot be tool calls, because they matter before the first call or after the last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags {
    pub(crate) help: bool,
    pub(crate) ask_first: bool,
    pub(crate) banner: bool,
    pub(crate) silent: bool,
    pub(crate) ignore_eof: bool,
    pub(crate) ignore_term: bool,
    /// Set by ourselves when we start again with the signal ignored.
    pub(crate) term_is_ignored: bool,
    pub(crate) start_delay: Duration,
    pub(crate) linger: Duration,
    pub(crate) exit_at_start: Option<u8>,
    pub(crate) only_version: Option<String>,
    pub(crate) no_capabilities: bool,
    pub(crate) era: Era,
    pub(crate) locks_on_discover: bool,
    pub(crate) exits_on_listen: Option<String>,
    /// Nothing: as a server of its era does.
    pub(crate) on_discover: Option<OnDiscover>,
}

/// Given to the second start by the first.
pub(crate) const TERM_IS_IGNORED: &str = "--term-is-ignored";

const FLAGS: &[(&str, &str)] = &[
    (
        "--ask-first",
        "ask for the roots right after notifications/initialized",
    ),
    (
        "--banner",
        "print two lines that are no messages before reading",
    ),
    ("--silent", "read everything and answer nothing"),
    ("--ignore-eof", "go on running when standard input ends"),
    (
        "--ignore-term",
        "ignore SIGTERM (starts itself again through sh)",
    ),
    ("--stubborn", "--ignore-eof and --ignore-term"),
    ("--start-delay MS", "wait before reading"),
    (
        "--linger MS",
        "wait after standard input has ended, then exit",
    ),
    (
        "--exit-at-start CODE",
        "say why on standard error and exit at once",
    ),
    (
        "--only-version V",
        "answer initialize with this revision, whatever was asked for",
    ),
    ("--no-capabilities", "declare no capabilities but tools"),
    (
        "--era ERA",
        "legacy (initialize), modern (2026-07-28) or dual [legacy]",
    ),
    (
        "--locks-on-discover",
        "a dual toy is modern from server/discover on, not from the first call",
    ),
    (
        "--exits-on-listen LIST",
        "acknowledge a subscription to tools, prompts or resources, then exit, as a server does whose watcher fails",
    ),
    (
        "--on-discover WHAT",
        "answer, -32601, -32602, silent, exit, garbage or banner [as its era does]",
    ),
];

impl Flags {
    /// From the process's arguments and `MCP_TOY_FLAGS`.
    pub(crate) fn read() -> Result<Self, String> {
        let mut words: Vec<String> = env::args().skip(1).collect();
        #[expect(
            clippy::disallowed_methods,
            reason = "the toy has no configuration module; it reads this once"
        )]
        let more = env::var("MCP_TOY_FLAGS").unwrap_or_default();
        words.extend(more.split_whitespace().map(str::to_owned));
        Self::parse(words.into_iter())
    }

    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut flags = Self::default();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--help" | "-h" => flags.help = true,
                "--ask-first" => flags.ask_first = true,
                "--banner" => flags.banner = true,
                "--silent" => flags.silent = true,
                "--ignore-eof" => flags.ignore_eof = true,
                "--ignore-term" => flags.ignore_term = true,
                "--stubborn" => (flags.ignore_eof, flags.ignore_term) = (true, true),
                TERM_IS_IGNORED => flags.term_is_ignored = true,
                "--start-delay" => {
                    flags.start_delay = Duration::from_millis(number(&word, words.next())?)
                }
                "--linger" => flags.linger = Duration::from_millis(number(&word, words.next())?),
                "--exit-at-start" => flags.exit_at_start = Some(number(&word, words.next())?),
                "--only-version" => {
                    flags.only_version = Some(
                        words
                            .next()
                            .ok_or_else(|| format!("{word} needs a value"))?,
                    );
                }
                "--no-capabilities" => flags.no_capabilities = true,
                "--era" => flags.era = named(&word, words.next(), Era::parse)?,
                "--locks-on-discover" => flags.locks_on_discover = true,
                "--exits-on-listen" => {
                    flags.exits_on_listen = Some(
                        words
                            .next()
                            .ok_or_else(|| format!("{word} needs a value"))?,
                    );
                }
                "--on-discover" => {
                    flags.on_discover = Some(named(&word, words.next(), OnDiscover::parse)?);
                }
                // Other words are for the tool `args`: a server may have arguments of its own.
                _ if !word.starts_with('-') => {}
                _ => return Err(format!("unknown flag {word:?}")),
            }
        }
        Ok(flags)
    }
}

fn named<T>(flag: &str, value: Option<String>, parse: fn(&str) -> Option<T>) -> Result<T, String> {
    let value = value.ok_or_else(|| format!("{flag} needs a value"))?;
    parse(&value).ok_or_else(|| format!("{flag}: {value:?} is none of its values"))
}

fn number<N: std::str::FromStr>(flag: &str, value: Option<String>) -> Result<N, String> {
    let value = value.ok_or_else(|| format!("{flag} needs a value"))?;
    value
        .parse()
        .map_err(|_| format!("{flag}: {value:?} is not a number in range"))
}

/// Every knob there is.
pub(crate) fn help() -> String {
    let mut text = "mcp-toy: a stdio MCP server that misbehaves on request\n\nFlags (or words in MCP_TOY_FLAGS):\n".to_owned();
    for (flag, what) in FLAGS {
        // Writing to a String cannot fail.
        _ = writeln!(text, "  {flag:<22} {what}");
    }
    text.push_str("\nTools and their arguments (defaults in brackets):\n");
    for tool in tools::TOOLS {
        _ = writeln!(text, "  {:<12} {}", tool.name, tool.what);
        for (name, kind, what) in tool.arguments {
            _ = writeln!(text, "    {name:<14} {kind:<8} {what}");
        }
    }
    text.push_str("\nAlso: resources (list, templates, read, subscribe), one prompt, completion, logging/setLevel, ping.\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Flags, String> {
        Flags::parse(words.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn flags_take_their_values_and_other_words_pass() {
        let flags = parse("folder --stubborn --linger 250 --exit-at-start 3").unwrap();
        assert!(flags.ignore_eof && flags.ignore_term);
        assert_eq!(
            (flags.linger, flags.exit_at_start),
            (Duration::from_millis(250), Some(3))
        );
    }

    #[test]
    fn a_value_may_begin_like_a_flag() {
        let flags = parse("--era dual --on-discover -32602").unwrap();
        assert_eq!(flags.era, Era::Dual);
        assert_eq!(flags.on_discover, Some(OnDiscover::Error(-32602)));
    }

    #[test]
    fn faults_name_the_flag() {
        assert_eq!(parse("--linger").unwrap_err(), "--linger needs a value");
        assert_eq!(
            parse("--exit-at-start 300").unwrap_err(),
            "--exit-at-start: \"300\" is not a number in range"
        );
        assert_eq!(
            parse("--era new").unwrap_err(),
            "--era: \"new\" is none of its values"
        );
        assert_eq!(
            parse("--nonsense").unwrap_err(),
            "unknown flag \"--nonsense\""
        );
    }

    #[test]
    fn help_lists_every_flag_and_tool() {
        let help = help();
        for (flag, _) in FLAGS {
            assert!(help.contains(flag), "{flag}");
        }
        for tool in tools::TOOLS {
            assert!(help.contains(tool.name), "{}", tool.name);
        }
    }
}
