//! `--stdio`: one client at our own standard input and output, and no port.
//!
//! What is typed beside it and concerns HTTP alone was meant to do something, so it is a fault. A
//! variable may be there for other proxies in the same environment, so it is passed over.

use super::cli::Typed;
use super::named;
use super::pick::Picker;

/// Under which headings of the help nearly everything is about HTTP.
const HEADINGS: [&str; 2] = ["Listening", "Who may come in"];

/// What stands there and is not.
const FOR_EVERYBODY: [&str; 4] = ["stdio", "allow-tool", "deny-tool", "read-only"];

/// What stands elsewhere and is.
const FOR_HTTP: [&str; 10] = [
    "stateless",
    "state-dir",
    "session-idle-timeout",
    "child-idle-timeout",
    "keep-alive",
    "silence",
    "max-body-size",
    "replay-bytes",
    "max-sessions",
    "max-connections",
];

/// Whether no port is opened.
pub(super) fn read(pick: &mut Picker<'_>, typed: &Typed, command: &clap::Command) -> bool {
    if !pick.switch("stdio", typed.stdio) {
        return false;
    }
    if named::is_asked_for(pick, typed) {
        pick.notes.fault(
            "--stdio: its client has one server; give that as a command and leave out --named-server \
             and --named-server-config",
        );
    }
    let idle: Vec<String> = command
        .get_arguments()
        .filter(|arg| is_about_http(arg))
        .filter_map(clap::Arg::get_long)
        .filter(|flag| is_typed(pick, flag))
        .map(|flag| pick.translated.spelling(flag))
        .collect();
    if !idle.is_empty() {
        pick.notes.fault(format!(
            "--stdio opens no port, so there is nothing to do for {}; leave that out",
            idle.join(", ")
        ));
    }
    true
}

fn is_about_http(arg: &clap::Arg) -> bool {
    let flag = arg.get_long().unwrap_or_default();
    let heading = arg.get_help_heading().unwrap_or_default();
    FOR_HTTP.contains(&flag) || (HEADINGS.contains(&heading) && !FOR_EVERYBODY.contains(&flag))
}

fn is_typed(pick: &Picker<'_>, flag: &str) -> bool {
    let mut words = pick.translated.flags.iter();
    words.any(|word| {
        let name = word.split('=').next().unwrap_or_default();
        name.strip_prefix("--") == Some(flag)
    })
}
