//! Two clients with equal ids and equal tokens at the same time: none crossed, none lost.

use serde_json::Value;

use super::{
    client::{Client, Connection, steps},
    proxy::Proxy,
    session::{LATEST, Session},
};
use crate::toy::within;

/// Ids as they are spelled, each in flight once a client. To us an id is text.
const IDS: [&str; 8] = [
    "1",
    r#""1""#,
    "1.0",
    "9223372036854775808",
    r#""\u0031""#,
    r#""a\"\\b\n""#,
    r#""é😀""#,
    "-0",
];

/// Calls of one lane; with two clients and eight ids this makes 10,000.
const CALLS: usize = 625;

/// Of so many calls one wants progress.
const PROGRESS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_ids_of_two_sessions_never_meet() {
    let proxy = Proxy::start(&[], &[]).await;
    ten_thousand_calls(&proxy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_ids_at_a_shared_child_never_meet() {
    let proxy = Proxy::start(&["--child-mode", "shared"], &[]).await;
    ten_thousand_calls(&proxy).await;
    let status = proxy.client().status().await;
    assert_eq!(status["children"].as_array().unwrap().len(), 1);
}

async fn ten_thousand_calls(proxy: &Proxy) {
    let mut lanes = Vec::new();
    for name in ["first", "second"] {
        let session = Session::open(&proxy.client(), LATEST).await;
        for id in IDS {
            let client = session.client.clone();
            lanes.push(tokio::spawn(async move { lane(&client, name, id).await }));
        }
    }
    let mut calls = 0;
    for lane in lanes {
        calls += within("the end of a lane", lane).await.unwrap();
    }
    assert_eq!(calls, 10_000);
    assert_eq!(proxy.client().status().await["calls_in_flight"], 0);
}

/// One call after another under one id, on one connection.
async fn lane(client: &Client, name: &str, id: &str) -> usize {
    let mut connection = client.connect().await;
    for n in 0..CALLS {
        if n % PROGRESS == 0 {
            with_progress(&mut connection, client, name, id).await;
        } else {
            let text = Value::from(format!("{name} {id} {n}"));
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"echo","arguments":{{"text":{text}}},"_meta":{{"progressToken":{id}}}}}}}"#
            );
            let answer = connection.send(client, "POST", "/mcp", body).await;
            let expected = format!(
                r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[{{"type":"text","text":{text}}}]}}}}"#
            );
            assert_eq!(answer.text().await, expected);
        }
    }
    CALLS
}

/// How much progress there is tells whose it is.
async fn with_progress(connection: &mut Connection, client: &Client, name: &str, id: &str) {
    let index = IDS.iter().position(|known| *known == id).unwrap() as u64;
    let count = if name == "first" {
        2 + index
    } else {
        20 + index
    };
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"progress","arguments":{{"n":{count}}},"_meta":{{"progressToken":{id}}}}}}}"#
    );
    let mut stream = connection.send(client, "POST", "/mcp", body).await.stream();
    let token = format!(r#""progressToken":{id},"#);
    let answer = format!(
        r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[{{"type":"text","text":"{count} steps"}}]}}}}"#
    );
    let mut messages = Vec::new();
    let mut last = String::new();
    while let Some(event) = stream.event().await {
        if event.data.is_empty() {
            continue;
        }
        last = String::from_utf8(event.data.to_vec()).unwrap();
        if last != answer {
            assert!(last.contains(&token), "{last} does not have {token}");
        }
        messages.push(serde_json::from_str(&last).unwrap());
    }
    assert_eq!(last, answer);
    assert_eq!(steps(&messages), (1..=count).collect::<Vec<_>>());
}
