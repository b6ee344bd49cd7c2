//! Who may come in: `Host`, `Origin`, the token, and which pages need none of them.

use serde_json::{Value, json};

use super::{
    client::{Client, call, request, text},
    proxy::Proxy,
    session::{LATEST, Session, initialize},
};

const TOKEN: &str = "correct-horse-battery-staple";

#[tokio::test]
async fn foreign_hosts_and_pages_are_refused() {
    let proxy = Proxy::start(
        &[
            "--allow-host",
            "box.example",
            "--allow-origin",
            "https://app.example",
        ],
        &[],
    )
    .await;
    let client = proxy.client();
    let port = proxy.address.port();
    for (host, origin, status) in [
        (format!("127.0.0.1:{port}"), None, 200),
        (format!("localhost:{port}"), None, 200),
        (format!("[::1]:{port}"), None, 200),
        ("box.example".to_owned(), None, 200),
        ("evil.example".to_owned(), None, 403),
        (format!("127.0.0.1.evil.example:{port}"), None, 403),
        ("localhost".to_owned(), Some("http://localhost:3000"), 200),
        ("localhost".to_owned(), Some("https://app.example"), 200),
        ("localhost".to_owned(), Some("http://app.example"), 403),
        ("localhost".to_owned(), Some("https://evil.example"), 403),
        ("localhost".to_owned(), Some("null"), 403),
        ("evil.example".to_owned(), Some("http://evil.example"), 403),
    ] {
        let mut client = client.with("Host", &host);
        if let Some(origin) = origin {
            client = client.with("Origin", origin);
        }
        let reply = client.post(initialize(LATEST)).await;
        assert_eq!(reply.status, status, "{host} {origin:?}");
        if status == 403 {
            reply.refused(403).await;
        }
        // Probes come by address, from wherever; a page may not even probe.
        let probe = client.get("/health/live").await.status;
        assert_eq!(
            probe == 200,
            origin.is_none() || status == 200,
            "{host} {origin:?}"
        );
    }
}

#[tokio::test]
async fn the_token_is_asked_for_where_one_is_set() {
    let proxy = Proxy::start_with(&[("MCP_PROXY_AUTH_TOKEN", TOKEN)], &[], &[]).await;
    let client = proxy.client();
    let bearer = |text: &str| client.with("Authorization", text);
    for (client, status) in [
        (client.clone(), 401),
        (bearer("Bearer wrong"), 401),
        (bearer("Bearer "), 401),
        (bearer(&format!("Basic {TOKEN}")), 401),
        (bearer(TOKEN), 401),
        (bearer(&format!("Bearer {TOKEN}x")), 401),
        (bearer(&format!("Bearer {TOKEN}")), 200),
        (bearer(&format!("bearer {TOKEN}")), 200),
    ] {
        let reply = client.post(initialize(LATEST)).await;
        assert_eq!(reply.status, status);
        let challenge = reply.header("www-authenticate").map(str::to_owned);
        assert_eq!(challenge.is_some(), status == 401);
        assert!(challenge.is_none_or(|challenge| challenge.starts_with("Bearer ")));
        assert_eq!(client.get("/status").await.status, status);
        for open in ["/", "/health", "/health/live", "/health/ready"] {
            assert_eq!(client.get(open).await.status, 200, "{open}");
        }
    }
    // A token in the URL is no token.
    let reply = client
        .send("POST", &format!("/mcp?token={TOKEN}"), initialize(LATEST))
        .await;
    reply.refused(401).await;
}

#[tokio::test]
async fn a_session_is_its_principals() {
    let proxy = Proxy::start_with(&[("MCP_PROXY_AUTH_TOKEN", TOKEN)], &[], &[]).await;
    let client = proxy
        .client()
        .with("Authorization", &format!("Bearer {TOKEN}"));
    let session = Session::open(&client, LATEST).await;
    let stranger = session.client.without("Authorization");
    stranger
        .post(request(1, "ping", json!({})))
        .await
        .refused(401)
        .await;
    assert_eq!(stranger.send("DELETE", "/mcp", "").await.status, 401);
    assert_eq!(session.call("count", json!({})).await, "1");
}

#[tokio::test]
async fn the_token_goes_no_further() {
    for env in [
        vec![
            ("MCP_PROXY_AUTH_TOKEN", TOKEN),
            ("MCP_PROXY_LOG_LEVEL", "trace"),
            ("KEPT", "yes"),
        ],
        vec![
            ("MCP_PROXY_AUTH_TOKEN", TOKEN),
            ("MCP_ENV_RENAMED", "yes"),
            ("PORT", "0"),
            ("KEPT", "yes"),
        ],
    ] {
        let proxy = Proxy::start_with(&env, &[], &[]).await;
        let client = proxy
            .client()
            .with("Authorization", &format!("Bearer {TOKEN}"));
        let session = Session::open(&client, LATEST).await;
        let inside: Value = serde_json::from_str(&session.call("env", json!({})).await).unwrap();
        let inside = inside.as_object().unwrap();
        assert_eq!(inside["KEPT"], "yes");
        assert_eq!(
            inside.contains_key("RENAMED"),
            env.iter().any(|(name, _)| *name == "MCP_ENV_RENAMED")
        );
        for (name, value) in inside {
            assert!(
                !name.starts_with("MCP_PROXY_") && !name.starts_with("MCP_ENV_") && name != "PORT",
                "{name}"
            );
            assert!(!value.as_str().unwrap().contains(TOKEN), "{name}");
        }
        proxy
            .client()
            .with("Authorization", "Bearer not-this-one")
            .get("/status")
            .await
            .refused(401)
            .await;
        let lines = session.seen().await.join("\n");
        assert!(!lines.contains(TOKEN), "{lines}");
        let status = client.status().await.to_string();
        assert!(!status.contains(TOKEN), "{status}");
        session
            .start("crash", json!({ "code": 5 }))
            .await
            .answer()
            .await;
        assert_eq!(session.call("count", json!({})).await, "1");
        assert!(!proxy.said().contains(TOKEN), "{}", proxy.said());
    }
}

/// Rule 11.
#[tokio::test]
async fn beyond_loopback_a_token_is_made_and_printed_once() {
    let mut tokens = Vec::new();
    for host in ["0.0.0.0", "::"] {
        let proxy = Proxy::start(&["--host", host], &[]).await;
        let line = proxy.says("Bearer ").await;
        let (_, rest) = line.split_once("Bearer ").unwrap();
        let token = rest.split('"').next().unwrap().to_owned();
        assert!(token.len() >= 32, "{token}");
        let client = proxy.client();
        client.post(initialize(LATEST)).await.refused(401).await;
        assert_eq!(client.get("/health").await.status, 200);
        assert_eq!(client.get("/status").await.status, 401);
        // The names of this machine are not ours to know, so with the token any is fine.
        let client = client
            .with("Authorization", &format!("Bearer {token}"))
            .with("Host", "box.example");
        let session = Session::open(&client, LATEST).await;
        assert_eq!(session.call("count", json!({})).await, "1");
        assert_eq!(proxy.said().matches(&token).count(), 1);
        tokens.push(token);
    }
    assert_ne!(tokens[0], tokens[1]);
}

#[tokio::test]
async fn both_families_reach_an_unspecified_address() {
    let proxy = Proxy::start(&["--host", "::", "--allow-unauthenticated"], &[]).await;
    proxy.says("WARNING").await;
    let port = proxy.address.port();
    for address in [format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        let client = Client::new(address.parse().unwrap());
        let session = Session::open(&client, LATEST).await;
        assert_eq!(session.call("count", json!({})).await, "1", "{address}");
    }
}

#[tokio::test]
async fn pages_say_what_this_is() {
    let proxy = Proxy::start(&[], &[]).await;
    let client = proxy.client().without("Accept");
    let page = client.get("/").await.text().await;
    assert!(page.contains("/mcp") && page.contains("mcp-toy"), "{page}");
    let json = client
        .with("Accept", "application/json")
        .get("/")
        .await
        .json()
        .await;
    assert_eq!(json["endpoints"]["mcp"], "/mcp");

    let session = Session::open(&proxy.client(), LATEST).await;
    let pid = session.pid().await;
    let status = client.status().await;
    assert_eq!(status["sessions"], 1);
    assert_eq!(status["children"][0]["pid"], pid);
    assert_eq!(status["child_mode"], "session");
    // The endpoint has two spellings.
    let answer = session
        .client
        .send("POST", "/mcp/", call(1, "count", json!({})))
        .await;
    assert_eq!(text(&answer.json().await), "1");
}

#[tokio::test]
async fn the_endpoint_and_health_are_where_they_were_put() {
    let flags = ["--mcp-path", "/a/mcp", "--healthEndpoint", "/healthz"];
    let proxy = Proxy::start_with(&[("MCP_PROXY_AUTH_TOKEN", TOKEN)], &flags, &[]).await;
    proxy.says("/a/mcp").await;
    let stranger = proxy.client();
    let client = stranger.with("Authorization", &format!("Bearer {TOKEN}"));
    for (path, status) in [
        ("/a/mcp", 200),
        ("/a/mcp/", 200),
        ("/a/mcp//", 404),
        ("/mcp", 404),
    ] {
        let reply = client
            .send("POST", path, initialize(LATEST).to_string())
            .await;
        assert_eq!(reply.status, status, "{path}");
    }
    // Moved, it is guarded as it was.
    let reply = stranger
        .send("POST", "/a/mcp", initialize(LATEST).to_string())
        .await;
    reply.refused(401).await;
    let elsewhere = stranger.with("Host", "balancer.example");
    for (path, status) in [("/healthz", 200), ("/health", 200), ("/healthz/", 403)] {
        assert_eq!(elsewhere.get(path).await.status, status, "{path}");
    }
    let index = client.with("Accept", "application/json").get("/").await;
    assert_eq!(index.json().await["endpoints"]["mcp"], "/a/mcp");
}
