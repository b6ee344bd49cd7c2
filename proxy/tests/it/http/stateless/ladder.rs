//! What is refused, under which status and code, and in which order.

use serde_json::{Value, json};

use super::super::proxy::Proxy;
use super::{VERSION, headers, meta, whole};

const MODERN: [&str; 2] = ["--era", "modern"];

#[tokio::test]
async fn every_rung_has_its_status_and_its_code() {
    let proxy = Proxy::start(&[], &MODERN).await;
    let plain = proxy.client();
    let call = whole(
        json!(7),
        "tools/call",
        json!({ "name": "echo", "arguments": { "text": "a" } }),
    );
    let with = |path: &str, value: Value| {
        let mut changed = call.clone();
        changed["params"]["_meta"][path] = value;
        changed
    };
    let version = "io.modelcontextprotocol/protocolVersion";
    let abilities = "io.modelcontextprotocol/clientCapabilities";
    let fine = headers(&plain, &call);
    let newer = with(version, json!("2099-01-01"));
    let older = with(version, json!("2025-06-18"));
    for (what, client, body, status, code) in [
        ("nothing is wrong", fine.clone(), call.clone(), 200, None),
        (
            "no claim but the header",
            fine.clone(),
            json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/list" }),
            400,
            Some(-32602),
        ),
        (
            "a claim that is no string",
            fine.clone(),
            with(version, json!(1)),
            400,
            Some(-32602),
        ),
        (
            "no capabilities",
            fine.clone(),
            with(abilities, Value::Null),
            400,
            Some(-32602),
        ),
        (
            "a newer version in both",
            fine.with("MCP-Protocol-Version", "2099-01-01"),
            newer.clone(),
            400,
            Some(-32022),
        ),
        (
            "an older version, and no session",
            fine.with("MCP-Protocol-Version", "2025-06-18"),
            older.clone(),
            400,
            Some(-32022),
        ),
        (
            "a newer version in the body",
            fine.clone(),
            newer.clone(),
            400,
            Some(-32020),
        ),
        (
            "a newer version and no header",
            plain.clone(),
            newer,
            400,
            Some(-32022),
        ),
        (
            "no version header",
            fine.without("MCP-Protocol-Version"),
            call.clone(),
            400,
            Some(-32020),
        ),
        (
            "no method header",
            fine.without("Mcp-Method"),
            call.clone(),
            400,
            Some(-32020),
        ),
        (
            "another method",
            fine.with("Mcp-Method", "tools/list"),
            call.clone(),
            400,
            Some(-32020),
        ),
        (
            "another case",
            fine.with("Mcp-Method", "Tools/call"),
            call.clone(),
            400,
            Some(-32020),
        ),
        (
            "no name",
            fine.without("Mcp-Name"),
            call.clone(),
            400,
            Some(-32020),
        ),
        (
            "another name",
            fine.with("Mcp-Name", "size"),
            call.clone(),
            400,
            Some(-32020),
        ),
        (
            "the name, encoded",
            fine.with("Mcp-Name", "=?base64?ZWNobw==?="),
            call.clone(),
            200,
            None,
        ),
        (
            "the name, badly",
            fine.with("Mcp-Name", "=?base64?ZWNobw?="),
            call.clone(),
            400,
            Some(-32020),
        ),
        (
            "a session id",
            fine.with("Mcp-Session-Id", "gone"),
            call.clone(),
            200,
            None,
        ),
    ] {
        let reply = client.post(&body).await;
        assert_eq!(reply.header("mcp-session-id"), None, "{what}");
        assert_eq!(reply.status, status, "{what}");
        let answer = reply.json().await;
        assert_eq!(answer["error"]["code"].as_i64(), code, "{what}: {answer}");
        assert_eq!(answer["id"], 7, "{what}");
        if code == Some(-32022) {
            assert_eq!(
                answer["error"]["data"]["supported"],
                json!([VERSION]),
                "{what}"
            );
            assert_eq!(
                answer["error"]["data"]["requested"], body["params"]["_meta"][version],
                "{what}"
            );
        }
    }
}

#[tokio::test]
async fn methods_that_are_gone_are_not_found_and_the_server_hears_nothing_of_them() {
    let proxy = Proxy::start(&[], &MODERN).await;
    for method in [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "tasks/list",
        "tasks/result",
    ] {
        let body = whole(json!(1), method, json!({}));
        let error = headers(&proxy.client(), &body)
            .post(&body)
            .await
            .refused(404)
            .await;
        assert_eq!(error["code"], -32601, "{method}");
    }
    assert_eq!(super::pids(&proxy).await, [0_u64; 0]);
    // One the server does not know is its own to refuse.
    let body = whole(json!(1), "vendor/thing", json!({}));
    let error = headers(&proxy.client(), &body)
        .post(&body)
        .await
        .refused(404)
        .await;
    assert_eq!(error["code"], -32601);
}

#[tokio::test]
async fn what_has_no_meaning_any_more_is_refused_or_dropped() {
    let proxy = Proxy::start(&[], &MODERN).await;
    let modern = proxy.client().with("MCP-Protocol-Version", VERSION);
    for method in ["GET", "DELETE"] {
        let reply = modern.send(method, "/mcp", "").await;
        assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")));
    }
    let answer = json!({ "jsonrpc": "2.0", "id": 1, "result": {} });
    let batch = json!([whole(json!(1), "tools/list", json!({}))]);
    for body in [answer, batch] {
        let error = modern.post(&body).await.refused(400).await;
        assert_eq!(error["code"], -32600, "{body}");
    }
    let note = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1, "_meta": meta() } });
    let reply = modern.post(&note).await;
    assert_eq!(reply.status, 202);
    assert_eq!(reply.text().await, "");
    assert_eq!(super::pids(&proxy).await, [0_u64; 0]);
}

#[tokio::test]
async fn arguments_that_are_repeated_in_headers_must_be_repeated_exactly() {
    let proxy = Proxy::start(&[], &MODERN).await;
    let body = whole(
        json!(1),
        "tools/call",
        json!({ "name": "mirrored", "arguments": { "region": "Zürich", "count": 42, "dry": true } }),
    );
    let fine = headers(&proxy.client(), &body)
        .with("Mcp-Param-Region", "=?base64?WsO8cmljaA==?=")
        .with("Mcp-Param-Count", "42.0")
        .with("Mcp-Param-Dry-Run", "true")
        .with("Mcp-Param-Unknown", "whatever");
    assert_eq!(fine.post(&body).await.status, 200);
    for wrong in [
        fine.with("Mcp-Param-Region", "Zurich"),
        fine.with("Mcp-Param-Count", "43"),
        fine.with("Mcp-Param-Dry-Run", "True"),
        fine.without("Mcp-Param-Count"),
    ] {
        let error = wrong.post(&body).await.refused(400).await;
        assert_eq!(error["code"], -32020);
    }
    let mut less = body.clone();
    less["params"]["arguments"] = json!({ "region": null });
    let without = headers(&proxy.client(), &less);
    assert_eq!(without.post(&less).await.status, 200);
    let error = fine.post(&less).await.refused(400).await;
    assert_eq!(error["code"], -32020, "a header for what is not there");
}

#[tokio::test]
async fn only_what_may_be_encoded_is_decoded() {
    let proxy = Proxy::start(&[], &MODERN).await;
    let call = whole(
        json!(1),
        "tools/call",
        json!({ "name": "echo", "arguments": { "text": "a" } }),
    );
    let fine = headers(&proxy.client(), &call);
    for (name, encoded) in [
        ("Mcp-Method", "=?base64?dG9vbHMvY2FsbA==?="),
        ("MCP-Protocol-Version", "=?base64?MjAyNi0wNy0yOA==?="),
    ] {
        let error = fine
            .with(name, encoded)
            .post(&call)
            .await
            .refused(400)
            .await;
        assert_eq!(error["code"], -32020, "{name}");
    }
}

#[tokio::test]
async fn an_argument_that_is_there_twice_is_not_compared_but_refused() {
    let proxy = Proxy::start(&[], &MODERN).await;
    let call = whole(json!(1), "tools/call", json!({ "name": "mirrored" }));
    let client = headers(&proxy.client(), &call).with("Mcp-Param-Region", "west");
    for arguments in [
        r#""arguments":{"region":"west"},"arguments":{"region":"east"}"#,
        r#""arguments":{"region":"west","region":"east"}"#,
        r#""arguments":{"region":"west","regi\u006fn":"east"}"#,
    ] {
        let body = call.to_string().replace(
            r#""name":"mirrored""#,
            &format!(r#""name":"mirrored",{arguments}"#),
        );
        let error = client.post(body).await.refused(400).await;
        assert_eq!(error["code"], -32020, "{arguments}");
    }
}

#[tokio::test]
async fn a_newer_version_without_a_claim_is_told_which_there_are() {
    let proxy = Proxy::start(&[], &MODERN).await;
    let client = proxy.client().with("MCP-Protocol-Version", "2099-01-01");
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    let error = client.post(body).await.refused(400).await;
    assert_eq!(error["code"], -32022);
    assert_eq!(error["data"]["supported"], json!([VERSION]));
}
