//! The official Rust SDK as a client: what we believe the protocol to be is what others believe too.

#![expect(
    deprecated,
    reason = "the SDK marks what 2026-07-28 dropped; the session eras still have it"
)]

use std::sync::Arc;

use parking_lot::Mutex;
use rmcp::{
    ClientHandler, ClientLifecycleMode, ClientServiceExt as _, ErrorData, RoleClient,
    model::{
        CallToolRequestParams, ClientCapabilities, ClientConfig, CreateMessageRequestParams,
        CreateMessageResult, ElicitRequestParams, ElicitResult, ElicitationAction, Implementation,
        ListRootsResult, ProgressNotificationParam, ProtocolVersion, Role, SamplingMessage,
    },
    service::{NotificationContext, RequestContext, RunningService},
    transport::StreamableHttpClientTransport,
};
use serde_json::{Value, json};

use super::{
    proxy::Proxy,
    session::{LATEST, VERSIONS},
};
use crate::toy::{eventually, within};

/// Answers whatever it is asked, and remembers what it is told.
#[derive(Clone)]
pub(super) struct Handler {
    version: ProtocolVersion,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Handler {
    pub(super) fn new(version: &str) -> Self {
        Self {
            version: serde_json::from_value(json!(version)).unwrap(),
            heard: Arc::default(),
        }
    }

    pub(super) fn heard(&self, what: &str) -> usize {
        self.heard
            .lock()
            .iter()
            .filter(|heard| *heard == what)
            .count()
    }
}

impl ClientHandler for Handler {
    async fn create_message(
        &self,
        params: CreateMessageRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        let _asked = params;
        Ok(CreateMessageResult::new(
            SamplingMessage::new(
                Role::Assistant,
                rmcp::model::SamplingMessageContentBlock::text("Ada"),
            ),
            "model".to_owned(),
        ))
    }

    async fn list_roots(
        &self,
        _: RequestContext<RoleClient>,
    ) -> Result<ListRootsResult, ErrorData> {
        Ok(ListRootsResult::new(Vec::new()))
    }

    async fn create_elicitation(
        &self,
        _: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        Ok(ElicitResult::new(ElicitationAction::Accept).with_content(json!({ "name": "Ada" })))
    }

    async fn on_progress(
        &self,
        params: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.heard
            .lock()
            .push(format!("progress {}", params.progress));
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.heard.lock().push("tools changed".to_owned());
    }

    fn get_info(&self) -> ClientConfig {
        let capabilities: ClientCapabilities = serde_json::from_value(
            json!({ "roots": {}, "sampling": {}, "elicitation": { "form": {}, "url": {} } }),
        )
        .unwrap();
        let mut config = ClientConfig::new(capabilities, Implementation::new("rust-sdk", "1"));
        config.protocol_version = self.version.clone();
        config
    }
}

pub(super) type Client = RunningService<RoleClient, Handler>;

async fn connect(proxy: &Proxy, handler: Handler) -> Client {
    connect_with(proxy, handler, ClientLifecycleMode::Initialize).await
}

/// The way to the proxy. Its HTTP client is the proxy's own crate, whose TLS has to be brought along even
/// where none is spoken.
fn transport(proxy: &Proxy) -> StreamableHttpClientTransport<reqwest::Client> {
    // Another test of this process may have been first.
    let _first = rustls::crypto::ring::default_provider().install_default();
    StreamableHttpClientTransport::from_uri(format!("http://{}/mcp", proxy.address))
}

/// A connected client that finds its era in this way.
pub(super) async fn connect_with(
    proxy: &Proxy,
    handler: Handler,
    lifecycle: ClientLifecycleMode,
) -> Client {
    let transport = transport(proxy);
    let connected = handler.serve_with_lifecycle(transport, lifecycle);
    within("the connection", connected).await.unwrap()
}

/// The text that a tool answers.
pub(super) async fn call(client: &Client, tool: &'static str, arguments: Value) -> String {
    let Value::Object(arguments) = arguments else {
        panic!("arguments are an object");
    };
    let params = CallToolRequestParams::new(tool).with_arguments(arguments);
    let result = within("the answer", client.call_tool(params))
        .await
        .unwrap();
    result.content[0].as_text().unwrap().text.clone()
}

#[tokio::test]
async fn it_connects_calls_and_is_asked() {
    let proxy = Proxy::start(&[], &[]).await;
    for version in VERSIONS {
        let handler = Handler::new(version);
        let client = connect(&proxy, handler.clone()).await;
        let tools = within("the tools", client.list_all_tools()).await.unwrap();
        assert!(tools.iter().any(|tool| tool.name == "echo"));
        assert_eq!(call(&client, "echo", json!({ "text": "é😀" })).await, "é😀");

        assert_eq!(
            call(&client, "progress", json!({ "n": 5 })).await,
            "5 steps"
        );
        for step in 1..=5 {
            let what = format!("progress {step}");
            eventually(&what, || handler.heard(&what) == 1).await;
        }

        for (kind, part) in [
            ("elicitation", r#""name":"Ada""#),
            ("sampling", "Ada"),
            ("roots", r#""roots":[]"#),
        ] {
            let heard = call(&client, "ask", json!({ "kind": kind })).await;
            assert!(heard.contains(part), "{version} {kind}: {heard}");
        }

        assert_eq!(call(&client, "notify", json!({})).await, "changed");
        eventually("news of the tools", || handler.heard("tools changed") == 1).await;
        within("the end", client.cancel()).await.unwrap();
    }
    // It ends its sessions, and so do we.
    within("no session", async {
        while proxy.client().status().await["sessions"] != 0 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn it_works_without_sessions_too() {
    let proxy = Proxy::start(&["--stateless"], &[]).await;
    let handler = Handler::new(LATEST);
    let client = connect(&proxy, handler.clone()).await;
    assert_eq!(
        call(&client, "progress", json!({ "n": 2 })).await,
        "2 steps"
    );
    eventually("progress", || handler.heard("progress 2") == 1).await;
    within("the end", client.cancel()).await.unwrap();
}

#[tokio::test]
async fn a_client_of_both_eras_falls_back_to_a_session() {
    let proxy = Proxy::start(&[], &[]).await;
    let transport = transport(&proxy);
    let auto = ClientLifecycleMode::Auto {
        preferred_versions: vec![serde_json::from_value(json!("2026-07-28")).unwrap()],
        legacy_version: None,
    };
    let client = Handler::new(LATEST).serve_with_lifecycle(transport, auto);
    let client = within("the connection", client).await.unwrap();
    assert_eq!(call(&client, "echo", json!({ "text": "x" })).await, "x");
}
