//! Subscriptions: a stream for as long as its client likes, whatever happens to the server.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::client::Stream;
use super::super::proxy::Proxy;
use super::{said, send, tool};
use crate::toy::within;

const MODERN: [&str; 2] = ["--era", "modern"];
const TAG: &str = "io.modelcontextprotocol/subscriptionId";

async fn listen(proxy: &Proxy, id: Value, filter: Value) -> Stream {
    let params = json!({ "notifications": filter });
    let mut stream = send(proxy, id.clone(), "subscriptions/listen", params)
        .await
        .stream();
    let first = stream.message().await;
    assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(first["params"]["_meta"][TAG], id);
    stream
}

/// How many subscriptions the server has. The proxy has one of its own, for the list of tools.
async fn open(proxy: &Proxy) -> usize {
    let open: Value = serde_json::from_str(&said(proxy, "listens", json!({})).await).unwrap();
    open.as_array().unwrap().len()
}

#[tokio::test]
async fn each_subscription_hears_what_it_asked_for_under_its_own_id() {
    let proxy = Proxy::start(&[], &MODERN).await;
    let mut tools = listen(&proxy, json!("a"), json!({ "toolsListChanged": true })).await;
    let uri = "toy://greeting";
    let mut greeting = listen(
        &proxy,
        json!(1.5),
        json!({ "resourceSubscriptions": [uri] }),
    )
    .await;
    said(&proxy, "notify", json!({})).await;
    said(&proxy, "notify", json!({ "uri": uri })).await;
    let heard = tools.message().await;
    assert_eq!(heard["method"], "notifications/tools/list_changed");
    assert_eq!(heard["params"]["_meta"][TAG], "a");
    let heard = greeting.message().await;
    assert_eq!(heard["method"], "notifications/resources/updated");
    assert_eq!(heard["params"]["uri"], uri);
    assert_eq!(heard["params"]["_meta"][TAG], 1.5);
}

#[tokio::test]
async fn leaving_ends_the_subscription_at_the_server() {
    let proxy = Proxy::start(&[], &MODERN).await;
    let own = open(&proxy).await;
    let stream = listen(&proxy, json!(1), json!({ "promptsListChanged": true })).await;
    assert_eq!(open(&proxy).await, own + 1);
    drop(stream);
    within("the end of the subscription", async {
        while open(&proxy).await > own {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_subscription_outlives_its_server_and_is_told_what_may_have_changed() {
    let proxy = Proxy::start(&[], &MODERN).await;
    let uri = "toy://greeting";
    let filter = json!({ "promptsListChanged": true, "resourceSubscriptions": [uri] });
    let mut stream = listen(&proxy, json!("s"), filter).await;
    tool(&proxy, 2, "crash", json!({})).await.json().await;
    let heard = stream.message().await;
    assert_eq!(heard["method"], "notifications/prompts/list_changed");
    assert_eq!(heard["params"]["_meta"][TAG], "s");
    let heard = stream.message().await;
    assert_eq!(heard["method"], "notifications/resources/updated");
    assert_eq!(heard["params"]["uri"], uri);
    // And it goes on at the successor.
    said(&proxy, "notify", json!({ "uri": uri })).await;
    let heard = stream.message().await;
    assert_eq!(heard["params"]["_meta"][TAG], "s");
}

#[tokio::test]
async fn the_server_and_the_proxy_end_a_subscription_with_an_answer() {
    let mut proxy = Proxy::start(&[], &MODERN).await;
    let stream = listen(
        &proxy,
        json!("by server"),
        json!({ "toolsListChanged": true }),
    )
    .await;
    said(&proxy, "listens", json!({ "end": true })).await;
    let last = stream.rest().await.pop().unwrap();
    assert_eq!(last["id"], "by server");
    assert_eq!(last["result"]["resultType"], "complete");
    assert_eq!(last["result"]["_meta"][TAG], "by server");
    let stream = listen(
        &proxy,
        json!("by proxy"),
        json!({ "toolsListChanged": true }),
    )
    .await;
    proxy.signal(Signal::TERM);
    let last = stream.rest().await.pop().unwrap();
    assert_eq!(last["id"], "by proxy");
    assert_eq!(last["result"]["_meta"][TAG], "by proxy");
    assert_eq!(proxy.exit().await, Some(0));
}

/// Each try is a process, so they are made further and further apart.
#[tokio::test]
async fn a_subscription_at_a_server_that_keeps_dying_waits_longer_each_time() {
    let words = ["--era", "modern", "--exits-on-listen", "prompts"];
    let proxy = Proxy::start(&[], &words).await;
    let since = Instant::now();
    let _stream = listen(&proxy, json!("s"), json!({ "promptsListChanged": true })).await;
    let mut begun = Vec::new();
    within("three more starts", async {
        while begun.len() < 3 {
            let starts = proxy.client().status().await["starts"].as_u64().unwrap();
            while (begun.len() as u64) < starts.saturating_sub(1) {
                begun.push(since.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert!(begun[2] > Duration::from_secs(4), "{begun:?}");
    assert!(begun[2] > 2 * begun[1], "{begun:?}");
}
