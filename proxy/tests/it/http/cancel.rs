//! Going away is not cancelling (2025-03-26 to 2025-11-25); saying so is.

use serde_json::{Value, json};

use super::{
    client::{call, notification},
    proxy::Proxy,
    session::{LATEST, Session},
};
use crate::toy::within;

/// The child's id of the only call of this tool that it has read.
async fn id_at_the_child(session: &Session, tool: &str) -> Value {
    within("the call at the child", async {
        loop {
            for line in session.seen().await {
                let line: Value = serde_json::from_str(&line).unwrap();
                if line["params"]["name"] == tool {
                    return line["id"].clone();
                }
            }
        }
    })
    .await
}

/// The child answers a cancelled call never, and an uncancelled one when it has slept.
async fn has_slept(proxy: &Proxy, session: &Session) {
    within("the end of the call at the child", async {
        while proxy.client().status().await["children"][0]["calls_in_flight"] != 0 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
    assert_eq!(session.call("cancelled", json!({})).await, "[]");
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_answer_cancels_nothing() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let body = call(session.next_id(), "sleep", json!({ "ms": 1_500 }));
    let client = session.client.clone();
    let posted = tokio::spawn(async move { client.post(body).await.stream() });
    id_at_the_child(&session, "sleep").await;
    posted.abort();
    assert!(within("the cut", posted).await.unwrap_err().is_cancelled());
    has_slept(&proxy, &session).await;
}

#[tokio::test]
async fn a_connection_that_breaks_within_the_answer_cancels_nothing() {
    let proxy = Proxy::start(&["--silence", "20ms"], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let stream = session
        .start("sleep", json!({ "ms": 1_500 }))
        .await
        .stream();
    drop(stream);
    has_slept(&proxy, &session).await;
}

#[tokio::test]
async fn a_cancelled_call_is_cancelled_at_the_child_and_not_answered() {
    let proxy = Proxy::start(&["--silence", "20ms"], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let reply = session
        .post(call("mine", "sleep", json!({ "ms": 60_000 })))
        .await;
    let stream = reply.stream();
    let id = id_at_the_child(&session, "sleep").await;
    assert_ne!(id, "mine");
    let notice = json!({ "requestId": "mine", "reason": "enough", "x": 1 });
    assert_eq!(session.notify("notifications/cancelled", notice).await, 202);
    assert_eq!(
        session.call("cancelled", json!({})).await,
        format!("[{id}]")
    );
    let notice = session
        .seen()
        .await
        .into_iter()
        .find(|line| line.contains("cancelled"));
    let notice: Value = serde_json::from_str(&notice.unwrap()).unwrap();
    assert_eq!(
        notice["params"],
        json!({ "requestId": id, "reason": "enough", "x": 1 })
    );
    assert!(
        stream.rest().await.is_empty(),
        "no answer is expected and none comes"
    );
    // The id is free again.
    let again = session.post(call("mine", "count", json!({}))).await;
    assert_eq!(again.answer().await["id"], "mine");
}

#[tokio::test]
async fn a_cancelled_call_that_had_not_begun_to_be_answered_ends_without_an_answer() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let client = session.client.clone();
    let posted = tokio::spawn(async move {
        let reply = client
            .post(call("mine", "sleep", json!({ "ms": 60_000 })))
            .await;
        reply.stream().rest().await
    });
    id_at_the_child(&session, "sleep").await;
    let notice = json!({ "requestId": "mine" });
    assert_eq!(session.notify("notifications/cancelled", notice).await, 202);
    assert!(
        within("the end of the stream", posted)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn cancelling_what_is_not_in_flight_does_nothing() {
    let proxy = Proxy::start(&[], &[]).await;
    let one = Session::open(&proxy.client(), LATEST).await;
    let other = Session::open(&proxy.client(), LATEST).await;
    let client = one.client.clone();
    let sleeping = tokio::spawn(async move {
        client
            .post(call("id", "sleep", json!({ "ms": 300 })))
            .await
            .answer()
            .await
    });
    id_at_the_child(&one, "sleep").await;
    // Another session's call, one of another id, and a notice without an id.
    for (session, params) in [
        (&other, json!({ "requestId": "id" })),
        (&one, json!({ "requestId": "di" })),
        (&one, json!({})),
    ] {
        let notice = notification("notifications/cancelled", params);
        assert_eq!(session.post(notice).await.status, 202);
    }
    let answer = within("the answer", sleeping).await.unwrap();
    assert!(answer["result"].is_object(), "{answer}");
    assert_eq!(one.call("cancelled", json!({})).await, "[]");
    assert_eq!(other.call("cancelled", json!({})).await, "[]");
}
