//! A server that changes its list of tools and tells nobody.

use serde_json::json;

use super::super::client::text;
use super::super::proxy::Proxy;
use super::{headers, tool, whole};

/// A client that knew a newer list than the proxy did was refused for its headers.
#[tokio::test]
async fn a_stale_list_is_read_again_before_headers_are_refused() {
    let proxy = Proxy::start(&[], &["--era", "modern"]).await;
    let arguments = json!({ "region": "fr-par", "count": 1, "dry": true });
    let call = whole(
        json!(1),
        "tools/call",
        json!({ "name": "mirrored", "arguments": arguments }),
    );
    let client = headers(&proxy.client(), &call)
        .with("Mcp-Param-Count", "1")
        .with("Mcp-Param-Dry-Run", "true");
    let (old, new) = (
        client.with("Mcp-Param-Region", "fr-par"),
        client.with("Mcp-Param-Zone", "fr-par"),
    );
    assert_eq!(old.post(&call).await.status, 200);
    let refused = new.post(&call).await.refused(400).await;
    assert_eq!(refused["code"], -32020, "{refused}");
    let changed = json!({ "tool": "mirrored", "header": "Zone" });
    tool(&proxy, 2, "relist", changed).await.answer().await;
    let reply = new.post(&call).await;
    assert_eq!(reply.status, 200);
    assert!(text(&reply.answer().await).contains("fr-par"));
    // And who still goes by the old one learns that it is old.
    let refused = old.post(&call).await.refused(400).await;
    assert_eq!(refused["code"], -32020, "{refused}");
}
