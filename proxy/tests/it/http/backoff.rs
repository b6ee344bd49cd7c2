//! A server that does not start, or keeps ending: what that costs, who is told, how it ends.

use std::{fs, path::PathBuf, time::Duration};

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    client::{Client, Reply},
    proxy::{Proxy, toy_path},
    session::{LATEST, Session, initialize},
};
use crate::toy::{runs, within};

/// Between two looks at what the proxy says of itself.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A server that writes down each of its starts and is a toy only while a file is there.
struct Fickle {
    folder: PathBuf,
}

impl Fickle {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("mcp-fickle-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("starts"), "").unwrap();
        Self { folder }
    }

    async fn proxy(&self, flags: &[&str]) -> Proxy {
        let script = r#"cd "$1"; echo >> starts; [ -e works ] && exec "$0"; exit 3"#;
        let folder = self.folder.to_str().unwrap();
        let command = ["--", "sh", "-c", script, &toy_path(), folder];
        Proxy::typed(&[], &[&["--port", "0"], flags, &command].concat()).await
    }

    fn starts(&self) -> usize {
        fs::read_to_string(self.folder.join("starts"))
            .unwrap()
            .lines()
            .count()
    }

    fn works(&self) {
        fs::write(self.folder.join("works"), "").unwrap();
    }
}

impl Drop for Fickle {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.folder);
    }
}

/// The seconds of a refusal's `Retry-After`, which must be whole and more than none.
fn retry_after(reply: &Reply) -> u64 {
    let seconds = reply.header("retry-after").unwrap().parse().unwrap();
    assert!(seconds >= 1);
    seconds
}

async fn reason(client: &Client) -> Option<String> {
    let ready = client.get("/health/ready").await;
    let status = ready.status;
    let body = ready.json().await;
    assert_eq!(status == 200, body["reason"].is_null(), "{status} {body}");
    body["reason"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn a_hammered_server_is_started_as_seldom_as_its_pauses_say() {
    let fickle = Fickle::new("hammered");
    let proxy = fickle.proxy(&[]).await;
    let client = proxy.client();
    let first = client.post(initialize(LATEST)).await;
    assert_eq!(retry_after(&first), 1);
    let error = first.refused(503).await;
    assert!(error["message"].as_str().unwrap().contains("status 3"));
    let begin = Instant::now();
    let mut refused = 0;
    while begin.elapsed() < Duration::from_millis(2_500) {
        let asked = Instant::now();
        let reply = client.post(initialize(LATEST)).await;
        assert!(retry_after(&reply) <= 4);
        let error = reply.refused(503).await;
        // Told at once, and why.
        assert!(asked.elapsed() < Duration::from_secs(1));
        assert!(
            error["message"].as_str().unwrap().contains("status 3"),
            "{error}"
        );
        refused += 1;
    }
    // At 0 and 1 s; the next is due at 3 s.
    assert_eq!(fickle.starts(), 2, "after {refused} requests");
    assert!(refused > 20);
    assert!(reason(&client).await.unwrap().contains("status 3"));
    let status = client.status().await;
    assert_eq!(status["state"], "backoff");
    assert_eq!(
        (&status["starts"], &status["crashes"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(
        status["last_exit"]["sentence"],
        "the server exited with status 3"
    );
    assert!(status["last_exit"]["seconds_ago"].is_u64());
}

#[tokio::test]
async fn a_server_that_was_repaired_is_found_out_after_its_pause() {
    let fickle = Fickle::new("repaired");
    let proxy = fickle.proxy(&[]).await;
    let client = proxy.client();
    let refused = client.post(initialize(LATEST)).await;
    let pause = Duration::from_secs(retry_after(&refused));
    refused.refused(503).await;
    fickle.works();
    // What it was told is when it is served: waiting is the fact here.
    sleep(pause).await;
    let session = Session::open(&client, LATEST).await;
    assert_eq!(session.call("count", json!({})).await, "1");
    assert_eq!(reason(&client).await, None);
    assert_eq!(client.status().await["state"], "ready");
}

#[tokio::test]
async fn a_program_that_is_not_there_any_more_is_a_failed_start_too() {
    let fickle = Fickle::new("gone");
    let program = fickle.folder.join("server");
    fs::copy(toy_path(), &program).unwrap();
    let line = ["--port", "0", "--", program.to_str().unwrap()];
    let proxy = Proxy::typed(&[], &line).await;
    fs::remove_file(&program).unwrap();
    let client = proxy.client();
    let error = client.post(initialize(LATEST)).await.refused(503).await;
    assert!(
        error["message"].as_str().unwrap().contains("not found"),
        "{error}"
    );
    assert!(reason(&client).await.unwrap().contains("not found"));
    assert_eq!(client.status().await["starts"], 1);
}

#[tokio::test]
async fn five_failures_in_a_row_end_a_proxy_that_was_told_to() {
    let fickle = Fickle::new("exit");
    let mut proxy = fickle.proxy(&["--exit-on-failure"]).await;
    let client = proxy.client();
    // Whoever comes while a start fails may be told so before it is known how often it has: only the
    // proxy's own word is sure.
    let begun = Instant::now();
    while fickle.starts() < 5 {
        assert!(begun.elapsed() < Duration::from_secs(60), "five starts");
        client.post(initialize(LATEST)).await.refused(503).await;
        sleep(LOOK_AGAIN).await;
    }
    let last = proxy.says("--exit-on-failure").await;
    assert!(last.contains("5 starts in a row"), "{last}");
    assert_eq!(proxy.exit_within(Duration::from_secs(5)).await, Some(1));
}

#[tokio::test]
async fn an_eager_server_that_fails_is_told_before_anybody_comes() {
    let fickle = Fickle::new("eager");
    let proxy = fickle.proxy(&["--eager", "--child-mode", "shared"]).await;
    let client = proxy.client();
    within("the reason", async {
        while !reason(&client)
            .await
            .is_some_and(|reason| reason.contains("status 3"))
        {
            sleep(LOOK_AGAIN).await;
        }
    })
    .await;
    assert_eq!(client.get("/health/live").await.status, 200);
}

#[tokio::test]
async fn an_eager_server_is_awaited() {
    let proxy = Proxy::start(
        &["--eager", "--child-mode", "shared"],
        &["--start-delay", "700"],
    )
    .await;
    let client = proxy.client();
    let told = reason(&client).await;
    assert_eq!(told.as_deref(), Some("the server is starting"));
    within("readiness", async {
        while reason(&client).await.is_some() {
            sleep(LOOK_AGAIN).await;
        }
    })
    .await;
    let child: Value = client.status().await["children"][0].clone();
    assert_eq!(
        (&child["state"], &child["era"]),
        (&json!("ready"), &json!("legacy"))
    );
}

#[tokio::test]
async fn a_session_whose_server_keeps_crashing_pauses_and_no_other_does() {
    let proxy = Proxy::start(&[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let other = Session::open(&proxy.client(), LATEST).await;
    let untouched = other.pid().await;
    session.start("crash", json!({})).await.answer().await;
    // The first crash is nobody's concern: the next request is served.
    assert_eq!(session.call("count", json!({})).await, "1");
    session.start("crash", json!({})).await.answer().await;
    let reply = session.start("count", json!({})).await;
    let pause = retry_after(&reply);
    assert_eq!(pause, 1);
    let error = reply.refused(503).await;
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("crashed 2 times"),
        "{error}"
    );
    assert_eq!(reason(&proxy.client()).await, None, "others may come");
    assert_eq!(other.pid().await, untouched);
    Session::open(&proxy.client(), LATEST).await;
    sleep(Duration::from_secs(pause)).await;
    assert_eq!(session.call("count", json!({})).await, "1");
    assert!(runs(untouched));
}

#[tokio::test]
async fn a_shared_server_that_keeps_crashing_pauses_for_everybody() {
    let proxy = Proxy::start(&["--child-mode", "shared"], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    session.start("crash", json!({})).await.answer().await;
    session.call("pid", json!({})).await;
    session.start("crash", json!({})).await.answer().await;
    let reply = proxy.client().post(initialize(LATEST)).await;
    assert_eq!(retry_after(&reply), 1);
    reply.refused(503).await;
    let why = reason(&proxy.client()).await.unwrap();
    assert!(why.contains("crashed 2 times"), "{why}");
    within("readiness", async {
        while reason(&proxy.client()).await.is_some() {
            sleep(LOOK_AGAIN).await;
        }
    })
    .await;
    session.call("pid", json!({})).await;
}
