//! What `/status` tells of servers.

use serde_json::json;

use super::{
    proxy::Proxy,
    session::{LATEST, Session},
};
use crate::toy::within;

#[tokio::test]
async fn a_child_is_told_of_in_full() {
    let proxy = Proxy::start(&[], &[]).await;
    let status = proxy.client().status().await;
    assert_eq!(
        (&status["state"], &status["ready"]),
        (&json!("ready"), &json!(true))
    );
    assert_eq!(
        (&status["starts"], &status["children"]),
        (&json!(0), &json!([]))
    );
    assert!(status["last_exit"].is_null());

    let session = Session::open(&proxy.client(), LATEST).await;
    let pid = session.pid().await;
    let alone = proxy.client().status().await["children"][0].clone();
    assert_eq!(
        (&alone["pid"], &alone["state"]),
        (&json!(pid), &json!("ready"))
    );
    assert_eq!(
        (&alone["era"], &alone["clients"]),
        (&json!("legacy"), &json!(1))
    );
    let memory = alone["resident_bytes"].as_u64().unwrap();
    assert!((100_000..1_000_000_000).contains(&memory), "{memory}");
    // Its own child is of its group, and counted.
    session.call("grandchild", json!({})).await;
    let both = proxy.client().status().await["children"][0].clone();
    assert!(both["resident_bytes"].as_u64().unwrap() > memory, "{both}");

    session
        .start("crash", json!({ "code": 9 }))
        .await
        .answer()
        .await;
    let after = within("the end", async {
        loop {
            let status = proxy.client().status().await;
            if status["crashes"] == 1 {
                return status;
            }
        }
    })
    .await;
    assert_eq!(
        after["last_exit"]["sentence"],
        "the server exited with status 9"
    );
    assert!(after["last_exit"]["seconds_ago"].as_u64().unwrap() < 60);
    assert_eq!(
        (&after["starts"], &after["children"]),
        (&json!(1), &json!([]))
    );
    // A stop is no crash.
    let other = Session::open(&proxy.client(), LATEST).await;
    other.client.send("DELETE", "/mcp", "").await;
    within("the stop", async {
        while proxy.client().status().await["last_exit"]["sentence"] != "the server was stopped" {}
    })
    .await;
    assert_eq!(proxy.client().status().await["crashes"], 1);
}
