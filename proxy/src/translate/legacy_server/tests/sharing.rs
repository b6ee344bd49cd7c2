//! Several callers at one server.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_question_of_one_of_two_calls_reaches_neither() {
    let mut place = Place::asking().await;
    let _first = place.send("a", "tools/call", tool());
    let _second = place.send("b", "tools/call", tool());
    place.stage.hears();
    place.stage.hears();
    assert!(!place.asks.load(Ordering::Relaxed));
    place.asks(1, "whose?");
    assert!(place.stage.hears().error().is_some());
    assert!(
        place.asks.load(Ordering::Relaxed),
        "from now on one at a time"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_one_calls_until_it_is_over() {
    let mut place = Place::asking().await;
    let lease = place.station.lease().unwrap();
    assert!(place.station.lease().is_none());
    let turn = Turn::new(
        Arc::clone(&place.station),
        Principal::named("a"),
        Some(lease),
    );
    let seated = Seated {
        server: turn,
        feed: FeedId(0),
    };
    let (outlet, tap) = Outlet::new(1 << 20);
    let text = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": tool()});
    let call = Call {
        message: message(&text.to_string()),
        exchange: ExchangeId(1),
        outlet,
        deadline: Instant::now() + Duration::from_secs(300),
    };
    let handle = Handle::call(&seated, call).unwrap();
    drop(seated);
    let call = place.stage.hears_of("tools/call");
    place.asks(1, "name");
    let (state, key) = Sent { handle, tap }.asked().await;
    assert_eq!(place.station.waits_for().as_deref(), Some("elicitation_1"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(place.station.lease().is_none(), "it is parked");
    let sent = place.send("a", "tools/call", answered(&state, &key, accept("x")));
    place.stage.hears();
    place.stage.answers(&call, "{}");
    sent.answer().await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(place.station.lease().is_some());
    assert_eq!(place.station.waits_for(), None);
}

#[tokio::test(start_paused = true)]
async fn a_log_record_reaches_the_only_call_that_wants_it() {
    let desk = Desk::new(settings(None), true);
    let mut place = Place::open(&desk, Profile::NONE, r#"{"logging":{}}"#).await;
    let logged = |level: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"level":"{level}","data":1}}}}"#
        )
    };
    let wants = |level: &str| {
        let mut params = tool();
        params["_meta"] = json!({"io.modelcontextprotocol/logLevel": level});
        params
    };
    let mut first = place.send("a", "tools/call", wants("warning"));
    let set = value(&place.stage.hears_of("logging/setLevel"));
    assert_eq!(set["params"]["level"], "warning");
    let call = place.stage.hears_of("tools/call");
    place.stage.says(&logged("info"));
    place.stage.says(&logged("error"));
    assert_eq!(first.told().await["params"]["level"], "error");
    // Whose it is cannot be known while there are two.
    let second = place.send("b", "tools/call", wants("debug"));
    assert_eq!(
        value(&place.stage.hears_of("logging/setLevel"))["params"]["level"],
        "debug"
    );
    let other = place.stage.hears_of("tools/call");
    place.stage.says(&logged("error"));
    place.stage.answers(&other, "{}");
    assert_eq!(second.answer().await["result"]["resultType"], "complete");
    place.stage.answers(&call, "{}");
    assert_eq!(first.answer().await["result"]["resultType"], "complete");
}

#[tokio::test(start_paused = true)]
async fn what_only_one_era_has_is_answered_here() {
    let desk = Desk::new(settings(None), true);
    let mut place = Place::open(&desk, Profile::NONE, r#"{"logging":{}}"#).await;
    let discovered = place.send("a", "server/discover", json!({})).answer().await;
    assert_eq!(
        discovered["result"]["supportedVersions"],
        json!(["2026-07-28"])
    );
    let task = place
        .send("a", "tasks/get", json!({"taskId": "x"}))
        .answer()
        .await;
    assert_eq!(task["error"]["code"], -32601);
    place.stage.hears_nothing();
    let unknown = place.send("a", "vendor/thing", json!({}));
    let heard = place.stage.hears_of("vendor/thing");
    let id = value(&heard)["id"].clone();
    place.stage.says(&format!(
        r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32602,"message":"no"}}}}"#
    ));
    assert_eq!(unknown.answer().await["error"]["code"], -32601);
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_runs_as_a_task_is_answered_plainly() {
    let desk = Desk::new(settings(None), true);
    let mut place = Place::open(
        &desk,
        Profile::FORM,
        r#"{"tools":{},"tasks":{"requests":{"tools":{"call":{}}}}}"#,
    )
    .await;
    tokio::task::yield_now().await;
    let list = place.stage.hears_of("tools/list");
    place.stage.answers(
        &list,
        r#"{"tools":[{"name":"t","execution":{"taskSupport":"required"}}]}"#,
    );
    place.station.know_tools().await;
    let begin = async |place: &mut Place| {
        let sent = place.send("a", "tools/call", tool());
        let call = place.stage.hears_of("tools/call");
        assert_eq!(value(&call)["params"]["task"], json!({"ttl": 300_000}));
        place
            .stage
            .answers(&call, r#"{"task":{"taskId":"x","status":"working"}}"#);
        tokio::time::sleep(Duration::from_millis(1)).await;
        let waited = place.stage.hears_of("tasks/result");
        assert_eq!(value(&waited)["params"], json!({"taskId": "x"}));
        (sent, waited)
    };
    let (sent, waited) = begin(&mut place).await;
    place.asks(1, "name");
    let (state, key) = sent.asked().await;
    let sent = place.send("a", "tools/call", answered(&state, &key, accept("Ada")));
    place.stage.hears();
    place.stage.answers(&waited, r#"{"content":[]}"#);
    let answer = sent.answer().await;
    assert_eq!(answer["result"]["content"], json!([]));
    assert_eq!(answer["result"]["resultType"], "complete");
    // One that is given up is cancelled as a task, too.
    let (sent, _waited) = begin(&mut place).await;
    sent.handle.cancel(None);
    let cancelled = place.stage.hears_of("tasks/cancel");
    assert_eq!(value(&cancelled)["params"], json!({"taskId": "x"}));
    place.stage.hears_of("notifications/cancelled");
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_takes_long_is_a_task_for_who_knows_tasks() {
    let desk = Desk::new(settings(None), true);
    let capabilities = r#"{"tools":{},"tasks":{"requests":{"tools":{"call":{}}}}}"#;
    let mut place = Place::open(&desk, Profile::FORM, capabilities).await;
    tokio::task::yield_now().await;
    let list = place.stage.hears_of("tools/list");
    place.stage.answers(
        &list,
        r#"{"tools":[{"name":"t","execution":{"taskSupport":"required"}}]}"#,
    );
    place.station.know_tools().await;
    let discovered = place.send("a", "server/discover", json!({})).answer().await;
    let extension = json!({"io.modelcontextprotocol/tasks": {}});
    assert_eq!(
        discovered["result"]["capabilities"]["extensions"],
        extension
    );
    let knowing = |mut params: Value| {
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] =
            json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
        params
    };
    let sent = place.send("a", "tools/call", knowing(tool()));
    let call = place.stage.hears_of("tools/call");
    place
        .stage
        .answers(&call, r#"{"task":{"taskId":"x","status":"working"}}"#);
    let made = sent.answer().await;
    assert_eq!(made["result"]["resultType"], "task", "{made}");
    assert_eq!(made["result"]["status"], "working");
    let id = made["result"]["taskId"].clone();
    let waited = place.stage.hears_of("tasks/result");
    let get = async |place: &Place, who: &str| {
        let params = knowing(json!({"taskId": id}));
        place.send(who, "tasks/get", params).answer().await
    };
    assert_eq!(get(&place, "b").await["error"]["code"], -32602, "not hers");
    let undeclared = place.send("a", "tasks/get", json!({"taskId": id}));
    assert_eq!(undeclared.answer().await["error"]["code"], -32021);
    place.asks(1, "name");
    let asked = get(&place, "a").await;
    assert_eq!(asked["result"]["status"], "input_required", "{asked}");
    let key = asked["result"]["inputRequests"].as_object().unwrap();
    let key = key.keys().next().unwrap().clone();
    let update = knowing(json!({"taskId": id, "inputResponses": {key: accept("Ada")}}));
    let acknowledged = place.send("a", "tasks/update", update).answer().await;
    assert_eq!(acknowledged["result"]["resultType"], "complete");
    assert_eq!(value(&place.stage.hears())["result"], accept("Ada"));
    assert_eq!(get(&place, "a").await["result"]["status"], "working");
    place.stage.answers(&waited, r#"{"content":[]}"#);
    let done = get(&place, "a").await;
    assert_eq!(done["result"]["status"], "completed");
    assert_eq!(done["result"]["result"]["content"], json!([]));
    assert_eq!(done["result"]["result"]["resultType"], "complete");
    // One that is cancelled is cancelled at its server.
    let sent = place.send("a", "tools/call", knowing(tool()));
    let call = place.stage.hears_of("tools/call");
    place
        .stage
        .answers(&call, r#"{"task":{"taskId":"y","status":"working"}}"#);
    let id = sent.answer().await["result"]["taskId"].clone();
    place.stage.hears_of("tasks/result");
    let cancel = knowing(json!({"taskId": id}));
    place
        .send("a", "tasks/cancel", cancel.clone())
        .answer()
        .await;
    let told = place.send("a", "tasks/get", cancel).answer().await;
    assert_eq!(told["result"]["status"], "cancelled");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let cancelled = place.stage.hears_of("tasks/cancel");
    assert_eq!(value(&cancelled)["params"], json!({"taskId": "y"}));
}
