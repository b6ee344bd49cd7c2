//! What is wrong is reported all at once, and what is only odd stops nothing.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::super::*;
use super::{Toy, faults, good};

#[test]
fn every_fault_is_found_and_each_names_its_repair() {
    let found = faults(
        "--port http --start-timeout soon --host a:b --stateless=yes --prot=1 -e LONELY -- absent",
        &[
            ("MCP_PROXY_MAX_BODY_SIZE", "4M"),
            ("MCP_PROXY_EAGER", "perhaps"),
            ("MCP_PROXY_LOG", "child=loud"),
            ("MCP_PROXY_MAX_CHILDREN", "0"),
        ],
    );
    for part in [
        "--stateless is a switch and takes no value",
        "--prot is not a flag of mcp-proxy; did you mean --port?",
        "--host: \"a:b\" is neither an IP address nor a host name",
        "--port: \"http\" is not a port (0 to 65535)",
        "-e: it takes KEY=VALUE or KEY VALUE",
        "absent was not found in PATH; install it",
        "MCP_PROXY_EAGER: \"perhaps\" is neither true nor false",
        "MCP_PROXY_MAX_BODY_SIZE: \"4M\" is not a size",
        "MCP_PROXY_MAX_CHILDREN: \"0\" is less than 1",
        "--start-timeout: \"soon\" is not a duration",
        "MCP_PROXY_LOG: \"child=loud\" is not a list of log directives",
    ] {
        assert!(
            found.iter().any(|fault| fault.contains(part)),
            "{part} is not in {found:#?}"
        );
    }
    assert_eq!(found.len(), 11, "{found:#?}");
}

#[test]
fn faults_one_by_one() {
    let token = ("MCP_PROXY_AUTH_TOKEN", "correct-horse-battery");
    for (line, vars, part) in [
        (
            "",
            &[][..],
            "there is no server to run: type its command (mcp-proxy -- npx",
        ),
        ("--port 1 --", &[], "there is no server to run"),
        (
            "",
            &[("MCP_ARGS", "x")],
            "MCP_ARGS is set, but there is no server to give them to",
        ),
        (
            "",
            &[("MCP_COMMAND", "a"), ("MCP_PACKAGE", "b")],
            "both set; unset MCP_COMMAND",
        ),
        (
            "",
            &[("MCP_COMMAND", "''")],
            "the command \"\" cannot be the name",
        ),
        (
            "",
            &[("MCP_COMMAND", "[]")],
            "MCP_COMMAND: \"[]\" is without a program",
        ),
        ("", &[("MCP_COMMAND", " ")], "is without a program"),
        (
            "",
            &[("MCP_COMMAND", "'node")],
            "MCP_COMMAND: a quote is not closed",
        ),
        (
            "",
            &[("MCP_COMMAND", "node"), ("MCP_ARGS", "[1]")],
            "MCP_ARGS: it begins with [ but",
        ),
        (
            "",
            &[("MCP_COMMAND", "node"), ("MCP_ARGS", r#"["\u0000"]"#)],
            "MCP_ARGS: a word holds a NUL",
        ),
        (
            "",
            &[("MCP_PACKAGE", "-g")],
            "MCP_PACKAGE: \"-g\" is not the name of an npm package",
        ),
        (
            "",
            &[("MCP_PACKAGE", "a"), ("PATH", "/no")],
            "npx was not found in PATH; install Node.js",
        ),
        (
            "",
            &[("MCP_PACKAGE", "pypi:a"), ("PATH", "/no")],
            "uvx was not found in PATH; install uv",
        ),
        (
            "https://host/mcp",
            &[],
            "offering a remote server to a local client is not there yet",
        ),
        ("--port 1 HTTP://host/mcp", &[], "is not there yet"),
        (
            "--cwd /absent node",
            &[],
            "--cwd: \"/absent\" is not a folder",
        ),
        ("--port 65536 node", &[], "--port: \"65536\" is not a port"),
        ("node", &[("PORT", "x")], "PORT: \"x\" is not a port"),
        ("--port", &[("MCP_COMMAND", "node")], "--port needs a value"),
        (
            "-x node",
            &[],
            "-x is not a flag of mcp-proxy; flags of the server go after its command",
        ),
        ("--start-timeout 0 node", &[], "\"0\" is less than 1ms"),
        ("--keep-alive 1ms node", &[], "\"1ms\" is less than 1s"),
        (
            "--child-mode both node",
            &[],
            "--child-mode: \"both\" is not one of session, shared",
        ),
        (
            "--clean-env --pass-environment node",
            &[],
            "contradict each other",
        ),
        (
            "--auth-token hunter2 node",
            &[],
            "every user of this machine can read a command line",
        ),
        (
            "--auth-token-file /absent node",
            &[],
            "--auth-token-file: \"/absent\" cannot be read",
        ),
        (
            "--auth-token-file /run/empty node",
            &[],
            "the token is not usable: it is empty",
        ),
        (
            "--auth-token-file /run/token node",
            &[token],
            "are both set; leave one out",
        ),
        (
            "node",
            &[token, ("MCP_PROXY_AUTH_TOKENS", "a:correct-horse-battery")],
            "MCP_PROXY_AUTH_TOKEN and MCP_PROXY_AUTH_TOKENS are both set",
        ),
        (
            "node",
            &[("MCP_PROXY_AUTH_TOKENS", "a:correct-horse,a:battery")],
            "MCP_PROXY_AUTH_TOKENS: entry 2 (a): the name stands there twice",
        ),
        (
            "--allow-unauthenticated node",
            &[token],
            "contradicts MCP_PROXY_AUTH_TOKEN",
        ),
        (
            "node",
            &[("MCP_PROXY_AUTH_TOKEN", "a b")],
            "it holds a space",
        ),
        (
            "--tls-key /run/token node",
            &[],
            "--tls-key is of no use without --tls-cert",
        ),
        (
            "node",
            &[("MCP_PROXY_TLS_CERT", "/run/token")],
            "MCP_PROXY_TLS_CERT is of no use without --tls-key",
        ),
        (
            "--tls-cert /absent --tls-key /run/token node",
            &[],
            "--tls-cert: \"/absent\" cannot be read",
        ),
        (
            "--tls-cert /run/token --tls-key /run/token node",
            &[],
            "--tls-cert: \"/run/token\": there is no certificate in it",
        ),
        (
            "--rate-limit 20 node",
            &[],
            "--rate-limit: \"20\" is not a rate (20/s, 600/m, 1000/h",
        ),
        ("--max-in-flight 0 node", &[], "\"0\" is less than 1"),
        (
            "--trusted-proxies 10.0.0.0/8,proxy node",
            &[],
            "--trusted-proxies: \"proxy\" is not a network",
        ),
        (
            "--require-https node",
            &[],
            "--require-https would refuse everything",
        ),
        (
            "--allow-origin * --expose-header a:b node",
            &[],
            "--expose-header: \"a:b\" is not the name of a header",
        ),
        (
            "--allow-origin * --cors-header * node",
            &[],
            "--cors-header: \"*\" is not the name of one header",
        ),
        (
            "--mcp-path mcp node",
            &[],
            "--mcp-path: \"mcp\" is not a path (/ and then",
        ),
        ("--mcp-path /a//b node", &[], "is not a path"),
        ("--mcp-path /a/../b node", &[], "is not a path"),
        ("--mcp-path /{a} node", &[], "is not a path"),
        ("--mcp-path /a%20 node", &[], "is not a path"),
        // A place where no token is asked for must not be where the server is.
        ("--mcp-path / node", &[], "is the path of something else"),
        (
            "--mcp-path /health/ node",
            &[],
            "is the path of something else",
        ),
        (
            "--mcp-path /servers/a node",
            &[],
            "is the path of something else",
        ),
        (
            "--health-path /mcp/ node",
            &[],
            "--health-path: \"/mcp/\" is the path of something else",
        ),
        (
            "--health-path /status node",
            &[],
            "is the path of something else",
        ),
        ("--health-path /* node", &[], "is not a path"),
        (
            "--mcp-path /x --health-path /x node",
            &[],
            "is the path of something else",
        ),
        (
            "node",
            &[("MCP_PROXY_API_KEY", "hunter2")],
            "MCP_PROXY_API_KEY: keys in an X-API-Key header are not there; set MCP_PROXY_AUTH_TOKEN",
        ),
        (
            "--allow-host https://a node",
            &[],
            "--allow-host: \"https://a\" is not a host",
        ),
        (
            "--allow-origin null node",
            &[],
            "sent by any sandboxed page",
        ),
        ("--allow-origin app.example node", &[], "is not an origin"),
        (
            "--max-queued-size 1MiB node",
            &[],
            "--max-queued-size is less than --max-body-size",
        ),
    ] {
        let found = faults(line, vars);
        assert!(
            found.len() == 1 && found[0].contains(part),
            "{line} {vars:?}: {found:#?}"
        );
        assert!(
            !found[0].contains("hunter2") && !found[0].contains("correct-horse"),
            "{found:?}"
        );
    }
}

#[test]
fn a_misspelt_flag_is_named_and_its_value_is_not_taken_for_a_command() {
    assert_eq!(
        faults("--prot 8080 node", &[]),
        ["--prot is not a flag of mcp-proxy; did you mean --port?"]
    );
    assert_eq!(
        faults("--sesion-idle-timeout 5 --egaer node", &[]),
        ["--sesion-idle-timeout is not a flag of mcp-proxy; did you mean --session-idle-timeout?"]
    );
    assert_eq!(faults("--prot=1 --egaer -- node", &[]).len(), 2);
}

#[test]
fn words_that_are_not_utf8_are_faults() {
    use std::os::unix::ffi::OsStringExt;
    let argv = vec![
        "mcp-proxy".into(),
        "node".into(),
        OsString::from_vec(b"a\xffb".to_vec()),
    ];
    let env = BTreeMap::from([("PATH".into(), "/bin".into())]);
    let Err(Stop::Faults(faults)) = Config::read_on(argv, &env, &Toy) else {
        panic!("it was accepted");
    };
    assert_eq!(
        faults.sentences(),
        ["word 2 of the command line is not UTF-8: \"a\u{fffd}b\""]
    );
}

#[test]
fn warnings_stop_nothing() {
    for (line, vars, part) in [
        (
            "node",
            &[("MCP_PROXY_PROT", "1")][..],
            "MCP_PROXY_PROT is not known; did you mean MCP_PROXY_PORT?",
        ),
        (
            "node",
            &[("MCP_PROXY_AUTH_TOKN", "t")],
            "did you mean MCP_PROXY_AUTH_TOKEN?",
        ),
        (
            "node",
            &[("MCP_PROXY_SOMETHING_ELSE", "1")],
            "is not known and has no effect",
        ),
        (
            "node",
            &[("MCP_PROXY_AUTH_TOKEN", "short")],
            "shorter than 16 characters",
        ),
        (
            "node",
            &[("MCP_PACKAGE", "x")],
            "MCP_PACKAGE is set and not used",
        ),
        (
            "--host :: --allow-unauthenticated node",
            &[],
            "anyone who can reach :: can use the server",
        ),
        ("--allow-origin * node", &[], "any web page may call"),
    ] {
        let warnings = good(line, vars).warnings;
        assert!(
            warnings.len() == 1 && warnings[0].contains(part),
            "{line} {vars:?}: {warnings:?}"
        );
    }
}

#[test]
fn variables_that_are_not_utf8_are_reported() {
    struct Odd(&'static str);
    impl Strings for Odd {
        fn get(&self, key: &str) -> Option<String> {
            (key == "PATH").then(|| "/bin".into())
        }
        fn all(&self) -> Vec<(String, String)> {
            vec![("PATH".into(), "/bin".into())]
        }
        fn unreadable(&self) -> Vec<String> {
            vec![self.0.into()]
        }
    }
    let argv = || vec!["mcp-proxy".into(), "node".into()];
    let config = Config::read_on(argv(), &Odd("LS_COLORS"), &Toy).unwrap();
    assert!(
        config.warnings[0].contains("\"LS_COLORS\" is not UTF-8"),
        "{:?}",
        config.warnings
    );
    let stop = Config::read_on(argv(), &Odd("MCP_PROXY_AUTH_TOKEN"), &Toy).unwrap_err();
    assert!(format!("{stop:?}").contains("not UTF-8"), "{stop:?}");
}
