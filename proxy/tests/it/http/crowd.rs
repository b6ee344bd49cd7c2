//! More clients than there is room for, and one that does not read.

use serde_json::json;

use super::{
    client::{call, call_with_token, steps, text},
    proxy::Proxy,
    session::{LATEST, Session, initialize},
};
use crate::toy::within;

/// A progress token that gives every notification some weight.
const TOKEN: &str = "a token of some length, so that fewer notifications fill what there is to fill, and the toy need not write for long; a token of some length, so that fewer notifications fill what there is to fill";

/// Notifications, of 400 bytes each: 20 MB, which no buffers on the way can take in.
const UNREAD: usize = 50_000;

#[tokio::test]
async fn a_crowd_is_served_as_far_as_there_is_room_and_the_rest_is_told() {
    let proxy = Proxy::start(&["--max-children", "8"], &[]).await;
    let mut opening = Vec::new();
    for _ in 0..50 {
        let client = proxy.client();
        opening.push(tokio::spawn(async move {
            client.post(initialize(LATEST)).await
        }));
    }
    let mut ids = Vec::new();
    let mut refused = 0;
    for reply in opening {
        let reply = within("an answer for everybody", reply).await.unwrap();
        if reply.status == 200 {
            ids.push(reply.header("mcp-session-id").unwrap().to_owned());
            continue;
        }
        assert_eq!(reply.header("retry-after"), Some("1"));
        let error = reply.refused(503).await;
        assert!(
            error["message"]
                .as_str()
                .unwrap()
                .contains("--max-children"),
            "{error}"
        );
        refused += 1;
    }
    assert_eq!((ids.len(), refused), (8, 42));
    let status = proxy.client().status().await;
    assert_eq!(
        status["sessions"], 8,
        "a refused client leaves nothing behind"
    );
    assert_eq!(status["children"].as_array().unwrap().len(), 8);

    // One that leaves makes room for another.
    let leaving = proxy.client().with("Mcp-Session-Id", &ids[0]);
    assert_eq!(leaving.send("DELETE", "/mcp", "").await.status, 200);
    within("room for another", async {
        while proxy.client().post(initialize(LATEST)).await.status != 200 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn sessions_have_a_bound_of_their_own() {
    let proxy = Proxy::start(&["--max-sessions", "2", "--child-mode", "shared"], &[]).await;
    let first = Session::open(&proxy.client(), LATEST).await;
    let second = Session::open(&proxy.client(), LATEST).await;
    // While both are used there is no room.
    let streams = [first.listen().await, second.listen().await];
    let reply = proxy.client().post(initialize(LATEST)).await;
    assert!(reply.header("retry-after").is_some());
    let error = reply.refused(503).await;
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("--max-sessions"),
        "{error}"
    );
    drop(streams);
    // The one that was unused for longest makes room.
    within("room for another", async {
        while proxy.client().post(initialize(LATEST)).await.status != 200 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
    assert_eq!(proxy.client().status().await["sessions"], 2);
}

/// The bytes of the kernel's buffers are not ours to bound, so the client's are made small.
#[tokio::test]
async fn a_client_that_does_not_read_loses_its_stream_and_holds_up_nobody() {
    let bounds = [
        "--max-line-size",
        "1MiB",
        "--outlet-bytes",
        "1MiB",
        "--child-mode",
        "shared",
    ];
    let proxy = Proxy::start(&bounds, &[]).await;
    let deaf = Session::open(&proxy.client(), LATEST).await;
    let other = Session::open(&proxy.client(), LATEST).await;
    let client = deaf.client.with_receive_buffer(64 << 10);
    let body = call_with_token("big", TOKEN, "progress", json!({ "n": UNREAD }));
    let unread = client.post(body).await.stream();
    // Meanwhile somebody else is served by the same child, again and again, until it has written
    // all of it although nobody read.
    let mut served: u64 = 0;
    within("the end of the call at the child", async {
        loop {
            served += 1;
            assert_eq!(other.call("count", json!({})).await, served.to_string());
            if client.status().await["children"][0]["calls_in_flight"] == 0 {
                break;
            }
        }
    })
    .await;
    assert!(served > 1);

    // What was sent comes, then the end and why; nothing is missing in between.
    let messages = unread.rest().await;
    let (last, progress) = messages.split_last().unwrap();
    assert!(progress.len() < UNREAD);
    assert_eq!(
        steps(progress),
        (1..=progress.len() as u64).collect::<Vec<_>>()
    );
    assert_eq!(last["id"], "big");
    let sentence = last["error"]["message"].as_str().unwrap();
    assert!(sentence.contains("not read fast enough"), "{sentence}");
    assert!(
        proxy.said().contains("not read fast enough"),
        "{}",
        proxy.said()
    );
    let answer = deaf
        .post(call("big", "count", json!({})))
        .await
        .json()
        .await;
    assert_eq!(
        text(&answer),
        (served + 1).to_string(),
        "the session lives on"
    );
}
