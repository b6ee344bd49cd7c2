//! What callers of one server must not see of each other, and what is touched of what passes.

use std::sync::Arc;
use std::time::Duration;

use mcp_wire::Message;
use tokio::time::Instant;

use super::Neighbours;
use crate::back::Conversation as _;
use crate::exchange::{Call, ExchangeId, Handle, Seated, Server as _};
use crate::flows::stage::{Stage, message, start, text, tools_call};
use crate::flows::toys::Connection;

const PLENTY: usize = 64 << 20;

fn alone() -> Neighbours {
    Neighbours {
        shared: false,
        machine: None,
        key: Arc::new([7; 32]),
        generation: 1,
    }
}

fn shared() -> Neighbours {
    Neighbours {
        shared: true,
        ..alone()
    }
}

fn request(id: &str, method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

fn call(client: &mut Connection, exchange: u64, id: &str, request: &str) -> Call {
    client.knows(exchange, id);
    let mut call = tools_call(id, exchange, &client.outlet);
    call.message = message(request);
    call
}

fn send(client: &mut Connection, seated: &Seated, exchange: u64, id: &str, text: &str) -> Handle {
    let call = call(client, exchange, id, text);
    start(seated, call)
}

async fn read(client: &mut Connection, lines: usize) -> Vec<String> {
    let mut read = Vec::new();
    for _ in 0..lines {
        read.push(client.reads().await);
    }
    read
}

fn id_of(message: &Message) -> String {
    text(&message.id().unwrap())
}

#[tokio::test(start_paused = true)]
async fn equal_ids_and_tokens_of_two_calls_never_meet() {
    let mut stage = Stage::modern(alone());
    let seated = stage.seat_of("anna");
    let mut client = Connection::new(PLENTY);
    for exchange in [1, 2] {
        client.knows(exchange, "1.0");
        start(&seated, tools_call("1.0", exchange, &client.outlet)).detach();
    }
    let (first, second) = (stage.hears(), stage.hears());
    assert_ne!(id_of(&first), id_of(&second));
    stage.progresses(&second, 1);
    stage.answers(&second, r#"{"n":0.10}"#);
    stage.answers(&first, "{}");
    assert_eq!(
        read(&mut client, 3).await,
        [
            r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1.0,"progress":1}}"#,
            r#"{"jsonrpc":"2.0","id":1.0,"result":{"n":0.10}}"#,
            r#"{"jsonrpc":"2.0","id":1.0,"result":{}}"#,
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_subscription_keeps_its_clients_id_to_the_end() {
    let mut stage = Stage::modern(alone());
    let seated = stage.seat_of("anna");
    let mut client = Connection::new(PLENTY);
    let listen = request(
        r#""s\u00fc""#,
        "subscriptions/listen",
        r#"{"notifications":{}}"#,
    );
    send(&mut client, &seated, 1, r#""s\u00fc""#, &listen).detach();
    let key = id_of(&stage.hears_of("subscriptions/listen"));
    let tag = |key: &str| format!(r#""_meta":{{"io.modelcontextprotocol/subscriptionId":{key}}}"#);
    let news = |key: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{{{}}}}}"#,
            tag(key)
        )
    };
    stage.says(&news(&key));
    // Some servers hand a number back as a string.
    stage.says(&news(&format!("\"{key}\"")));
    // Of no subscription, or of nobody's.
    stage.says(&news("999"));
    stage.says(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#);
    // A subscription has all the time in the world.
    stage
        .server
        .expire(Instant::now() + Duration::from_secs(1_000_000));
    stage.says(&format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{key}}}}}"#
    ));
    let own = r#""s\u00fc""#;
    assert_eq!(
        read(&mut client, 3).await,
        [
            news(own),
            news(own),
            format!(
                r#"{{"jsonrpc":"2.0","id":{own},"result":{{"resultType":"complete",{}}}}}"#,
                tag(own)
            ),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_log_record_reaches_the_one_call_that_wants_it_and_none_of_two() {
    let mut stage = Stage::modern(alone());
    let seated = stage.seat_of("anna");
    let mut client = Connection::new(PLENTY);
    let wanting = |id: &str, level: &str| {
        request(
            id,
            "tools/call",
            &format!(r#"{{"_meta":{{"io.modelcontextprotocol/logLevel":"{level}"}}}}"#),
        )
    };
    let record = |level: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"level":"{level}"}}}}"#
        )
    };
    send(&mut client, &seated, 1, "1", &wanting("1", "info")).detach();
    send(&mut client, &seated, 2, "2", &wanting("2", "error")).detach();
    let (first, second) = (stage.hears(), stage.hears());
    stage.says(&record("debug"));
    stage.says(&record("warning"));
    // Either could be meant.
    stage.says(&record("critical"));
    stage.answers(&second, "{}");
    stage.says(&record("alert"));
    stage.answers(&first, "{}");
    assert_eq!(
        read(&mut client, 4).await,
        [
            record("warning"),
            r#"{"jsonrpc":"2.0","id":2,"result":{}}"#.to_owned(),
            record("alert"),
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#.to_owned(),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_given_up_and_wanted_no_log_silences_nobody() {
    let mut stage = Stage::modern(alone());
    let seated = stage.seat_of("anna");
    let mut client = Connection::new(PLENTY);
    let wanting = |id: &str| {
        let params = r#"{"_meta":{"io.modelcontextprotocol/logLevel":"info"}}"#;
        request(id, "tools/call", params)
    };
    let record = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error"}}"#;
    let listen = request("1", "subscriptions/listen", r#"{"notifications":{}}"#);
    send(&mut client, &seated, 1, "1", &listen).cancel(None);
    let plain = request("2", "tools/call", "{}");
    send(&mut client, &seated, 2, "2", &plain).cancel(None);
    for _ in 0..4 {
        stage.hears();
    }
    send(&mut client, &seated, 3, "3", &wanting("3")).detach();
    let heard = stage.hears_of("tools/call");
    stage.says(record);
    assert_eq!(
        read(&mut client, 3).await,
        ["cancelled 1", "cancelled 2", record]
    );
    // One that wanted them may be meant.
    send(&mut client, &seated, 4, "4", &wanting("4")).cancel(None);
    stage.says(record);
    stage.answers(&heard, "{}");
    assert_eq!(
        read(&mut client, 2).await,
        ["cancelled 4", r#"{"jsonrpc":"2.0","id":3,"result":{}}"#]
    );
}

#[tokio::test(start_paused = true)]
async fn a_state_of_a_shared_server_is_good_for_whom_it_was_given_to() {
    let mut stage = Stage::modern(shared());
    let (anna, bert) = (stage.seat_of("anna"), stage.seat_of("bert"));
    let mut client = Connection::new(PLENTY);
    send(
        &mut client,
        &anna,
        1,
        "1",
        &request("1", "tools/call", "{}"),
    )
    .detach();
    let asked = stage.hears();
    // What the server wrote has a dot and an escape in it, and is longer than its tag.
    stage.answers(
        &asked,
        r#"{"big":12345678901234567890,"resultType":"input_required","requestState":"a.b.c.d.e\u00fc\"f"}"#,
    );
    let answer = read(&mut client, 1).await.remove(0);
    let marked: String = answer
        .split_once(r#""requestState":""#)
        .and_then(|(_, rest)| rest.strip_suffix(r#""}}"#))
        .unwrap()
        .to_owned();
    assert!(marked.ends_with(r#".a.b.c.d.e\u00fc\"f"#), "{marked}");
    assert!(answer.contains("12345678901234567890"), "{answer}");
    let retry = |state: &str| {
        request(
            "2",
            "tools/call",
            &format!(r#"{{"requestState":"{state}"}}"#),
        )
    };

    // A client may spell it otherwise; it says the same.
    for spelled in [marked.clone(), marked.replace(r"\u00fc", "ü")] {
        send(&mut client, &anna, 2, "2", &retry(&spelled)).detach();
        let heard = stage.hears();
        let state = heard.string(mcp_wire::Member::RequestState).unwrap();
        assert_eq!(state, "a.b.c.d.eü\"f");
    }
    let tampered = marked.replace("a.b.c", "a.b.x");
    for (seated, state) in [
        (&bert, marked.as_str()),
        (&anna, &tampered),
        (&anna, "a.b.c.d.e"),
        (&anna, "mp1..1..x"),
        (&anna, ""),
    ] {
        send(&mut client, seated, 2, "2", &retry(state)).detach();
        stage.hears_nothing();
        let refused = read(&mut client, 1).await.remove(0);
        assert!(refused.contains("-32602"), "{refused}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_of_a_shared_server_is_its_principals() {
    let mut stage = Stage::modern(shared());
    let (anna, bert) = (stage.seat_of("anna"), stage.seat_of("bert"));
    let mut client = Connection::new(PLENTY);
    send(
        &mut client,
        &anna,
        1,
        "1",
        &request("1", "tools/call", "{}"),
    )
    .detach();
    let made = stage.hears();
    stage.answers(&made, r#"{"resultType":"task","taskId":"t1"}"#);
    read(&mut client, 1).await;
    let get = request("2", "tasks/get", r#"{"taskId":"t1"}"#);
    let watch = request(
        "2",
        "subscriptions/listen",
        r#"{"notifications":{"taskIds":["t1"]}}"#,
    );
    for wanted in [&get, &watch] {
        send(&mut client, &anna, 2, "2", wanted).detach();
        stage.hears();
        send(&mut client, &bert, 3, "2", wanted).detach();
        stage.hears_nothing();
        let refused = read(&mut client, 1).await.remove(0);
        assert!(refused.contains("no such task"), "{refused}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_by_request_is_refused_and_nobody_hears_of_it() {
    let mut stage = Stage::modern(alone());
    let _seated = stage.seat_of("anna");
    stage.asks("9", "elicitation/create");
    let reply = stage.hears();
    assert_eq!(id_of(&reply), "9");
    assert!(reply.error().is_some());
}

#[tokio::test(start_paused = true)]
async fn every_call_ends_once_whatever_happens() {
    let mut stage = Stage::modern(alone());
    let seated = stage.seat_of("anna");
    let mut client = Connection::new(PLENTY);
    let plain = |id: &str| request(id, "tools/call", "{}");
    let late = send(&mut client, &seated, 1, "1", &plain("1"));
    let late_at_child = stage.hears();
    stage
        .server
        .expire(Instant::now() + Duration::from_secs(301));
    stage.hears_of("notifications/cancelled");
    // Its answer comes too late, and its cancellation has nothing to cancel.
    stage.answers(&late_at_child, "{}");
    late.cancel(None);
    stage.hears_nothing();

    let given_up = send(&mut client, &seated, 2, "2", &plain("2"));
    stage.hears();
    given_up.cancel(None);
    stage.hears_of("notifications/cancelled");

    send(&mut client, &seated, 3, "3", &plain("3")).detach();
    stage.hears();
    stage.dies();
    assert_eq!(
        read(&mut client, 3).await,
        [
            "lost 1: the MCP server did not answer in time; --request-timeout gives it longer",
            "cancelled 2",
            "lost 3: the server exited with status 1 before it answered",
        ]
    );
    assert!(stage.server.is_gone());
    let call = call(&mut client, 4, "4", &plain("4"));
    assert_eq!(call.exchange, ExchangeId(4));
    assert!(Handle::call(&seated, call).is_err());
}
