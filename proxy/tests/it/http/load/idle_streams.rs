//! Many who listen and hear nothing, and one who hears a great deal.

use serde_json::json;

use super::super::client::{call_with_token, steps};
use super::super::proxy::Proxy;
use super::super::session::{LATEST, Session};
use super::{Bystander, MIB, Memory};

const STREAMS: usize = 1_000;

/// Opened at once; each takes three requests.
const AT_ONCE: usize = 50;

/// For each session with its connection: buffers of HTTP of 8 KiB, the session, its stream.
const EACH: u64 = 48 << 10;

const NOTIFICATIONS: usize = 100_000;

#[tokio::test]
async fn a_thousand_idle_streams_cost_little_and_hear_what_is_said() {
    let flags = ["--child-mode", "shared", "--max-sessions", "1100"];
    let proxy = Proxy::start(&flags, &[]).await;
    let mut bystander = Bystander::at(&proxy).await;
    let memory = Memory::of(&proxy);
    let mut streams = Vec::new();
    for _ in 0..STREAMS / AT_ONCE {
        let opening: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let client = proxy.client();
                tokio::spawn(async move {
                    let session = Session::open(&client, LATEST).await;
                    session.listen().await
                })
            })
            .collect();
        for stream in opening {
            streams.push(stream.await.unwrap());
        }
        bystander.is_served().await;
    }
    assert_eq!(proxy.client().status().await["sessions"], STREAMS + 1);
    memory.has_grown_at_most(STREAMS as u64 * EACH);
    // They are open, all of them.
    assert_eq!(bystander.session.call("notify", json!({})).await, "changed");
    for stream in &mut streams {
        let heard = stream.message().await;
        assert_eq!(heard["method"], "notifications/tools/list_changed");
    }
    bystander.is_served().await;
}

#[tokio::test]
async fn a_hundred_thousand_notifications_in_a_burst_arrive_in_order() {
    // The client is this very process, which is slower than the proxy, so some of them queue up.
    let flags = ["--child-mode", "shared", "--outlet-bytes", "32MiB"];
    let proxy = Proxy::start(&flags, &[]).await;
    let mut bystander = Bystander::at(&proxy).await;
    let memory = Memory::of(&proxy);
    let session = Session::open(&proxy.client(), LATEST).await;
    let body = call_with_token("burst", "t", "progress", json!({ "n": NOTIFICATIONS }));
    let stream = session.post(body).await.stream();
    let reading = tokio::spawn(stream.rest());
    while !reading.is_finished() {
        bystander.is_served().await;
    }
    let messages = reading.await.unwrap();
    assert_eq!(
        steps(&messages),
        (1..=NOTIFICATIONS as u64).collect::<Vec<_>>()
    );
    assert_eq!(messages.last().unwrap()["id"], "burst");
    assert!(bystander.calls > 1);
    // Small messages weigh twice what they are long while they wait.
    memory.has_grown_at_most(3 * 32 * MIB);
}
