//! Which era a connection is of, and who decides.

use serde_json::json;

use super::talk::{CAPABILITIES, Talk, VERSION, claimed, code, request, text};

const UNKNOWN: i64 = -32601;
const REFUSED: i64 = -32022;

#[tokio::test]
async fn a_legacy_toy_knows_no_probe_and_then_greets() {
    let mut toy = Talk::start("");
    assert_eq!(
        code(&toy.modern(1, "server/discover", json!({})).await),
        UNKNOWN
    );
    assert_eq!(
        toy.initialize(2).await["result"]["protocolVersion"],
        "2025-11-25"
    );
    // It executes what it does not understand, as the TypeScript SDK 1.x does, and says nothing of result types.
    let answer = toy.call(3, "echo", json!({ "text": "x" })).await;
    assert_eq!(text(&answer), "x");
    assert!(answer["result"]["resultType"].is_null());
}

#[tokio::test]
async fn a_modern_toy_answers_the_probe_and_refuses_initialize() {
    let mut toy = Talk::start("--era modern");
    let answer = toy.modern(1, "server/discover", json!({})).await;
    let result = &answer["result"];
    assert_eq!(result["supportedVersions"], json!(["2026-07-28"]));
    assert_eq!(result["resultType"], "complete");
    assert!(result["ttlMs"].is_u64() && result["capabilities"]["tools"].is_object());
    assert_eq!(
        result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"],
        "mcp-toy"
    );
    let refused = toy.initialize(2).await;
    assert_eq!(code(&refused), REFUSED);
    assert_eq!(refused["error"]["data"]["supported"], json!(["2026-07-28"]));
    assert_eq!(refused["error"]["data"]["requested"], "2025-11-25");
}

#[tokio::test]
async fn a_probe_leaves_a_dual_toy_free_and_the_first_call_does_not() {
    let mut toy = Talk::start("--era dual");
    assert!(toy.modern(1, "server/discover", json!({})).await["result"].is_object());
    assert_eq!(
        toy.initialize(2).await["result"]["protocolVersion"],
        "2025-11-25"
    );
    assert_eq!(
        code(&toy.modern(3, "server/discover", json!({})).await),
        UNKNOWN
    );
    assert_eq!(code(&toy.modern(4, "tools/list", json!({})).await), -32600);

    let mut toy = Talk::start("--era dual");
    assert!(toy.modern(1, "server/discover", json!({})).await["result"].is_object());
    assert_eq!(
        text(&toy.call(2, "echo", json!({ "text": "x" })).await),
        "x"
    );
    assert_eq!(code(&toy.initialize(3).await), REFUSED);
}

#[tokio::test]
async fn a_dual_toy_that_locks_on_discover_is_modern_from_there() {
    let mut toy = Talk::start("--era dual --locks-on-discover");
    assert!(toy.modern(1, "server/discover", json!({})).await["result"].is_object());
    assert_eq!(code(&toy.initialize(2).await), REFUSED);
    // One that was never probed is what its first client is.
    let mut toy = Talk::start("--era dual --locks-on-discover");
    assert_eq!(
        toy.initialize(1).await["result"]["protocolVersion"],
        "2025-11-25"
    );
}

#[tokio::test]
async fn a_probe_meets_what_the_flag_says() {
    for (what, expected) in [("-32601", UNKNOWN), ("-32602", -32602)] {
        let mut toy = Talk::start(&format!("--on-discover {what}"));
        assert_eq!(
            code(&toy.modern(1, "server/discover", json!({})).await),
            expected
        );
        assert!(toy.initialize(2).await["result"].is_object());
    }

    let mut toy = Talk::start("--on-discover silent");
    // The answer to the next request is the next line.
    toy.say(&request(1, "server/discover", claimed(json!({}))))
        .await;
    assert_eq!(toy.initialize(2).await["id"], 2);

    let mut toy = Talk::start("--on-discover exit");
    toy.say(&request(1, "server/discover", claimed(json!({}))))
        .await;
    assert_eq!(toy.line().await, None);
    assert_eq!(toy.ended().await, Some(1));

    let mut toy = Talk::start("--on-discover garbage");
    toy.say(&request(1, "server/discover", claimed(json!({}))))
        .await;
    assert!(toy.line().await.unwrap().starts_with("Traceback"));
    assert!(toy.initialize(2).await["result"].is_object());

    let mut toy = Talk::start("--era modern --on-discover banner");
    toy.say(&request(1, "server/discover", claimed(json!({}))))
        .await;
    assert!(toy.line().await.unwrap().starts_with("Toy server"));
    assert_eq!(toy.line().await.unwrap(), "listening on stdio");
    assert!(toy.hear().await["result"]["supportedVersions"].is_array());
}

#[tokio::test]
async fn a_modern_request_says_everything_about_itself() {
    let mut toy = Talk::start("--era modern");
    for missing in [
        json!({}),
        json!({ "_meta": {} }),
        json!({ "_meta": { (VERSION): "2026-07-28" } }),
        json!({ "_meta": { (CAPABILITIES): {} } }),
        json!({ "_meta": { (VERSION): "2026-07-28", (CAPABILITIES): [] } }),
    ] {
        let answer = toy.legacy(1, "tools/list", missing).await;
        assert_eq!(code(&answer), -32602, "{answer}");
    }
    let other = claimed(json!({ "_meta": { (VERSION): "2027-01-01" } }));
    let answer = toy.legacy(2, "tools/list", other).await;
    assert_eq!(code(&answer), REFUSED);
    assert_eq!(answer["error"]["data"]["requested"], "2027-01-01");
    for removed in [
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "tasks/list",
    ] {
        assert_eq!(
            code(&toy.modern(3, removed, json!({})).await),
            UNKNOWN,
            "{removed}"
        );
    }
}
