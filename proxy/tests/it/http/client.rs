//! A client that says exactly what it is told to, and hides nothing of what comes back.
//!
//! Every request has a connection of its own unless a [`Connection`] is kept, so that dropping a
//! reply or a stream is a client that went away.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    HeaderMap, Request,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use mcp_wire::sse::{Event, EventSplitter, Part};
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpSocket,
    task::JoinHandle,
};
use tokio_rustls::TlsConnector;

use crate::toy::within;

/// Longest event a test reads, in bytes.
const MAX_EVENT: usize = 64 * 1024 * 1024;

/// Where requests go and which headers they carry.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) address: SocketAddr,
    headers: Vec<(String, String)>,
    /// How much the kernel takes in for us before we read, in bytes; its own choice otherwise.
    receive_buffer: Option<u32>,
    /// What stands before `/mcp` and `/sse`: `/servers/NAME` for a named server.
    pub(super) below: String,
    /// How TLS is spoken, where it is.
    tls: Option<TlsConnector>,
}

impl Client {
    /// A well-behaved client of no session.
    pub(super) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            headers: Vec::new(),
            receive_buffer: None,
            below: String::new(),
            tls: None,
        }
        .with("Host", &address.to_string())
        .with("Content-Type", "application/json")
        .with("Accept", "application/json, text/event-stream")
    }

    /// The same with one header set.
    pub(super) fn with(&self, name: &str, value: &str) -> Self {
        let mut other = self.without(name);
        other.headers.push((name.to_owned(), value.to_owned()));
        other
    }

    /// Adds a header beside those of its name.
    pub(super) fn add(&mut self, name: &str, value: &str) {
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    /// The same without one header.
    pub(super) fn without(&self, name: &str) -> Self {
        let mut other = self.clone();
        other
            .headers
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        other
    }

    /// The same with little room for what it has not read.
    pub(super) fn with_receive_buffer(&self, bytes: u32) -> Self {
        let mut other = self.clone();
        other.receive_buffer = Some(bytes);
        other
    }

    /// The same at the server of this name.
    pub(super) fn of(&self, name: &str) -> Self {
        let mut other = self.clone();
        other.below = format!("/servers/{name}");
        other
    }

    /// The path of the MCP endpoint.
    pub(super) fn mcp(&self) -> String {
        format!("{}/mcp", self.below)
    }

    /// Sends one message to the MCP endpoint.
    pub(super) async fn post(&self, body: impl ToString) -> Reply {
        self.send("POST", &self.mcp(), body.to_string()).await
    }

    /// The same over TLS, to a server that is called localhost.
    pub(super) fn with_tls(&self, tls: TlsConnector) -> Self {
        let mut other = self.clone();
        other.tls = Some(tls);
        other
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, "").await
    }

    /// Sends anything anywhere, over a new connection.
    pub(super) async fn send(&self, method: &str, path: &str, body: impl Into<Bytes>) -> Reply {
        let mut connection = self.connect().await;
        let mut reply = connection.send(self, method, path, body).await;
        reply.connection = Some(connection);
        reply
    }

    /// A connection to be used for one request after another.
    pub(super) async fn connect(&self) -> Connection {
        let socket = match self.address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        };
        let socket = socket.unwrap();
        if let Some(bytes) = self.receive_buffer {
            socket.set_recv_buffer_size(bytes).unwrap();
        }
        let socket = socket.connect(self.address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        match &self.tls {
            None => Connection::over(socket).await,
            Some(tls) => {
                let name = ServerName::try_from("localhost").unwrap();
                Connection::over(tls.connect(name, socket).await.unwrap()).await
            }
        }
    }

    /// What `/status` says.
    pub(super) async fn status(&self) -> Value {
        self.get("/status").await.json().await
    }
}

/// An open connection; dropping it closes it.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    task: JoinHandle<()>,
}

impl Connection {
    async fn over<S>(stream: S) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        Self {
            sender,
            task: tokio::spawn(async move {
                let _broken = driver.await;
            }),
        }
    }

    /// Sends one request; its reply must be read to its end before the next.
    pub(super) async fn send(
        &mut self,
        client: &Client,
        method: &str,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in &client.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        let what = format!("an answer to {method} {path}");
        let response = within(&what, async {
            self.sender.ready().await.unwrap();
            self.sender.send_request(request).await
        })
        .await;
        let (head, body) = response.unwrap().into_parts();
        Reply {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
            connection: None,
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The head of a response, and its body as it comes.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    body: Incoming,
    connection: Option<Connection>,
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Whether the answer is a stream of events.
    pub(super) fn is_stream(&self) -> bool {
        self.header("content-type") == Some("text/event-stream")
    }

    pub(super) async fn bytes(self) -> Bytes {
        let body = within("a whole body", self.body.collect()).await;
        body.unwrap().to_bytes()
    }

    pub(super) async fn text(self) -> String {
        String::from_utf8(self.bytes().await.to_vec()).unwrap()
    }

    /// The body, which must be JSON.
    #[track_caller]
    pub(super) fn json(self) -> impl Future<Output = Value> {
        let caller = std::panic::Location::caller();
        async move {
            let kind = self.header("content-type").map(str::to_owned);
            let text = self.text().await;
            assert_eq!(
                kind.as_deref(),
                Some("application/json"),
                "{text:?}, asked at {caller}"
            );
            serde_json::from_str(&text).unwrap()
        }
    }

    /// The body, which must be a stream of events.
    #[track_caller]
    pub(super) fn stream(self) -> Stream {
        assert!(
            self.status == 200 && self.is_stream(),
            "status {}, {:?}",
            self.status,
            self.headers
        );
        Stream {
            body: self.body,
            splitter: EventSplitter::new(MAX_EVENT),
            last: None,
            _connection: self.connection,
        }
    }

    /// The answer to a request, however it came: as JSON, or as the last message of a stream.
    pub(super) async fn answer(self) -> Value {
        if self.is_stream() {
            self.stream().rest().await.pop().expect("an answer")
        } else {
            self.json().await
        }
    }

    /// The refusal, checked for its shape: this status, and a JSON-RPC error. Gives the error.
    #[track_caller]
    pub(super) fn refused(self, status: u16) -> impl Future<Output = Value> {
        let caller = std::panic::Location::caller();
        async move {
            let found = self.status;
            let body = self.json().await;
            assert_eq!(found, status, "{body}, asked at {caller}");
            assert_eq!(body["jsonrpc"], "2.0", "{body}");
            assert!(body["error"]["code"].is_i64(), "{body}");
            body["error"].clone()
        }
    }
}

/// A stream of events. Dropping it cuts the connection.
#[derive(Debug)]
pub(super) struct Stream {
    body: Incoming,
    splitter: EventSplitter,
    /// The id of the last event, to come back with.
    pub(super) last: Option<String>,
    _connection: Option<Connection>,
}

impl Stream {
    /// The next event, comments left out; `None` at the end, whether clean or broken.
    pub(super) async fn event(&mut self) -> Option<Event> {
        within("the next event", async {
            loop {
                if let Some(part) = self.splitter.next() {
                    let Part::Event(event) = part else {
                        panic!("an event was too long: {part:?}");
                    };
                    if event.id.is_some() {
                        self.last.clone_from(&event.id);
                    }
                    return Some(event);
                }
                match self.body.frame().await {
                    Some(Ok(frame)) => {
                        if let Some(data) = frame.data_ref() {
                            self.splitter.buffer().extend_from_slice(data);
                        }
                    }
                    Some(Err(_)) | None => return None,
                }
            }
        })
        .await
    }

    /// Waits for a comment, the sign of life on a silent stream.
    pub(super) async fn comment(&mut self) {
        within("a comment", async {
            while let Some(Ok(frame)) = self.body.frame().await {
                if frame.data_ref().is_some_and(|data| data.starts_with(b":")) {
                    return;
                }
            }
            panic!("the stream ended");
        })
        .await;
    }

    /// The next message; events that only prime are passed over. `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Value> {
        loop {
            let event = self.event().await?;
            if !event.data.is_empty() {
                return Some(serde_json::from_slice(&event.data).unwrap());
            }
        }
    }

    /// The next message, which there must be.
    #[track_caller]
    pub(super) fn message(&mut self) -> impl Future<Output = Value> {
        let caller = std::panic::Location::caller();
        async move {
            let message = self.next().await;
            message.unwrap_or_else(|| panic!("the stream ended, asked at {caller}"))
        }
    }

    /// Everything up to the end.
    pub(super) async fn rest(mut self) -> Vec<Value> {
        let mut messages = Vec::new();
        while let Some(message) = self.next().await {
            messages.push(message);
        }
        messages
    }
}

/// A request as JSON text.
pub(super) fn request(id: impl Into<Value>, method: &str, params: Value) -> String {
    let id: Value = id.into();
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()
}

/// A tool call as JSON text.
pub(super) fn call(id: impl Into<Value>, tool: &str, arguments: Value) -> String {
    request(
        id,
        "tools/call",
        json!({ "name": tool, "arguments": arguments }),
    )
}

/// A tool call that wants progress.
pub(super) fn call_with_token(
    id: impl Into<Value>,
    token: impl Into<Value>,
    tool: &str,
    arguments: Value,
) -> String {
    let token: Value = token.into();
    let meta = json!({ "progressToken": token });
    let params = json!({ "name": tool, "arguments": arguments, "_meta": meta });
    request(id, "tools/call", params)
}

pub(super) fn notification(method: &str, params: Value) -> String {
    json!({ "jsonrpc": "2.0", "method": method, "params": params }).to_string()
}

/// The text of a tool's answer.
#[track_caller]
pub(super) fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"]
        .as_str()
        .unwrap_or_else(|| panic!("no text in {answer}"))
}

/// The progress of every notification among these messages.
pub(super) fn steps(messages: &[Value]) -> Vec<u64> {
    let progress = messages
        .iter()
        .filter(|message| message["method"] == "notifications/progress");
    progress
        .map(|message| message["params"]["progress"].as_u64().unwrap())
        .collect()
}
