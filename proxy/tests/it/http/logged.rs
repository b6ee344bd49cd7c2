//! The log: which ids stand on a record, and what is never in one.

use serde_json::{Value, json};

use super::client::{call_with_token, request};
use super::proxy::Proxy;
use super::session::{LATEST, Session};
use super::stateless;
use crate::toy::eventually;

const ALICE: &str = "alice-has-a-long-token";
const PRODUCTION: [(&str, &str); 2] = [
    ("ENVIRONMENT", "production"),
    (
        "MCP_PROXY_AUTH_TOKENS",
        "alice:alice-has-a-long-token,bob:bob-has-a-long-token-too",
    ),
];

/// The record with this text in it.
async fn record(proxy: &Proxy, text: &str) -> Value {
    serde_json::from_str(&proxy.says(text).await).unwrap()
}

#[tokio::test]
async fn what_a_sessions_server_says_is_logged_with_whose_it_is() {
    let proxy = Proxy::start_with(&PRODUCTION, &[], &["--era", "dual"]).await;
    let client = proxy
        .client()
        .with("Authorization", &format!("Bearer {ALICE}"));
    let session = Session::open(&client, LATEST).await;
    session
        .call("stderr", json!({ "text": "one of a session" }))
        .await;
    let said = record(&proxy, "one of a session").await;
    let pid = session.pid().await;
    for (name, value) in [
        ("principal", json!("alice")),
        ("server", json!("mcp-toy")),
        ("child", json!(1)),
        ("pid", json!(pid)),
        ("environment", json!("production")),
    ] {
        assert_eq!(said[name], value, "{said}");
    }
    assert_eq!(said["session"].as_str().unwrap().len(), 12, "{said}");
    // Its successor is of the same session.
    session.start("crash", json!({})).await.answer().await;
    session
        .call("stderr", json!({ "text": "its successor" }))
        .await;
    let later = record(&proxy, "its successor").await;
    assert_eq!(later["session"], said["session"]);
    assert_eq!(later["child"], 2);

    // A child of 2026-07-28 is its principal's, and of no session.
    let message = stateless::whole(
        json!(1),
        "tools/call",
        json!({ "name": "stderr", "arguments": { "text": "one of no session" } }),
    );
    let reply = stateless::headers(&client, &message).post(message).await;
    assert_eq!(reply.status, 200);
    let said = record(&proxy, "one of no session").await;
    assert_eq!(
        (&said["principal"], &said["child"]),
        (&json!("alice"), &json!(3))
    );
    assert!(said.get("session").is_none(), "{said}");
}

#[tokio::test]
async fn at_the_debug_level_a_call_is_found_by_any_of_its_ids() {
    let env = [
        PRODUCTION[0],
        PRODUCTION[1],
        ("MCP_PROXY_LOG", "info,call=debug"),
    ];
    let proxy = Proxy::start_with(&env, &["--audit", "-"], &[]).await;
    let client = proxy
        .client()
        .with("Authorization", &format!("Bearer {ALICE}"));
    let session = Session::open(&client, LATEST).await;
    let body = request(
        "id\nforged",
        "tools/call",
        json!({ "name": "error", "arguments": {} }),
    );
    session.post(body).await.answer().await;
    // Both are written when the call ends, by two threads.
    let of = |mark: &'static str| {
        let found = |line: &&str| line.contains(mark) && line.contains(r#""outcome":"error""#);
        let said = proxy.said();
        said.lines()
            .find(found)
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
    };
    let [logged, audited] = [r#""target":"call""#, "duration_ms"];
    eventually("both records", || {
        of(logged).is_some() && of(audited).is_some()
    })
    .await;
    let (ended, audited) = (of(logged).unwrap(), of(audited).unwrap());
    for (name, value) in [
        ("method", json!("tools/call")),
        ("outcome", json!("error")),
        ("principal", json!("alice")),
        ("server", json!("mcp-toy")),
        ("child", json!(1)),
        ("session", audited["session"].clone()),
        ("request", audited["request"].clone()),
    ] {
        assert_eq!(ended[name], value, "{ended}");
    }
    assert!(ended["request"].is_u64(), "{ended}");
    assert!(!proxy.said().contains("forged"), "{}", proxy.said());
}

/// What a client and a server say to each other, under as many names as there are places for it.
#[tokio::test]
async fn at_the_default_level_nothing_of_a_conversation_is_in_the_log() {
    let proxy = Proxy::start_with(&PRODUCTION, &[], &["--era", "dual"]).await;
    let client = proxy
        .client()
        .with("Authorization", &format!("Bearer {ALICE}"))
        .with("X-Custom", "private-header");
    let session = Session::open(&client, LATEST).await;
    let private = json!({ "text": "private-argument" });
    session.call("echo", private.clone()).await;
    session
        .post(call_with_token(
            "private-id",
            "private-token",
            "progress",
            json!({ "n": 2 }),
        ))
        .await
        .answer()
        .await;
    let failing = json!({ "message": "private-error" });
    session.start("error", failing).await.answer().await;
    session.start("private-tool", private).await.answer().await;
    session
        .request("private/method", json!({ "private-member": 1 }))
        .await;
    session
        .request("resources/read", json!({ "uri": "toy://private-uri" }))
        .await;
    session
        .call("log", json!({ "text": "private-record" }))
        .await;
    // An answer that is damaged is no banner.
    let damaged = r#"{"jsonrpc":"2.0","id":99,"result":{"private-result":tru}}"#;
    session.call("line", json!({ "line": damaged })).await;
    proxy
        .client()
        .with("Authorization", "Bearer private-guess")
        .post("{")
        .await
        .refused(401)
        .await;
    client.post("private-garbage").await.refused(400).await;
    client
        .with("Mcp-Session-Id", "private-session")
        .post("{}")
        .await
        .refused(400)
        .await;
    session
        .start("crash", json!({ "half": true }))
        .await
        .answer()
        .await;
    session.call("count", json!({})).await;

    let said = proxy.says("its server is gone").await + &proxy.said();
    for secret in ["private", ALICE, &session.id] {
        assert!(!said.contains(secret), "{secret} is in\n{said}");
    }
    // And what is there is one record a line.
    for line in proxy.said().lines().filter(|line| line.starts_with('{')) {
        let record: Value = serde_json::from_str(line).unwrap();
        assert!(record["message"].is_string(), "{record}");
    }
}

/// The name of a tool once began a record of its own in the log of whoever read the server's list.
#[tokio::test]
async fn a_tools_name_that_ends_a_line_forges_no_record() {
    let list = json!({ "tools": [{
        "name": "a\n2026-01-01T00:00:00Z ERROR child: forged\u{1b}[2J",
        "inputSchema": { "type": "object", "properties": {
            "x": { "type": "number", "x-mcp-header": "X" },
        } },
    }] });
    let script = r#"while read -r line; do
            id=$(printf %s "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
            case "$line" in
            *server/discover*) echo '{"jsonrpc":"2.0","id":'$id',"result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"serverInfo":{"name":"x","version":"1"}}}';;
            *tools/list*) printf '%s\n' '{"jsonrpc":"2.0","id":'$id',"result":'"$LIST"'}';;
            *) echo '{"jsonrpc":"2.0","id":'$id',"result":{"resultType":"complete"}}';;
            esac
        done"#;
    let text = list.to_string();
    let env = [("LIST", text.as_str())];
    let line = [
        "--port",
        "0",
        "--child-era",
        "modern",
        "--",
        "sh",
        "-c",
        script,
    ];
    let proxy = Proxy::typed(&env, &line).await;
    let reply = stateless::send(&proxy, 1, "prompts/list", json!({})).await;
    assert_eq!(reply.status, 200);
    let warning = proxy.says("x-mcp-header").await;
    assert!(
        warning.contains("forged") && warning.contains(r"a\n2026") || warning.contains(r"a\\n2026"),
        "{warning}"
    );
    for line in proxy.said().lines() {
        assert!(!line.contains('\u{1b}'), "{line:?}");
        assert!(!line.starts_with("2026-01-01"), "{line}");
    }
}
