//! What a session hears of apart from its calls.

use std::time::Duration;

use mcp_wire::Member;
use tokio::time::Instant;

use super::{Scene, params, settle};
use crate::exchange::Loss;
use crate::flows::stage::text;

#[tokio::test(start_paused = true)]
async fn one_subscription_carries_what_a_session_wants_to_hear() {
    let mut scene = Scene::open().await;
    scene.tells("notifications/initialized");
    let first = scene.stage.hears_of("subscriptions/listen");
    assert_eq!(
        params(&first)["notifications"],
        serde_json::json!({ "toolsListChanged": true })
    );
    scene.acknowledges(&first, r#"{"toolsListChanged":true}"#);
    scene.changes(&first, "notifications/tools/list_changed", "");
    assert_eq!(
        scene.standing.reads().await,
        r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{}}"#
    );

    let uri = r#"{"uri":"a:\/\/b"}"#;
    scene.sends(2, "resources/subscribe", uri).detach();
    let second = scene.stage.hears_of("subscriptions/listen");
    scene.stage.hears_nothing();
    // The one before is heard until the other is acknowledged.
    scene.changes(&second, "notifications/tools/list_changed", "");
    scene.changes(&first, "notifications/tools/list_changed", r#""n":1,"#);
    scene.acknowledges(&second, r#"{"resourceSubscriptions":["a://b"]}"#);
    assert_eq!(
        scene.client.reads().await,
        r#"{"jsonrpc":"2.0","id":2,"result":{}}"#
    );
    settle().await;
    let ended = scene.stage.hears_of("notifications/cancelled");
    let first_id = text(&first.id().unwrap());
    assert_eq!(ended.member(Member::RequestId), Some(first_id.as_bytes()));
    let updated = "notifications/resources/updated";
    scene.changes(&second, updated, r#""uri":"a:\/\/b","#);
    assert_eq!(
        [scene.standing.reads().await, scene.standing.reads().await],
        [
            r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"n":1}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a:\/\/b"}}"#,
        ]
    );
    assert_eq!(scene.seated.server.in_flight(scene.seated.feed), 0);

    // What is not honoured is an error of whoever wished for it.
    scene
        .sends(3, "resources/subscribe", r#"{"uri":"c"}"#)
        .detach();
    let third = scene.stage.hears_of("subscriptions/listen");
    scene.acknowledges(&third, r#"{"resourceSubscriptions":["a://b"]}"#);
    assert!(scene.client.reads().await.contains(r#""code":-32602"#));
    settle().await;
    scene.stage.hears_of("notifications/cancelled");

    scene.sends(4, "resources/unsubscribe", uri).detach();
    assert_eq!(
        scene.client.reads().await,
        r#"{"jsonrpc":"2.0","id":4,"result":{}}"#
    );
    let fourth = scene.stage.hears_of("subscriptions/listen");
    assert!(
        params(&fourth)["notifications"]
            .get("resourceSubscriptions")
            .is_none()
    );
    scene
        .seated
        .server
        .leave(scene.seated.feed, &Loss::session_ended());
    scene.stage.hears_of("notifications/cancelled");
    scene.stage.hears_of("notifications/cancelled");
    scene.stage.hears_nothing();
}

#[tokio::test(start_paused = true)]
async fn a_subscription_the_server_ends_is_opened_again_after_a_pause() {
    let mut scene = Scene::open().await;
    scene.tells("notifications/initialized");
    let first = scene.stage.hears_of("subscriptions/listen");
    scene.acknowledges(&first, "{}");
    scene.stage.answers(&first, r#"{"resultType":"complete"}"#);
    settle().await;
    scene.stage.hears_nothing();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let second = scene.stage.hears_of("subscriptions/listen");
    // One that takes none is left alone.
    let id = text(&second.id().unwrap());
    scene.stage.says(&format!(
        r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"message":"m"}}}}"#
    ));
    tokio::time::sleep(Duration::from_secs(2)).await;
    scene.stage.hears_nothing();
}

#[tokio::test(start_paused = true)]
async fn a_subscription_nobody_acknowledges_is_not_waited_for_for_ever() {
    let mut scene = Scene::open().await;
    scene
        .sends(2, "resources/subscribe", r#"{"uri":"a"}"#)
        .detach();
    scene.stage.hears_of("subscriptions/listen");
    scene
        .interpreter
        .sweep(Instant::now() + Duration::from_secs(299));
    assert_eq!(scene.seated.server.in_flight(scene.seated.feed), 1);
    scene
        .interpreter
        .sweep(Instant::now() + Duration::from_secs(301));
    let lost = scene.client.reads().await;
    assert!(lost.contains("did not acknowledge"), "{lost}");
}
