//! Leaving is cancelling (2026-07-28, Streamable HTTP, "Cancellation").

use std::time::Duration;

use serde_json::json;

use super::super::proxy::Proxy;
use super::{headers, said, tool, whole};
use crate::toy::within;

/// Waits until the server knows that one of its calls is not wanted any more.
async fn is_cancelled(proxy: &Proxy) {
    within("the cancellation at the child", async {
        while said(proxy, "cancelled", json!({})).await == "[]" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn leaving_before_the_first_byte_cancels_the_call() {
    let proxy = Proxy::start(&[], &["--era", "modern"]).await;
    assert_eq!(said(&proxy, "cancelled", json!({})).await, "[]");
    let message = whole(
        json!(5),
        "tools/call",
        json!({ "name": "hang", "arguments": {} }),
    );
    let client = headers(&proxy.client(), &message);
    let posted = tokio::spawn(async move { client.post(message).await.status });
    within("the call at the child", async {
        while proxy.client().status().await["calls_in_flight"] != 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    posted.abort();
    is_cancelled(&proxy).await;
    assert_eq!(proxy.client().status().await["calls_in_flight"], 0);
}

#[tokio::test]
async fn leaving_a_stream_cancels_the_call() {
    let proxy = Proxy::start(&["--silence", "20ms"], &["--era", "modern"]).await;
    let stream = tool(&proxy, 5, "hang", json!({})).await.stream();
    drop(stream);
    is_cancelled(&proxy).await;
}

#[tokio::test]
async fn an_answer_that_was_given_is_not_cancelled_afterwards() {
    let proxy = Proxy::start(&["--silence", "20ms"], &["--era", "modern"]).await;
    let answered = tool(&proxy, 1, "sleep", json!({ "ms": 100 }))
        .await
        .stream()
        .rest()
        .await;
    assert_eq!(answered.len(), 1);
    tool(&proxy, 2, "echo", json!({ "text": "a" }))
        .await
        .json()
        .await;
    assert_eq!(said(&proxy, "cancelled", json!({})).await, "[]");
}
