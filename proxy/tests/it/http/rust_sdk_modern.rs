//! The official Rust SDK on 2026-07-28: the third opinion, beside the Python and TypeScript clients of `tests/clients`.

use rmcp::{
    ClientLifecycleMode,
    model::{
        CallToolRequestParams, GetPromptRequestParams, ReadResourceRequestParams,
        ServerNotification, SubscriptionFilter,
    },
};
use serde_json::{Value, json};

use super::{
    proxy::Proxy,
    rust_sdk::{Client, Handler, call, connect_with},
    session::LATEST,
};
use crate::toy::{eventually, within};

/// Servers that a client of 2026-07-28 must find to be of its era.
const SERVERS: [&[&str]; 3] = [
    &["--era", "modern"],
    &["--era", "dual"],
    &["--era", "dual", "--locks-on-discover"],
];

async fn connect(proxy: &Proxy, handler: Handler) -> Client {
    let auto = ClientLifecycleMode::Auto {
        preferred_versions: vec![serde_json::from_value(json!("2026-07-28")).unwrap()],
        legacy_version: None,
    };
    connect_with(proxy, handler, auto).await
}

#[tokio::test]
async fn it_calls_and_is_asked_by_answers() {
    for server in SERVERS {
        let proxy = Proxy::start(&[], server).await;
        let handler = Handler::new(LATEST);
        let client = connect(&proxy, handler.clone()).await;
        let tools = within("the tools", client.list_all_tools()).await.unwrap();
        assert!(tools.iter().any(|tool| tool.name == "mirrored"));
        assert_eq!(call(&client, "echo", json!({ "text": "é😀" })).await, "é😀");
        let arguments = json!({ "region": " größe ", "count": 3, "dry": true });
        let mirrored = call(&client, "mirrored", arguments.clone()).await;
        assert_eq!(serde_json::from_str::<Value>(&mirrored).unwrap(), arguments);

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
            assert!(heard.contains(part), "{server:?} {kind}: {heard}");
        }
        let both_ways = [json!({ "n": 3 }), json!({ "n": 3, "together": true })];
        for arguments in both_ways {
            let heard = call(&client, "ask", arguments).await;
            assert_eq!(heard.lines().count(), 3, "{heard}");
        }
        within("the end", client.cancel()).await.unwrap();
    }
}

#[tokio::test]
async fn prompts_and_resources_ask_it_too() {
    let proxy = Proxy::start(&[], &["--era", "modern"]).await;
    let client = connect(&proxy, Handler::new(LATEST)).await;
    let prompt = client.get_prompt(GetPromptRequestParams::new("question"));
    let prompt = within("the prompt", prompt).await.unwrap();
    assert!(format!("{prompt:?}").contains("Ada"), "{prompt:?}");
    let resource = client.read_resource(ReadResourceRequestParams::new("toy://question"));
    let resource = within("the resource", resource).await.unwrap();
    assert!(format!("{resource:?}").contains("Ada"), "{resource:?}");
}

#[tokio::test]
async fn it_hears_what_it_subscribed_to_until_it_leaves() {
    let proxy = Proxy::start(&[], &["--era", "modern"]).await;
    let client = connect(&proxy, Handler::new(LATEST)).await;
    // The proxy may listen for itself.
    let before = call(&client, "listens", json!({})).await;
    let filter = SubscriptionFilter::builder().tools_list_changed().build();
    let mut tools = within("the stream", client.listen(filter)).await.unwrap();
    assert_eq!(tools.acknowledged().tools_list_changed, Some(true));
    assert_ne!(call(&client, "listens", json!({})).await, before);
    let told = call(&client, "notify", json!({})).await;
    assert!(told.starts_with("told "), "{told}");
    let news = within("news", tools.next()).await.unwrap();
    assert!(matches!(
        news,
        Some(ServerNotification::ToolListChangedNotification(_))
    ));

    within("the cancellation", tools.cancel()).await.unwrap();
    within("the end of the stream", async {
        while call(&client, "listens", json!({})).await != before {}
    })
    .await;
}

#[tokio::test]
async fn a_call_that_it_drops_is_cancelled_at_the_server() {
    let proxy = Proxy::start(&[], &["--era", "modern"]).await;
    let handler = Handler::new(LATEST);
    let client = connect(&proxy, handler.clone()).await;
    assert_eq!(call(&client, "cancelled", json!({})).await, "[]");
    // Slow enough to be dropped in its middle: twenty minutes.
    let arguments = json!({ "n": 1000, "ms": 1200 })
        .as_object()
        .unwrap()
        .clone();
    let slow = CallToolRequestParams::new("progress").with_arguments(arguments);
    tokio::select! {
        _ = client.call_tool(slow) => panic!("it was to take longer"),
        () = eventually("the first step", || handler.heard("progress 1") == 1) => {}
    }
    within("the cancellation", async {
        while call(&client, "cancelled", json!({})).await == "[]" {}
    })
    .await;
}
