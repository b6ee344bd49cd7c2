//! Each server has a place, sessions and processes of its own, and the bounds in common.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::super::{
    client::{Client, call, call_with_token, request, steps, text},
    http_sse::Connection,
    proxy::{Proxy, run, toy_path},
    session::{LATEST, Session, initialize},
    stateless::{headers, whole},
};
use super::{File, serving, toy};
use crate::toy::{runs, within};

/// Calls a tool as a client of 2026-07-28 does, and gives the answer.
async fn modern(client: &Client, tool: &str, arguments: Value) -> Value {
    let params = json!({ "name": tool, "arguments": arguments });
    let message = whole(json!("m"), "tools/call", params);
    headers(client, &message).post(message).await.answer().await
}

/// Two typed servers, `a` and `b`, beside a default one.
async fn three(flags: &[&str]) -> Proxy {
    let (a, b) = (
        format!("{} in-a", toy_path()),
        format!("b={} in-b", toy_path()),
    );
    let named = ["--named-server", "a", &a, "--named-server", &b];
    Proxy::start(&[&named, flags].concat(), &["in-default"]).await
}

#[tokio::test]
async fn equal_ids_at_three_servers_never_meet() {
    let proxy = three(&[]).await;
    let client = proxy.client();
    let mut sessions = Vec::new();
    for (client, args) in [
        (client.clone(), r#"["in-default"]"#),
        (client.of("a"), r#"["in-a"]"#),
        (client.of("b"), r#"["in-b"]"#),
    ] {
        let session = Session::open(&client, LATEST).await;
        assert_eq!(session.call("args", json!({})).await, args);
        sessions.push(session);
    }
    let mut calls = Vec::new();
    for (n, session) in sessions.iter().enumerate() {
        let client = session.client.clone();
        let arguments = json!({ "n": 5 + n, "ms": 20 });
        calls.push(tokio::spawn(async move {
            let reply = client.post(call_with_token("x", 1, "progress", arguments));
            reply.await.stream().rest().await
        }));
    }
    for (n, call) in calls.into_iter().enumerate() {
        let messages = within("an answer", call).await.unwrap();
        assert_eq!(steps(&messages), (1..=5 + n as u64).collect::<Vec<_>>());
        assert_eq!(messages.last().unwrap()["id"], "x");
    }
    let status = client.status().await;
    assert_eq!(status["sessions"], 3, "all of them: {status}");
    assert_eq!(status["servers"]["a"]["sessions"], 1);
    assert_eq!(status["children"].as_array().unwrap().len(), 1);
    let pid = status["servers"]["b"]["children"][0]["pid"].as_u64();
    assert_eq!(pid, Some(sessions[2].pid().await.into()));
}

#[tokio::test]
async fn a_session_of_one_server_is_unknown_at_another() {
    let proxy = three(&[]).await;
    let client = proxy.client();
    let session = Session::open(&client.of("a"), LATEST).await;
    for path in ["/servers/b/mcp", "/mcp"] {
        for (method, body) in [
            ("POST", request(1, "ping", json!({}))),
            ("GET", String::new()),
            ("DELETE", String::new()),
        ] {
            let error = session
                .client
                .send(method, path, body)
                .await
                .refused(404)
                .await;
            assert_eq!(error["code"], -32001, "{method} {path}: {error}");
        }
    }
    assert_eq!(session.call("count", json!({})).await, "1");
    // Nor can anything be posted to a connection from elsewhere.
    let connection = Connection::open(&client.of("a"), LATEST).await;
    for other in ["/servers/b/messages", "/messages"] {
        let path = connection.endpoint.replace("/servers/a/messages", other);
        let ping = request(1, "ping", json!({}));
        connection
            .client
            .send("POST", &path, ping)
            .await
            .refused(404)
            .await;
    }
}

#[tokio::test]
async fn http_sse_is_below_the_name_too() {
    let proxy = three(&[]).await;
    let mut connections = Vec::new();
    for name in ["a", "b"] {
        let mut connection = Connection::open(&proxy.client().of(name), "2024-11-05").await;
        let place = format!("/servers/{name}/messages?session_id=");
        assert!(
            connection.endpoint.starts_with(&place),
            "{}",
            connection.endpoint
        );
        assert_eq!(
            connection.call("args", json!({})).await,
            format!(r#"["in-{name}"]"#)
        );
        connections.push(connection);
    }
    assert_ne!(connections[0].pid().await, connections[1].pid().await);
}

#[tokio::test]
async fn without_a_default_the_others_are_named() {
    let file = File::new(&json!({ "a": toy(&[]), "b.c": toy(&[]) }));
    let proxy = serving(&file, &[]).await;
    let client = proxy.client();
    for path in ["/mcp", "/sse", "/messages?session_id=x"] {
        let method = if path == "/sse" { "GET" } else { "POST" };
        let error = client
            .send(method, path, initialize(LATEST))
            .await
            .refused(404)
            .await;
        let sentence = error["message"].as_str().unwrap();
        assert!(
            sentence.ends_with("/servers/a/mcp, /servers/b.c/mcp"),
            "{sentence}"
        );
    }
    for path in ["/servers/x/mcp", "/servers//mcp", "/servers/A/mcp"] {
        let error = client
            .send("POST", path, initialize(LATEST))
            .await
            .refused(404)
            .await;
        assert!(
            error["message"]
                .as_str()
                .unwrap()
                .contains("no server of this name"),
            "{path}"
        );
    }
    client
        .get("/servers/x/health/ready")
        .await
        .refused(404)
        .await;
    let index = client.without("Accept").get("/").await.text().await;
    assert!(
        index.contains("/servers/a/mcp\n") && index.contains("/servers/b.c/mcp\n"),
        "{index}"
    );
    let index = client.get("/").await.json().await;
    assert_eq!(index["endpoints"]["mcp"], json!(null));
    assert_eq!(index["servers"]["b.c"]["sse"], "/servers/b.c/sse");
    let session = Session::open(&client.of("b.c"), LATEST).await;
    assert_eq!(session.call("count", json!({})).await, "1");
    // As others write the path: with a slash at its end.
    let reply = client
        .send("POST", "/servers/a/mcp/", initialize(LATEST))
        .await;
    assert_eq!(reply.status, 200);
    assert!(
        proxy.said().contains("/servers/a/mcp  "),
        "{}",
        proxy.said()
    );
}

#[tokio::test]
async fn one_that_cannot_start_does_not_disturb_the_others() {
    let file = File::new(&json!({
        "good": toy(&[]),
        "absent": { "command": "no-such-program" },
        "dies": toy(&["--exit-at-start", "3"]),
        "far": { "url": "https://host.example/mcp" },
        "off": { "command": "no-such-program", "disabled": true },
    }));
    let proxy = serving(&file, &[]).await;
    let client = proxy.client();
    proxy
        .says("absent cannot be started: no-such-program was not found in PATH")
        .await;
    proxy
        .says("/mcpServers/far is a remote server, which is not served yet")
        .await;

    let ready = |name: &str| format!("/servers/{name}/health/ready");
    assert_eq!(client.get(&ready("good")).await.status, 200);
    assert_eq!(
        client.get(&ready("dies")).await.status,
        200,
        "nobody has tried it"
    );
    let page = client.get(&ready("absent")).await;
    assert_eq!(page.status, 503);
    assert!(
        page.json().await["reason"]
            .as_str()
            .unwrap()
            .contains("was not found")
    );
    let page = client.get("/health/ready").await;
    assert_eq!(page.status, 503);
    let page = page.json().await;
    let reasons = page["servers"].as_object().unwrap();
    assert!(
        reasons.len() == 1 && reasons.contains_key("absent"),
        "{page}"
    );

    for path in [
        "/servers/absent/mcp",
        "/servers/absent/messages?session_id=x",
    ] {
        let reply = client.send("POST", path, initialize(LATEST)).await;
        assert_eq!(reply.header("retry-after"), Some("30"));
        let error = reply.refused(503).await;
        assert!(
            error["message"]
                .as_str()
                .unwrap()
                .contains("no-such-program was not found")
        );
    }
    client.get("/servers/absent/sse").await.refused(503).await;
    let answer = client.of("dies").post(initialize(LATEST)).await;
    assert!(answer.answer().await["error"].is_object());
    let page = client.get(&ready("dies")).await;
    assert_eq!(page.status, 503, "it died before it answered");
    for name in ["far", "off"] {
        client
            .of(name)
            .post(initialize(LATEST))
            .await
            .refused(404)
            .await;
    }
    let session = Session::open(&client.of("good"), LATEST).await;
    assert_eq!(session.call("count", json!({})).await, "1");
    let status = client.status().await;
    assert_eq!(status["servers"]["absent"]["ready"], false);
    assert_eq!(status["servers"]["absent"]["command"], "no-such-program");
    assert_eq!(status["servers"]["good"]["ready"], true);
}

#[tokio::test]
async fn the_bounds_are_for_all_servers_together() {
    let proxy = three(&["--max-children", "2"]).await;
    let client = proxy.client();
    let _one = Session::open(&client.of("a"), LATEST).await;
    let other = Session::open(&client.of("b"), LATEST).await;
    let error = client.post(initialize(LATEST)).await.refused(503).await;
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("--max-children"),
        "{error}"
    );
    let path = other.client.mcp();
    assert_eq!(other.client.send("DELETE", &path, "").await.status, 200);
    // A place that is about to be free is waited for, whosever it was.
    Session::open(&client, LATEST).await;

    let proxy = three(&["--max-sessions", "1"]).await;
    let client = proxy.client();
    let one = Session::open(&client.of("a"), LATEST).await;
    let _stream = one.listen().await;
    let error = client.post(initialize(LATEST)).await.refused(503).await;
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("--max-sessions"),
        "{error}"
    );
}

#[tokio::test]
async fn the_end_is_the_end_of_all() {
    let mut proxy = three(&["--eager"]).await;
    let client = proxy.client();
    let a = Session::open(&client.of("a"), LATEST).await;
    let b = Session::open(&client.of("b"), LATEST).await;
    let children = [a.pid().await, b.pid().await];
    let sleeping = a.client.clone();
    let sleeping = tokio::spawn(async move {
        let reply = sleeping.post(call("x", "sleep", json!({ "ms": 1_500 })));
        reply.await.answer().await
    });
    within("the call in flight", async {
        while client.status().await["servers"]["a"]["calls_in_flight"] != 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    proxy.signal(Signal::TERM);
    proxy.says("stopping").await;
    b.post(request(1, "ping", json!({})))
        .await
        .refused(503)
        .await;
    let answer = within("the answer", sleeping).await.unwrap();
    assert_eq!(text(&answer), "slept");
    assert_eq!(proxy.exit().await, Some(0));
    assert!(children.into_iter().all(|child| !runs(child)));
}

#[tokio::test]
async fn the_door_is_before_every_server_but_not_before_its_probe() {
    let named = format!("a={}", toy_path());
    let env = [("MCP_PROXY_AUTH_TOKEN", "correct-horse-battery")];
    let line = ["--port", "0", "--named-server", &named];
    let proxy = Proxy::typed(&env, &line).await;
    let client = proxy.client();
    for path in [
        "/servers/a/mcp",
        "/servers/a/sse",
        "/servers/x/mcp",
        "/servers/a/status",
    ] {
        client.get(path).await.refused(401).await;
    }
    let probe = client.with("Host", "10.0.0.1");
    assert_eq!(probe.get("/servers/a/health/ready").await.status, 200);
    let client = client.with("Authorization", "Bearer correct-horse-battery");
    Session::open(&client.of("a"), LATEST).await;
}

#[tokio::test]
async fn clients_of_every_era_have_servers_of_theirs() {
    let file = File::new(&json!({
        "old": toy(&["in-old"]),
        "new": toy(&["--era", "modern", "in-new"]),
        "both": toy(&["--era", "dual", "in-both"]),
    }));
    let proxy = serving(&file, &[]).await;
    let client = proxy.client();
    for name in ["new", "both"] {
        let answer = modern(&client.of(name), "args", json!({})).await;
        assert!(text(&answer).contains(&format!("in-{name}")), "{answer}");
    }
    for name in ["old", "both"] {
        let session = Session::open(&client.of(name), LATEST).await;
        assert!(
            session
                .call("args", json!({}))
                .await
                .contains(&format!("in-{name}"))
        );
    }
    let answer = modern(&client.of("old"), "args", json!({})).await;
    assert!(text(&answer).contains("in-old"), "{answer}");
}

#[tokio::test]
async fn a_child_nobody_needs_makes_room_for_another_server() {
    let file = File::new(&json!({ "old": toy(&[]), "new": toy(&["--era", "modern"]) }));
    let proxy = serving(&file, &["--max-children", "1"]).await;
    let client = proxy.client();
    let pid = modern(&client.of("new"), "pid", json!({})).await;
    let pid: u32 = text(&pid).parse().unwrap();
    let session = Session::open(&client.of("old"), LATEST).await;
    assert!(!runs(pid));
    // A session's is needed as long as the session is.
    let answer = modern(&client.of("new"), "pid", json!({})).await;
    assert!(
        answer["error"]["message"]
            .as_str()
            .unwrap()
            .contains("--max-children"),
        "{answer}"
    );
    assert_eq!(session.call("count", json!({})).await, "1");
}

#[tokio::test]
async fn without_session_ids_each_server_answers_for_itself() {
    let proxy = three(&["--stateless"]).await;
    for (client, args) in [
        (proxy.client(), "in-default"),
        (proxy.client().of("b"), "in-b"),
    ] {
        let answer = client.post(call(1, "args", json!({}))).await.json().await;
        assert_eq!(text(&answer), format!(r#"["{args}"]"#));
    }
}

#[tokio::test]
async fn a_file_with_faults_starts_nothing() {
    let file = File::new(&json!({ "a/b": toy(&[]), "c": { "args": [1] } }));
    let flag = file.flag();
    let (code, _, err) = run(&[], &["--port", "0", &flag]).await;
    assert_eq!(code, Some(2), "{err}");
    for part in [
        "/mcpServers/a~1b is not a name",
        "/mcpServers/c/args/0 must be a string",
        "/mcpServers/c/command is missing",
    ] {
        assert!(err.contains(part), "{part} is not in\n{err}");
    }
}

#[tokio::test]
async fn what_one_server_lacks_on_this_machine_is_no_fault_of_the_others() {
    let mut homeless = toy(&[]);
    homeless["cwd"] = json!("/absent");
    let mut greedy = toy(&[]);
    greedy["env"] = json!({ "KEY": "${MCP_PROXY_AUTH_TOKEN}" });
    let off = json!({ "disabled": true, "command": 7, "args": "x", "cwd": "/absent" });
    let file = File::new(&json!({
        "a": toy(&["in-a"]),
        "unset": toy(&["${NOT_SET}"]),
        "homeless": homeless,
        "greedy": greedy,
        "off": off,
    }));
    let proxy = serving(&file, &[]).await;
    let client = proxy.client();
    let session = Session::open(&client.of("a"), LATEST).await;
    assert_eq!(session.call("count", json!({})).await, "1");
    for (name, reason) in [
        ("unset", "${NOT_SET} is not set"),
        ("homeless", "its cwd is not a folder"),
        ("greedy", "is the proxy's own"),
    ] {
        let body = initialize(LATEST);
        let error = client.of(name).post(&body).await.refused(503).await;
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(reason), "{name}: {message}");
    }
    assert_eq!(client.get("/servers/off/mcp").await.status, 404);
}
