//! Which server runs, with which environment, behind which token.

use std::collections::BTreeMap;

use crate::launch::Kind;

use super::super::*;
use super::{command, good};

#[test]
fn the_line_people_already_type_works_word_for_word() {
    let config = good(
        "--host=:: --port=8080 --pass-environment -- npx -y PKG",
        &[("API_KEY", "k")],
    );
    assert_eq!(
        config.listen,
        Listen {
            host: "::".into(),
            port: 8080,
            mcp_path: "/mcp".into()
        }
    );
    assert_eq!(command(&config), "/bin/npx -y PKG");
    assert!(
        config
            .server
            .as_ref()
            .unwrap()
            .launch
            .env
            .contains(&("API_KEY".into(), "k".into()))
    );
    let TokenPolicy::Generated(secret) = &config.door.tokens else {
        panic!("{:?}", config.door.tokens);
    };
    assert_eq!(secret.expose(), "ab".repeat(32));
}

#[test]
fn servers_come_from_the_line_the_command_or_the_package() {
    for (line, vars, kind, expected) in [
        ("node a b", &[][..], Kind::Command, "/bin/node a b"),
        ("--cwd srv ./run", &[], Kind::Command, "/srv/./run"),
        (
            "",
            &[("MCP_COMMAND", "node 'a b' \"$HOME\"")],
            Kind::Command,
            "/bin/node a b $HOME",
        ),
        (
            "",
            &[("MCP_COMMAND", "node"), ("MCP_ARGS", r#"["x y", "z"]"#)],
            Kind::Command,
            "/bin/node x y z",
        ),
        (
            "",
            &[("MCP_COMMAND", r#"["node", "a"]"#), ("MCP_ARGS", "b c")],
            Kind::Command,
            "/bin/node a b c",
        ),
        (
            "",
            &[
                ("MCP_PACKAGE", "@s/server-filesystem@1.0.0"),
                ("MCP_ARGS", "/srv/files"),
            ],
            Kind::Npm,
            "/bin/npx -y @s/server-filesystem@1.0.0 /srv/files",
        ),
        (
            "",
            &[("MCP_PACKAGE", "pypi:name==1.2")],
            Kind::PyPi,
            "/bin/uvx name@1.2",
        ),
        (
            "--",
            &[("MCP_PACKAGE", "bin:tool")],
            Kind::Binary,
            "/bin/tool",
        ),
        // The line wins, even over a contradiction.
        (
            "node",
            &[("MCP_PACKAGE", "a"), ("MCP_COMMAND", "b")],
            Kind::Command,
            "/bin/node",
        ),
        // The child's own search path counts, not the proxy's.
        (
            "-e PATH /bin tool",
            &[("PATH", "/elsewhere")],
            Kind::Command,
            "/bin/tool",
        ),
    ] {
        let config = good(line, vars);
        assert_eq!(command(&config), expected, "{line} {vars:?}");
        assert_eq!(
            config.server.as_ref().unwrap().launch.kind,
            kind,
            "{line} {vars:?}"
        );
    }
    let words = good(
        "",
        &[("MCP_COMMAND", "node"), ("MCP_ARGS", r#"'a b' "c" d\ e"#)],
    );
    assert_eq!(
        words.server.as_ref().unwrap().launch.args,
        ["a b", "c", "d e"]
    );
    assert_eq!(words.server.as_ref().unwrap().display, "node 'a b' c 'd e'");
}

#[test]
fn the_environment_of_the_child_is_rule_twelve() {
    let vars = [
        ("MCP_PROXY_AUTH_TOKEN", "correct-horse-battery"),
        ("MCP_PACKAGE", "bin:tool"),
        ("PORT", "1"),
        ("KEY", "inherited"),
        ("MCP_ENV_SCW_KEY", "renamed"),
    ];
    let config = good("-e KEY typed --env=OTHER=a=b", &vars);
    let env: Vec<_> = config
        .server
        .as_ref()
        .unwrap()
        .launch
        .env
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    assert_eq!(
        env,
        [
            ("KEY", "typed"),
            ("OTHER", "a=b"),
            ("PATH", "/bin"),
            ("SCW_KEY", "renamed")
        ]
    );
}

#[test]
fn tokens_are_rule_eleven() {
    let token = ("MCP_PROXY_AUTH_TOKEN", "correct-horse-battery");
    for (line, vars, policy) in [
        ("node", &[][..], "Open"),
        ("--host localhost node", &[], "Open"),
        ("--host ::1 node", &[], "Open"),
        ("--allow-unauthenticated node", &[], "Open"),
        ("--host :: node", &[], "Generated(Secret(hidden))"),
        ("--host box.example node", &[], "Generated(Secret(hidden))"),
        (
            "--host 0.0.0.0 --allow-unauthenticated node",
            &[],
            "OpenDeclared",
        ),
        ("node", &[token], "Given([\"token\"])"),
        ("--host :: node", &[token], "Given([\"token\"])"),
        (
            "--host :: --auth-token-file /run/token node",
            &[],
            "Given([\"token\"])",
        ),
    ] {
        let config = good(line, vars);
        assert_eq!(
            format!("{:?}", config.door.tokens),
            policy,
            "{line} {vars:?}"
        );
        let printed = format!("{config:?}");
        assert!(
            !printed.contains("correct-horse") && !printed.contains("abab"),
            "{printed}"
        );
    }
    let config = good("--auth-token-file /run/token node", &[]);
    let TokenPolicy::Given(roster) = &config.door.tokens else {
        panic!("{:?}", config.door.tokens);
    };
    assert_eq!(roster.holders()[0].token.expose(), "token-from-a-file");
    assert_eq!(roster.file().unwrap().to_str(), Some("/run/token"));
    for (line, vars) in [
        (
            "node",
            &[(
                "MCP_PROXY_AUTH_TOKENS",
                "alice:correct-horse-01,bob:correct-horse-02",
            )][..],
        ),
        ("--auth-token-file /run/tokens node", &[]),
    ] {
        let config = good(line, vars);
        let policy = format!("{:?}", config.door.tokens);
        assert_eq!(policy, r#"Given(["alice", "bob"])"#, "{line}");
        assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    }
    let config = good(
        "node",
        &[("MCP_PROXY_AUTH_TOKENS", "alice:short,bob:correct-horse-02")],
    );
    assert!(
        config.warnings[0].contains("for alice is shorter"),
        "{:?}",
        config.warnings
    );
}

#[test]
fn on_this_machine_a_program_is_found_and_a_token_is_random() {
    let env = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
    let token = || {
        let line = ["mcp-proxy", "--host", "::", "--", "sh", "-c", "exit"];
        let config = Config::read(line.map(Into::into).to_vec(), &env).unwrap();
        assert!(
            config
                .server
                .as_ref()
                .unwrap()
                .launch
                .program
                .ends_with("bin/sh"),
            "{config:?}"
        );
        assert_eq!(config.server.as_ref().unwrap().launch.args, ["-c", "exit"]);
        let TokenPolicy::Generated(secret) = &config.door.tokens else {
            panic!("{:?}", config.door.tokens);
        };
        secret.expose().to_owned()
    };
    let (one, other) = (token(), token());
    assert_eq!(one.len(), 64);
    assert_ne!(one, other);
}
