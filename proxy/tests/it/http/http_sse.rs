//! HTTP+SSE, the two endpoints of 2024-11-05: the connection is the session, a POST says 202, and
//! everything else is on the stream. In every legacy version, because the transport is older than
//! most and serves them all.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::{
    client::{Client, Reply, Stream, call, call_with_token, notification, request, steps, text},
    proxy::Proxy,
    session::{LATEST, VERSIONS, initialize},
};

/// Every version a client of this transport may negotiate.
pub(super) fn versions() -> impl Iterator<Item = &'static str> {
    ["2024-11-05"].into_iter().chain(VERSIONS)
}

/// A connection: its stream, and where to post.
pub(super) struct Connection {
    pub(super) client: Client,
    pub(super) stream: Stream,
    /// The address the `endpoint` event gave.
    pub(super) endpoint: String,
    next: AtomicU64,
}

impl Connection {
    /// Opens the stream and reads its first event.
    pub(super) async fn connect(client: &Client) -> Self {
        let listening = client.with("Accept", "text/event-stream");
        let path = format!("{}/sse", client.below);
        let mut stream = listening.get(&path).await.stream();
        let first = stream.event().await.expect("an endpoint event");
        assert_eq!(first.event.as_deref(), Some("endpoint"));
        assert_eq!(first.id, None);
        let endpoint = String::from_utf8(first.data.to_vec()).unwrap();
        let messages = format!("{}/messages?session_id=", client.below);
        let id = endpoint.strip_prefix(&messages).unwrap();
        assert_eq!(id.len(), 32, "128 bits nobody can guess: {endpoint}");
        Self {
            client: client.without("Accept"),
            stream,
            endpoint,
            next: AtomicU64::new(1),
        }
    }

    /// Says `initialize` and `initialized`.
    pub(super) async fn open(client: &Client, version: &str) -> Self {
        let mut connection = Self::connect(client).await;
        connection.say(initialize(version)).await;
        let welcome = connection.stream.message().await;
        assert_eq!(welcome["id"], "init");
        assert_eq!(welcome["result"]["protocolVersion"], version, "{welcome}");
        connection
            .say(notification("notifications/initialized", json!({})))
            .await;
        connection
    }

    pub(super) async fn post(&self, body: impl ToString) -> Reply {
        self.client
            .send("POST", &self.endpoint, body.to_string())
            .await
    }

    /// Posts what must be taken.
    #[track_caller]
    pub(super) fn say(&self, body: impl ToString) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let reply = self.post(body).await;
            assert_eq!(reply.status, 202, "asked at {caller}");
            assert!(reply.bytes().await.is_empty(), "asked at {caller}");
        }
    }

    /// Says a request and gives the next message, which must be its answer.
    pub(super) async fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.say(request(id, method, params)).await;
        let answer = self.stream.message().await;
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    /// Calls a tool and gives the text of its answer.
    pub(super) async fn call(&mut self, tool: &str, arguments: Value) -> String {
        let params = json!({ "name": tool, "arguments": arguments });
        text(&self.request("tools/call", params).await).to_owned()
    }

    pub(super) async fn pid(&mut self) -> u32 {
        self.call("pid", json!({})).await.parse().unwrap()
    }
}

#[tokio::test]
async fn everything_but_202_is_on_the_stream_in_the_order_of_the_server() {
    let proxy = Proxy::start(&[], &[]).await;
    for version in versions() {
        let mut connection = Connection::open(&proxy.client(), version).await;
        connection
            .say(call_with_token("a", 7, "progress", json!({ "n": 50 })))
            .await;
        let mut messages = Vec::new();
        for _ in 0..51 {
            let event = connection.stream.event().await.expect("an event");
            assert_eq!(event.event.as_deref(), Some("message"));
            assert_eq!(event.id, None, "there is nothing to come back to");
            messages.push(serde_json::from_slice::<Value>(&event.data).unwrap());
        }
        assert_eq!(steps(&messages), (1..=50).collect::<Vec<_>>(), "{version}");
        assert_eq!(messages[0]["params"]["progressToken"], 7);
        assert_eq!(messages[50]["id"], "a");

        // The other spelling of the path.
        let slashed = connection.endpoint.replace("/messages?", "/messages/?");
        let reply = connection
            .client
            .send("POST", &slashed, request("p", "ping", json!({})))
            .await;
        assert_eq!(reply.status, 202);
        assert_eq!(connection.stream.message().await["id"], "p");

        // News that belong to no call.
        connection.say(call("n", "notify", json!({}))).await;
        for list in ["tools", "resources", "prompts"] {
            let news = connection.stream.message().await;
            assert_eq!(news["method"], format!("notifications/{list}/list_changed"));
        }
        assert_eq!(connection.stream.message().await["id"], "n");
    }
}

#[tokio::test]
async fn ids_come_back_as_they_were_spelled_and_may_be_equal_in_two_sessions() {
    let proxy = Proxy::start(&[], &[]).await;
    let mut left = Connection::open(&proxy.client(), LATEST).await;
    let mut right = Connection::open(&proxy.client(), LATEST).await;
    for id in ["1", "\"1\"", "1.0", "9223372036854775808", r#""\u00fc\n""#] {
        for (connection, word) in [(&mut left, "left"), (&mut right, "right")] {
            let params = json!({ "name": "echo", "arguments": { "text": word } });
            let body =
                format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{params}}}"#);
            connection.say(body).await;
        }
        for (connection, word) in [(&mut left, "left"), (&mut right, "right")] {
            let event = connection.stream.event().await.expect("an answer");
            let raw = String::from_utf8(event.data.to_vec()).unwrap();
            assert!(raw.contains(&format!(r#""id":{id}"#)), "{raw}");
            assert_eq!(text(&serde_json::from_str(&raw).unwrap()), word);
        }
    }
}

#[tokio::test]
async fn the_server_asks_on_the_stream_and_the_answer_is_posted() {
    let proxy = Proxy::start(&[], &[]).await;
    for version in versions() {
        let mut connection = Connection::open(&proxy.client(), version).await;
        connection
            .say(call("a", "ask", json!({ "kind": "roots" })))
            .await;
        let question = connection.stream.message().await;
        assert_eq!(question["method"], "roots/list", "{version}");
        let roots = json!({ "roots": [{ "uri": "file:///srv" }] });
        connection
            .say(json!({ "jsonrpc": "2.0", "id": question["id"], "result": roots }))
            .await;
        let answer = connection.stream.message().await;
        assert_eq!(serde_json::from_str::<Value>(text(&answer)).unwrap(), roots);
    }
}

#[tokio::test]
async fn a_cancelled_call_is_not_answered_and_the_session_goes_on() {
    let proxy = Proxy::start(&[], &[]).await;
    for version in versions() {
        let mut connection = Connection::open(&proxy.client(), version).await;
        connection.say(call("x", "hang", json!({}))).await;
        connection
            .say(notification(
                "notifications/cancelled",
                json!({ "requestId": "x", "reason": "enough" }),
            ))
            .await;
        // `call` takes the next message for its answer, so nothing else came.
        let cancelled = connection.call("cancelled", json!({})).await;
        assert_ne!(cancelled, "[]", "{version}");
        assert_eq!(connection.client.status().await["calls_in_flight"], 0);
    }
}

#[tokio::test]
async fn a_batch_is_taken_in_the_version_that_has_them() {
    let proxy = Proxy::start(&[], &[]).await;
    let batch = format!(
        "[{},{},7]",
        call("a", "echo", json!({ "text": "one" })),
        notification("notifications/roots/list_changed", json!({})),
    );
    for version in versions() {
        let mut connection = Connection::open(&proxy.client(), version).await;
        if version == "2025-03-26" {
            connection.say(&batch).await;
            let mut answers = [
                connection.stream.message().await,
                connection.stream.message().await,
            ];
            answers.sort_by_key(|answer| answer["error"].is_object());
            assert_eq!(text(&answers[0]), "one");
            assert_eq!(answers[1]["error"]["code"], -32600, "{answers:?}");
            let nested = format!("[{}]", initialize(version));
            connection.post(nested).await.refused(400).await;
        } else {
            let error = connection.post(&batch).await.refused(400).await;
            assert_eq!(error["code"], -32600, "{version}");
        }
        assert_eq!(connection.call("count", json!({})).await, "1");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_post_is_told_by_its_status() {
    let proxy = Proxy::start(&["--max-body-size", "1KiB"], &[]).await;
    let mut connection = Connection::open(&proxy.client(), LATEST).await;
    let ping = request(1, "ping", json!({}));
    let (client, endpoint) = (connection.client.clone(), connection.endpoint.clone());

    let error = connection.post("{").await.refused(400).await;
    assert_eq!(error["code"], -32700);
    let error = connection.post("7").await.refused(400).await;
    assert_eq!(error["code"], -32600);
    let long = call(1, "echo", json!({ "text": "x".repeat(2_000) }));
    connection.post(long).await.refused(413).await;
    let plain = client.with("Content-Type", "text/plain");
    let reply = plain.send("POST", &endpoint, ping.clone()).await;
    reply.refused(415).await;
    for version in ["2026-07-28", "1999-01-01"] {
        let client = client.with("MCP-Protocol-Version", version);
        let reply = client.send("POST", &endpoint, ping.clone()).await;
        reply.refused(400).await;
    }
    for path in ["/messages", "/messages?", "/messages?sessionid=x"] {
        let reply = client.send("POST", path, ping.clone()).await;
        reply.refused(400).await;
    }
    for path in ["/messages?session_id=", "/messages?session_id=0"] {
        let reply = client.send("POST", path, ping.clone()).await;
        assert_eq!(reply.refused(404).await["code"], -32001, "{path}");
    }
    for (method, path, allowed) in [
        ("POST", "/sse", "GET"),
        ("DELETE", "/sse/", "GET"),
        ("GET", endpoint.as_str(), "POST"),
        ("PUT", "/messages/", "POST"),
    ] {
        let reply = client.send(method, path, "").await;
        assert_eq!(reply.header("allow"), Some(allowed), "{method} {path}");
        reply.refused(405).await;
    }
    let json = client.with("Accept", "application/json");
    json.get("/sse").await.refused(406).await;

    // None of it reached the stream.
    assert_eq!(connection.call("count", json!({})).await, "1");
}

#[tokio::test]
async fn what_goes_wrong_after_the_202_is_an_error_on_the_stream() {
    let proxy = Proxy::start(&[], &[]).await;
    for version in versions() {
        let mut connection = Connection::connect(&proxy.client()).await;
        // Too early, and a notification that is too early says nothing.
        connection
            .say(notification("notifications/initialized", json!({})))
            .await;
        let early = connection.request("tools/list", json!({})).await;
        assert_eq!(early["error"]["code"], -32600, "{version}");

        connection.say(initialize(version)).await;
        assert!(connection.stream.message().await["result"].is_object());
        connection.say(initialize(version)).await;
        let twice = connection.stream.message().await;
        assert_eq!(twice["id"], "init");
        assert_eq!(twice["error"]["code"], -32600, "{version}");

        connection.say(call("x", "hang", json!({}))).await;
        connection.say(call("x", "echo", json!({}))).await;
        let same = connection.stream.message().await;
        assert_eq!(same["error"]["code"], -32600, "{version}");

        let unknown = connection.request("no/such", json!({})).await;
        assert_eq!(unknown["error"]["code"], -32601, "the server's own");

        // The server dies; its successor is told what this client said.
        connection
            .say(call("y", "crash", json!({ "code": 7 })))
            .await;
        let mut lost = [
            connection.stream.message().await,
            connection.stream.message().await,
        ];
        lost.sort_by_key(|answer| answer["id"].to_string());
        for (answer, id) in lost.iter().zip(["x", "y"]) {
            assert_eq!(answer["id"], id, "{lost:?}");
            assert_eq!(answer["error"]["data"]["blame"], "server");
        }
        assert_eq!(connection.call("count", json!({})).await, "1");
    }
}

#[tokio::test]
async fn a_server_that_does_not_start_is_an_error_on_the_stream_each_time() {
    let proxy = Proxy::start(&[], &["--exit-at-start", "3"]).await;
    let mut connection = Connection::connect(&proxy.client()).await;
    for _ in 0..2 {
        connection.say(initialize(LATEST)).await;
        let answer = connection.stream.message().await;
        assert_eq!(answer["id"], "init");
        assert!(answer["error"]["message"].is_string(), "{answer}");
    }
}

#[tokio::test]
async fn both_paths_are_guarded() {
    const TOKEN: &str = "correct-horse-battery-staple";
    let proxy = Proxy::start_with(&[("MCP_PROXY_AUTH_TOKEN", TOKEN)], &[], &[]).await;
    let client = proxy.client();
    let known = client.with("Authorization", &format!("Bearer {TOKEN}"));
    let mut connection = Connection::open(&known, LATEST).await;
    let endpoint = connection.endpoint.clone();
    for (method, path) in [("GET", "/sse"), ("POST", endpoint.as_str())] {
        let ping = request(1, "ping", json!({}));
        for (client, status) in [
            (client.clone(), 401),
            (known.with("Authorization", "Bearer wrong"), 401),
            (known.with("Host", "evil.example"), 403),
            (known.with("Origin", "https://evil.example"), 403),
        ] {
            let reply = client.send(method, path, ping.clone()).await;
            reply.refused(status).await;
        }
    }
    assert_eq!(connection.call("count", json!({})).await, "1");
}

#[tokio::test]
async fn a_connection_is_no_session_of_mcp_nor_the_other_way_round() {
    let proxy = Proxy::start(&[], &[]).await;
    let connection = Connection::open(&proxy.client(), LATEST).await;
    let session = super::session::Session::open(&proxy.client(), LATEST).await;
    let (_, id) = connection.endpoint.split_once('=').unwrap();
    let thief = proxy.client().with("Mcp-Session-Id", id);
    for method in ["GET", "DELETE"] {
        thief.send(method, "/mcp", "").await.refused(404).await;
    }
    let ping = request(1, "ping", json!({}));
    thief.post(ping.clone()).await.refused(404).await;
    let path = format!("/messages?session_id={}", session.id);
    let reply = proxy.client().send("POST", &path, ping).await;
    reply.refused(404).await;
    assert_eq!(proxy.client().status().await["sessions"], 2);
}

#[tokio::test]
async fn connections_share_one_child_where_that_is_asked_for() {
    let proxy = Proxy::start(&["--child-mode", "shared"], &[]).await;
    let mut connections = Vec::new();
    for (n, version) in versions().enumerate() {
        let mut connection = Connection::open(&proxy.client(), version).await;
        let count = connection.call("count", json!({})).await;
        assert_eq!(count, (n + 1).to_string());
        connections.push(connection);
    }
    let pid = connections[0].pid().await;
    assert_eq!(connections[3].pid().await, pid);
}

#[tokio::test]
async fn without_sessions_there_is_no_such_path() {
    let proxy = Proxy::start(&["--stateless"], &[]).await;
    for (method, path) in [("GET", "/sse"), ("POST", "/messages?session_id=x")] {
        let error = proxy
            .client()
            .send(method, path, request(1, "ping", json!({})))
            .await
            .refused(404)
            .await;
        let sentence = error["message"].as_str().unwrap();
        assert!(sentence.contains("--stateless"), "{sentence}");
    }
}
