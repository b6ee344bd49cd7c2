//! What `--print-config` prints.

use super::super::*;
use super::{faults, read, read_words};

fn printed(words: &[&str], vars: &[(&str, &str)]) -> String {
    let words = [words, &["--print-config", "--", "node", "a b"]].concat();
    match read_words(&words, vars) {
        Err(Stop::Told(text)) => text,
        other => panic!("{words:?}: {other:?}"),
    }
}

/// The value and the source of one setting.
fn setting(text: &str, name: &str) -> (String, String) {
    let mut lines = text
        .lines()
        .filter(|line| line.split(' ').next() == Some(name));
    let line = lines
        .next()
        .unwrap_or_else(|| panic!("{name} is not in\n{text}"));
    assert_eq!(lines.next(), None, "{name} is there twice");
    let rest = line[name.len()..].trim_start();
    let (value, source) = rest.rsplit_once("  ").unwrap();
    (value.trim_end().into(), source.trim_start().into())
}

#[test]
fn every_setting_stands_there_with_its_value_and_its_source() {
    let text = printed(
        &[
            "--port=1",
            "--requestTimeout",
            "1500",
            "--no-debug",
            "--eager",
            "-e",
            "API_KEY",
            "hunter2",
            "--allow-host",
            "a.example",
            "--allow-host=b.example",
        ],
        &[
            ("PORT", "3"),
            ("MCP_PROXY_HOST", "::1"),
            ("MCP_PROXY_STATELESS", "yes"),
            ("MCP_PROXY_AUTH_TOKEN", "hunter2-hunter2-hunter2"),
            ("MCP_PROXY_LOG", "child=debug"),
            ("MCP_ENV_OTHER", "hunter2"),
        ],
    );
    for (name, value, source) in [
        ("server", "node 'a b'", "the command line"),
        ("token", "(hidden)", "variable MCP_PROXY_AUTH_TOKEN"),
        ("host", "::1", "variable MCP_PROXY_HOST"),
        ("port", "1", "flag --port"),
        ("mcp-path", "/mcp", "default"),
        ("health-path", "(none)", "default"),
        (
            "env",
            "API_KEY=(hidden) OTHER=(hidden)",
            "flag -e, variable MCP_ENV_*",
        ),
        ("pass-environment", "true", "default"),
        ("stateless", "yes", "variable MCP_PROXY_STATELESS"),
        ("eager", "true", "flag --eager"),
        ("debug", "false", "flag --no-debug"),
        ("allow-host", "a.example,b.example", "flag --allow-host"),
        ("request-timeout", "1500ms", "flag --requestTimeout"),
        ("start-timeout", "60s", "default"),
        ("cwd", "the current one", "default"),
        ("MCP_PROXY_LOG", "child=debug", "variable MCP_PROXY_LOG"),
        ("MCP_PROXY_MACHINE", "(none)", "default"),
    ] {
        let expected = (value.to_owned(), source.to_owned());
        assert_eq!(setting(&text, name), expected, "{name} in\n{text}");
    }
    assert!(!text.contains("hunter2"), "{text}");
    // Every flag that sets something is there, and none that is only refused.
    for arg in cli::command().get_arguments() {
        let flag = arg.get_long().unwrap();
        if ["help", "version", "print-config"].contains(&flag) || arg.is_hide_set() {
            assert!(
                text.lines()
                    .all(|line| !line.starts_with(&format!("{flag} ")))
            );
        } else {
            setting(&text, flag);
        }
    }
}

#[test]
fn sources_of_the_server_and_the_token() {
    for (line, vars, name, source) in [
        ("--stdio node", &[][..], "server", "flag --stdio"),
        (
            "",
            &[("MCP_COMMAND", "node")],
            "server",
            "variable MCP_COMMAND",
        ),
        (
            "",
            &[("MCP_PACKAGE", "p"), ("MCP_ARGS", "a")],
            "server",
            "variables MCP_PACKAGE, MCP_ARGS",
        ),
        (
            "--auth-token-file /run/token node",
            &[],
            "token",
            "the file of auth-token-file",
        ),
        ("--host :: node", &[], "token", "default"),
        ("node", &[("PORT", "3")], "port", "variable PORT"),
    ] {
        let line = format!("--print-config {line}");
        let Err(Stop::Told(text)) = read(&line, vars) else {
            panic!("{line} printed nothing");
        };
        assert_eq!(setting(&text, name).1, source, "{line} {vars:?}");
        // Neither the token that was read nor one that was made.
        assert!(!text.contains("token-from-a-file") && !text.contains("abab"));
    }
}

#[test]
fn what_cannot_start_is_not_printed_and_what_is_odd_is_said() {
    assert_eq!(faults("--print-config --port x node", &[]).len(), 1);
    let text = printed(&["--clean-env"], &[("MCP_PROXY_PROT", "1")]);
    assert_eq!(setting(&text, "pass-environment").0, "false");
    assert!(
        text.contains("warning: the variable MCP_PROXY_PROT is not known"),
        "{text}"
    );
    // A value cannot write a line of its own.
    let text = printed(
        &["--cwd=/srv"],
        &[("MCP_PROXY_ALLOW_HOST", "a.example,\n,b.example")],
    );
    assert_eq!(
        text.lines()
            .filter(|line| line.starts_with("allow-host"))
            .count(),
        1
    );
}
