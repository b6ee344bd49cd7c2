//! A client in a session, in the words of the tests.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::client::{Client, Reply, Stream, call, notification, request, text};

/// The versions whose conversations are sessions over Streamable HTTP.
pub(super) const VERSIONS: [&str; 3] = ["2025-03-26", "2025-06-18", "2025-11-25"];

/// The newest of them.
pub(super) const LATEST: &str = "2025-11-25";

/// An initialized session.
pub(super) struct Session {
    /// Carries the session's headers.
    pub(super) client: Client,
    pub(super) id: String,
    next: AtomicU64,
}

/// An `initialize` request of a client that can be asked anything.
pub(super) fn initialize(version: &str) -> String {
    let capabilities = json!({ "roots": { "listChanged": true }, "sampling": {}, "elicitation": { "form": {}, "url": {} } });
    request(
        "init",
        "initialize",
        json!({
            "protocolVersion": version,
            "capabilities": capabilities,
            "clientInfo": { "name": "test", "version": "1" },
        }),
    )
}

impl Session {
    /// Says `initialize` and `initialized`.
    pub(super) async fn open(client: &Client, version: &str) -> Self {
        let (session, reply) = Self::greet(client, version).await;
        assert_eq!(reply["result"]["protocolVersion"], version, "{reply}");
        assert_eq!(
            session.notify("notifications/initialized", json!({})).await,
            202
        );
        session
    }

    /// Says `initialize` only.
    pub(super) async fn greet(client: &Client, version: &str) -> (Self, Value) {
        let reply = client.post(initialize(version)).await;
        let id = reply.header("mcp-session-id").map(str::to_owned);
        let status = reply.status;
        let answer = reply.answer().await;
        assert_eq!(status, 200, "{answer}");
        let id = id.expect("a session id");
        let mut client = client.with("Mcp-Session-Id", &id);
        // The header is younger than the oldest of these versions.
        if version != "2025-03-26" {
            client = client.with("MCP-Protocol-Version", version);
        }
        let session = Self {
            client,
            id,
            next: AtomicU64::new(1),
        };
        (session, answer)
    }

    /// An id this session has not used.
    pub(super) fn next_id(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) async fn post(&self, body: impl ToString) -> Reply {
        self.client.post(body).await
    }

    /// Starts a tool call; its answer is the reply's.
    pub(super) async fn start(&self, tool: &str, arguments: Value) -> Reply {
        self.post(call(self.next_id(), tool, arguments)).await
    }

    /// Calls a tool and gives the text of its answer.
    pub(super) async fn call(&self, tool: &str, arguments: Value) -> String {
        let answer = self.start(tool, arguments).await.answer().await;
        text(&answer).to_owned()
    }

    /// Sends a request and gives its answer.
    pub(super) async fn request(&self, method: &str, params: Value) -> Value {
        let body = request(self.next_id(), method, params);
        self.post(body).await.answer().await
    }

    /// Sends a notification and gives the status.
    pub(super) async fn notify(&self, method: &str, params: Value) -> u16 {
        self.post(notification(method, params)).await.status
    }

    /// Answers a question of the server.
    pub(super) async fn reply(&self, question: &Value, result: Value) {
        let body = json!({ "jsonrpc": "2.0", "id": question["id"], "result": result });
        assert_eq!(self.post(body).await.status, 202);
    }

    /// Opens the standing stream.
    pub(super) async fn listen(&self) -> Stream {
        self.client.get(&self.client.mcp()).await.stream()
    }

    /// Comes back to a stream after an event.
    pub(super) async fn resume(&self, last: &str) -> Reply {
        let client = self.client.with("Last-Event-ID", last);
        client.get(&client.mcp()).await
    }

    /// Lines the child has read, this question included.
    pub(super) async fn seen(&self) -> Vec<String> {
        serde_json::from_str(&self.call("seen", json!({})).await).unwrap()
    }

    /// The child's process id.
    pub(super) async fn pid(&self) -> u32 {
        self.call("pid", json!({})).await.parse().unwrap()
    }
}
