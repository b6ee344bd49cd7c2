//! The one block of text a person sees at start: where it is, what runs behind it, what to paste.

use crate::config::{Listen, TokenPolicy};

/// What the banner tells.
#[derive(Debug)]
pub struct BannerFacts<'a> {
    /// Where we listen, with the port that was really bound.
    pub listen: &'a Listen,
    /// The servers, the one without a name first.
    pub servers: Vec<Behind<'a>>,
    /// Whether TLS is spoken there.
    pub is_secure: bool,
    /// Which token clients present. A generated one is printed, once, here and nowhere else.
    pub tokens: &'a TokenPolicy,
}

/// One server behind the proxy.
#[derive(Debug)]
pub struct Behind<'a> {
    /// Its short name, which becomes its name in the client.
    pub name: &'a str,
    /// The path of its MCP endpoint.
    pub path: String,
    /// Its command.
    pub display: &'a str,
    /// Why it cannot be started, if it cannot.
    pub broken: Option<&'a str>,
}

/// The URL of the proxy for a client on this machine, without a path.
///
/// An unspecified address is shown as loopback: `0.0.0.0` is an address to listen on, not one to
/// connect to, and `::` takes IPv4 too.
#[must_use]
pub fn url(listen: &Listen, is_secure: bool) -> String {
    let host = match listen.host.as_str() {
        "::" | "0.0.0.0" => "127.0.0.1".to_owned(),
        host if host.contains(':') => format!("[{host}]"),
        host => host.to_owned(),
    };
    let scheme = if is_secure { "https" } else { "http" };
    format!("{scheme}://{host}:{}", listen.port)
}

/// The block, ending with a line end.
#[must_use]
pub fn banner(facts: &BannerFacts<'_>) -> String {
    let url = url(facts.listen, facts.is_secure);
    let mut text = match facts.servers.as_slice() {
        [only] if only.path == facts.listen.mcp_path => format!(
            "\n  mcp-proxy listens on {url}{}\n  and runs {}\n",
            only.path, only.display
        ),
        servers => {
            let mut text = format!("\n  mcp-proxy listens on {url}/ and runs\n");
            for server in servers {
                text.push_str(&format!("  {}  {}\n", server.path, server.display));
                if let Some(why) = server.broken {
                    text.push_str(&format!("    cannot be started: {why}\n"));
                }
            }
            if servers.is_empty() {
                text.push_str("  nothing yet\n");
            }
            text
        }
    };
    if matches!(facts.listen.host.as_str(), "::" | "0.0.0.0") {
        text.push_str(
            "  Other machines use this machine's name or address instead of 127.0.0.1.\n",
        );
    }
    text.push_str("\n  Paste this into a client's configuration:\n\n");
    for line in snippet(facts, &url).lines() {
        text.push_str("    ");
        text.push_str(line);
        text.push('\n');
    }
    text.push_str(match facts.tokens {
        TokenPolicy::Given(_) => {
            "\n  Clients also send the header \"Authorization: Bearer …\" with the token you set.\n"
        }
        TokenPolicy::Generated(_) => {
            "\n  The token was made for this run; set MCP_PROXY_AUTH_TOKEN to choose one that stays.\n"
        }
        TokenPolicy::Issued => {
            "\n  Clients get their tokens from the authorization server, and find it by themselves.\n"
        }
        TokenPolicy::Open => "",
        TokenPolicy::OpenDeclared => {
            "\n  WARNING: no token is asked for. Anyone who can reach this address can use the server.\n"
        }
    });
    text.push('\n');
    text
}

fn snippet(facts: &BannerFacts<'_>, url: &str) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut servers = Vec::new();
    for (index, server) in facts.servers.iter().enumerate() {
        if server.broken.is_some() {
            continue;
        }
        let mut members = vec![
            "\"type\": \"http\"".to_owned(),
            format!("\"url\": {}", quoted(&format!("{url}{}", server.path))),
        ];
        if let TokenPolicy::Generated(secret) = facts.tokens {
            let header = quoted(&format!("Bearer {}", secret.expose()));
            members.push(format!("\"headers\": {{ \"Authorization\": {header} }}"));
        }
        // A person chose the other names, and not this one.
        let taken = facts.servers.iter().skip(index + 1);
        let name = if taken
            .map(|other| other.name)
            .any(|name| name == server.name)
        {
            format!("{}-default", server.name)
        } else {
            server.name.to_owned()
        };
        let members = members.join(",\n      ");
        servers.push(format!(
            "    {}: {{\n      {members}\n    }}",
            quoted(&name)
        ));
    }
    if servers.is_empty() {
        return "{\n  \"mcpServers\": {}\n}".to_owned();
    }
    format!(
        "{{\n  \"mcpServers\": {{\n{}\n  }}\n}}",
        servers.join(",\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Roster, Secret};

    fn listen(host: &str) -> Listen {
        Listen {
            host: host.into(),
            port: 8080,
            mcp_path: "/mcp".into(),
        }
    }

    fn check(host: &str, tokens: &TokenPolicy, expected: &str) -> String {
        let text = banner(&BannerFacts {
            listen: &listen(host),
            servers: vec![Behind {
                name: "server-everything",
                path: "/mcp".into(),
                display: "npx -y @modelcontextprotocol/server-everything",
                broken: None,
            }],
            is_secure: false,
            tokens,
        });
        assert_eq!(text, expected, "the banner now reads:\n{text}");
        text
    }

    #[test]
    fn on_loopback() {
        let text = check(
            "127.0.0.1",
            &TokenPolicy::Open,
            include_str!("testdata/banner_open.txt"),
        );
        let snippet = &text[text.find('{').unwrap()..];
        let snippet: serde_json::Value = serde_json::from_str(snippet).unwrap();
        let server = &snippet["mcpServers"]["server-everything"];
        assert_eq!(server["url"], "http://127.0.0.1:8080/mcp");
        assert_eq!(server["type"], "http");
    }

    #[test]
    fn with_several_servers() {
        let listen = Listen {
            host: "127.0.0.1".into(),
            port: 8080,
            mcp_path: "/mcp".into(),
        };
        let behind = |name, path: &str, broken| Behind {
            name,
            path: path.into(),
            display: "uvx mcp-server-time",
            broken,
        };
        let text = banner(&BannerFacts {
            listen: &listen,
            servers: vec![
                behind("time", "/mcp", None),
                behind("time", "/servers/time/mcp", None),
                behind("off", "/servers/off/mcp", Some("it was not found")),
            ],
            is_secure: false,
            tokens: &TokenPolicy::Open,
        });
        let expected = include_str!("testdata/banner_several.txt");
        assert_eq!(text, expected, "the banner now reads:\n{text}");
        let snippet: serde_json::Value =
            serde_json::from_str(&text[text.find('{').unwrap()..]).unwrap();
        let servers = snippet["mcpServers"].as_object().unwrap();
        assert_eq!(servers.len(), 2, "{snippet}");
    }

    #[test]
    fn with_a_token_made_for_this_run() {
        let tokens = TokenPolicy::Generated(Secret::from_random([0xa5; 32]));
        check("::", &tokens, include_str!("testdata/banner_generated.txt"));
    }

    #[test]
    fn with_a_token_that_was_given() {
        let tokens = TokenPolicy::Given(Roster::of(Secret::new("do-not-print-me").unwrap()));
        let text = check(
            "10.0.0.7",
            &tokens,
            include_str!("testdata/banner_given.txt"),
        );
        assert!(!text.contains("do-not-print-me"));
    }

    #[test]
    fn open_to_all_on_purpose() {
        let expected = include_str!("testdata/banner_open_declared.txt");
        check("0.0.0.0", &TokenPolicy::OpenDeclared, expected);
    }

    #[test]
    fn urls_are_ones_that_connect() {
        for (host, expected) in [
            ("127.0.0.1", "http://127.0.0.1:8080"),
            ("::1", "http://[::1]:8080"),
            ("::", "http://127.0.0.1:8080"),
            ("box.example", "http://box.example:8080"),
        ] {
            assert_eq!(url(&listen(host), false), expected);
            let secure = expected.replace("http://", "https://");
            assert_eq!(url(&listen(host), true), secure);
        }
    }
}
