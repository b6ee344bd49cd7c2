//! One child for several clients: `--child-mode shared`, and `--stateless`.

use serde_json::{Value, json};

use super::{
    client::{Stream, call, call_with_token, notification, request, steps, text},
    proxy::Proxy,
    session::{LATEST, Session, VERSIONS, initialize},
};

const SHARED: [&str; 2] = ["--child-mode", "shared"];

/// The next message of a stream, which must be of this method.
async fn hears(stream: &mut Stream, method: &str) -> Value {
    let message = stream.message().await;
    assert_eq!(message["method"], method);
    message
}

/// Says something only this client hears, so that whatever came before it has been heard.
async fn hears_nothing_but(session: &Session, stream: &mut Stream, uri: &str) {
    session
        .request("resources/subscribe", json!({ "uri": uri }))
        .await;
    session.call("notify", json!({ "uri": uri })).await;
    let message = hears(stream, "notifications/resources/updated").await;
    assert_eq!(message["params"]["uri"], uri);
}

#[tokio::test]
async fn shared_sessions_have_one_child_and_answers_of_their_own() {
    let proxy = Proxy::start(&SHARED, &[]).await;
    let mut sessions = Vec::new();
    for version in VERSIONS {
        let session = Session::open(&proxy.client(), version).await;
        assert_eq!(
            session.call("count", json!({})).await,
            (sessions.len() + 1).to_string()
        );
        sessions.push(session);
    }
    assert_eq!(sessions[0].pid().await, sessions[2].pid().await);
    let seen = sessions[0].seen().await;
    let greetings = seen.iter().filter(|line| line.contains(r#""initialize""#));
    assert_eq!(greetings.count(), 1, "the child is greeted once: {seen:?}");
    assert!(
        seen[0].contains(r#""capabilities":{}"#),
        "a child of many may ask nobody: {}",
        seen[0]
    );
    // One that leaves takes nothing with it.
    let leaving = sessions.pop().unwrap();
    assert_eq!(leaving.client.send("DELETE", "/mcp", "").await.status, 200);
    assert_eq!(sessions[0].call("count", json!({})).await, "4");
}

#[tokio::test]
async fn a_question_of_a_shared_child_is_refused_and_nobody_sees_it() {
    let proxy = Proxy::start(&SHARED, &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let other = Session::open(&proxy.client(), LATEST).await;
    let mut standing = other.listen().await;
    let answer = session
        .start("ask", json!({ "kind": "roots" }))
        .await
        .json()
        .await;
    assert!(text(&answer).contains("-32601"), "{answer}");
    let answer = session
        .start("ask", json!({ "kind": "ping" }))
        .await
        .json()
        .await;
    assert_eq!(text(&answer), "{}");
    hears_nothing_but(&other, &mut standing, "toy://greeting").await;
}

#[tokio::test]
async fn news_of_a_shared_child_go_to_whom_they_concern() {
    let proxy = Proxy::start(&SHARED, &[]).await;
    let one = Session::open(&proxy.client(), LATEST).await;
    let other = Session::open(&proxy.client(), LATEST).await;
    let mut streams = [one.listen().await, other.listen().await];

    // Changes of the lists are everybody's.
    assert_eq!(one.call("notify", json!({})).await, "changed");
    for stream in &mut streams {
        for list in ["tools", "resources", "prompts"] {
            hears(stream, &format!("notifications/{list}/list_changed")).await;
        }
    }

    // An update is its subscribers'.
    let subscription = json!({ "uri": "toy://greeting" });
    let [first, second] = &mut streams;
    one.request("resources/subscribe", subscription.clone())
        .await;
    assert_eq!(other.call("notify", subscription.clone()).await, "updated");
    hears(first, "notifications/resources/updated").await;
    hears_nothing_but(&other, second, "toy://empty").await;

    // What both have subscribed to stays until the last of them has left.
    other
        .request("resources/subscribe", subscription.clone())
        .await;
    one.request("resources/unsubscribe", subscription.clone())
        .await;
    assert_eq!(one.call("notify", subscription.clone()).await, "updated");
    hears(second, "notifications/resources/updated").await;
    hears_nothing_but(&one, first, "toy://number/1").await;
    assert_eq!(other.client.send("DELETE", "/mcp", "").await.status, 200);
    assert_eq!(
        one.call("notify", subscription).await,
        "nobody is subscribed"
    );
}

#[tokio::test]
async fn log_levels_at_a_shared_child_are_each_clients_own() {
    let proxy = Proxy::start(&SHARED, &[]).await;
    let quiet = Session::open(&proxy.client(), LATEST).await;
    let chatty = Session::open(&proxy.client(), LATEST).await;
    quiet
        .request("logging/setLevel", json!({ "level": "error" }))
        .await;
    chatty
        .request("logging/setLevel", json!({ "level": "debug" }))
        .await;
    for (session, level, expected) in [
        (&quiet, "info", 0),
        (&quiet, "error", 1),
        (&chatty, "info", 1),
        (&chatty, "debug", 1),
    ] {
        let reply = session.start("log", json!({ "level": level })).await;
        let logs = if reply.is_stream() {
            reply.stream().rest().await.len() - 1
        } else {
            0
        };
        assert_eq!(logs, expected, "{level}");
    }
}

#[tokio::test]
async fn without_sessions_every_request_stands_alone() {
    let proxy = Proxy::start(&["--stateless"], &[]).await;
    let client = proxy.client();
    // A call needs no initialize.
    let answer = client.post(call("x", "count", json!({}))).await;
    assert_eq!(answer.header("mcp-session-id"), None);
    let answer = answer.json().await;
    assert_eq!((&answer["id"], text(&answer)), (&json!("x"), "1"));
    for version in VERSIONS {
        let reply = client.post(initialize(version)).await;
        assert_eq!(reply.header("mcp-session-id"), None);
        assert_eq!(reply.json().await["result"]["protocolVersion"], version);
        let initialized = notification("notifications/initialized", json!({}));
        assert_eq!(client.post(initialized).await.status, 202);
    }
    // One child has served all of it.
    let answer = client.post(call(1, "count", json!({}))).await.json().await;
    assert_eq!(text(&answer), "2");
    let tools = client
        .post(request(2, "tools/list", json!({})))
        .await
        .json()
        .await;
    assert!(tools["result"]["tools"].is_array());

    let messages = client.post(call_with_token(1, "t", "progress", json!({ "n": 5 })));
    let messages = messages.await.stream().rest().await;
    assert_eq!(steps(&messages), [1, 2, 3, 4, 5]);

    for method in ["GET", "DELETE", "PUT"] {
        let reply = client.send(method, "/mcp", "").await;
        assert_eq!(reply.header("allow"), Some("POST"), "{method}");
        reply.refused(405).await;
    }
}

#[tokio::test]
async fn without_sessions_equal_ids_may_be_in_flight_together() {
    let proxy = Proxy::start(&["--stateless"], &[]).await;
    let client = proxy.client();
    let mut calls = Vec::new();
    for n in 0..20 {
        let client = client.clone();
        calls.push(tokio::spawn(async move {
            let arguments = json!({ "n": n + 1, "ms": 5 });
            client
                .post(call_with_token(1, 1, "progress", arguments))
                .await
                .stream()
                .rest()
                .await
        }));
    }
    for (n, call) in calls.into_iter().enumerate() {
        let messages = crate::toy::within("an answer", call).await.unwrap();
        assert_eq!(steps(&messages), (1..=n as u64 + 1).collect::<Vec<_>>());
        assert_eq!(text(messages.last().unwrap()), format!("{} steps", n + 1));
    }
}
