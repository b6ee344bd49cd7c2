//! Tokens of an authorization server at the door: how a client finds its way there, and what each
//! token opens.

use serde_json::{Value, json};

use super::client::{Client, Reply, call, request};
use super::issuer::{Issuer, now};
use super::proxy::Proxy;
use super::session::{LATEST, Session, initialize};
use super::stateless::{headers, whole};
use crate::toy::DEADLINE;

/// The address that tokens are for. Nobody looks it up.
const PUBLIC: &str = "https://mcp.example";
const MCP: &str = "https://mcp.example/mcp";

async fn proxy(issuer: &Issuer, env: &[(&str, &str)], flags: &[&str], toy: &[&str]) -> Proxy {
    let own = ["--auth-issuer", &issuer.url, "--public-url", PUBLIC];
    let proxy = Proxy::start_with(env, &[&own, flags].concat(), toy).await;
    proxy
        .says("keys of the authorization server are known")
        .await;
    proxy
}

fn bearing(client: &Client, token: &str) -> Client {
    client.with("Authorization", &format!("Bearer {token}"))
}

/// The parameters of a challenge that stand in quotes.
fn parameter(reply: &Reply, name: &str) -> Option<String> {
    let challenge = reply.header("www-authenticate")?;
    let (_, rest) = challenge.split_once(&format!("{name}=\""))?;
    Some(rest.split_once('"')?.0.to_owned())
}

#[tokio::test]
async fn a_client_finds_the_authorization_server_and_comes_back_with_a_token() {
    let issuer = Issuer::start().await;
    let proxy = proxy(&issuer, &[], &["--auth-scope", "mcp:use"], &[]).await;
    let client = proxy.client();
    let refused = client.post(initialize(LATEST)).await;
    assert_eq!(parameter(&refused, "scope").as_deref(), Some("mcp:use"));
    assert_eq!(
        parameter(&refused, "error"),
        None,
        "nothing was wrong with its token"
    );
    let place = parameter(&refused, "resource_metadata").unwrap();
    refused.refused(401).await;
    assert_eq!(
        place,
        format!("{PUBLIC}/.well-known/oauth-protected-resource/mcp")
    );
    for path in [
        place.strip_prefix(PUBLIC).unwrap(),
        "/.well-known/oauth-protected-resource",
    ] {
        let metadata = client.get(path).await.json().await;
        assert_eq!(
            metadata,
            json!({
                "resource": MCP, "authorization_servers": [issuer.url],
                "bearer_methods_supported": ["header"], "scopes_supported": ["mcp:use"],
                "resource_name": "mcp-toy",
            })
        );
    }
    client
        .get("/.well-known/oauth-protected-resource/status")
        .await
        .refused(404)
        .await;
    client
        .get("/.well-known/oauth-protected-resource/servers/x/mcp")
        .await
        .refused(404)
        .await;

    let alice = bearing(&client, &issuer.token("alice", MCP, "other mcp:use"));
    let session = Session::open(&alice, LATEST).await;
    assert_eq!(
        session.call("echo", json!({ "text": "hello" })).await,
        "hello"
    );
    // What it has is nobody else's: not another subject's, nor of one who is called the same.
    let bob = issuer.token("bob", MCP, "mcp:use");
    let stolen = bearing(&session.client, &bob);
    stolen
        .post(call(1, "pid", json!({})))
        .await
        .refused(404)
        .await;
    let environment = session.call("env", json!({})).await;
    assert!(
        !environment.contains("eyJ"),
        "a token has reached the server"
    );
    assert!(!proxy.said().contains("eyJ"), "a token has reached the log");
}

#[tokio::test]
async fn each_flaw_is_told_and_counted() {
    let issuer = Issuer::start().await;
    let other = Issuer::start().await;
    let flags = ["--auth-scope", "mcp:use", "--auth-audience", "api://mcp"];
    let proxy = proxy(&issuer, &[], &flags, &[]).await;
    let client = proxy.client();
    let claims = |changes: Value| {
        let mut claims = json!({
            "iss": issuer.url, "sub": "alice", "aud": MCP, "scope": "mcp:use", "exp": now() + 300,
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    };
    let good = issuer.signed(&claims(json!({})));
    assert_eq!(
        bearing(&client, &good)
            .post(initialize(LATEST))
            .await
            .status,
        200
    );
    let named = issuer.signed(&claims(json!({ "aud": ["x", "api://mcp"] })));
    assert_eq!(
        bearing(&client, &named)
            .post(initialize(LATEST))
            .await
            .status,
        200
    );
    for (token, status, error) in [
        (
            issuer.signed(&claims(json!({ "exp": now() - 60 }))),
            401,
            "invalid_token",
        ),
        (
            issuer.signed(&claims(json!({ "aud": PUBLIC }))),
            401,
            "invalid_token",
        ),
        (
            issuer.signed(&claims(
                json!({ "aud": "https://mcp.example/servers/a/mcp" }),
            )),
            401,
            "invalid_token",
        ),
        (
            issuer.signed(&claims(json!({ "iss": other.url }))),
            401,
            "invalid_token",
        ),
        (other.signed(&claims(json!({}))), 401, "invalid_token"),
        (other.token("alice", MCP, "mcp:use"), 401, "invalid_token"),
        ("no-token-at-all".to_owned(), 401, "invalid_token"),
        (
            issuer.signed(&claims(json!({ "scope": "mcp:useless" }))),
            403,
            "insufficient_scope",
        ),
    ] {
        for path in ["/mcp", "/sse", "/messages"] {
            let method = if path == "/sse" { "GET" } else { "POST" };
            let reply = bearing(&client, &token)
                .send(method, path, initialize(LATEST))
                .await;
            assert_eq!(
                parameter(&reply, "error").as_deref(),
                Some(error),
                "{path} {token}"
            );
            assert_eq!(parameter(&reply, "scope").as_deref(), Some("mcp:use"));
            assert!(parameter(&reply, "resource_metadata").is_some());
            reply.refused(status).await;
        }
    }
    // A token in the address is not looked at.
    let path = format!("/mcp?access_token={good}");
    client
        .send("POST", &path, initialize(LATEST))
        .await
        .refused(401)
        .await;
    let metrics = client.get("/metrics").await.text().await;
    for (reason, count) in [
        ("expired", 3),
        ("audience", 6),
        ("issuer", 3),
        ("signature", 6),
        ("malformed", 3),
        ("missing", 1),
        ("scope", 3),
    ] {
        let line = format!(
            r#"mcp_proxy_auth_decisions_total{{outcome="refused",reason="{reason}"}} {count}"#
        );
        assert!(metrics.contains(&line), "{line}\n{metrics}");
    }
    assert!(metrics.contains(r#"mcp_proxy_key_fetches_total{outcome="fetched"}"#));
}

/// Tries until it is let in; a proxy looks for keys only so often.
async fn until(what: &str, client: &Client, status: u16) {
    let tries = async {
        while client.post(initialize(LATEST)).await.status != status {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    let came = tokio::time::timeout(DEADLINE, tries).await;
    assert!(came.is_ok(), "{what}");
}

#[tokio::test]
async fn a_key_that_was_exchanged_is_found_and_the_old_one_forgotten() {
    let issuer = Issuer::start().await;
    let proxy = proxy(&issuer, &[], &[], &[]).await;
    let old = bearing(&proxy.client(), &issuer.token("alice", MCP, ""));
    let session = Session::open(&old, LATEST).await;
    issuer.rotate("key-2");
    let token = issuer.token("alice", MCP, "");
    until("the new key", &bearing(&proxy.client(), &token), 200).await;
    old.post(initialize(LATEST)).await.refused(401).await;
    // The session was hers and is, whatever signs for her.
    let renewed = bearing(&session.client, &token);
    assert_eq!(
        renewed.post(request(9, "ping", json!({}))).await.status,
        200
    );
    let asked = issuer.asked();
    assert!(
        (2..=3).contains(&asked),
        "once at start, once for the new key: {asked}"
    );
}

#[tokio::test]
async fn an_authorization_server_that_is_down_is_nobodys_bad_token() {
    let issuer = Issuer::start().await;
    issuer.set_down(true);
    let flags = ["--auth-issuer", &issuer.url, "--public-url", PUBLIC];
    let env = ("MCP_PROXY_AUTH_TOKENS", "owner:correct-horse-battery");
    let proxy = Proxy::start_with(&[env], &flags, &[]).await;
    proxy.says("cannot be had").await;
    let alice = bearing(&proxy.client(), &issuer.token("alice", MCP, ""));
    let refused = alice.post(initialize(LATEST)).await;
    assert!(refused.header("retry-after").is_some());
    assert!(
        refused.header("www-authenticate").is_none(),
        "a new token would not help"
    );
    refused.refused(503).await;
    // Others do not depend on it.
    let owner = bearing(&proxy.client(), "correct-horse-battery");
    assert_eq!(owner.post(initialize(LATEST)).await.status, 200);
    issuer.set_down(false);
    until("the keys", &alice, 200).await;
    // What is known stays good.
    issuer.set_down(true);
    assert_eq!(alice.post(initialize(LATEST)).await.status, 200);
}

#[tokio::test]
async fn a_token_for_one_named_server_opens_no_other_and_no_page() {
    let issuer = Issuer::start().await;
    let toy = super::proxy::toy_path();
    let (a, b) = (format!("a={toy}"), format!("b={toy}"));
    let line = [
        "--port",
        "0",
        "--auth-issuer",
        &issuer.url,
        "--public-url",
        PUBLIC,
        "--named-server",
        &a,
        "--named-server",
        &b,
    ];
    let env = ("MCP_PROXY_AUTH_TOKENS", "owner:correct-horse-battery");
    let proxy = Proxy::typed(&[env], &line).await;
    proxy
        .says("keys of the authorization server are known")
        .await;
    let client = proxy.client();
    let resource = format!("{PUBLIC}/servers/a/mcp");
    let alice = bearing(&client, &issuer.token("alice", &resource, ""));
    assert_eq!(alice.of("a").post(initialize(LATEST)).await.status, 200);
    let refused = alice.of("b").post(initialize(LATEST)).await;
    let place = parameter(&refused, "resource_metadata").unwrap();
    assert_eq!(
        place,
        format!("{PUBLIC}/.well-known/oauth-protected-resource/servers/b/mcp")
    );
    refused.refused(401).await;
    let metadata = client
        .get(place.strip_prefix(PUBLIC).unwrap())
        .await
        .json()
        .await;
    assert_eq!(metadata["resource"], format!("{PUBLIC}/servers/b/mcp"));
    assert_eq!(metadata["resource_name"], "b");
    // There is no server at the plain paths, so nothing describes it.
    client
        .get("/.well-known/oauth-protected-resource")
        .await
        .refused(404)
        .await;
    // The page shows everybody's servers, so it is for those the owner named.
    alice.get("/status").await.refused(403).await;
    let owner = bearing(&client, "correct-horse-battery");
    assert_eq!(owner.get("/status").await.status, 200);
    assert_eq!(owner.of("b").post(initialize(LATEST)).await.status, 200);
}

#[tokio::test]
async fn a_tool_takes_its_scope_before_anything_is_sent() {
    let issuer = Issuer::start().await;
    let flags = [
        "--auth-scope",
        "mcp:use",
        "--tool-scope",
        "e*=read|admin,count=admin",
    ];
    let env = ("MCP_PROXY_AUTH_TOKENS", "owner:correct-horse-battery");
    let proxy = proxy(&issuer, &[env], &flags, &["--era", "dual"]).await;
    let client = proxy.client();
    let reader = bearing(&client, &issuer.token("alice", MCP, "mcp:use read"));
    let session = Session::open(&reader, LATEST).await;
    assert_eq!(
        session.call("echo", json!({ "text": "hello" })).await,
        "hello"
    );
    let refused = session.start("count", json!({})).await;
    assert_eq!(
        parameter(&refused, "error").as_deref(),
        Some("insufficient_scope")
    );
    assert_eq!(
        parameter(&refused, "scope").as_deref(),
        Some("mcp:use admin")
    );
    refused.refused(403).await;
    // Lists show it: whoever knows of it can ask for more.
    let tools = session.request("tools/list", json!({})).await;
    assert!(tools.to_string().contains(r#""name":"count""#));
    // With more the same session goes on, and the refused call never was one.
    let admin = issuer.token("alice", MCP, "mcp:use admin");
    let raised = bearing(&session.client, &admin);
    let answer = raised
        .post(call(7, "count", json!({})))
        .await
        .answer()
        .await;
    assert_eq!(super::client::text(&answer), "1");
    let answer = raised
        .post(call(8, "echo", json!({ "text": "x" })))
        .await
        .answer()
        .await;
    assert_eq!(
        super::client::text(&answer),
        "x",
        "one scope may include another"
    );

    // The same in 2026-07-28, and over HTTP+SSE.
    let message = whole(
        json!(1),
        "tools/call",
        json!({ "name": "count", "arguments": {} }),
    );
    let refused = headers(&reader, &message).post(&message).await;
    assert_eq!(
        parameter(&refused, "scope").as_deref(),
        Some("mcp:use admin")
    );
    refused.refused(403).await;
    let raised = bearing(&client, &admin);
    assert_eq!(headers(&raised, &message).post(&message).await.status, 200);
    let mut stream = reader.get("/sse").await.stream();
    let path = String::from_utf8(stream.event().await.unwrap().data.to_vec()).unwrap();
    let refused = reader
        .send("POST", &path, call(1, "count", json!({})))
        .await;
    let place = parameter(&refused, "resource_metadata").unwrap();
    assert!(place.ends_with("/sse"), "{place}");
    refused.refused(403).await;
    // A token of the owner's own has every scope.
    let owner = Session::open(&bearing(&client, "correct-horse-battery"), LATEST).await;
    assert_eq!(owner.call("count", json!({})).await, "1");
}

#[tokio::test]
async fn two_tokens_at_once_are_nobodys() {
    let issuer = Issuer::start().await;
    let proxy = proxy(&issuer, &[], &[], &[]).await;
    let mut client = bearing(&proxy.client(), &issuer.token("alice", MCP, ""));
    client.add(
        "Authorization",
        &format!("Bearer {}", issuer.token("bob", MCP, "")),
    );
    let refused = client.post(initialize(LATEST)).await;
    assert_eq!(
        parameter(&refused, "error").as_deref(),
        Some("invalid_request")
    );
    refused.refused(400).await;
}
