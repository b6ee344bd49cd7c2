//! Bytes that arrive are the bytes that leave: what a server says reaches the client as it was
//! written, and what a client says reaches the server, but for ids and tokens.

use serde_json::{Value, json};

use super::{
    client::{Client, call},
    proxy::Proxy,
    session::{LATEST, Session},
};

/// JSON that parsers like to improve.
fn curious() -> Vec<String> {
    let deep = 2_000;
    vec![
        r#"{}"#.to_owned(),
        r#"{"zebra":1,"unknown":{"nested":[null,true,{}]},"content":[],"apple":2}"#.to_owned(),
        r#"{"big":1234567890123456789012345,"negative":-1234567890123456789012345}"#.to_owned(),
        r#"{"price":0.10,"exp":1e3,"EXP":1E+3,"zero":-0,"small":1.0e-400,"one":1.0}"#.to_owned(),
        r#"{"text":"\u0041\u00e9\ud83d\ude00\/\b\f\n\r\t\"\\ é 😀","lone":"\ud800","\u0061":1}"#.to_owned(),
        r#"{"same":1,"same":2,"same":{"same":3,"same":4}}"#.to_owned(),
        "{ \"spaced\" :\t[ 1 , 2 ]  ,\"_meta\" : { } }".to_owned(),
        r#"{"":"empty","id":7,"method":"x","jsonrpc":"1.0","params":{"_meta":{"progressToken":1}}}"#.to_owned(),
        "{\"text\":\"\u{2028}\u{2029}\u{7f}\u{feff}\u{200b}\"}".to_owned(),
        format!("{{\"deep\":{}{}}}", "[".repeat(deep), "]".repeat(deep)),
        format!("{{\"deep\":{}1{}}}", "{\"a\":".repeat(deep), "}".repeat(deep)),
    ]
}

async fn answer_text(client: &Client, id: &str, result: &str) -> String {
    let result = Value::from(result);
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"raw","arguments":{{"result":{result}}}}}}}"#
    );
    client.post(body).await.text().await
}

#[tokio::test]
async fn a_result_reaches_the_client_byte_for_byte() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    for result in curious() {
        for id in [
            "1",
            "1.0",
            "1e3",
            "9223372036854775808",
            r#""1""#,
            r#""\u0031\"é""#,
        ] {
            let answer = answer_text(&session.client, id, &result).await;
            let expected = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
            assert!(answer == expected, "{answer:.300} is not {expected:.300}");
        }
    }
}

#[tokio::test]
async fn eight_mebibytes_reach_the_client_byte_for_byte() {
    let proxy = Proxy::start(&["--max-body-size", "16MiB"], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let mut result = String::with_capacity(9 << 20);
    result.push_str(r#"{"items":["#);
    for n in 0.. {
        result.push_str(&format!(r#"{{"n":{n},"price":0.10,"text":"aé\u0041"}},"#));
        if result.len() > 8 << 20 {
            break;
        }
    }
    result.push_str("0]}");
    let answer = answer_text(&session.client, "1", &result).await;
    let expected = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#);
    assert_eq!(answer.len(), expected.len());
    assert!(answer == expected);
}

#[tokio::test]
async fn a_notification_reaches_the_client_byte_for_byte() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let mut standing = session.listen().await;
    assert!(standing.event().await.unwrap().data.is_empty());
    for data in curious() {
        let line = format!(
            r#"{{"jsonrpc":"2.0","params":{data},"method":"notifications/tools/list_changed"}}"#
        );
        session.call("line", json!({ "line": line })).await;
        let event = standing.event().await.unwrap();
        assert!(event.data == line.as_bytes(), "{:?}", event.data);
    }
}

/// A message as its client writes it, and as the child must read it when our number is `KEY`.
fn written() -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for value in curious() {
        let rest = format!(r#""arguments":{value},"other" : 0.10"#);
        pairs.push((
            format!(r#"{{"method":"tools/call", "id" : "x\u0041" ,"jsonrpc":"2.0","params":{{"name":"nothing",{rest}}},"more":[1e3]}}"#),
            format!(r#"{{"method":"tools/call", "id" : KEY ,"jsonrpc":"2.0","params":{{"name":"nothing",{rest}}},"more":[1e3]}}"#),
        ));
        pairs.push((
            format!(r#"{{"params":{{"_meta":{{"a":1.0,"progressToken":"to\u006ben","b":{value}}},"name":"nothing",{rest}}},"jsonrpc":"2.0","id":1.50,"method":"tools/call"}}"#),
            format!(r#"{{"params":{{"_meta":{{"a":1.0,"progressToken":KEY,"b":{value}}},"name":"nothing",{rest}}},"jsonrpc":"2.0","id":KEY,"method":"tools/call"}}"#),
        ));
    }
    pairs
}

#[tokio::test]
async fn a_request_reaches_the_child_byte_for_byte_but_for_id_and_token() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    for (sent, expected) in written() {
        let answer = session.post(&sent).await.text().await;
        assert!(answer.contains("unknown tool"), "{answer:.300}");
        let seen = session.seen().await;
        let [.., line, asking] = &seen[..] else {
            panic!("too little was seen");
        };
        // Our numbers count up, and this one came just before the question for what was seen.
        let asking: Value = serde_json::from_str(asking).unwrap();
        let key = asking["id"].as_u64().unwrap() - 1;
        let expected = expected.replace("KEY", &key.to_string());
        assert!(*line == expected, "{line:.300} is not {expected:.300}");
    }
}

#[tokio::test]
async fn a_body_of_many_lines_is_one_line_for_the_child() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let body = "\r\n {\n\t\"jsonrpc\": \"2.0\",\r\n\"id\":\r1,\n\"method\":\"tools/call\",\"params\":\n{\"name\":\"echo\",\"arguments\":{\"text\":\"a\\nb\"}}\n}\n";
    let answer = session.post(body).await.text().await;
    assert_eq!(
        answer,
        r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"a\nb"}]}}"#
    );
    let seen = session.seen().await;
    assert_eq!(seen.len(), 4, "{seen:?}");
    let line: Value = serde_json::from_str(&seen[2]).unwrap();
    assert_eq!(line["params"]["arguments"]["text"], "a\nb");
    assert!(
        seen[2].contains("\t\"jsonrpc\": \"2.0\",  \"id\": "),
        "{:?}",
        seen[2]
    );
}

#[tokio::test]
async fn an_unreadable_answer_is_told_to_whoever_waits() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let answer = session
        .post(call("x", "garbage", json!({ "kind": "damaged" })))
        .await;
    let answer = answer.answer().await;
    assert_eq!(answer["id"], "x");
    assert_eq!(answer["error"]["data"]["blame"], "server", "{answer}");
    // Other garbage is skipped and counted.
    assert_eq!(session.call("garbage", json!({})).await, "that was garbage");
    let status = proxy.client().status().await;
    assert!(
        status["children"][0]["garbage_lines"].as_u64().unwrap() >= 6,
        "{status:#}"
    );
}
