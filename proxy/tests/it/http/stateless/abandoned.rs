//! Calls that were given up, and what their server still writes about them.

use serde_json::json;

use super::super::proxy::Proxy;
use super::{said, send};

/// A log record names no call. While one client's call was on its way to its end, its records were on
/// the stream of the only other client that wanted any.
#[tokio::test]
async fn records_of_a_call_that_was_given_up_reach_nobody_else() {
    let proxy = Proxy::start(&["--silence", "10ms"], &["--era", "modern"]).await;
    let wanting = |arguments, name: &str| {
        json!({
            "name": name,
            "arguments": arguments,
            "_meta": { "io.modelcontextprotocol/logLevel": "info" },
        })
    };
    let talking = json!({ "n": 200, "ms": 10, "text": "of the one who left" });
    let mut leaving = send(&proxy, 1, "tools/call", wanting(talking, "log"))
        .await
        .stream();
    assert_eq!(leaving.message().await["method"], "notifications/message");
    let other = json!({ "ms": 300 });
    let staying = send(&proxy, 2, "tools/call", wanting(other.clone(), "sleep"))
        .await
        .stream();
    drop(leaving);
    let messages = staying.rest().await;
    assert_eq!(messages.len(), 1, "{messages:?}");
    // One that comes only now, while records are still written.
    let late = send(&proxy, 3, "tools/call", wanting(other, "sleep"))
        .await
        .stream();
    let messages = late.rest().await;
    assert_eq!(messages.len(), 1, "{messages:?}");
    let cancelled = said(&proxy, "cancelled", json!({})).await;
    assert!(cancelled.len() > 2, "the server was told: {cancelled}");
}
