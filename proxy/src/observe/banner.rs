//! The one block of text a person sees at start: where it is, what runs behind it, what to paste.

use crate::config::{Listen, TokenPolicy};

/// What the banner tells.
#[derive(Debug)]
pub struct BannerFacts<'a> {
    /// Where we listen, with the port that was really bound.
    pub listen: &'a Listen,
    /// The server's short name, which becomes its name in the client.
    pub name: &'a str,
    /// The server's command.
    pub display: &'a str,
    /// Which token clients present. A generated one is printed, once, here and nowhere else.
    pub tokens: &'a TokenPolicy,
}

/// The URL a client on this machine uses.
///
/// An unspecified address is shown as loopback: `0.0.0.0` is an address to listen on, not one to
/// connect to, and `::` takes IPv4 too.
#[must_use]
pub fn url(listen: &Listen) -> String {
    let host = match listen.host.as_str() {
        "::" | "0.0.0.0" => "127.0.0.1".to_owned(),
        host if host.contains(':') => format!("[{host}]"),
        host => host.to_owned(),
    };
    format!("http://{host}:{}{}", listen.port, listen.mcp_path)
}

/// The block, ending with a line end.
#[must_use]
pub fn banner(facts: &BannerFacts<'_>) -> String {
    let url = url(facts.listen);
    let mut text = format!(
        "\n  mcp-proxy listens on {url}\n  and runs {}\n",
        facts.display
    );
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
    let mut members = vec![
        "\"type\": \"http\"".to_owned(),
        format!("\"url\": {}", quoted(url)),
    ];
    if let TokenPolicy::Generated(secret) = facts.tokens {
        let header = quoted(&format!("Bearer {}", secret.expose()));
        members.push(format!("\"headers\": {{ \"Authorization\": {header} }}"));
    }
    format!(
        "{{\n  \"mcpServers\": {{\n    {}: {{\n      {}\n    }}\n  }}\n}}",
        quoted(facts.name),
        members.join(",\n      "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn check(host: &str, tokens: &TokenPolicy, expected: &str) -> String {
        let listen = Listen {
            host: host.into(),
            port: 8080,
            mcp_path: "/mcp".into(),
        };
        let text = banner(&BannerFacts {
            listen: &listen,
            name: "server-everything",
            display: "npx -y @modelcontextprotocol/server-everything",
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
    fn with_a_token_made_for_this_run() {
        let tokens = TokenPolicy::Generated(Secret::from_random([0xa5; 32]));
        check("::", &tokens, include_str!("testdata/banner_generated.txt"));
    }

    #[test]
    fn with_a_token_that_was_given() {
        let tokens = TokenPolicy::Given(Secret::new("do-not-print-me").unwrap());
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
            ("127.0.0.1", "http://127.0.0.1:8080/mcp"),
            ("::1", "http://[::1]:8080/mcp"),
            ("::", "http://127.0.0.1:8080/mcp"),
            ("box.example", "http://box.example:8080/mcp"),
        ] {
            assert_eq!(
                url(&Listen {
                    host: host.into(),
                    port: 8080,
                    mcp_path: "/mcp".into(),
                }),
                expected
            );
        }
    }
}
