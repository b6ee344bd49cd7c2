//! The authorization server, scopes, and credentials of principals.

use super::{faults, good};
use crate::config::TokenPolicy;

const ISSUER: &str = "--auth-issuer https://login.example/realm";

#[test]
fn an_authorization_server_is_a_door_of_its_own() {
    let config = good(&format!("{ISSUER} tool"), &[]);
    assert!(matches!(config.door.tokens, TokenPolicy::Issued));
    assert!(config.door.tokens.asks());
    let issuer = config.door.issuer.unwrap();
    assert_eq!(issuer.name, "https://login.example/realm");
    assert_eq!(issuer.public_url, None);

    // Beyond loopback no token is made, and static ones stand beside it.
    let beyond = format!("{ISSUER} --host :: --public-url https://Mcp.Example:443/ tool");
    let config = good(&beyond, &[]);
    assert!(matches!(config.door.tokens, TokenPolicy::Issued));
    let public = config.door.issuer.unwrap().public_url;
    assert_eq!(public.as_deref(), Some("https://mcp.example"));
    let config = good(
        &beyond,
        &[("MCP_PROXY_AUTH_TOKENS", "alice:correct-horse-01")],
    );
    assert!(matches!(config.door.tokens, TokenPolicy::Given(_)));
    assert!(config.door.issuer.is_some());

    let line =
        format!("{ISSUER} --auth-audience a,b --auth-scope x|y,z --tool-scope get_*=r|w tool");
    let config = good(&line, &[]);
    let issuer = config.door.issuer.unwrap();
    assert_eq!(issuer.audiences, ["a", "b"]);
    assert_eq!(issuer.scopes.len(), 2);
    assert_eq!(issuer.scopes[0].least(), "x");
    assert_eq!(config.tool_scopes[0].glob, "get_*");
    assert_eq!(config.tool_scopes[0].scope.least(), "r");
}

#[test]
fn what_could_not_be_meant_is_a_fault() {
    for (line, part) in [
        ("--auth-issuer login.example tool", "is not an address"),
        ("--auth-issuer http://login.example tool", "is not https"),
        (
            "--auth-issuer https://u:p@login.example tool",
            "is not an address",
        ),
        (
            "--auth-issuer https://login.example/#a tool",
            "is not an address",
        ),
        (
            "--auth-issuer https://login.example/?a=b tool",
            "is not an issuer",
        ),
        (
            "--auth-issuer https://a --auth-jwks-url http://10.0.0.1/ tool",
            "is not https",
        ),
        (
            "--auth-issuer https://a --auth-scope a\"b tool",
            "is not a scope",
        ),
        (
            "--auth-issuer https://a --public-url mcp.example tool",
            "is not an address",
        ),
        (
            "--auth-issuer https://a --host 0.0.0.0 tool",
            "needs --public-url",
        ),
        (
            "--auth-issuer https://a --public-url https://b --host :: --allow-unauthenticated tool",
            "contradicts --auth-issuer",
        ),
        (
            "--auth-issuer https://a --tool-scope get_* tool",
            "is not GLOB=SCOPE",
        ),
        (
            "--auth-issuer https://a --tool-scope =x tool",
            "is not GLOB=SCOPE",
        ),
        (
            "--tool-scope a=b tool",
            "--tool-scope is of no use without --auth-issuer",
        ),
        (
            "--auth-audience a tool",
            "--auth-audience is of no use without --auth-issuer",
        ),
        ("--auth-scope a tool", "--auth-scope is of no use without"),
        (
            "--auth-jwks-url https://a tool",
            "--auth-jwks-url is of no use without",
        ),
        (
            "--auth-allow-private tool",
            "--auth-allow-private is of no use without",
        ),
        ("--header-env X-A tool", "is not HEADER=NAME"),
        ("--header-env X-A=1A tool", "without a variable's name"),
        (
            "--header-env X-A=LD_PRELOAD tool",
            "LD_PRELOAD decides what runs",
        ),
        (
            "--header-env X-A=MCP_PROXY_X tool",
            "MCP_PROXY_X decides what runs",
        ),
        ("--header-env Cookie=A tool", "the header cookie is between"),
        (
            "--header-env Mcp-Session-Id=A tool",
            "the header mcp-session-id is between",
        ),
        ("--header-env X-A=A,x-a=B tool", "there twice"),
        ("--header-env X-A=A,X-B=A tool", "there twice"),
        (
            "--header-env X-A=A --child-mode shared tool",
            "leave one out",
        ),
        ("--principal-env /absent tool", "cannot be read"),
        ("--principal-env /run/token tool", "it is not a JSON object"),
    ] {
        let faults = faults(line, &[]);
        assert!(
            faults.iter().any(|fault| fault.contains(part)),
            "{line}: {faults:?}"
        );
    }
}

#[test]
fn an_authorization_server_on_this_machine_needs_no_https() {
    for issuer in [
        "http://127.0.0.1:9000",
        "http://localhost/realm",
        "http://[::1]:9",
    ] {
        let config = good(&format!("--auth-issuer {issuer} tool"), &[]);
        assert_eq!(config.door.issuer.unwrap().name, issuer);
    }
}
