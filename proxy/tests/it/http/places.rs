//! Who has the place of a server, who gets it next, and who leaves none behind.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::proxy::Proxy;
use super::session::{LATEST, Session, initialize};
use crate::toy::within;

#[tokio::test]
async fn a_newcomer_gets_the_place_of_a_session_that_is_not_used() {
    let flags = ["--max-children", "1", "--yield-after", "700ms"];
    let proxy = Proxy::start(&flags, &[]).await;
    let first = Session::open(&proxy.client(), LATEST).await;
    let pid = first.pid().await;
    let used = Instant::now();
    // It is not long ago that it was used.
    let error = proxy
        .client()
        .post(initialize(LATEST))
        .await
        .refused(503)
        .await;
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("--max-children"),
        "{error}"
    );
    let second = within("a place", async {
        loop {
            let reply = proxy.client().post(initialize(LATEST)).await;
            if reply.status == 200 {
                break reply.header("mcp-session-id").unwrap().to_owned();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert!(
        used.elapsed() >= Duration::from_millis(600),
        "{:?}",
        used.elapsed()
    );
    let status = proxy.client().status().await;
    assert_eq!(
        status["sessions"], 2,
        "the first lives on, without a server"
    );
    // And gets another one as soon as the second is not used either.
    within("a place for the first again", async {
        while first.start("count", json!({})).await.status != 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert_ne!(first.pid().await, pid);
    let gone = proxy.client().with("Mcp-Session-Id", &second);
    assert_eq!(gone.send("DELETE", "/mcp", "").await.status, 200);
}

#[tokio::test]
async fn a_place_that_somebody_is_leaving_is_waited_for() {
    // The server takes its time to end.
    let proxy = Proxy::start(&["--max-children", "1"], &["--linger", "800"]).await;
    let first = Session::open(&proxy.client(), LATEST).await;
    assert_eq!(first.client.send("DELETE", "/mcp", "").await.status, 200);
    let since = Instant::now();
    let second = Session::open(&proxy.client(), LATEST).await;
    let waited = since.elapsed();
    assert!(waited >= Duration::from_millis(500), "after {waited:?}");
    assert_eq!(second.call("count", json!({})).await, "1");
    // Only as many wait as there are places being left.
    assert_eq!(second.client.send("DELETE", "/mcp", "").await.status, 200);
    let asking: Vec<_> = (0..3)
        .map(|_| {
            let client = proxy.client();
            tokio::spawn(async move { client.post(initialize(LATEST)).await.status })
        })
        .collect();
    let mut statuses = Vec::new();
    for status in asking {
        statuses.push(within("an answer", status).await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 503, 503]);
}

/// The session's id was in the headers before the server said no.
#[tokio::test]
async fn an_initialize_that_is_refused_late_leaves_no_session() {
    let words = ["--era", "modern", "--start-delay", "600"];
    let flags = ["--silence", "100ms", "--child-era", "legacy"];
    let proxy = Proxy::start(&flags, &words).await;
    let reply = proxy.client().post(initialize(LATEST)).await;
    assert!(reply.is_stream(), "the answer was not awaited");
    let id = reply.header("mcp-session-id").unwrap().to_owned();
    let answer = reply.answer().await;
    assert!(answer["error"].is_object(), "{answer}");
    within("nothing is left", async {
        loop {
            let status = proxy.client().status().await;
            if status["sessions"] == 0 && status["children"].as_array().unwrap().is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let gone = proxy.client().with("Mcp-Session-Id", &id);
    gone.with("MCP-Protocol-Version", LATEST)
        .post(super::client::call(1, "count", json!({})))
        .await
        .refused(404)
        .await;
}
