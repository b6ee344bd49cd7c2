//! Who may call, as tables.

use axum::http::Request;

use super::*;
use crate::config::{Roster, Secret, TokenPolicy};

fn policy(bound: &str, token: bool, hosts: &[&str], origins: &[&str]) -> HostOrigin {
    let listen = Listen {
        host: bound.into(),
        port: 8080,
        mcp_path: "/mcp".into(),
    };
    let tokens = if token {
        TokenPolicy::Given(Roster::of(Secret::new("0123456789abcdef").unwrap()))
    } else if listen.is_loopback() {
        TokenPolicy::Open
    } else {
        TokenPolicy::OpenDeclared
    };
    let list = |entries: &[&str]| entries.iter().map(|entry| (*entry).into()).collect();
    let door = Door {
        allow_hosts: list(hosts),
        allow_origins: list(origins),
        ..Door::with(tokens)
    };
    HostOrigin::new(&listen, &door)
}

fn head(uri: &str, headers: &[(&HeaderName, &[u8])]) -> Parts {
    let mut request = Request::builder().uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn takes_host(policy: &HostOrigin, host: &str) -> bool {
    match policy.check(&head("/mcp", &[(&HOST, host.as_bytes())])) {
        Ok(()) => true,
        Err(Refusal::Host { .. }) => false,
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn hosts_by_where_we_listen_and_what_is_allowed() {
    const ALWAYS: &[&str] = &[
        "localhost",
        "localhost:8080",
        "a.localhost:1",
        "127.0.0.1:8080",
        "127.3.2.1",
        "[::1]:8080",
    ];
    struct Case {
        policy: HostOrigin,
        taken: &'static [&'static str],
        refused: &'static [&'static str],
    }
    for case in [
        Case {
            policy: policy("127.0.0.1", false, &[], &[]),
            taken: &[],
            refused: &[
                "evil.example",
                "evil.example:8080",
                "0.0.0.0",
                "10.0.0.7:8080",
                "localhost.evil.example",
                "",
                "localhost@evil.example",
                "[::1",
                "127.1",
            ],
        },
        // A token does not open a loopback listener to names.
        Case {
            policy: policy("127.0.0.1", true, &[], &[]),
            taken: &[],
            refused: &["evil.example"],
        },
        Case {
            policy: policy(
                "127.0.0.1",
                false,
                &[
                    "app.example",
                    "port.example:8443",
                    "web.example:443",
                    "[fe80::1]",
                ],
                &[],
            ),
            taken: &[
                "app.example",
                "App.Example.:99",
                "port.example:8443",
                "web.example",
                "web.example:443",
                "[FE80:0::1]:8080",
            ],
            refused: &[
                "app.example.evil",
                "sub.app.example",
                "port.example",
                "port.example:1",
                "web.example:80",
            ],
        },
        // Beyond loopback.
        Case {
            policy: policy("10.0.0.7", true, &[], &[]),
            taken: &["10.0.0.7:8080", "anything.example"],
            refused: &["not a host", ""],
        },
        Case {
            policy: policy("10.0.0.7", false, &[], &[]),
            taken: &["10.0.0.7", "10.0.0.7:8080"],
            refused: &["10.0.0.8", "evil.example"],
        },
        Case {
            policy: policy("::", true, &["app.example"], &[]),
            taken: &["app.example:8080"],
            refused: &["evil.example"],
        },
        Case {
            policy: policy("::", false, &["*"], &[]),
            taken: &["evil.example"],
            refused: &["not a host"],
        },
    ] {
        for host in ALWAYS.iter().chain(case.taken) {
            assert!(
                takes_host(&case.policy, host),
                "{host} by {:?}",
                case.policy
            );
        }
        for host in case.refused {
            assert!(
                !takes_host(&case.policy, host),
                "{host} by {:?}",
                case.policy
            );
        }
    }
}

#[test]
fn the_request_target_counts_as_much_as_the_header() {
    let policy = policy("127.0.0.1", false, &[], &[]);
    let (ours, evil) = ((&HOST, &b"localhost"[..]), (&HOST, &b"evil.example"[..]));
    for (uri, headers, passes) in [
        ("http://localhost:8080/mcp", &[][..], true),
        ("http://evil.example/mcp", &[], false),
        ("http://localhost/mcp", &[ours], true),
        ("http://evil.example/mcp", &[ours], false),
        ("http://localhost/mcp", &[evil], false),
        ("/mcp", &[ours, ours], false),
        ("/mcp", &[ours, evil], false),
        ("/mcp", &[], false),
        ("/mcp", &[(&HOST, &b"\xff"[..])], false),
        // Probes come by address, or with no name at all.
        ("/health/live", &[evil], true),
        ("/metrics", &[], true),
        ("/health", &[ours, evil], true),
        ("/status", &[evil], false),
        ("/", &[evil], false),
    ] {
        let result = policy.check(&head(uri, headers));
        assert_eq!(result.is_ok(), passes, "{uri} {headers:?}: {result:?}");
    }
}

#[test]
fn origins() {
    let listed = policy(
        "::",
        true,
        &[],
        &["https://app.example", "vscode-webview://abc"],
    );
    let all = policy("::", true, &[], &["*"]);
    for (origin, by_listed, by_all) in [
        (&b"http://localhost:6274"[..], true, true),
        (b"https://127.0.0.1", true, true),
        (b"http://[::1]:1", true, true),
        (b"http://me.example:8080", true, true),
        (b"http://me.example:8081", false, true),
        (b"http://me.example", false, true),
        (b"https://app.example", true, true),
        (b"https://app.example:443", true, true),
        (b"http://app.example", false, true),
        (b"https://app.example.evil", false, true),
        (b"vscode-webview://abc", true, true),
        (b"ftp://localhost", false, true),
        (b"https://evil.example", false, true),
        (b"null", false, false),
        (b"", false, false),
        (b"localhost", false, false),
        (b"https://localhost/", false, false),
        (b"https://localhost, https://evil.example", false, false),
        (b"\xff", false, false),
    ] {
        let head = head("/mcp", &[(&HOST, b"me.example:8080"), (&ORIGIN, origin)]);
        let shown = escape(origin, 100);
        assert_eq!(listed.check(&head).is_ok(), by_listed, "{shown}");
        assert_eq!(all.check(&head).is_ok(), by_all, "{shown}");
    }
    let twice = (&ORIGIN, &b"http://localhost"[..]);
    let head = head("/mcp", &[(&HOST, b"localhost"), twice, twice]);
    assert!(matches!(
        all.check(&head),
        Err(Refusal::Origin { found: None, .. })
    ));
}

#[test]
fn a_refusal_tells_the_owner_what_to_do() {
    let policy = policy("127.0.0.1", false, &[], &[]);
    let refusal = policy
        .check(&head("/mcp", &[(&HOST, b"evil.example:80")]))
        .unwrap_err();
    assert_eq!(
        refusal.sentence(),
        "the Host header names \"evil.example:80\", which is not this server; if it should be, \
         its owner can allow it with --allow-host"
    );
    let origin: &[u8] = b"https://evil.example";
    let head = head("/mcp", &[(&HOST, b"localhost"), (&ORIGIN, origin)]);
    assert_eq!(
        policy.check(&head).unwrap_err().sentence(),
        "pages from https://evil.example may not call this server; its owner can allow them \
         with --allow-origin"
    );
}
