//! Questions in the middle of calls, and what becomes of them.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_question_parks_the_call_and_the_retry_goes_on() {
    let mut place = Place::asking().await;
    let sent = place.send("a", "tools/call", tool());
    let call = place.stage.hears_of("tools/call");
    assert_eq!(
        value(&call)["params"],
        json!({"name": "t", "arguments": {"a": 1}, "_meta": {}})
    );
    place.asks(7, "first");
    let (first, key) = sent.asked().await;
    let sent = place.send("a", "tools/call", answered(&first, &key, accept("one")));
    let reply = place.stage.hears();
    assert_eq!(value(&reply)["id"], 7);
    assert_eq!(value(&reply)["result"], accept("one"));
    place.asks(8, "second");
    let (second, key) = sent.asked().await;
    assert_ne!(first, second);
    let sent = place.send("a", "tools/call", answered(&second, &key, accept("two")));
    assert_eq!(value(&place.stage.hears())["result"], accept("two"));
    place.stage.answers(&call, r#"{"content":[]}"#);
    assert_eq!(
        sent.answer().await["result"],
        json!({"content": [], "resultType": "complete",
            "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "s", "version": "1"}}})
    );
}

#[tokio::test(start_paused = true)]
async fn questions_asked_together_are_one_round_and_answers_may_come_one_by_one() {
    let mut place = Place::asking().await;
    let sent = place.send("a", "tools/call", tool());
    let call = place.stage.hears_of("tools/call");
    place.asks(1, "name");
    place.asks(2, "age");
    let answer = sent.answer().await;
    let requests = answer["result"]["inputRequests"].as_object().unwrap();
    assert_eq!(requests.len(), 2);
    let state = answer["result"]["requestState"].as_str().unwrap();
    let sent = place.send(
        "a",
        "tools/call",
        answered(state, "elicitation_2", accept("9")),
    );
    assert_eq!(value(&place.stage.hears())["id"], 2);
    let (state, key) = sent.asked().await;
    assert_eq!(key, "elicitation_1");
    let sent = place.send("a", "tools/call", answered(&state, &key, accept("Ada")));
    assert_eq!(value(&place.stage.hears())["id"], 1);
    place.stage.answers(&call, "{}");
    assert_eq!(sent.answer().await["result"]["resultType"], "complete");
}

#[tokio::test(start_paused = true)]
async fn a_retry_sent_twice_has_the_same_outcome() {
    let mut place = Place::asking().await;
    let sent = place.send("a", "tools/call", tool());
    let call = place.stage.hears_of("tools/call");
    place.asks(1, "name");
    let (state, key) = sent.asked().await;
    let retry = || answered(&state, &key, accept("Ada"));
    let first = place.send("a", "tools/call", retry());
    let second = place.send("a", "tools/call", retry());
    place.stage.hears();
    place.stage.hears_nothing();
    place.stage.answers(&call, r#"{"n":1.0}"#);
    let (first, second) = (first.answer().await, second.answer().await);
    assert_eq!(first, second);
    assert_eq!(place.send("a", "tools/call", retry()).answer().await, first);
    let other = answered(&state, &key, accept("Bob"));
    let refused = place.send("a", "tools/call", other).answer().await;
    assert_eq!(refused["error"]["code"], -32602);
    place.stage.hears_nothing();
}

#[tokio::test(start_paused = true)]
async fn a_state_is_good_for_nobody_else_and_nothing_else() {
    let mut place = Place::asking().await;
    let sent = place.send("a", "tools/call", tool());
    place.stage.hears_of("tools/call");
    place.asks(1, "name");
    let (state, key) = sent.asked().await;
    let good = answered(&state, &key, accept("x"));
    let mut other_arguments = good.clone();
    other_arguments["arguments"]["a"] = json!(2);
    let mut other_tool = good.clone();
    other_tool["name"] = json!("u");
    let longer = answered(&format!("{state}A"), &key, accept("x"));
    let mut refusals = Vec::new();
    for (who, params) in [
        ("b", good.clone()),
        ("a", other_arguments),
        ("a", other_tool),
        ("a", longer),
        ("a", answered("", &key, accept("x"))),
    ] {
        refusals.push(place.send(who, "tools/call", params).answer().await["error"].clone());
    }
    tokio::time::advance(PATIENCE + Duration::from_secs(2)).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    place.stage.hears();
    place.stage.hears_of("notifications/cancelled");
    refusals.dedup();
    assert_eq!(refusals.len(), 1, "one generic error: {refusals:?}");
    assert_eq!(refusals[0]["code"], -32602);
}

#[tokio::test(start_paused = true)]
async fn a_question_nobody_answers_is_cancelled_and_then_the_call() {
    let mut place = Place::asking().await;
    let sent = place.send("a", "tools/call", tool());
    let call = place.stage.hears_of("tools/call");
    place.asks(5, "name");
    sent.asked().await;
    tokio::time::sleep(PATIENCE).await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    let reply = value(&place.stage.hears());
    assert_eq!(
        (&reply["id"], &reply["result"]),
        (&json!(5), &json!({"action": "cancel"}))
    );
    place.stage.hears_nothing();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let cancelled = place.stage.hears_of("notifications/cancelled");
    assert_eq!(value(&cancelled)["params"]["requestId"], value(&call)["id"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_declared_ends_the_call() {
    let mut place = Place::asking().await;
    let sent = place.send("a", "tools/call", tool());
    place.stage.hears_of("tools/call");
    place.stage.asks("3", "sampling/createMessage");
    let answer = sent.answer().await;
    assert_eq!(answer["error"]["code"], -32021);
    assert_eq!(
        answer["error"]["data"],
        json!({"requiredCapabilities": {"sampling": {}}})
    );
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(place.stage.hears().error().is_some());
    place.stage.hears_of("notifications/cancelled");
}

#[tokio::test(start_paused = true)]
async fn a_lost_call_that_may_be_made_again_asks_nothing_twice() {
    let desk = Desk::new(settings(None), true);
    let mut place = Place::open(&desk, Profile::FORM, "{}").await;
    let prompt = |more: Value| {
        let mut params = json!({"name": "p"});
        for (key, value) in more.as_object().unwrap() {
            params[key] = value.clone();
        }
        params
    };
    let sent = place.send("a", "prompts/get", prompt(json!({})));
    place.stage.hears_of("prompts/get");
    place.asks(1, "first");
    let (state, key) = sent.asked().await;
    let retry = prompt(json!({"requestState": state, "inputResponses": {key: accept("one")}}));
    let sent = place.send("a", "prompts/get", retry);
    place.stage.hears();
    place.asks(2, "second");
    let (state, key) = sent.asked().await;
    place.stage.dies();
    let mut place = Place::open(&desk, Profile::FORM, "{}").await;
    let retry = prompt(json!({"requestState": state, "inputResponses": {key: accept("two")}}));
    let sent = place.send("a", "prompts/get", retry);
    let call = place.stage.hears_of("prompts/get");
    place.asks(1, "first");
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(value(&place.stage.hears())["result"], accept("one"));
    place.asks(2, "second");
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(value(&place.stage.hears())["result"], accept("two"));
    place.stage.answers(&call, r#"{"messages":[]}"#);
    assert_eq!(sent.answer().await["result"]["resultType"], "complete");
}

#[tokio::test(start_paused = true)]
async fn a_lost_tool_call_is_made_again_only_if_its_server_says_so() {
    let desk = Desk::new(settings(None), true);
    let tools = |hint: &str| format!(r#"{{"tools":[{{"name":"t","annotations":{{{hint}}}}}]}}"#);
    for (hint, again) in [(r#""readOnlyHint":true"#, true), ("", false)] {
        let mut place = Place::open(&desk, Profile::FORM, "{}").await;
        let sent = place.send("a", "tools/call", tool());
        place.stage.hears_of("tools/call");
        place.asks(1, "first");
        let (state, key) = sent.asked().await;
        place.stage.dies();
        let mut place = Place::open(&desk, Profile::FORM, r#"{"tools":{}}"#).await;
        tokio::task::yield_now().await;
        let list = place.stage.hears_of("tools/list");
        place.stage.answers(&list, &tools(hint));
        place.station.know_tools().await;
        let sent = place.send("a", "tools/call", answered(&state, &key, accept("x")));
        if again {
            place.stage.hears_of("tools/call");
        } else {
            let answer = sent.answer().await;
            assert_eq!(answer["error"]["code"], -32602);
            assert_eq!(answer["error"]["data"], json!({"restarted": true}));
            place.stage.hears_nothing();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_that_sends_its_user_elsewhere_is_a_round() {
    let desk = Desk::new(settings(None), true);
    let mut place = Place::open(&desk, Profile::FORM.and(Profile::URL), "{}").await;
    let sent = place.send("a", "tools/call", tool());
    let call = place.stage.hears_of("tools/call");
    let id = value(&call)["id"].clone();
    place.stage.says(&format!(
        r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32042,"message":"go","data":{{"elicitations":[{{"mode":"url","elicitationId":"e","url":"https://x.example/","message":"m"}}]}}}}}}"#
    ));
    let answer = sent.answer().await;
    let result = &answer["result"];
    assert_eq!(
        result["inputRequests"]["elicitation_1"],
        json!({"method": "elicitation/create",
            "params": {"mode": "url", "url": "https://x.example/", "message": "m"}})
    );
    let state = result["requestState"].as_str().unwrap();
    let _sent = place.send(
        "a",
        "tools/call",
        answered(state, "elicitation_1", json!({"action": "accept"})),
    );
    let again = value(&place.stage.hears_of("tools/call"));
    assert_eq!(again["params"]["arguments"], json!({"a": 1}));
    assert!(again["params"].get("inputResponses").is_none());
}

#[tokio::test(start_paused = true)]
async fn roots_asked_outside_a_call_are_asked_of_the_next_one() {
    let desk = Desk::new(settings(None), true);
    let mut place = Place::open(&desk, Profile::ROOTS, "{}").await;
    place.stage.asks("\"r\"", "roots/list");
    let listed = place.send("a", "tools/list", json!({}));
    place.stage.hears_of("tools/list");
    drop(listed);
    let sent = place.send("a", "tools/call", tool());
    let (state, key) = sent.asked().await;
    place.stage.hears_nothing();
    let roots = json!({"roots": [{"uri": "file:///a"}]});
    let _sent = place.send("a", "tools/call", answered(&state, &key, roots.clone()));
    let reply = value(&place.stage.hears());
    assert_eq!((&reply["id"], &reply["result"]), (&json!("r"), &roots));
    place.stage.hears_of("tools/call");
    // The next server of these clients need not ask them.
    let mut next = Place::open(&desk, Profile::ROOTS, "{}").await;
    next.stage.asks("1", "roots/list");
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(value(&next.stage.hears())["result"], roots);
}

#[tokio::test(start_paused = true)]
async fn roots_of_the_configuration_answer_where_nobody_can_be_asked() {
    let roots = r#"{"roots":[{"uri":"file:///srv"}]}"#;
    for (configured, answered) in [(Some(roots), true), (None, false)] {
        let desk = Desk::new(settings(configured), false);
        let mut place = Place::open(&desk, Profile::ROOTS, "{}").await;
        place.stage.asks("1", "roots/list");
        tokio::time::sleep(Duration::from_millis(1)).await;
        let reply = value(&place.stage.hears());
        assert_eq!(reply.get("result").is_some(), answered, "{reply}");
    }
}

#[tokio::test(start_paused = true)]
async fn progress_follows_the_token_of_the_retry() {
    let mut place = Place::asking().await;
    let mut params = tool();
    params["_meta"] = json!({"progressToken": "p"});
    let mut sent = place.send("a", "tools/call", params);
    let call = place.stage.hears_of("tools/call");
    place.stage.progresses(&call, 1);
    assert_eq!(sent.told().await["params"]["progressToken"], "p");
    place.asks(1, "name");
    let (state, key) = sent.asked().await;
    let mut retry = answered(&state, &key, accept("x"));
    retry["_meta"] = json!({"progressToken": 7});
    let mut sent = place.send("a", "tools/call", retry);
    place.stage.progresses(&call, 2);
    assert_eq!(sent.told().await["params"]["progressToken"], 7);
}

#[tokio::test(start_paused = true)]
async fn leaving_cancels_and_leaving_after_a_round_does_not() {
    let mut place = Place::asking().await;
    let sent = place.send("a", "tools/call", tool());
    place.stage.hears_of("tools/call");
    sent.handle.cancel(None);
    place.stage.hears_of("notifications/cancelled");
    // It may still ask because of that one, so nobody is asked.
    let other = place.send("a", "tools/call", tool());
    place.stage.hears_of("tools/call");
    place.asks(1, "whose?");
    assert!(place.stage.hears().error().is_some());
    drop(other);
}
