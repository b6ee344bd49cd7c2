//! The command lines in the manuals of the two programs people come from, word for word but for the
//! port: they start, and every endpoint they mean is served. `uvx`, `npx` and the like are scripts
//! that run the toy, because it is our part of the line that is in question.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::{
    client::Client,
    http_sse::Connection,
    named::File,
    proxy::{Proxy, run, toy_path},
    session::{LATEST, Session},
};

/// The example file of sparfenyuk's manual.
const SERVERS: &str = r#"{
  "mcpServers": {
    "fetch": {
      "enabled": true,
      "timeout": 60,
      "command": "uvx",
      "args": [
        "mcp-server-fetch"
      ],
      "transportType": "stdio"
    },
    "github": {
      "timeout": 60,
      "command": "npx",
      "args": [
        "-y",
        "@modelcontextprotocol/server-github"
      ],
      "env": {
        "GITHUB_PERSONAL_ACCESS_TOKEN": "<YOUR_TOKEN>"
      },
      "transportType": "stdio"
    }
  }
}
"#;

/// A folder with the programs the manuals name, and the example file.
fn programs() -> File {
    let file = File::new(&json!({}));
    fs::write(&file.path, SERVERS).unwrap();
    let script = format!("#!/bin/sh\nWORDS=\"${{0##*/}} $*\" exec '{}'\n", toy_path());
    for name in ["uvx", "npx", "deno", "my-default-command", "my-custom-tool"] {
        let path = file.folder.join(name);
        fs::write(&path, &script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    file
}

/// The line as a person's shell cuts it, at a port that is free.
fn words(line: &str, file: &File) -> Vec<String> {
    let servers = file.path.to_str().unwrap();
    shell_words(line)
        .into_iter()
        .map(|word| match word.as_str() {
            "8000" | "8080" => "0".to_owned(),
            "./servers.json" | "/path/to/servers.json" => servers.to_owned(),
            _ => match word.split_once("port=") {
                Some((flag, _)) => format!("{flag}port=0"),
                None => word,
            },
        })
        .collect()
}

/// Words between spaces, or between quotes of either kind; the lines have no more.
fn shell_words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for letter in line.chars() {
        match (letter, quote) {
            (' ' | '\n' | '\\', None) => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            ('"' | '\'', None) => quote = Some(letter),
            (letter, Some(open)) if letter == open => quote = None,
            (letter, _) => word.push(letter),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

/// A proxy of this line, and a client that may come in.
async fn started(line: &str, file: &File) -> (Proxy, Client) {
    let words = words(line, file);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let path = format!("{}:/usr/bin:/bin", file.folder.display());
    let env = [("PATH", path.as_str()), ("PORT", "0"), ("API_KEY", "k")];
    let proxy = Proxy::typed(&env, &words).await;
    let mut client = proxy.client();
    if line.contains("0.0.0.0") {
        let said = proxy.says("Bearer ").await;
        let (_, token) = said.split_once("Bearer ").unwrap();
        let (token, _) = token.split_once('"').unwrap();
        client = client.with("Authorization", &format!("Bearer {token}"));
    }
    (proxy, client)
}

/// The environment of the server there, asked over both transports.
async fn environment(client: &Client) -> Value {
    let mut connection = Connection::open(client, "2024-11-05").await;
    let over_sse: Value = serde_json::from_str(&connection.call("env", json!({})).await).unwrap();
    let session = Session::open(client, LATEST).await;
    let inside: Value = serde_json::from_str(&session.call("env", json!({})).await).unwrap();
    assert_eq!(over_sse["WORDS"], inside["WORDS"]);
    inside
}

/// A line, and what runs where: the name, or nothing for the plain paths, and its command.
type Line = (&'static str, &'static [(&'static str, &'static str)]);

/// sparfenyuk/mcp-proxy, README: example usage, docker compose, and the examples of `--help`.
const SPARFENYUK: [Line; 16] = [
    (
        "--sse-port=8080 -- uvx mcp-server-fetch --user-agent=YourUserAgent",
        &[("", "uvx mcp-server-fetch --user-agent=YourUserAgent")],
    ),
    (
        "--port 8080 --named-server-config /path/to/servers.json",
        &[
            ("fetch", "uvx mcp-server-fetch"),
            ("github", "npx -y @modelcontextprotocol/server-github"),
        ],
    ),
    ("uvx mcp-server-fetch", &[("", "uvx mcp-server-fetch")]),
    (
        "--port=8080 uvx mcp-server-fetch",
        &[("", "uvx mcp-server-fetch")],
    ),
    (
        "--sse-port=8080 uvx mcp-server-fetch",
        &[("", "uvx mcp-server-fetch")],
    ),
    (
        "--host=0.0.0.0 --port=8080 uvx mcp-server-fetch",
        &[("", "uvx mcp-server-fetch")],
    ),
    (
        "--sse-host=0.0.0.0 --sse-port=8080 uvx mcp-server-fetch",
        &[("", "uvx mcp-server-fetch")],
    ),
    (
        "--port=8080 -- uvx mcp-server-fetch --user-agent=YourUserAgent",
        &[("", "uvx mcp-server-fetch --user-agent=YourUserAgent")],
    ),
    (
        "--port=8080 --named-server fetch 'uvx mcp-server-fetch' --named-server fetch2 'uvx mcp-server-fetch'",
        &[
            ("fetch", "uvx mcp-server-fetch"),
            ("fetch2", "uvx mcp-server-fetch"),
        ],
    ),
    (
        "--port=8080 --named-server-config ./servers.json",
        &[
            ("fetch", "uvx mcp-server-fetch"),
            ("github", "npx -y @modelcontextprotocol/server-github"),
        ],
    ),
    (
        "--pass-environment --port=8096 --sse-host 0.0.0.0 uvx mcp-server-fetch",
        &[("", "uvx mcp-server-fetch")],
    ),
    (
        "--port 8080 -- my-default-command --arg1 value1",
        &[("", "my-default-command --arg1 value1")],
    ),
    (
        "--port 8080 --named-server fetch1 'uvx mcp-server-fetch' --named-server tool2 'my-custom-tool --verbose'",
        &[
            ("fetch1", "uvx mcp-server-fetch"),
            ("tool2", "my-custom-tool --verbose"),
        ],
    ),
    (
        "--port 8080 --named-server-config /path/to/servers.json -- my-default-command --arg1",
        &[
            ("", "my-default-command --arg1"),
            ("fetch", "uvx mcp-server-fetch"),
            ("github", "npx -y @modelcontextprotocol/server-github"),
        ],
    ),
    (
        "--port 8080 -e KEY VALUE -e ANOTHER_KEY ANOTHER_VALUE -- my-default-command",
        &[("", "my-default-command ")],
    ),
    (
        "--port 8080 --allow-origin='*' -- my-default-command",
        &[("", "my-default-command ")],
    ),
];

/// supergateway, README: everything that begins with `--stdio`.
const SUPERGATEWAY: [Line; 8] = [
    (
        r#"--stdio "uvx mcp-server-git""#,
        &[("", "uvx mcp-server-git")],
    ),
    (
        r#"--stdio "npx -y @modelcontextprotocol/server-filesystem ./my-folder" \
    --port 8000 --baseUrl http://localhost:8000 \
    --ssePath /sse --messagePath /message"#,
        &[(
            "",
            "npx -y @modelcontextprotocol/server-filesystem ./my-folder",
        )],
    ),
    (
        r#"--stdio "npx -y @modelcontextprotocol/server-filesystem ./my-folder" \
    --outputTransport streamableHttp \
    --port 8000"#,
        &[(
            "",
            "npx -y @modelcontextprotocol/server-filesystem ./my-folder",
        )],
    ),
    (
        r#"--stdio "npx -y @modelcontextprotocol/server-filesystem ./my-folder" \
    --outputTransport streamableHttp --stateful \
    --sessionTimeout 60000 --port 8000"#,
        &[(
            "",
            "npx -y @modelcontextprotocol/server-filesystem ./my-folder",
        )],
    ),
    (
        r#"--port 8000 \
    --stdio "npx -y @modelcontextprotocol/server-filesystem /Users/MyName/Desktop""#,
        &[(
            "",
            "npx -y @modelcontextprotocol/server-filesystem /Users/MyName/Desktop",
        )],
    ),
    (
        r#"--port 8000 --stdio "npx -y @modelcontextprotocol/server-filesystem .""#,
        &[("", "npx -y @modelcontextprotocol/server-filesystem .")],
    ),
    (
        r#"--stdio "uvx mcp-server-fetch""#,
        &[("", "uvx mcp-server-fetch")],
    ),
    (
        r#"--stdio "deno run -A jsr:@omedia/mcp-server-drupal --drupal-url https://your-drupal-server.com""#,
        &[(
            "",
            "deno run -A jsr:@omedia/mcp-server-drupal --drupal-url https://your-drupal-server.com",
        )],
    ),
];

async fn check(lines: &[Line]) {
    let file = programs();
    for (line, servers) in lines {
        let (_proxy, client) = started(line, &file).await;
        for (name, command) in *servers {
            let client = if name.is_empty() {
                client.clone()
            } else {
                client.of(name)
            };
            let inside = environment(&client).await;
            assert_eq!(inside["WORDS"], *command, "{line}");
            assert_eq!(inside["API_KEY"], "k", "{line}");
            let token = (*name == "github").then_some("<YOUR_TOKEN>");
            assert_eq!(
                inside["GITHUB_PERSONAL_ACCESS_TOKEN"],
                json!(token),
                "{line}"
            );
            let given = line.contains("-e KEY").then_some("ANOTHER_VALUE");
            assert_eq!(inside["ANOTHER_KEY"], json!(given), "{line}");
        }
        // Their monitors look here.
        assert_eq!(client.get("/status").await.status, 200, "{line}");
    }
}

#[tokio::test]
async fn lines_of_sparfenyuk_start_and_serve() {
    check(&SPARFENYUK).await;
}

#[tokio::test]
async fn lines_of_supergateway_start_and_serve() {
    check(&SUPERGATEWAY).await;
}

#[tokio::test]
async fn lines_that_mean_what_is_not_there_are_refused_in_a_sentence() {
    let file = programs();
    let path = format!("{}:/usr/bin:/bin", file.folder.display());
    for (line, part) in [
        (
            r#"--stdio "npx -y @modelcontextprotocol/server-filesystem ./my-folder" \
    --port 8000 --outputTransport ws --messagePath /message"#,
            "--outputTransport: WebSocket is not there",
        ),
        (
            r#"--sse "https://mcp-server-ab71a6b2-cd55-49d0-adba-562bc85956e3.supermachine.app""#,
            "--sse: it belongs to offering a remote server",
        ),
        (
            r#"--streamableHttp "https://mcp-server.example.com/mcp""#,
            "--streamableHttp: it belongs to offering a remote server",
        ),
        ("http://localhost:8080/sse", "offering a remote server"),
        (
            "--transport streamablehttp http://localhost:8080/mcp",
            "--transport: it belongs to offering a remote server",
        ),
    ] {
        let words = words(line, &file);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (code, out, err) = run(&[("PATH", &path)], &words).await;
        assert_eq!((code, out.as_str()), (Some(2), ""), "{line}: {err}");
        assert!(err.contains(part), "{line}: {err}");
    }
}
