//! What passes through the link, and what does not: order, size, garbage, damage, a child that does not read.

use bytes::Bytes;
use mcp_proxy::link::child::{SendError, Settings};
use mcp_wire::Message;
use serde_json::json;

use super::fixture::{
    Event, Fixture, MIB, NEVER, SHORT, call, climbing, message, settings, stopped,
};
#[tokio::test]
async fn order_is_kept_both_ways() {
    let mut toy = Fixture::toy(&[], &settings());
    for id in 0..500 {
        toy.child
            .send(&message(
                &json!({ "jsonrpc": "2.0", "id": id, "method": "ping" }),
            ))
            .unwrap();
    }
    for id in 0..500 {
        assert_eq!(toy.next_message().await["id"], id);
    }
    let call = toy.call("log", json!({ "n": 500 }));
    for step in 1..=500 {
        assert_eq!(toy.next_message().await["params"]["step"], step);
    }
    assert_eq!(toy.next_message().await["id"], call);
    let status = toy.child.status();
    assert_eq!(
        (status.lines_in, status.lines_out, status.garbage),
        (1_001, 501, 0)
    );
}

#[tokio::test]
async fn small_and_large_messages_keep_their_order_and_their_bytes() {
    let mut toy = Fixture::toy(&[], &settings());
    let mut sent = Vec::new();
    for length in [1, 20_000, 2, 3, 100_000, 300_000, 4] {
        let text = format!(
            "{{\"jsonrpc\": \"2.0\",\r\n \"method\":\"x\", \"params\":{{\"n\": 0.10, \"s\":\"{}\"}}}}",
            "é".repeat(length)
        );
        toy.child
            .send(&Message::parse(Bytes::from(text.clone())).unwrap())
            .unwrap();
        // A line ends where its line break is, so those of the author become spaces.
        sent.push(text.replace(['\r', '\n'], " "));
    }
    let seen: Vec<String> =
        serde_json::from_str(&toy.text("seen", json!({ "n": 8 })).await).unwrap();
    assert_eq!(seen[..7], sent);
}

#[tokio::test]
async fn what_the_server_writes_arrives_byte_for_byte() {
    let mut toy = Fixture::toy(&[], &settings());
    let odd =
        r#"{"z":1,"a":12345678901234567890123450,"f":0.10,"e":1E5,"s":"\u00e9\/","":{"n":[ ]}}"#;
    let deep = format!("{}{}", "[".repeat(2_000), "]".repeat(2_000));
    for result in [odd, &deep] {
        toy.call("raw", json!({ "result": result }));
        let Event::Message(message) = toy.next().await else {
            panic!("expected an answer")
        };
        assert_eq!(message.result().unwrap(), result.as_bytes());
    }
}

#[tokio::test]
async fn eight_mib_go_both_ways_at_once() {
    let mut toy = Fixture::toy(&[], &settings());
    let text = "0123456789abcdef".repeat(8 * MIB / 16);
    for _ in 0..3 {
        toy.call("echo", json!({ "text": text }));
    }
    for _ in 0..3 {
        let answer = toy.next_message().await;
        assert!(
            answer["result"]["content"][0]["text"] == text,
            "the text came back changed"
        );
    }
    assert_eq!(toy.child.status().bytes_queued, 0);
}

#[tokio::test]
async fn a_legacy_batch_of_the_server_comes_as_its_messages() {
    let mut toy = Fixture::toy(&[], &settings());
    let batch = r#"[{"jsonrpc":"2.0","method":"a"}, {"jsonrpc":"2.0","id":77,"result":{}}, 3]"#;
    toy.call("line", json!({ "line": batch }));
    assert_eq!(toy.next_message().await["method"], "a");
    assert_eq!(toy.next_message().await["id"], 77);
    assert_eq!(toy.next_message().await["id"], 1);
    assert_eq!(toy.child.status().garbage, 1);
}

#[tokio::test]
async fn questions_and_notifications_pass_like_everything_else() {
    let mut toy = Fixture::toy(&[], &settings());
    let asking = toy.call("ask", json!({ "kind": "roots" }));
    let question = toy.next_message().await;
    assert_eq!(question["method"], "roots/list");
    let roots = json!({ "roots": [] });
    let answer = json!({ "jsonrpc": "2.0", "id": question["id"], "result": roots });
    toy.child.send(&message(&answer)).unwrap();
    let asked = toy.next_message().await;
    assert_eq!(asked["id"], asking);
    assert_eq!(asked["result"]["content"][0]["text"], roots.to_string());

    let sleeping = toy.call("sleep", json!({ "ms": 3_600_000 }));
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": sleeping } });
    toy.child.send(&message(&cancel)).unwrap();
    assert_eq!(
        toy.text("cancelled", json!({})).await,
        format!("[{sleeping}]")
    );
}

#[tokio::test]
async fn banners_and_garbage_are_counted_and_skipped() {
    let mut toy = Fixture::toy(&["--banner"], &settings());
    toy.call("garbage", json!({ "n": 3 }));
    for _ in 0..3 {
        assert_eq!(toy.next_message().await["id"], "nobody-asked");
    }
    assert_eq!(toy.next_message().await["id"], 1);
    assert_eq!(toy.text("echo", json!({ "text": "fine" })).await, "fine");
    // The banner has two lines. Of each round, empty lines are no lines at all, and each element of the array counts.
    assert_eq!(toy.child.status().garbage, 2 + 3 * 9);
}

#[tokio::test]
async fn a_damaged_answer_is_told_to_who_waits() {
    let mut toy = Fixture::toy(&[], &settings());
    let id = toy.call("garbage", json!({ "kind": "damaged" }));
    match toy.next().await {
        Event::Damaged(damaged, fault) => {
            assert_eq!(damaged, id.to_string());
            assert!(fault.contains("syntax"), "{fault}");
        }
        other => panic!("expected damage, got {other:?}"),
    }
    assert_eq!(toy.text("echo", json!({ "text": "fine" })).await, "fine");
}

#[tokio::test]
async fn a_refused_request_of_the_server_is_not_taken_for_our_answer() {
    let mut toy = Fixture::toy(&[], &settings());
    let request = r#"{"jsonrpc":"2.0","id":1,"method":"roots/list","params":7}"#;
    toy.call("line", json!({ "line": request }));
    assert_eq!(toy.next_message().await["id"], 1);
    assert_eq!(toy.child.status().garbage, 1);
}

#[tokio::test]
async fn a_line_beyond_the_limit_is_skipped_and_its_caller_told() {
    let limits = Settings {
        max_line: 64 * 1024,
        ..settings()
    };
    let mut toy = Fixture::toy(&[], &limits);
    let id = toy.call("long_line", json!({ "bytes": MIB, "id": true }));
    match toy.next().await {
        Event::Damaged(damaged, fault) => {
            assert_eq!(damaged, id.to_string());
            assert_eq!(fault, format!("the line is too long ({MIB} bytes)"));
        }
        other => panic!("expected damage, got {other:?}"),
    }
    assert_eq!(toy.text("echo", json!({ "text": "fine" })).await, "fine");
    assert_eq!(toy.child.status().garbage, 1);
}

#[tokio::test]
async fn a_deaf_child_fills_its_queue_and_no_more() {
    let limits = Settings {
        max_queued: MIB,
        ..climbing(SHORT, NEVER)
    };
    let mut toy = Fixture::toy(&[], &limits);
    toy.text("deaf", json!({})).await;
    let big = call(0, "echo", json!({ "text": "x".repeat(100_000) }));
    let mut accepted = 0;
    let full = loop {
        match toy.child.send(&big) {
            Ok(()) => accepted += big.len() + 1,
            Err(fault) => break fault,
        }
        assert!(accepted < 64 * MIB, "the queue has no bound");
        tokio::task::yield_now().await;
    };
    assert!(
        matches!(full, SendError::Full { limit: MIB, .. }),
        "{full:?}"
    );
    let queued = toy.child.status().bytes_queued;
    assert!(
        queued <= MIB && queued + big.len() + 1 > MIB,
        "{queued} bytes wait"
    );
    // Answers of the past still could come, and it can still be stopped.
    toy.child.stop();
    assert_eq!(toy.end().await, stopped());
    assert_eq!(toy.child.send(&big), Err(SendError::Gone));
}
