//! What `/status` and the log tell of servers, and what they keep to themselves.

use serde_json::{Value, json};

use super::{
    proxy::{Proxy, toy_path},
    session::{LATEST, Session},
};
use crate::toy::within;

/// What the proxy says of its only child, once it has heard this on its standard error.
async fn child_that_wrote(proxy: &Proxy, words: &str) -> Value {
    within("the words", async {
        loop {
            let child = proxy.client().status().await["children"][0].clone();
            if child["last_stderr"].to_string().contains(words) {
                return child;
            }
        }
    })
    .await
}

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

#[tokio::test]
async fn what_a_server_was_given_in_confidence_is_not_shown() {
    let env = [
        ("MCP_ENV_API_KEY", "key-from-a-variable"),
        ("SOME_TOKEN", "token-inherited"),
    ];
    let toy = toy_path();
    let line = [
        "--port",
        "0",
        "-e",
        "WHERE",
        "typed-by-hand",
        "-e",
        "MODE",
        "short",
        "--",
        &toy,
    ];
    let proxy = Proxy::typed(&env, &line).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let words = "I use key-from-a-variable, token-inherited and typed-by-hand in short";
    session.call("stderr", json!({ "text": words })).await;
    // At the end of a line that is longer than what is shown of one, a part of it would be left.
    let long = format!("{}key-from-a-variable", "x".repeat(8 * 1024 - 6));
    session.call("stderr", json!({ "text": long })).await;
    session
        .call("stderr", json!({ "text": "that was all" }))
        .await;
    session.call("garbage", json!({ "kind": "banner" })).await;

    let child = child_that_wrote(&proxy, "that was all").await;
    let shown = "I use ***, *** and *** in short";
    assert!(child["last_stderr"].to_string().contains(shown), "{child}");
    proxy.says(shown).await;
    proxy.says("that was all").await;
    let everything = proxy.said() + &child.to_string();
    for secret in ["key-f", "token-inherited", "typed-by-hand"] {
        assert!(!everything.contains(secret), "{secret}: {everything}");
    }
}
