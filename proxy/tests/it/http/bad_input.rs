//! Bad input gets a status and a sentence, and nobody else notices.

use std::time::Duration;

use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{
    client::{call, request, text},
    proxy::Proxy,
    session::{LATEST, Session},
};
use crate::toy::within;

/// Sends bytes as they are and gives the status line of what comes back; nothing for a closed connection.
async fn status_line(proxy: &Proxy, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(proxy.address).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    let mut head = Vec::new();
    within("an answer", async {
        while !head.contains(&b'\n') && socket.read_buf(&mut head).await.is_ok_and(|read| read > 0)
        {
        }
    })
    .await;
    let head = String::from_utf8_lossy(&head);
    head.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn bodies_that_are_no_message_are_400() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let long_id = "x".repeat(100_000);
    let deep = "[".repeat(200_000);
    let parse = -32700;
    let invalid = -32600;
    for (body, code) in [
        (&b""[..], parse),
        (b" \n", parse),
        (b"{", parse),
        (b"{}{}", parse),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",}",
            parse,
        ),
        (
            b"\xef\xbb\xbf{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            parse,
        ),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"p\xff\"}",
            parse,
        ),
        (b"\xff\xfe{\0}\0", parse),
        (deep.as_bytes(), parse),
        (b"42", invalid),
        (b"\"ping\"", invalid),
        (b"null", invalid),
        (b"{}", invalid),
        (b"{\"jsonrpc\":\"2.0\"}", invalid),
        (
            b"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}",
            invalid,
        ),
        (b"{\"id\":1,\"method\":\"ping\"}", invalid),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}",
            invalid,
        ),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"ping\"}",
            invalid,
        ),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"ping\"}",
            invalid,
        ),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"\\u0069d\":2,\"method\":\"ping\"}",
            invalid,
        ),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}", invalid),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":3}",
            invalid,
        ),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"error\":{}}",
            invalid,
        ),
        (
            format!("{{\"jsonrpc\":\"2.0\",\"id\":\"{long_id}\",\"method\":\"ping\"}}").as_bytes(),
            invalid,
        ),
    ] {
        let reply = session.client.send("POST", "/mcp", body.to_vec()).await;
        let error = reply.refused(400).await;
        let shown: String = String::from_utf8_lossy(body).chars().take(80).collect();
        assert_eq!(error["code"], code, "{shown}: {error}");
    }
    assert_eq!(
        session.seen().await.len(),
        3,
        "none of it reached the child"
    );
}

#[tokio::test]
async fn a_refused_request_is_answered_under_its_id() {
    let proxy = Proxy::start(&[], &[]).await;
    let stranger = proxy.client().with("Mcp-Session-Id", "nobody");
    for id in ["1", "1.0", r#""é""#, "9223372036854775808"] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        let reply = stranger.post(body).await;
        assert_eq!(reply.status, 404);
        let body = reply.text().await;
        assert!(body.contains(&format!(r#""id":{id},"#)), "{body}");
    }
}

#[tokio::test]
async fn headers_and_paths_have_their_statuses() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let client = &session.client;
    let ping = request(1, "ping", json!({}));
    client
        .with("Content-Type", "text/plain")
        .post(&ping)
        .await
        .refused(415)
        .await;
    client
        .without("Content-Type")
        .post(&ping)
        .await
        .refused(415)
        .await;
    client
        .with("Accept", "application/json")
        .post(&ping)
        .await
        .refused(406)
        .await;
    client
        .with("Accept", "text/event-stream")
        .post(&ping)
        .await
        .refused(406)
        .await;
    client
        .with("Accept", "application/json")
        .get("/mcp")
        .await
        .refused(406)
        .await;
    assert_eq!(client.with("Accept", "*/*").post(&ping).await.status, 200);
    assert_eq!(client.without("Accept").post(&ping).await.status, 200);
    for method in ["PUT", "PATCH", "OPTIONS", "HEAD"] {
        let reply = client.send(method, "/mcp", "").await;
        assert_eq!(reply.status, 405, "{method}");
        assert_eq!(reply.header("allow"), Some("GET, POST, DELETE"), "{method}");
    }
    let reply = client.send("POST", "/status", "").await;
    assert!(
        reply
            .header("allow")
            .is_some_and(|allow| allow.starts_with("GET"))
    );
    reply.refused(405).await;
    for path in ["/nothing", "/mcp/x", "/MCP", "//mcp"] {
        client
            .send("POST", path, ping.clone())
            .await
            .refused(404)
            .await;
    }
}

#[tokio::test]
async fn a_body_that_is_too_long_is_413_however_it_comes() {
    let proxy = Proxy::start(&["--max-body-size", "64KiB"], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let fits = call(1, "echo", json!({ "text": "x".repeat(60 * 1024) }));
    assert_eq!(session.post(fits).await.status, 200);
    let long = call(1, "echo", json!({ "text": "x".repeat(64 * 1024) }));
    let error = session.post(long).await.refused(413).await;
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("--max-body-size")
    );

    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nMcp-Session-Id: {}\r\n",
        proxy.address, session.id
    );
    // Announced, and refused before it comes.
    let announced = format!("{head}Content-Length: 99999999999\r\n\r\n");
    assert_eq!(
        status_line(&proxy, announced.as_bytes()).await,
        "HTTP/1.1 413 Payload Too Large"
    );
    // In chunks, without saying how many.
    let mut chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for _ in 0..5 {
        chunked.extend_from_slice(format!("4000\r\n{}\r\n", "x".repeat(0x4000)).as_bytes());
    }
    assert_eq!(
        status_line(&proxy, &chunked).await,
        "HTTP/1.1 413 Payload Too Large"
    );
    assert_eq!(session.call("count", json!({})).await, "1");
}

#[tokio::test]
async fn an_id_in_flight_is_not_used_twice() {
    let proxy = Proxy::start(&["--silence", "20ms"], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let sleeping = session
        .post(call("x", "sleep", json!({ "ms": 1_500 })))
        .await
        .stream();
    session
        .post(call("x", "count", json!({})))
        .await
        .refused(400)
        .await;
    assert_eq!(text(&sleeping.rest().await[0]), "slept");
    let answer = session
        .post(call("x", "count", json!({})))
        .await
        .answer()
        .await;
    assert_eq!(
        text(&answer),
        "1",
        "the refused call did not run, and the id is free again"
    );
}

#[tokio::test]
async fn unknown_methods_are_the_childs_to_judge() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let answer = session.request("vendor/something", json!({ "x": 1 })).await;
    assert_eq!(answer["error"]["code"], -32601);
    assert_eq!(
        answer["error"]["message"],
        r#"unknown method "vendor/something""#
    );
    assert_eq!(session.notify("notifications/vendor", json!({})).await, 202);
    assert!(
        session
            .seen()
            .await
            .iter()
            .any(|line| line.contains("notifications/vendor"))
    );
}

#[tokio::test]
async fn what_is_no_http_and_what_never_ends_harms_nobody() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nMcp-Session-Id: {}\r\n",
        proxy.address, session.id
    );
    // Half a request line, half a head, half a body, then nothing more; and all stay open.
    let mut waiting = Vec::new();
    for bytes in [
        "PO".to_owned(),
        head.clone(),
        format!("{head}Content-Length: 100\r\n\r\n{{\"jsonrpc\""),
        format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\n{{\"js"),
    ] {
        let mut socket = TcpStream::connect(proxy.address).await.unwrap();
        socket.write_all(bytes.as_bytes()).await.unwrap();
        waiting.push(socket);
        // The same, but closed at once.
        let mut socket = TcpStream::connect(proxy.address).await.unwrap();
        socket.write_all(bytes.as_bytes()).await.unwrap();
    }
    let binary: Vec<u8> = (0..=255).collect();
    for garbage in [
        &b"GET\r\n\r\n"[..],
        b"\x16\x03\x01\x02\0\x01\0",
        &binary,
        b"GET /mcp HTTP/9.9\r\n\r\n",
    ] {
        let line = status_line(&proxy, garbage).await;
        assert!(
            line.is_empty() || line.contains(" 400 ") || line.contains(" 505 "),
            "{line}"
        );
    }
    let no_host = b"GET /mcp HTTP/1.1\r\n\r\n";
    assert!(status_line(&proxy, no_host).await.contains(" 403 "));
    assert_eq!(session.call("count", json!({})).await, "1");

    // A body that comes slowly is a body.
    let ping = request("slow", "ping", json!({}));
    let mut socket = TcpStream::connect(proxy.address).await.unwrap();
    let head = format!(
        "{head}Accept: */*\r\nContent-Length: {}\r\n\r\n",
        ping.len()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    for byte in ping.as_bytes() {
        socket.write_all(&[*byte]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let mut answer = vec![0; 12];
    within("the answer", socket.read_exact(&mut answer))
        .await
        .unwrap();
    assert_eq!(answer, b"HTTP/1.1 200");
    drop(waiting);
    assert_eq!(session.call("count", json!({})).await, "2");
}
