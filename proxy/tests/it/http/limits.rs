//! How often, how much at once, from where, and how many connections.

use serde_json::{Value, json};

use super::{
    client::{Client, call, call_with_token, text},
    proxy::Proxy,
    session::{LATEST, initialize},
};
use crate::toy::within;

const TOKENS: (&str, &str) = (
    "MCP_PROXY_AUTH_TOKENS",
    "alice:correct-horse-of-alice,bob:battery-staple-of-bob",
);

fn bearing(proxy: &Proxy, token: &str) -> Client {
    proxy
        .client()
        .with("Authorization", &format!("Bearer {token}"))
}

#[tokio::test]
async fn more_than_the_rate_is_told_when_to_come_back() {
    let proxy = Proxy::start(&["--rate-limit", "3/h"], &[]).await;
    let client = proxy.client();
    for _ in 0..3 {
        assert_eq!(client.post(initialize(LATEST)).await.status, 200);
    }
    let reply = client.post(initialize(LATEST)).await;
    let after: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=1200).contains(&after), "{after}");
    let error = reply.refused(429).await;
    assert!(
        error["message"].as_str().unwrap().contains("--rate-limit"),
        "{error}"
    );
    // Whoever watches the machine has a rhythm of its own.
    for _ in 0..5 {
        assert_eq!(client.get("/health/live").await.status, 200);
    }
    // That somebody else called is believed of nobody here.
    let other = client.with("X-Forwarded-For", "192.0.2.1");
    other.post(initialize(LATEST)).await.refused(429).await;
}

#[tokio::test]
async fn a_trusted_proxy_says_who_calls() {
    let flags = ["--rate-limit", "2/h", "--trusted-proxies", "127.0.0.1"];
    let proxy = Proxy::start_with(&[TOKENS], &flags, &[]).await;
    let [alice, bob] = ["correct-horse-of-alice", "battery-staple-of-bob"];
    let from = |token: &str, address: &str| {
        bearing(&proxy, token).with("X-Forwarded-For", &format!("9.9.9.9, {address}"))
    };
    for (token, address, status) in [
        (alice, "192.0.2.1", 200),
        (bob, "192.0.2.1", 200),
        // The address has had its two, whoever was there.
        (bob, "192.0.2.1", 429),
        (bob, "192.0.2.2", 200),
        // Bob has had his two, wherever he was.
        (bob, "192.0.2.3", 429),
        (alice, "192.0.2.3", 200),
        // Guesses are counted before they are judged.
        ("guess-one", "192.0.2.4", 401),
        ("guess-two", "192.0.2.4", 401),
        ("guess-three", "192.0.2.4", 429),
    ] {
        let reply = from(token, address).get("/status").await;
        assert_eq!(reply.status, status, "{token} {address}");
    }
}

#[tokio::test]
async fn so_much_at_once_and_no_more() {
    let flags = ["--max-in-flight", "2", "--stateless"];
    let proxy = Proxy::start_with(&[TOKENS], &flags, &[]).await;
    let alice = bearing(&proxy, "correct-horse-of-alice");
    let ask = call(1, "count", json!({}));
    // Two whose answers are streams, and open.
    let mut streams = Vec::new();
    for id in 1..=2 {
        let body = call_with_token(id, id, "progress", json!({ "n": 1000, "ms": 50 }));
        let mut stream = alice.post(body).await.stream();
        stream.message().await;
        streams.push(stream);
    }
    let reply = alice.post(ask.clone()).await;
    assert_eq!(reply.header("retry-after"), Some("1"));
    let error = reply.refused(429).await;
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("--max-in-flight"),
        "{error}"
    );
    assert_eq!(alice.get("/status").await.status, 200);
    let bob = bearing(&proxy, "battery-staple-of-bob");
    let answer: Value = bob.post(ask.clone()).await.json().await;
    assert_eq!(text(&answer), "1");
    drop(streams.pop());
    within("a place is free again", async {
        while alice.post(ask.clone()).await.status == 429 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // What was answered whole is in flight no longer, with the connection still open.
    let mut kept = alice.connect().await;
    for _ in 0..3 {
        let reply = kept.send(&alice, "POST", "/mcp", ask.clone()).await;
        assert!(
            reply.header("content-length").is_some(),
            "still of a known length"
        );
        reply.answer().await;
    }
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_to_be_taken() {
    let proxy = Proxy::start(&["--max-connections", "2"], &[]).await;
    let client = proxy.client();
    let mut kept = [client.connect().await, client.connect().await];
    let mut ask = async || {
        for connection in &mut kept {
            let reply = connection.send(&client, "GET", "/health", "").await;
            assert_eq!(reply.status, 200);
            reply.bytes().await;
        }
    };
    ask().await;
    let third = client.clone();
    let third = tokio::spawn(async move { third.get("/health").await.status });
    // Two hundred answers would be time enough for one more.
    for _ in 0..100 {
        ask().await;
    }
    assert!(!third.is_finished());
    drop(kept);
    assert_eq!(within("the third is taken", third).await.unwrap(), 200);
}

#[tokio::test]
async fn plain_http_is_refused_where_https_is_asked_for() {
    let flags = ["--require-https", "--trusted-proxies", "127.0.0.1,::1"];
    let proxy = Proxy::start(&flags, &[]).await;
    let plain = proxy.client();
    let error = plain.post(initialize(LATEST)).await.refused(403).await;
    assert!(
        error["message"].as_str().unwrap().contains("https"),
        "{error}"
    );
    assert_eq!(plain.get("/health").await.status, 200, "from this machine");
    let far = plain.with("X-Forwarded-For", "192.0.2.1");
    for (name, value, status) in [
        ("X-Forwarded-Proto", "https", 200),
        ("X-Forwarded-Proto", "http", 403),
        ("X-Forwarded-Proto", "http, https", 200),
        ("Forwarded", "for=192.0.2.1;proto=https", 403),
    ] {
        let reply = far.with(name, value).post(initialize(LATEST)).await;
        assert_eq!(reply.status, status, "{name}: {value}");
        assert_eq!(far.with(name, value).get("/health").await.status, status);
    }
    let standard = plain.with("Forwarded", "for=192.0.2.1;proto=https");
    assert_eq!(standard.post(initialize(LATEST)).await.status, 200);
}
