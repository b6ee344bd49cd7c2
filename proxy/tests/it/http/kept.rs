//! A proxy that is started again goes on with the sessions of the one before it (`--state-dir`).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{
    client::{Client, request},
    proxy::{Proxy, run, toy_path},
    session::{LATEST, Session},
};
use crate::toy::{eventually, within};

/// A folder of its own for each test, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("kept-{}-{number}", std::process::id());
        Self(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name))
    }

    fn flag(&self) -> String {
        format!("--state-dir={}", self.0.display())
    }

    /// The files of sessions, as they are named.
    fn files(&self) -> Vec<PathBuf> {
        let Ok(files) = fs::read_dir(self.0.join("sessions")) else {
            return Vec::new();
        };
        files.map(|file| file.unwrap().path()).collect()
    }

    fn sessions(&self) -> Vec<PathBuf> {
        let mut files = self.files();
        files.retain(|file| file.extension().is_some_and(|end| end == "json"));
        files
    }

    /// Waits until the file of a session that said this is there.
    async fn keeps(&self, said: &str) -> PathBuf {
        let mut found = None;
        eventually(&format!("a session on disk with {said}"), || {
            let says =
                |file: &PathBuf| fs::read_to_string(file).is_ok_and(|text| text.contains(said));
            found = self.sessions().into_iter().find(says);
            found.is_some()
        })
        .await;
        found.unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is in the build's own folder for temporary files.
        let _left = fs::remove_dir_all(&self.0);
    }
}

/// Kills the proxy without a word and starts another where it listened.
async fn killed_and_started(mut proxy: Proxy, flags: &[&str], toy: &[&str]) -> Proxy {
    let port = proxy.address.port().to_string();
    proxy.signal(Signal::KILL);
    assert_eq!(proxy.exit().await, None);
    let program = toy_path();
    let line = [&["--port", &port], flags, &["--", &program], toy].concat();
    Proxy::typed(&[], &line).await
}

/// Lines the child has read, in the order they came, as methods with their parameters.
async fn heard(session: &Session) -> Vec<(String, Value)> {
    let lines = session.seen().await;
    let parsed = lines.iter().map(|line| serde_json::from_str(line).unwrap());
    parsed
        .map(|line: Value| {
            (
                line["method"].as_str().unwrap().to_owned(),
                line["params"].clone(),
            )
        })
        .collect()
}

#[tokio::test]
async fn a_client_goes_on_with_its_session_after_the_proxy_was_killed() {
    let folder = Folder::new();
    let flag = folder.flag();
    let proxy = Proxy::start(&[&flag], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let mut standing = session.listen().await;
    session
        .request("logging/setLevel", json!({ "level": "warning" }))
        .await;
    let uri = json!({ "uri": "toy://greeting" });
    session.request("resources/subscribe", uri.clone()).await;
    session.call("notify", uri.clone()).await;
    standing.message().await;
    let last = standing.last.clone().unwrap();
    let file = folder.keeps("toy://greeting").await;
    assert!(!fs::read_to_string(&file).unwrap().contains(&session.id));
    assert!(!file.to_str().unwrap().contains(&session.id));
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    // In the middle of traffic: a call that will never be answered.
    let asleep = session.client.clone();
    let asleep = tokio::spawn(async move {
        let body = request(
            "asleep",
            "tools/call",
            json!({ "name": "sleep", "arguments": { "ms": 60_000 } }),
        );
        let mut connection = asleep.connect().await;
        // The connection breaks, or never answers: either is what a killed proxy looks like.
        let _never = connection.send(&asleep, "POST", "/mcp", body).await;
    });
    within("a call in flight", async {
        while session.client.status().await["calls_in_flight"] != 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    asleep.abort();

    let proxy = killed_and_started(proxy, &[&flag], &[]).await;
    proxy.says("sessions kept from before").await;
    let heard = heard(&session).await;
    let methods: Vec<&str> = heard.iter().map(|(method, _)| method.as_str()).collect();
    let told = [
        "initialize",
        "notifications/initialized",
        "logging/setLevel",
        "resources/subscribe",
        "tools/call",
    ];
    assert_eq!(methods, told);
    assert_eq!(heard[0].1["protocolVersion"], LATEST);
    assert_eq!(heard[2].1, json!({ "level": "warning" }));
    assert_eq!(heard[3].1, uri);
    // What was said before is gone, and its stream begins afresh, with numbers nobody has seen.
    let mut standing = session.resume(&last).await.stream();
    session.call("notify", uri).await;
    assert_eq!(
        standing.message().await["method"],
        "notifications/resources/updated"
    );
    let number = |id: &str| id.split_once('-').unwrap().1.parse::<u64>().unwrap();
    assert!(number(standing.last.as_ref().unwrap()) > number(&last));
    // A session that ends is on no disk.
    assert_eq!(session.client.send("DELETE", "/mcp", "").await.status, 200);
    eventually("an empty folder", || folder.sessions().is_empty()).await;
}

#[tokio::test]
async fn a_proxy_that_was_stopped_is_gone_on_with_at_once() {
    let folder = Folder::new();
    let flag = folder.flag();
    let mut proxy = Proxy::start(&[&flag], &[]).await;
    let port = proxy.address.port().to_string();
    // It is stopped within the second in which nothing was written.
    let session = Session::open(&proxy.client(), LATEST).await;
    proxy.signal(Signal::TERM);
    assert_eq!(proxy.exit().await, Some(0));
    assert_eq!(folder.sessions().len(), 1);
    let program = toy_path();
    let proxy = Proxy::typed(&[], &["--port", &port, &flag, "--", &program]).await;
    assert_eq!(session.call("count", json!({})).await, "1");
    // Nobody else's: an id that never was is unknown.
    let stranger = proxy.client().with("Mcp-Session-Id", &"0".repeat(32));
    stranger
        .post(request(1, "ping", json!({})))
        .await
        .refused(404)
        .await;
}

#[tokio::test]
async fn a_damaged_file_and_one_of_another_server_cost_nobody_else_a_session() {
    let folder = Folder::new();
    let flag = folder.flag();
    let toy = toy_path();
    let (one, other) = (
        format!("--named-server=one={toy}"),
        format!("--named-server=other={toy}"),
    );
    let proxy = Proxy::typed(&[], &["--port", "0", &flag, &one, &other]).await;
    let port = proxy.address.port().to_string();
    let at = |proxy: &Proxy, name: &str| -> Client { proxy.client().of(name) };
    let damaged = Session::open(&at(&proxy, "one"), LATEST).await;
    eventually("one on disk", || folder.sessions().len() == 1).await;
    let file = folder.sessions().remove(0);
    let kept = Session::open(&at(&proxy, "one"), LATEST).await;
    let removed = Session::open(&at(&proxy, "other"), LATEST).await;
    eventually("all on disk", || folder.sessions().len() == 3).await;
    let mut proxy = proxy;
    proxy.signal(Signal::KILL);
    proxy.exit().await;
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let unknown = file.with_file_name(format!("{}.json", "0".repeat(64)));
    fs::write(&unknown, r#"{"format":99}"#).unwrap();

    let proxy = Proxy::typed(&[], &["--port", &port, &flag, &one]).await;
    proxy.says("set a damaged session aside").await;
    proxy.says("kept by another version").await;
    assert!(unknown.exists() && file.with_extension("damaged").exists() && !file.exists());
    assert_eq!(kept.call("count", json!({})).await, "1");
    let ping = || request("p", "ping", json!({}));
    damaged.post(ping()).await.refused(404).await;
    removed.post(ping()).await.refused(404).await;
    // It is of another server than that of the same id's presenter, too.
    let elsewhere = removed.client.of("one");
    elsewhere.post(ping()).await.refused(404).await;
}

#[tokio::test]
async fn a_folder_has_one_proxy() {
    let folder = Folder::new();
    let flag = folder.flag();
    let _proxy = Proxy::start(&[&flag], &[]).await;
    let (code, _, said) = run(&[], &["--port", "0", &flag, "--", &toy_path()]).await;
    assert_eq!(code, Some(1));
    assert!(said.contains("another mcp-proxy uses it"), "{said}");
    let (code, _, said) = run(&[], &["--on-child-exit", "end", &flag, "--", &toy_path()]).await;
    assert_eq!(code, Some(2), "{said}");
}
