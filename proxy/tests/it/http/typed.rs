//! The command line and the environment as people type them.

use serde_json::json;

use super::{
    proxy::{Proxy, run, toy_folder, toy_path},
    session::{LATEST, Session},
};

async fn args(proxy: &Proxy) -> String {
    let session = Session::open(&proxy.client(), LATEST).await;
    session.call("args", json!({})).await
}

/// Word for word what others' manuals say, with rule 11's token.
#[tokio::test]
async fn the_line_of_other_proxies_works_word_for_word() {
    let toy = toy_path();
    let env = [("API_KEY", "k")];
    let line = [
        "--host=::",
        "--port=0",
        "--pass-environment",
        "--",
        &toy,
        "-y",
    ];
    // The toy knows no -y; npx does. So the word after it is the toy's own.
    let line = [&line[..5], &["folder"]].concat();
    let proxy = Proxy::typed(&env, &line).await;
    let said = proxy.says("Bearer ").await;
    let token = said
        .split_once("Bearer ")
        .unwrap()
        .1
        .split('"')
        .next()
        .unwrap();
    let client = proxy
        .client()
        .with("Authorization", &format!("Bearer {token}"));
    let session = Session::open(&client, LATEST).await;
    assert_eq!(session.call("args", json!({})).await, r#"["folder"]"#);
    let inside = session.call("env", json!({})).await;
    assert!(inside.contains(r#""API_KEY":"k""#), "{inside}");
}

#[tokio::test]
async fn the_command_needs_no_dashes_before_it() {
    let toy = toy_path();
    for line in [
        vec!["--port", "0", &toy, "--linger", "0", "two words", "--port"],
        vec![
            "--port",
            "0",
            "--",
            &toy,
            "--linger",
            "0",
            "two words",
            "--port",
        ],
    ] {
        // The toy would refuse our --port, so the last word shows who reads it.
        let line = &line[..line.len() - 1];
        let proxy = Proxy::typed(&[], line).await;
        assert_eq!(args(&proxy).await, r#"["--linger","0","two words"]"#);
    }
}

#[tokio::test]
async fn the_environment_can_say_all_of_it() {
    let toy = toy_path();
    let command = format!("'{toy}' --linger 0");
    for (words, expected) in [
        (
            "one 'two words' \"$HOME\"",
            r#"["--linger","0","one","two words","$HOME"]"#,
        ),
        (r#"["a b", "*", ""]"#, r#"["--linger","0","a b","*",""]"#),
    ] {
        let env = [
            ("MCP_COMMAND", command.as_str()),
            ("MCP_ARGS", words),
            ("PORT", "0"),
            ("MCP_ENV_GIVEN", "yes"),
        ];
        let proxy = Proxy::typed(&env, &[]).await;
        assert_eq!(args(&proxy).await, expected);
        let session = Session::open(&proxy.client(), LATEST).await;
        let inside = session.call("env", json!({})).await;
        assert!(inside.contains(r#""GIVEN":"yes""#), "{inside}");
        assert!(!inside.contains("MCP_"), "{inside}");
    }
}

#[tokio::test]
async fn a_program_in_the_path_is_a_package_too() {
    let path = format!("{}:/usr/bin:/bin", toy_folder().display());
    let env = [
        ("PATH", path.as_str()),
        ("MCP_PACKAGE", "bin:mcp-toy"),
        ("MCP_PROXY_PORT", "0"),
    ];
    let proxy = Proxy::typed(&env, &[]).await;
    assert_eq!(args(&proxy).await, "[]");
}

#[tokio::test]
async fn variables_for_the_server_are_given_in_every_spelling() {
    let toy = toy_path();
    let line = [
        "--port",
        "0",
        "-e",
        "ONE",
        "1",
        "-e",
        "TWO=2",
        "--env=THREE=3",
        "--clean-env",
        &toy,
    ];
    let proxy = Proxy::typed(&[("SECRET", "s")], &line).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let inside = session.call("env", json!({})).await;
    for part in [
        r#""ONE":"1""#,
        r#""TWO":"2""#,
        r#""THREE":"3""#,
        r#""PATH":"#,
    ] {
        assert!(inside.contains(part), "{part} is not in {inside}");
    }
    assert!(!inside.contains("SECRET"), "{inside}");
}

#[tokio::test]
async fn faults_come_all_at_once_and_name_their_repair() {
    let env = [("MCP_PROXY_MAX_BODY_SIZE", "4M")];
    let line = [
        "--prot=1",
        "--start-timeout",
        "soon",
        "--",
        "no-such-program",
    ];
    let (code, out, err) = run(&env, &line).await;
    assert_eq!(code, Some(2));
    assert_eq!(out, "", "standard output is the protocol's");
    for part in [
        "did you mean --port",
        "--start-timeout",
        "MCP_PROXY_MAX_BODY_SIZE",
        "no-such-program",
        "--help",
    ] {
        assert!(err.contains(part), "{part} is not in\n{err}");
    }
}

#[tokio::test]
async fn nothing_to_run_is_told_with_what_to_type() {
    let (code, _, err) = run(&[], &[]).await;
    assert_eq!(code, Some(2));
    for part in ["MCP_PACKAGE", "MCP_COMMAND", "mcp-proxy -- npx -y"] {
        assert!(err.contains(part), "{part} is not in\n{err}");
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let proxy = Proxy::start(&[], &[]).await;
    let port = proxy.address.port().to_string();
    let (code, _, err) = run(&[], &["--port", &port, "--", &toy_path()]).await;
    assert_eq!(code, Some(1));
    assert!(err.contains(&port) && err.contains("--port"), "{err}");
}

#[tokio::test]
async fn help_and_version_are_output() {
    let (code, out, err) = run(&[], &["--help"]).await;
    assert_eq!((code, err.as_str()), (Some(0), ""));
    for part in [
        "Examples:",
        "--pass-environment -- npx -y @scope/server",
        "MCP_PACKAGE=",
        "[default: 8080]",
    ] {
        assert!(out.contains(part), "{part} is not in\n{out}");
    }
    let (code, out, _) = run(&[], &["--version"]).await;
    assert_eq!(
        (code, out.trim()),
        (Some(0), concat!("mcp-proxy ", env!("CARGO_PKG_VERSION")))
    );
}
