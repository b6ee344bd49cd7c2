//! What several clients of one child must not see of each other, and what time does to a call.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Legacy;
use crate::back::Conversation as _;
use crate::exchange::{Handle, Loss, Outlet, Refusal, Seated};
use crate::flows::stage::{Stage, message, start, text, tools_call};
use crate::flows::toys::Connection;

const PLENTY: usize = 64 << 20;

/// A common server that was greeted with this version.
async fn greeted(version: &str) -> Stage {
    let mut stage = Stage::with(Legacy::common());
    let legacy = Arc::clone(&stage.server);
    let welcome = tokio::spawn(async move { legacy.welcome(Duration::from_secs(60)).await });
    tokio::task::yield_now().await;
    let initialize = stage.hears_of("initialize");
    stage.answers(
        &initialize,
        &format!(r#"{{"protocolVersion":"{version}","serverInfo":{{"x":1.50}}}}"#),
    );
    welcome.await.unwrap().unwrap();
    stage.hears_of("notifications/initialized");
    stage
}

/// Two clients of one server.
fn two(stage: &Stage) -> [(Connection, Seated); 2] {
    [(), ()].map(|()| {
        let client = Connection::new(PLENTY);
        let seated = stage.seat(client.outlet.clone());
        (client, seated)
    })
}

fn request(id: &str, method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

fn send(client: &mut Connection, seated: &Seated, exchange: u64, id: &str, text: &str) {
    client.knows(exchange, id);
    let mut call = tools_call(id, exchange, &client.outlet);
    call.message = message(text);
    start(seated, call).detach();
}

#[tokio::test(start_paused = true)]
async fn each_client_is_welcomed_in_its_own_version_and_the_child_hears_nothing_of_it() {
    let stage = greeted("2025-11-25").await;
    let [(mut a, at), (mut b, bt)] = two(&stage);
    let initialize = |version: &str| {
        request(
            "\"i\"",
            "initialize",
            &format!(r#"{{"protocolVersion":"{version}"}}"#),
        )
    };
    send(&mut a, &at, 1, "\"i\"", &initialize("2025-03-26"));
    send(&mut b, &bt, 1, "\"i\"", &initialize("2099-01-01"));
    assert_eq!(
        a.reads().await,
        r#"{"jsonrpc":"2.0","id":"i","result":{"protocolVersion":"2025-03-26","serverInfo":{"x":1.50}}}"#
    );
    assert!(b.reads().await.contains("2025-11-25"));
    at.server
        .tell(
            at.feed,
            message(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#),
        )
        .unwrap();
    stage.hears_nothing();
}

#[tokio::test(start_paused = true)]
async fn equal_ids_and_tokens_of_two_clients_never_meet() {
    let mut stage = greeted("2025-06-18").await;
    let [(mut a, at), (mut b, bt)] = two(&stage);
    for (n, id) in (1..=500).zip(["1", "\"1\"", "1.0", "9223372036854775808"].iter().cycle()) {
        a.knows(n, id);
        b.knows(n, id);
        start(&at, tools_call(id, n, &a.outlet)).detach();
        start(&bt, tools_call(id, n, &b.outlet)).detach();
        let (first, second) = (stage.hears(), stage.hears());
        stage.progresses(&second, 2);
        stage.answers(&second, r#"{"for":"b"}"#);
        stage.progresses(&first, 1);
        stage.answers(&first, r#"{"for":"a"}"#);
        assert!(
            a.reads()
                .await
                .contains(&format!(r#""progressToken":{id},"progress":1}}"#))
        );
        assert!(
            b.reads()
                .await
                .contains(&format!(r#""progressToken":{id},"progress":2}}"#))
        );
        let answer =
            |who: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"for":"{who}"}}}}"#);
        assert_eq!(a.reads().await, answer("a"));
        assert_eq!(b.reads().await, answer("b"));
    }
    assert_eq!(stage.server.load(), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn a_question_of_a_common_child_is_refused_and_a_ping_answered() {
    let mut stage = greeted("2025-06-18").await;
    let [(a, at), _] = two(&stage);
    start(&at, tools_call("1", 1, &a.outlet)).detach();
    stage.hears();
    stage.asks("\"q\"", "sampling/createMessage");
    let refused = stage.hears();
    assert_eq!(text(&refused.id().unwrap()), "\"q\"");
    assert!(refused.error().is_some());
    stage.asks("\"p\"", "ping");
    assert_eq!(stage.hears().result(), Some(&b"{}"[..]));
}

#[tokio::test(start_paused = true)]
async fn a_subscription_ends_with_its_last_client() {
    let mut stage = greeted("2025-06-18").await;
    let [(mut a, at), (mut b, bt)] = two(&stage);
    let uri = r#"{"uri":"x://1"}"#;
    for (client, seated) in [(&mut a, &at), (&mut b, &bt)] {
        send(
            client,
            seated,
            1,
            "1",
            &request("1", "resources/subscribe", uri),
        );
        let heard = stage.hears_of("resources/subscribe");
        stage.answers(&heard, "{}");
        client.reads().await;
    }
    let update =
        r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"x://1"}}"#;
    send(
        &mut a,
        &at,
        2,
        "2",
        &request("2", "resources/unsubscribe", uri),
    );
    assert!(a.reads().await.contains(r#""id":2,"result":{}"#));
    stage.hears_nothing();
    stage.says(update);
    assert_eq!(b.reads().await, update);
    bt.server.leave(bt.feed, &Loss::session_ended());
    stage.hears_of("resources/unsubscribe");
}

#[tokio::test(start_paused = true)]
async fn a_log_level_is_the_clients_own() {
    let mut stage = greeted("2025-06-18").await;
    let [(mut a, at), (mut b, bt)] = two(&stage);
    let level = |level: &str| {
        request(
            "1",
            "logging/setLevel",
            &format!(r#"{{"level":"{level}"}}"#),
        )
    };
    send(&mut a, &at, 1, "1", &level("error"));
    let heard = stage.hears_of("logging/setLevel");
    stage.answers(&heard, "{}");
    a.reads().await;
    send(&mut b, &bt, 1, "1", &level("debug"));
    let heard = stage.hears_of("logging/setLevel");
    assert!(heard.source().ends_with(br#"{"level":"debug"}}"#));
    stage.answers(&heard, "{}");
    b.reads().await;
    // Nobody wants as much any more, so the server is told to say less.
    send(
        &mut b,
        &bt,
        2,
        "2",
        &level("info").replace("\"id\":1", "\"id\":2"),
    );
    let heard = stage.hears_of("logging/setLevel");
    stage.answers(&heard, "{}");
    b.reads().await;
    let log = |level: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"level":"{level}","data":1}}}}"#
        )
    };
    stage.says(&log("info"));
    stage.says(&log("error"));
    assert_eq!(a.reads().await, log("error"));
    assert_eq!(b.reads().await, log("info"));
    assert_eq!(b.reads().await, log("error"));
}

#[tokio::test(start_paused = true)]
async fn a_call_in_time_is_not_ended_and_one_that_waits_for_a_person_has_its_time_back() {
    let mut stage = Stage::of_one();
    let mut client = Connection::new(PLENTY);
    let seated = stage.seat(Outlet::new(PLENTY).0);
    client.knows(1, "1");
    start(&seated, tools_call("1", 1, &client.outlet)).detach();
    let request = stage.hears();
    let began = Instant::now();
    stage.asks("5", "elicitation/create");
    let (ask, question) = client.is_asked().await;
    tokio::time::advance(Duration::from_secs(3600)).await;
    stage.server.expire(Instant::now());
    stage.hears_nothing();
    let reply = mcp_wire::result_message(&question.id().unwrap(), b"{}");
    assert!(seated.server.answer(seated.feed, ask, reply));
    stage.hears();
    tokio::time::advance(Duration::from_secs(299)).await;
    stage.server.expire(Instant::now());
    stage.hears_nothing();
    tokio::time::advance(Duration::from_secs(2)).await;
    stage.server.expire(Instant::now());
    stage.hears_of("notifications/cancelled");
    assert!(client.reads().await.contains("--request-timeout"));
    assert!(began.elapsed() > Duration::from_secs(3600));
    // The late answer is nobody's.
    stage.answers(&request, "{}");
}

#[tokio::test(start_paused = true)]
async fn a_damaged_answer_still_ends_its_call() {
    let stage = Stage::of_one();
    let mut client = Connection::new(PLENTY);
    let seated = stage.seat(Outlet::new(PLENTY).0);
    client.knows(1, "1");
    start(&seated, tools_call("1", 1, &client.outlet)).detach();
    let request = stage.hears();
    stage
        .server
        .inbound()
        .damaged(request.id().unwrap(), "nested too deep".to_owned());
    assert!(client.reads().await.contains("nested too deep"));
}

#[tokio::test(start_paused = true)]
async fn questions_a_server_gave_up_do_not_silence_it() {
    let mut stage = Stage::of_one();
    let mut client = Connection::new(PLENTY);
    let seated = stage.seat(Outlet::new(PLENTY).0);
    for n in 1..=300 {
        client.knows(n, &n.to_string());
        start(&seated, tools_call(&n.to_string(), n, &client.outlet)).detach();
        let request = stage.hears();
        stage.asks(&n.to_string(), "elicitation/create");
        if n > 256 {
            // Room was made for this question by taking the oldest back.
            assert_eq!(client.reads().await, "withdraw");
        }
        client.is_asked().await;
        // It answers the call without waiting for the client.
        stage.answers(&request, "{}");
        assert!(client.reads().await.contains("result"));
    }
    stage.hears_nothing();
}

#[tokio::test(start_paused = true)]
async fn a_link_that_takes_nothing_asks_for_a_new_seat_at_once() {
    let stage = Stage::of_one();
    let client = Connection::new(PLENTY);
    let seated = stage.seat(Outlet::new(PLENTY).0);
    stage.goes_deaf();
    assert!(!seated.server.is_gone(), "nobody knows yet");
    let refused = Handle::call(&seated, tools_call("1", 1, &client.outlet));
    assert!(matches!(refused, Err(Refusal::Gone)));
    assert!(seated.server.is_gone(), "long before the end is told");
}
