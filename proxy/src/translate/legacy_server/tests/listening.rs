//! Subscriptions.

use super::*;

const TAG: &str = "io.modelcontextprotocol/subscriptionId";
const CAPABILITIES: &str = r#"{"prompts":{"listChanged":true},"resources":{"subscribe":true}}"#;

fn filter(uris: &[&str]) -> Value {
    json!({"notifications": {"toolsListChanged": true, "promptsListChanged": true, "resourceSubscriptions": uris}})
}

#[tokio::test(start_paused = true)]
async fn each_client_hears_what_the_server_offers_and_it_asked_for() {
    let desk = Desk::new(settings(None), true);
    let mut place = Place::open(&desk, Profile::NONE, CAPABILITIES).await;
    let mut first = place.send("a", "subscriptions/listen", filter(&[]));
    let acknowledged = first.told().await;
    assert_eq!(
        acknowledged["method"],
        "notifications/subscriptions/acknowledged"
    );
    assert_eq!(acknowledged["params"]["_meta"][TAG], 1);
    assert_eq!(
        acknowledged["params"]["notifications"],
        json!({"promptsListChanged": true})
    );
    let mut second = place.send(
        "b",
        "subscriptions/listen",
        filter(&["x://good", "x://bad"]),
    );
    tokio::task::yield_now().await;
    let subscribe = place.stage.hears_of("resources/subscribe");
    place.stage.answers(&subscribe, "{}");
    tokio::time::sleep(Duration::from_millis(1)).await;
    let refused = value(&place.stage.hears_of("resources/subscribe"));
    place.stage.says(&format!(
        r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":-32002,"message":"no"}}}}"#,
        refused["id"]
    ));
    let acknowledged = second.told().await;
    assert_eq!(
        acknowledged["params"]["notifications"]["resourceSubscriptions"],
        json!(["x://good"])
    );
    place.stage.says(
        r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"x://good"}}"#,
    );
    place
        .stage
        .says(r#"{"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}"#);
    let updated = second.told().await;
    assert_eq!(updated["method"], "notifications/resources/updated");
    assert_eq!(updated["params"]["_meta"][TAG], 1);
    for listener in [&mut first, &mut second] {
        let changed = listener.told().await;
        assert_eq!(changed["method"], "notifications/prompts/list_changed");
    }
    second.handle.cancel(None);
    let unsubscribe = value(&place.stage.hears_of("resources/unsubscribe"));
    assert_eq!(unsubscribe["params"], json!({"uri": "x://good"}));
}

#[tokio::test(start_paused = true)]
async fn a_resource_is_subscribed_to_once_for_all_who_want_it() {
    let desk = Desk::new(settings(None), true);
    let mut place = Place::open(&desk, Profile::NONE, CAPABILITIES).await;
    let mut first = place.send("a", "subscriptions/listen", filter(&["x://y"]));
    tokio::task::yield_now().await;
    let subscribe = place.stage.hears_of("resources/subscribe");
    place.stage.answers(&subscribe, "{}");
    first.told().await;
    let mut second = place.send("a", "subscriptions/listen", filter(&["x://y"]));
    second.told().await;
    place.stage.hears_nothing();
    first.handle.cancel(None);
    place.stage.hears_nothing();
    second.handle.cancel(None);
    place.stage.hears_of("resources/unsubscribe");
}

#[tokio::test(start_paused = true)]
async fn a_subscription_ends_with_a_server_that_crashed() {
    let desk = Desk::new(settings(None), true);
    let mut place = Place::open(&desk, Profile::NONE, CAPABILITIES).await;
    let mut listening = place.send("a", "subscriptions/listen", filter(&[]));
    listening.told().await;
    place.stage.dies();
    assert!(matches!(
        listening.event().await,
        Event::Done(Outcome::Lost(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn a_subscription_outlives_a_server_that_was_put_to_sleep() {
    let desk = Desk::new(settings(None), true);
    let mut place = Place::open(&desk, Profile::NONE, CAPABILITIES).await;
    let mut listening = place.send("a", "subscriptions/listen", filter(&[]));
    listening.told().await;
    place.stage.is_stopped();
    drop(place);
    let mut next = Place::open(&desk, Profile::NONE, CAPABILITIES).await;
    // Nobody knows what changed meanwhile.
    let caught_up = listening.told().await;
    assert_eq!(caught_up["method"], "notifications/prompts/list_changed");
    next.stage
        .says(r#"{"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}"#);
    assert_eq!(listening.told().await["params"]["_meta"][TAG], 1);
}
