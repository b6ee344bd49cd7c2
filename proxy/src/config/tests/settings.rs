//! Every setting: its default, its flag, its variable, and which of them wins.

use std::time::Duration;

use super::super::*;
use super::{command, good, read};

#[test]
fn nothing_but_a_command_means_the_defaults() {
    let config = good("npx -y @scope/server --port 1", &[]);
    assert_eq!(
        config.listen,
        Listen {
            host: "127.0.0.1".into(),
            port: 8080,
            mcp_path: "/mcp".into()
        }
    );
    assert_eq!(command(&config), "/bin/npx -y @scope/server --port 1");
    assert_eq!(
        config.server.as_ref().unwrap().display,
        "npx -y @scope/server --port 1"
    );
    assert_eq!(config.server.as_ref().unwrap().name, "server");
    assert_eq!(config.server.as_ref().unwrap().launch.cwd, None);
    assert_eq!(
        config.server.as_ref().unwrap().launch.env,
        [("PATH".into(), "/bin".into())]
    );
    assert_eq!(config.child_mode, ChildMode::Session);
    assert_eq!(config.on_child_exit, OnChildExit::Revive);
    assert_eq!(config.state_dir, None);
    assert_eq!(config.idle.action, IdleAction::Nothing);
    assert_eq!(config.idle.max_stream, None);
    assert!(!config.stateless && !config.eager && !config.exit_on_failure);
    assert_eq!(config.machine, None);
    assert!(matches!(config.door.tokens, TokenPolicy::Open));
    assert!(config.door.allow_hosts.is_empty() && config.door.allow_origins.is_empty());
    assert!(config.door.health_paths.is_empty() && !config.server.as_ref().unwrap().clean_env);
    assert_eq!(
        config.limits,
        Limits {
            max_body: 4 << 20,
            max_line: 32 << 20,
            max_queued: 16 << 20,
            outlet_bytes: 64 << 20,
            replay_bytes: 256 << 10,
            max_sessions: 1000,
            max_children: 64,
            max_starting: 256,
            max_connections: 4096,
        }
    );
    let seconds = Duration::from_secs;
    assert_eq!(
        config.times,
        Times {
            start: seconds(60),
            request: seconds(300),
            session_idle: seconds(1800),
            child_idle: Some(seconds(600)),
            close_wait: seconds(2),
            term_wait: seconds(5),
            drain: seconds(10),
            keep_alive: seconds(15),
            silence: seconds(10),
        }
    );
    assert_eq!(
        config.log,
        Log {
            level: LogLevel::Info,
            filter: None,
            format: LogFormat::Text,
            labels: Vec::new(),
            show_child_stderr: true
        }
    );
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn the_environment_names_the_service_and_production_wants_json() {
    let vars = [
        ("SERVICE_NAME", "shop"),
        ("VERSION", "7"),
        ("ENVIRONMENT", "production"),
    ];
    let log = good("node", &vars).log;
    assert_eq!(log.format, LogFormat::Json);
    let labels = log
        .labels
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    let labels: Vec<String> = labels.collect();
    assert_eq!(
        labels,
        ["service=shop", "version=7", "environment=production"]
    );
    assert_eq!(
        good("--log-format text node", &vars).log.format,
        LogFormat::Text
    );
    assert_eq!(
        good("node", &[("ENVIRONMENT", "dev")]).log.format,
        LogFormat::Text
    );
}

#[test]
fn tools_are_chosen_by_patterns() {
    let config = good(
        "--allow-tool get_*,list --deny-tool *_secret node",
        &[("MCP_PROXY_ALLOW_TOOL", "x")],
    );
    assert_eq!(config.tools.allow, ["get_*", "list"]);
    assert_eq!(config.tools.deny, ["*_secret"]);
    assert!(good("node", &[]).tools.is_empty());
}

#[test]
fn the_default_in_the_help_is_the_default() {
    let plain = format!("{:?}", good("node", &[]));
    let mut seen = 0;
    for arg in cli::command().get_arguments() {
        let help = arg.get_help().unwrap().to_string();
        let Some((_, rest)) = help.split_once("[default: ") else {
            continue;
        };
        let (flag, default) = (arg.get_long().unwrap(), rest.split_once(']').unwrap().0);
        if flag == "cwd" {
            continue;
        }
        let typed = good(&format!("--{flag}={default} node"), &[]);
        assert_eq!(format!("{typed:?}"), plain, "--{flag}={default}");
        let set = good("node", &[(&cli::variable(flag), default)]);
        assert_eq!(
            format!("{set:?}"),
            plain,
            "{}={default}",
            cli::variable(flag)
        );
        seen += 1;
    }
    assert_eq!(seen, 38, "flags with a default in their help");
}

#[test]
fn every_flag_reaches_its_setting_typed_or_set() {
    for (flag, value, shown) in [
        ("host", "::1", "host: \"::1\""),
        ("port", "0", "port: 0"),
        ("mcp-path", "/a/b-1/", "mcp_path: \"/a/b-1\""),
        (
            "health-path",
            "/healthz,/health,/a/live",
            "health_paths: [\"/healthz\", \"/a/live\"]",
        ),
        ("cwd", "/srv", "cwd: Some(\"/srv\")"),
        ("child-mode", "shared", "child_mode: Shared"),
        ("child-era", "dual", "child_era: Dual"),
        (
            "allow-host",
            "A.example,b.example:1",
            "allow_hosts: [\"a.example\", \"b.example:1\"]",
        ),
        (
            "allow-origin",
            "https://A.example:443/",
            "allow_origins: [\"https://a.example\"]",
        ),
        (
            "auth-token-file",
            "/run/token",
            "tokens: Given([\"token\"])",
        ),
        ("start-timeout", "1", "start: 1s"),
        ("request-timeout", "2s", "request: 2s"),
        ("session-idle-timeout", "1m", "session_idle: 60s"),
        ("child-idle-timeout", "7m", "child_idle: Some(420s)"),
        ("child-idle-timeout", "0", "child_idle: None"),
        ("on-child-exit", "END", "on_child_exit: End"),
        ("state-dir", "/s", "state_dir: Some(\"/s\")"),
        ("input-timeout", "20s", "patience: 20s"),
        ("warm-children", "0", "warm: Some(0)"),
        ("roots", "/a", "file:///a"),
        ("idle-timeout", "9m", "after: 540s"),
        ("idle-action", "exit", "action: Exit"),
        ("max-stream-idle", "3m", "max_stream: Some(180s)"),
        ("close-wait", "0", "close_wait: 0ns"),
        ("term-wait", "4s", "term_wait: 4s"),
        ("drain-timeout", "5s", "drain: 5s"),
        ("keep-alive", "6s", "keep_alive: 6s"),
        ("silence", "700ms", "silence: 700ms"),
        ("max-body-size", "2048", "max_body: 2048"),
        ("max-line-size", "2KiB", "max_line: 2048"),
        ("max-queued-size", "5MiB", "max_queued: 5242880"),
        ("outlet-bytes", "33MiB", "outlet_bytes: 34603008"),
        ("replay-bytes", "0", "replay_bytes: 0"),
        ("max-sessions", "7", "max_sessions: 7"),
        ("max-children", "8", "max_children: 8"),
        ("max-starting", "9", "max_starting: 9"),
        ("header-timeout", "3s", "header: 3s"),
        ("body-timeout", "4s", "body: 4s"),
        ("unread-timeout", "5s", "unread: 5s"),
        ("yield-after", "6s", "yield_after: 6s"),
        ("memory-budget", "1GiB", "memory: Some(1073741824)"),
        (
            "cors-header",
            "X-A,x-b,x-a",
            "cors_headers: [\"x-a\", \"x-b\"]",
        ),
        ("expose-header", "X-A", "expose_headers: [\"x-a\"]"),
        (
            "trusted-proxies",
            "10.0.0.0/8,::1",
            "trusted_proxies: [10.0.0.0/8, ::1/128]",
        ),
        ("max-connections", "10", "max_connections: 10"),
        ("max-in-flight", "11", "max_in_flight: Some(11)"),
        (
            "rate-limit",
            "20/s",
            "rate: Some(Rate { count: 20, per: 1s })",
        ),
        ("log-level", "WARNING", "level: Warn"),
        ("log-level", "off", "level: Off"),
        ("log-level", "CRITICAL", "level: Error"),
        ("log-format", "json", "format: Json"),
        (
            "audit",
            "/a",
            "audit: Some(AuditSettings { file: Some(\"/a\"), arguments: false })",
        ),
        (
            "audit",
            "-",
            "audit: Some(AuditSettings { file: None, arguments: false })",
        ),
        ("allow-tool", "get_*,x", "allow: [\"get_*\", \"x\"]"),
        ("deny-tool", "y?", "deny: [\"y?\"]"),
    ] {
        let typed = format!("{:?}", good(&format!("--{flag} {value} node"), &[]));
        assert!(typed.contains(shown), "--{flag} {value}: {typed}");
        let set = format!("{:?}", good("node", &[(&cli::variable(flag), value)]));
        assert_eq!(set, typed, "{}={value}", cli::variable(flag));
    }
    for (flag, shown) in [
        ("stateless", "stateless: true"),
        ("read-only", "read_only: true"),
        ("eager", "eager: true"),
        ("exit-on-failure", "exit_on_failure: true"),
        ("quiet-child", "show_child_stderr: false"),
        ("debug", "level: Debug"),
        ("clean-env", "env: [\"PATH\"]"),
        ("pass-environment", "env: [\"OTHER\", \"PATH\"]"),
    ] {
        let typed = format!("{:?}", good(&format!("--{flag} node"), &[("OTHER", "1")]));
        assert!(typed.contains(shown), "--{flag}: {typed}");
        let set = good("node", &[(&cli::variable(flag), "yes"), ("OTHER", "1")]);
        assert_eq!(format!("{set:?}"), typed, "{flag}");
    }
}

#[test]
fn fly_names_the_machine_that_is_to_be_put_away() {
    let fly = [("FLY_APP_NAME", "app-1"), ("FLY_MACHINE_ID", "e28")];
    let idle = good("--idle-action stop node", &fly).idle;
    let machine = FlyMachine {
        verb: "stop",
        app: "app-1".into(),
        id: "e28".into(),
        socket: "/.fly/api".into(),
    };
    assert_eq!(idle.action, IdleAction::PutAway(machine));
    for env in [&fly[..1], &[fly[0], ("FLY_MACHINE_ID", "../x")]] {
        let Err(Stop::Faults(faults)) = read("--idle-action suspend node", env) else {
            panic!("a machine without a name");
        };
        assert!(faults.to_string().contains("FLY_MACHINE_ID"), "{faults}");
    }
}

#[test]
fn flags_win_over_variables_and_variables_over_port() {
    let vars = [
        ("MCP_PROXY_PORT", "2"),
        ("PORT", "3"),
        ("MCP_PROXY_HOST", "::1"),
    ];
    assert_eq!(good("--port 1 --host 127.0.0.2 node", &vars).listen.port, 1);
    assert_eq!(
        good("--port 1 --host 127.0.0.2 node", &vars).listen.host,
        "127.0.0.2"
    );
    assert_eq!(good("node", &vars).listen.port, 2);
    assert_eq!(good("node", &[("PORT", "3")]).listen.port, 3);
    assert_eq!(
        good("node", &[("PORT", ""), ("MCP_PROXY_PORT", "")])
            .listen
            .port,
        8080
    );
    // Beyond loopback it asks for a token, as with the flag.
    let config = good("node", &[("HOST", "0.0.0.0")]);
    assert_eq!(config.listen.host, "0.0.0.0");
    assert!(matches!(config.door.tokens, TokenPolicy::Generated(_)));
    assert_eq!(good("--port 1 --port 2 node", &[]).listen.port, 2);
    assert_eq!(
        good("--debug --log-level trace node", &[]).log.level,
        LogLevel::Trace
    );
}

#[test]
fn help_and_version_are_told_whatever_else_is_wrong() {
    for (line, part) in [
        ("--help", "Usage: mcp-proxy [FLAGS] [--] COMMAND"),
        ("-h", "Who may come in:"),
        ("help", "Examples:"),
        ("--port x --help", "Listening:"),
        (
            "--version",
            concat!("mcp-proxy ", env!("CARGO_PKG_VERSION")),
        ),
        ("-V", "mcp-proxy "),
    ] {
        match read(line, &[]) {
            Err(Stop::Told(text)) => assert!(text.contains(part), "{line}: {text}"),
            other => panic!("{line}: {other:?}"),
        }
    }
    // After the command they belong to the server.
    assert_eq!(command(&good("node --help", &[])), "/bin/node --help");
}

#[test]
fn the_example_file_changes_nothing_but_the_package() {
    let example = include_str!("../../../../.env.example");
    let assignments = example.lines().filter_map(|line| {
        let (name, value) = line.strip_prefix("# ").unwrap_or(line).split_once('=')?;
        let is_name = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
        (name.bytes().all(is_name) && !value.is_empty()).then_some((name, value))
    });
    // The folder is resolved, so it is the one default that would show.
    let all: Vec<_> = assignments
        .filter(|(name, _)| *name != "MCP_PROXY_CWD")
        .collect();
    assert!(all.len() > 20, "{all:?}");
    let package = all.iter().find(|(name, _)| *name == "MCP_PACKAGE").unwrap();
    assert_eq!(
        format!("{:?}", good("", &all)),
        format!("{:?}", good("", &[*package]))
    );
}

#[test]
fn a_machine_has_a_name_that_can_stand_in_a_header() {
    let named = good("node", &[("MCP_PROXY_MACHINE", "e286_de-4")]);
    assert_eq!(named.machine.as_deref(), Some("e286_de-4"));
    let long = "x".repeat(64);
    for wrong in ["a.b", "a b", "http://a", long.as_str()] {
        let fault = read("node", &[("MCP_PROXY_MACHINE", wrong)]).unwrap_err();
        assert!(
            format!("{fault:?}").contains("MCP_PROXY_MACHINE"),
            "{wrong}"
        );
    }
}

#[test]
fn one_server_for_every_principal_is_said_aloud() {
    let config = good("--stateless --child-mode shared node", &[]);
    assert!(config.warnings[0].contains("for every principal"));
    assert!(good("--stateless node", &[]).warnings.is_empty());
}
