//! The twelve flows.

use std::time::Duration;

use mcp_wire::Member;

use super::stage::{FIRST, Stage, message, start, text, tools_call};
use super::toys::{Connection, Reply, Stateless};
use crate::back::Conversation as _;
use crate::exchange::{Item, Loss, Outlet};
use crate::session::{Replay, Ring};

/// Enough for everything but the flows about too little.
const PLENTY: usize = 64 << 20;

const CLIENT_IDS: [&str; 4] = ["1", "\"1\"", "1.0", "9223372036854775808"];

#[tokio::test(start_paused = true)]
async fn concurrent_calls_that_each_ask_are_answered_by_their_own_answers() {
    let mut stage = Stage::of_one();
    let mut client = Connection::new(PLENTY);
    let seated = stage.seat(client.outlet.clone());
    let mut heard = Vec::new();
    for (n, id) in CLIENT_IDS.iter().enumerate() {
        client.knows(n as u64 + 1, id);
        start(&seated, tools_call(id, n as u64 + 1, &client.outlet)).detach();
        heard.push(stage.hears_of("tools/call"));
    }
    // The server numbers its questions as it likes, even twice with different types.
    for own in ["7", "\"7\"", "7.0", "0"] {
        stage.asks(own, "elicitation/create");
    }
    for own in ["7", "\"7\"", "7.0", "0"] {
        let (ask, question) = client.is_asked().await;
        assert_eq!(question.id().unwrap().as_u64(), Some(ask.0));
        let reply = mcp_wire::result_message(&question.id().unwrap(), br#"{"action":"accept"}"#);
        assert!(seated.server.answer(FIRST, ask, reply));
        let answered = stage.hears();
        assert_eq!(text(&answered.id().unwrap()), own);
    }
    for (request, id) in heard.iter().zip(CLIENT_IDS).rev() {
        stage.answers(request, r#"{"content":[]}"#);
        assert_eq!(
            client.reads().await,
            format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[]}}}}"#)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn rounds_of_input_with_a_cancel_between_them() {
    let mut stage = Stage::of_one();
    let seated = stage.seat(Outlet::new(PLENTY).0);
    let mut front = Stateless::replica("a");

    let mut first = Connection::new(PLENTY);
    let handle = start(&seated, tools_call("1", 1, &first.outlet));
    let request = stage.hears_of("tools/call");
    stage.asks("40", "elicitation/create");
    let Reply::InputRequired(state) = front.serve(handle, &mut first).await else {
        panic!("the question ends the first response");
    };
    drop(first);

    let mut second = Connection::new(PLENTY);
    second.knows(1, "2");
    front
        .retry(&state, r#"{"action":"accept"}"#, &mut second)
        .await;
    assert_eq!(text(&stage.hears().id().unwrap()), "40");
    stage.asks("41", "elicitation/create");
    let (_, question) = second.is_asked().await;
    assert!(question.id().is_some());
    seated.server.cancel(1, None);
    let notice = stage.hears_of("notifications/cancelled");
    assert_eq!(
        notice.member(Member::RequestId),
        request.id().as_ref().map(mcp_wire::Id::text)
    );
    assert_eq!(second.reads().await, "cancelled 2");
    // A retry of the consumed round finds nothing, and a late answer disturbs nobody.
    assert_eq!(front.retry(&state, "{}", &mut second).await, Reply::Expired);
    stage.answers(&request, "{}");
    stage.hears_nothing();
}

#[tokio::test(start_paused = true)]
async fn a_standing_stream_is_resumed_after_the_child_restarted() {
    let (standing, mut tap) = Outlet::new(PLENTY);
    let mut ring = Ring::new(1 << 16);
    let mut first = Stage::of_one();
    first.seat(standing.clone());
    first.says(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#);
    let Some(Item::Event(tagged)) = tap.next().await else {
        panic!("the change arrives");
    };
    drop(tagged);
    ring.push(0, 1, bytes::Bytes::from_static(b"changed once"));
    // The connection breaks, and so does the child; its successor speaks into the same stream.
    drop(tap);
    first.dies();
    let mut second = Stage::of_one();
    second.seat(standing.clone());
    second.says(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#);

    let Replay::Events(missed) = ring.after(0, 0) else {
        panic!("the first event is still there");
    };
    assert_eq!(missed.len(), 1, "what was written is replayed");
    let mut tap = standing.tap();
    assert!(
        matches!(tap.next().await, Some(Item::Event(_))),
        "what was not written is still queued"
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_loses_its_stream_and_holds_nobody_up() {
    let mut stage = Stage::of_one();
    let mut slow = Connection::new(4096);
    let mut quick = Connection::new(PLENTY);
    let seated = stage.seat(slow.outlet.clone());
    slow.knows(1, "1");
    quick.knows(1, "1");
    start(&seated, tools_call("1", 1, &slow.outlet)).detach();
    let slow_call = stage.hears();
    start(&seated, tools_call("1", 1, &quick.outlet)).detach();
    let quick_call = stage.hears();
    for n in 0..1000 {
        stage.progresses(&slow_call, n);
    }
    stage.answers(&quick_call, "{}");
    assert_eq!(
        quick.reads().await,
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#
    );
    assert!(slow.ends().await, "the whole stream ends, not a part of it");
}

#[tokio::test(start_paused = true)]
async fn a_batch_with_one_notification_in_it_keeps_its_order() {
    let mut stage = Stage::of_one();
    let mut batch = Connection::new(PLENTY);
    let seated = stage.seat(Outlet::new(PLENTY).0);
    batch.knows(1, "\"a\"");
    batch.knows(2, "\"b\"");
    start(&seated, tools_call("\"a\"", 1, &batch.outlet)).detach();
    seated
        .server
        .tell(
            seated.feed,
            message(r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#),
        )
        .unwrap();
    start(&seated, tools_call("\"b\"", 2, &batch.outlet)).detach();
    let a = stage.hears_of("tools/call");
    stage.hears_of("notifications/roots/list_changed");
    let b = stage.hears_of("tools/call");
    stage.answers(&b, "{}");
    stage.progresses(&a, 1);
    stage.answers(&a, "{}");
    assert_eq!(
        batch.reads().await,
        r#"{"jsonrpc":"2.0","id":"b","result":{}}"#
    );
    assert!(batch.reads().await.contains(r#""progressToken":"a""#));
    assert_eq!(
        batch.reads().await,
        r#"{"jsonrpc":"2.0","id":"a","result":{}}"#
    );
}

#[tokio::test(start_paused = true)]
async fn a_subscription_reaches_the_successor_of_a_child() {
    let mut session = crate::session::Record::new(
        "anonymous",
        &message(r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#),
    );
    session.subscribed(&message(
        r#"{"jsonrpc":"2.0","id":5,"method":"resources/subscribe","params":{"uri":"a://b"}}"#,
    ));
    let (standing, mut tap) = Outlet::new(PLENTY);
    let mut stage = Stage::of_one();
    stage.seat(standing);
    let legacy = std::sync::Arc::clone(&stage.server);
    let revival = session.revival();
    let reviving =
        tokio::spawn(async move { legacy.revive(&revival, Duration::from_secs(60)).await });
    tokio::task::yield_now().await;
    let initialize = stage.hears_of("initialize");
    stage.answers(&initialize, r#"{"protocolVersion":"2025-11-25"}"#);
    tokio::task::yield_now().await;
    stage.hears_of("notifications/initialized");
    let subscribe = stage.hears_of("resources/subscribe");
    stage.answers(&subscribe, "{}");
    reviving.await.unwrap().unwrap();
    stage.says(
        r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a://b"}}"#,
    );
    assert!(matches!(tap.next().await, Some(Item::Event(_))));
}

#[tokio::test(start_paused = true)]
async fn a_stdio_client_reads_every_exchange_of_a_remote_server_on_one_stream() {
    let mut remote = Stage::of_one();
    let mut stdio = Connection::new(PLENTY);
    let seated = remote.seat(stdio.outlet.clone());
    for (n, id) in CLIENT_IDS.iter().enumerate() {
        stdio.knows(n as u64 + 1, id);
        start(&seated, tools_call(id, n as u64 + 1, &stdio.outlet)).detach();
    }
    let calls: Vec<_> = CLIENT_IDS.iter().map(|_| remote.hears()).collect();
    remote.says(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#);
    for call in &calls {
        remote.progresses(call, 1);
        remote.answers(call, "{}");
    }
    assert!(stdio.reads().await.contains("tools/list_changed"));
    for id in CLIENT_IDS {
        assert!(
            stdio
                .reads()
                .await
                .contains(&format!(r#""progressToken":{id}"#))
        );
        assert!(stdio.reads().await.contains(&format!(r#""id":{id},"#)));
    }
}

#[tokio::test(start_paused = true)]
async fn an_eight_mebibyte_reply_passes_a_small_budget_without_a_copy() {
    let stage = Stage::of_one();
    let mut client = Connection::new(1 << 20);
    let seated = stage.seat(Outlet::new(PLENTY).0);
    start(&seated, tools_call("1", 1, &client.outlet)).detach();
    let request = stage.hears();
    let big = "x".repeat(8 << 20);
    let id = text(&request.id().unwrap());
    let reply = message(&format!(
        r#"{{"jsonrpc":"2.0","id":{id},"result":{{"text":"{big}"}}}}"#
    ));
    let source = reply.source().as_ptr();
    let mut mouth = stage.server.inbound();
    mouth.message(reply);
    let tagged = client.next().await;
    let crate::exchange::Event::Done(crate::exchange::Outcome::Result(mut reply)) = tagged.event
    else {
        panic!("the reply arrives");
    };
    reply.set_id(mcp_wire::Id::number(1));
    assert_eq!(reply.source().as_ptr(), source);
    let longest = reply.pieces().map(|piece| piece.len()).max().unwrap();
    assert!(longest > 8 << 20, "the text is one piece of what was read");
}

#[tokio::test(start_paused = true)]
async fn progress_immediately_before_an_answer_is_read_before_it() {
    let mut stage = Stage::of_one();
    let mut client = Connection::new(PLENTY);
    let seated = stage.seat(client.outlet.clone());
    client.knows(1, "\"p\"");
    start(&seated, tools_call("\"p\"", 1, &client.outlet)).detach();
    let request = stage.hears();
    for n in 0..100 {
        stage.progresses(&request, n);
    }
    stage.answers(&request, "{}");
    for n in 0..100 {
        let read = client.reads().await;
        assert!(read.contains(&format!(r#""progressToken":"p","progress":{n}}}"#)));
    }
    assert!(client.reads().await.contains(r#""result""#));
}

#[tokio::test(start_paused = true)]
async fn a_question_asked_before_any_call_waits_on_the_standing_stream() {
    let mut stage = Stage::of_one();
    let mut client = Connection::new(PLENTY);
    let seated = stage.seat(client.outlet.clone());
    stage.asks("\"r\"", "roots/list");
    let (ask, question) = client.is_asked().await;
    assert_eq!(question.method(), Some("roots/list"));
    let reply = mcp_wire::result_message(&question.id().unwrap(), br#"{"roots":[]}"#);
    assert!(seated.server.answer(FIRST, ask, reply.clone()));
    assert_eq!(text(&stage.hears().id().unwrap()), "\"r\"");
    assert!(
        !seated.server.answer(FIRST, ask, reply),
        "a second answer is nobody's"
    );
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_deleted_answers_the_calls_that_run() {
    let mut stage = Stage::of_one();
    let mut client = Connection::new(PLENTY);
    let seated = stage.seat(Outlet::new(PLENTY).0);
    for exchange in 1..=3 {
        client.knows(exchange, &exchange.to_string());
        start(
            &seated,
            tools_call(&exchange.to_string(), exchange, &client.outlet),
        )
        .detach();
    }
    stage.asks("1", "elicitation/create");
    client.is_asked().await;
    seated.server.leave(seated.feed, &Loss::session_ended());
    for exchange in 1..=3 {
        assert!(
            client
                .reads()
                .await
                .starts_with(&format!("lost {exchange}"))
        );
    }
    stage.dies();
    assert!(seated.server.is_gone());
}

#[tokio::test(start_paused = true)]
async fn a_retry_at_another_replica_is_sent_to_the_one_that_has_the_call() {
    let mut stage = Stage::of_one();
    let seated = stage.seat(Outlet::new(PLENTY).0);
    let (mut a, mut b) = (Stateless::replica("a"), Stateless::replica("b"));
    let mut first = Connection::new(PLENTY);
    let handle = start(&seated, tools_call("1", 1, &first.outlet));
    let request = stage.hears();
    stage.asks("3", "sampling/createMessage");
    let Reply::InputRequired(state) = a.serve(handle, &mut first).await else {
        panic!("the question ends the first response");
    };
    let mut second = Connection::new(PLENTY);
    second.knows(1, "9");
    assert_eq!(
        b.retry(&state, "{}", &mut second).await,
        Reply::Elsewhere("a".to_owned())
    );
    a.retry(&state, "{}", &mut second).await;
    stage.hears();
    stage.answers(&request, "{}");
    assert_eq!(
        second.reads().await,
        r#"{"jsonrpc":"2.0","id":9,"result":{}}"#
    );

    // A client that never comes back costs a cancel, not a child.
    let mut third = Connection::new(PLENTY);
    let handle = start(&seated, tools_call("1", 1, &third.outlet));
    stage.hears();
    stage.asks("4", "sampling/createMessage");
    let Reply::InputRequired(state) = a.serve(handle, &mut third).await else {
        panic!("the question ends the response");
    };
    a.gives_up(&state);
    stage.hears_of("notifications/cancelled");
}
