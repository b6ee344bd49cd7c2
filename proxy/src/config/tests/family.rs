//! Command lines of other bridges, as their manuals have them.

use super::super::*;
use super::{command, faults, good, read, read_words};

/// The words of a line, as the person's own shell cuts it.
fn typed(line: &str) -> Result<Config, Stop> {
    let words = shell_words::split(line).unwrap();
    read_words(&words.iter().map(String::as_str).collect::<Vec<_>>(), &[])
}

fn accepted(line: &str) -> Config {
    typed(line).unwrap_or_else(|stop| panic!("{line}: {stop:?}"))
}

fn refused(line: &str) -> Vec<String> {
    match typed(line) {
        Err(Stop::Faults(faults)) => faults.sentences().to_vec(),
        other => panic!("{line}: {other:?}"),
    }
}

/// Their line starts what ours starts, with the same settings.
fn same(theirs: &str, ours: &str) {
    let show = |config: &Config| format!("{config:?}");
    assert_eq!(
        show(&accepted(theirs)),
        show(&accepted(ours)),
        "{theirs} is not {ours}"
    );
}

#[test]
fn lines_of_sparfenyuk() {
    for (theirs, ours) in [
        ("uvx mcp-server-fetch", "uvx mcp-server-fetch"),
        ("--port=8080 uvx mcp-server-fetch", "uvx mcp-server-fetch"),
        (
            "--sse-port=8081 --sse-host 0.0.0.0 uvx mcp-server-fetch",
            "--port 8081 --host 0.0.0.0 -- uvx mcp-server-fetch",
        ),
        (
            "--pass-environment --port=8096 --sse-host 0.0.0.0 uvx mcp-server-fetch",
            "--port 8096 --host 0.0.0.0 -- uvx mcp-server-fetch",
        ),
        (
            "--port=8080 -- uvx mcp-server-fetch --user-agent=YourUserAgent",
            "-- uvx mcp-server-fetch --user-agent=YourUserAgent",
        ),
        (
            "--port 8080 -e KEY VALUE -e ANOTHER_KEY ANOTHER_VALUE -- uvx p --arg1 value1",
            "-e KEY=VALUE -e ANOTHER_KEY=ANOTHER_VALUE uvx p --arg1 value1",
        ),
        (
            "--no-pass-environment --no-debug --no-stateless uvx p",
            "--clean-env uvx p",
        ),
        ("--debug --no-debug uvx p", "uvx p"),
        ("--no-stateless --stateless uvx p", "--stateless uvx p"),
        ("--log-level CRITICAL uvx p", "--log-level error uvx p"),
        (
            "--allow-origin='*' --port=8080 uvx p",
            "--allow-origin '*' -- uvx p",
        ),
        (
            "--cwd /srv --stateless uvx p",
            "--stateless --cwd=/srv uvx p",
        ),
    ] {
        same(theirs, ours);
    }
}

#[test]
fn lines_of_supergateway() {
    for (theirs, ours) in [
        (r#"--stdio "uvx mcp-server-git""#, "uvx mcp-server-git"),
        (
            r#"--stdio "npx -y @modelcontextprotocol/server-filesystem ./my-folder" --outputTransport streamableHttp --port 8000"#,
            "--port 8000 npx -y @modelcontextprotocol/server-filesystem ./my-folder",
        ),
        (
            r#"--stdio "npx -y p ./my-folder" --outputTransport streamableHttp --stateful --sessionTimeout 60000 --port 8000"#,
            "--session-idle-timeout 60s --port 8000 npx -y p ./my-folder",
        ),
        (
            r#"--stdio "npx -y p '/my files'" --streamableHttpPath /x --baseUrl http://localhost:8000"#,
            "--mcp-path /x npx -y p '/my files'",
        ),
        (
            "--stdio 'node a' --healthEndpoint /healthz --healthEndpoint /up --logLevel debug",
            "--health-path /healthz,/up --log-level debug node a",
        ),
        ("--logLevel none --stdio node", "--log-level off node"),
        // yargs reads both spellings, and a value for a switch.
        (
            "--output-transport=streamableHttp --stateful=true --session-timeout 1 --stdio=node",
            "--session-idle-timeout 1ms node",
        ),
    ] {
        same(theirs, ours);
    }
    // No shell: what it would expand stays as it is.
    assert_eq!(
        command(&accepted(r"--stdio 'node $HOME *'")),
        "/bin/node $HOME *"
    );
}

#[test]
fn lines_of_punkpeye() {
    for (theirs, ours) in [
        ("--port 8080 node server.js", "node server.js"),
        (
            "--port 8080 --stateless --server stream node server.js",
            "--stateless node server.js",
        ),
        (
            "--port 8080 -- node server.js --port 3000",
            "node server.js --port 3000",
        ),
        ("--endpoint /a node", "--mcp-path /a node"),
        ("--streamEndpoint /a/ node", "--mcp-path /a node"),
        (
            "--connectionTimeout 60000 --requestTimeout 1500 --sessionIdleTimeout 7000 --gracefulShutdownTimeout 5000 node",
            "--start-timeout 60s --request-timeout 1500ms --session-idle-timeout 7s --drain-timeout 5s node",
        ),
        (
            "--eventStore --no-modern --upstreamProtocol legacy node",
            "node",
        ),
        ("--no-eventStore node", "--replay-bytes 0 node"),
        (
            "--maxBodySize 10485760 --debug node",
            "--max-body-size 10MiB --debug node",
        ),
        // Our own spelling keeps our own unit.
        ("--request-timeout 5 node", "--request-timeout 5s node"),
    ] {
        same(theirs, ours);
    }
}

#[test]
fn what_is_not_there_is_refused_in_one_sentence() {
    for (line, part) in [
        (
            "--headers Authorization 'Bearer hunter2' https://host/sse",
            "which is not there yet",
        ),
        (
            "-H Authorization hunter2 --stdio node",
            "-H: it belongs to offering a remote server",
        ),
        ("--client-id a --stdio node", "--client-id: it belongs"),
        (
            "--client-secret hunter2 --stdio node",
            "--client-secret: it belongs",
        ),
        (
            "--sse https://mcp.example/sse",
            "--sse: it belongs to offering a remote server",
        ),
        (
            "--streamableHttp https://mcp.example/mcp",
            "--streamableHttp: it belongs",
        ),
        (
            "--stdio node --outputTransport ws",
            "WebSocket is not there",
        ),
        (
            "--stdio node --outputTransport stdio",
            "--outputTransport: it belongs",
        ),
        (
            "--stdio node --outputTransport tcp",
            "\"tcp\" is not one of streamableHttp, sse, ws, stdio",
        ),
        (
            "--stdio node --cors /a.example$/",
            "--cors: \"/a.example$/\" is not an origin",
        ),
        (
            "--stdio node --header 'x-user-id: hunter2'",
            "--header: headers cannot be added",
        ),
        (
            "--stdio node --oauth2Bearer hunter2",
            "MCP_PROXY_AUTH_TOKEN",
        ),
        (
            "--stdio node --protocolVersion 2025-03-26",
            "agreed on by the client and the server",
        ),
        (
            "--stdio node --logLevel loud",
            "--logLevel: \"loud\" is not one of debug, info, none",
        ),
        (
            "--stdio node --sessionTimeout 60s",
            "--sessionTimeout: \"60s\" is not a number of milliseconds",
        ),
        (
            "--stdio node --sessionTimeout",
            "--sessionTimeout needs a value",
        ),
        (
            "--stdio node --sessionTimeout 0",
            "--sessionTimeout: \"0ms\" is less than 1ms",
        ),
        (
            "--stdio node --stateful=perhaps",
            "--stateful is a switch and takes no value",
        ),
        (
            "--stdio node --streamableHttpPath mcp",
            "--streamableHttpPath: \"mcp\" is not a path",
        ),
        (
            "--stdio node --healthEndpoint /mcp",
            "--healthEndpoint: \"/mcp\" is the path of something else",
        ),
        ("--stdio 'node' uvx", "--stdio: a command was typed too"),
        ("--stdio \"node 'a\"", "--stdio: a quote is not closed"),
        ("--stdio ' '", "--stdio: \" \" is without a program"),
        (
            "--stdio 'cd x && node y'",
            "if it needs one, make the command sh -c",
        ),
        ("--stdio 'node x; node y'", "what only a shell understands"),
        (
            "--stdio 'TOKEN=hunter2 node x'",
            "give it with -e KEY=VALUE",
        ),
        (
            "--apiKey hunter2 node",
            "set MCP_PROXY_AUTH_TOKEN, and clients send it as Authorization: Bearer",
        ),
        ("--shell node server.js", "--shell: no shell is run"),
        ("--modern node", "--modern: the revision 2026-07-28"),
        (
            "--upstreamProtocol auto node",
            "--upstreamProtocol: the revision 2026-07-28",
        ),
        (
            "--keepAliveTimeout 5000 node",
            "--keep-alive is the time between comments",
        ),
        ("--eventStoreMaxEvents 10 node", "--replay-bytes SIZE"),
        (
            "--maxBodySize 0 node",
            "--maxBodySize: \"0\" is less than 1024 bytes",
        ),
        ("--sslCa ca.pem node", "--sslCa: certificates of clients"),
        (
            "--sslCert cert.pem node",
            "--sslCert is of no use without --tls-key",
        ),
        ("--tunnel node", "--tunnel: there is no tunnel"),
        (
            "--tunnelSubdomain a node",
            "--tunnelSubdomain: there is no tunnel",
        ),
    ] {
        let mut found = refused(line);
        // A command that is a URL is a fault of its own.
        found.retain(|fault| !fault.starts_with("the command is a URL"));
        assert!(
            found.len() == 1 && found[0].contains(part),
            "{line}: {found:#?}"
        );
        assert!(!found[0].contains("hunter2"), "{found:?}");
    }
}

#[test]
fn what_pages_may_do_is_said_in_their_words() {
    for (theirs, ours) in [
        (
            "--cors http://a.example http://b.example --stdio node",
            "--allow-origin http://a.example,http://b.example node",
        ),
        (
            "--allow-origin https://a --corsAddAllowedHeader X-A X-B -- node",
            "--allow-origin https://a --cors-header x-a,x-b -- node",
        ),
        (
            "--allow-origin https://a.example --expose-header X-A --expose-header X-B -- node",
            "--allow-origin https://a.example --expose-header x-a,X-A,x-b -- node",
        ),
    ] {
        same(theirs, ours);
    }
    // Alone it is every page, which draws the warning of our flag.
    let config = accepted("--stdio node --cors");
    assert_eq!(config.door.allow_origins, ["*"]);
    assert!(config.warnings[0].starts_with("--cors: any web page may call"));
}

/// HTTP+SSE has no front yet, so what asks for it is refused by name.
#[test]
fn flags_of_http_sse_ask_for_what_is_always_there() {
    for line in [
        r#"--stdio "node p" --port 8000 --baseUrl http://localhost:8000 --ssePath /sse --messagePath /message"#,
        r#"--stdio "node p" --port 8000 --outputTransport sse"#,
        "--server sse --sseEndpoint /sse --port 8000 node p",
    ] {
        same(line, "--port 8000 -- node p");
    }
    // Another path would not be where the client looks.
    assert!(
        refused("--stdio node --ssePath /events")[0].contains("\"/events\" is not one of /sse")
    );
}

#[test]
fn a_switch_that_is_typed_off_wins_over_its_variable() {
    let vars = [("MCP_PROXY_STATELESS", "true"), ("MCP_PROXY_DEBUG", "true")];
    let config = good("--no-debug --stateful node", &vars);
    assert!(!config.stateless);
    assert_eq!(config.log.level, LogLevel::Info);
    let config = good("--no-debug --debug node", &vars);
    assert!(config.stateless);
    assert_eq!(config.log.level, LogLevel::Debug);
}

#[test]
fn after_the_command_their_flags_belong_to_the_server() {
    let config = good("node --stdio --apiKey k --port 1", &[]);
    assert_eq!(command(&config), "/bin/node --stdio --apiKey k --port 1");
    // Their --stdio has a value, ours has none: the next flag is not taken for one.
    assert_eq!(
        faults("--stdio --port 1 -- node", &[]),
        ["--stdio opens no port, so there is nothing to do for --port; leave that out"]
    );
    let config = read("--stdio node", &[("MCP_PACKAGE", "p")]).unwrap();
    assert_eq!(command(&config), "/bin/node");
    assert!(config.warnings[0].contains("MCP_PACKAGE is set and not used"));
}
