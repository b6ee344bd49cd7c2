//! The file changes while its servers run: what it does not change is left alone.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::super::{
    client::{Client, call, request, text},
    http_sse::Connection,
    proxy::{Proxy, toy_path},
    session::{LATEST, Session, initialize},
    stateless::{headers, whole},
};
use super::{File, document, serving, toy};
use crate::toy::{eventually, runs, within};

/// Waits until `/` lists exactly these servers.
async fn serves(client: &Client, names: &[&str]) {
    within("the new set of servers", async {
        loop {
            let index = client.get("/").await.json().await;
            let servers = index["servers"].as_object();
            let listed: Vec<&str> = servers
                .into_iter()
                .flatten()
                .map(|(name, _)| &**name)
                .collect();
            if listed == names {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// What a toy of this session was started with.
async fn args(session: &Session) -> Value {
    serde_json::from_str(&session.call("args", json!({})).await).unwrap()
}

async fn in_flight(client: &Client, calls: u64) {
    within("the calls in flight", async {
        while client.status().await["calls_in_flight"] != calls {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn hangup_changes_what_the_file_changed_and_nothing_else() {
    let before = json!({ "same": toy(&["one"]), "gone": toy(&[]), "other": toy(&["one"]) });
    let file = File::new(&before);
    let proxy = serving(&file, &[]).await;
    let client = proxy.client();
    let same = Session::open(&client.of("same"), LATEST).await;
    let gone = Session::open(&client.of("gone"), LATEST).await;
    let other = Session::open(&client.of("other"), LATEST).await;
    let mut connection = Connection::open(&client.of("same"), LATEST).await;
    let (kept, removed, replaced) = (same.pid().await, gone.pid().await, other.pid().await);
    let over_sse = connection.pid().await;

    // A call that lasts from before the change until after it.
    let long = same.client.clone();
    let long = tokio::spawn(async move {
        let reply = long.post(call("long", "sleep", json!({ "ms": 1_500 })));
        reply.await.answer().await
    });
    in_flight(&client, 1).await;
    // The order and the way it is written do not matter.
    let after = json!({ "other": toy(&["two"]), "same": { "args": ["one"], "command": toy_path(), "enabled": true }, "new": toy(&[]) });
    file.write(&after);
    proxy.signal(Signal::HUP);
    proxy.says("reading the named servers again").await;
    let mut during = 0;
    within("the old children's end", async {
        while runs(removed) || runs(replaced) {
            during += 1;
            assert_eq!(same.call("count", json!({})).await, during.to_string());
        }
    })
    .await;
    serves(&client, &["new", "other", "same"]).await;

    assert_eq!(text(&within("the long call", long).await.unwrap()), "slept");
    assert_eq!(
        same.call("count", json!({})).await,
        (during + 1).to_string()
    );
    assert_eq!(same.pid().await, kept);
    assert_eq!(connection.pid().await, over_sse);
    // Whose server was replaced starts anew, at the new one.
    other
        .post(request(1, "ping", json!({})))
        .await
        .refused(404)
        .await;
    let other = Session::open(&client.of("other"), LATEST).await;
    assert_eq!(args(&other).await, json!(["two"]));
    gone.post(request(1, "ping", json!({})))
        .await
        .refused(404)
        .await;
    client
        .of("gone")
        .post(initialize(LATEST))
        .await
        .refused(404)
        .await;
    Session::open(&client.of("new"), LATEST).await;
    for (name, what) in [
        ("other", "replaced"),
        ("new", "added"),
        ("gone", "removed"),
        ("gone", "stopped"),
    ] {
        let said = proxy.said();
        let told = said
            .lines()
            .any(|line| line.contains(what) && line.contains(name));
        assert!(told, "{name} {what}: {said}");
    }
    assert!(
        !proxy
            .said()
            .lines()
            .any(|line| line.contains("server=\"same\""))
    );
}

#[tokio::test]
async fn every_way_to_change_the_file_is_seen() {
    let file = File::new(&json!({ "a": toy(&[]) }));
    let proxy = serving(&file, &[]).await;
    let client = proxy.client();
    let session = Session::open(&client.of("a"), LATEST).await;
    serves(&client, &["a"]).await;
    // In place.
    file.write(&json!({ "a": toy(&[]), "b": toy(&[]) }));
    serves(&client, &["a", "b"]).await;
    // By a rename over it, as editors do.
    let draft = file.folder.join("draft");
    fs::write(&draft, document(&json!({ "a": toy(&[]), "c": toy(&[]) }))).unwrap();
    fs::rename(&draft, &file.path).unwrap();
    serves(&client, &["a", "c"]).await;
    assert_eq!(session.call("count", json!({})).await, "1");
}

#[tokio::test]
async fn a_link_that_is_set_anew_is_seen() {
    // As Kubernetes mounts a ConfigMap: the file is a link into a folder that is a link itself.
    let file = File::new(&json!({}));
    let version = |name: &str, servers: &Value| {
        let folder = file.folder.join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("servers.json"), document(servers)).unwrap();
    };
    let data = file.folder.join("..data");
    version("1", &json!({ "a": toy(&[]) }));
    version("2", &json!({ "b": toy(&[]) }));
    symlink("1", &data).unwrap();
    fs::remove_file(&file.path).unwrap();
    symlink("..data/servers.json", &file.path).unwrap();
    let proxy = serving(&file, &[]).await;
    serves(&proxy.client(), &["a"]).await;
    let next = file.folder.join("..data_tmp");
    symlink("2", &next).unwrap();
    fs::rename(&next, &data).unwrap();
    serves(&proxy.client(), &["b"]).await;
}

#[tokio::test]
async fn a_file_with_faults_changes_nothing() {
    let file = File::new(&json!({ "a": toy(&[]) }));
    let proxy = serving(&file, &[]).await;
    let client = proxy.client();
    let session = Session::open(&client.of("a"), LATEST).await;
    file.write(&json!({ "b": { "args": "x" }, "c/d": toy(&[]) }));
    proxy.signal(Signal::HUP);
    proxy.says("not taken; the servers stay as they were").await;
    for part in [
        "/mcpServers/b/args must be an array",
        "/mcpServers/b/command is missing",
        "/mcpServers/c~1d is not a name",
    ] {
        proxy.says(part).await;
    }
    serves(&client, &["a"]).await;
    fs::remove_file(&file.path).unwrap();
    proxy.signal(Signal::HUP);
    proxy.says("cannot be read").await;
    assert_eq!(session.call("count", json!({})).await, "1");
    // And what is right again is taken.
    file.write(&json!({ "a": toy(&[]), "b": toy(&[]) }));
    proxy.signal(Signal::HUP);
    serves(&client, &["a", "b"]).await;
    assert_eq!(session.call("count", json!({})).await, "2");
}

#[tokio::test]
async fn a_server_that_is_taken_out_ends_its_calls_first() {
    let file = File::new(&json!({ "a": toy(&[]) }));
    let proxy = serving(&file, &["--drain-timeout", "1h"]).await;
    let client = proxy.client();
    let session = Session::open(&client.of("a"), LATEST).await;
    let child = session.pid().await;
    let mut asking = session
        .start("ask", json!({ "kind": "roots" }))
        .await
        .stream();
    let question = asking.message().await;
    assert_eq!(question["method"], "roots/list");
    // Replaced, not only removed: the new one has the same name.
    file.write(&json!({ "a": toy(&["new"]) }));
    proxy.signal(Signal::HUP);
    proxy.says("replaced").await;
    let new = Session::open(&client.of("a"), LATEST).await;
    assert_eq!(args(&new).await, json!(["new"]));
    // No new work for the old one, but the answer it waits for.
    session
        .post(request(1, "ping", json!({})))
        .await
        .refused(503)
        .await;
    assert!(runs(child));
    session.reply(&question, json!({ "roots": [] })).await;
    let answer = asking.message().await;
    assert_eq!(text(&answer), r#"{"roots":[]}"#);
    eventually("the old child has ended", || !runs(child)).await;
    proxy.says("stopped").await;
    session
        .post(request(1, "ping", json!({})))
        .await
        .refused(404)
        .await;
    assert_eq!(new.call("count", json!({})).await, "1");
}

#[tokio::test]
async fn subscriptions_stay_with_the_server_that_stays() {
    let new = toy(&["--era", "modern"]);
    let file = File::new(&json!({ "kept": &new, "gone": &new }));
    let proxy = serving(&file, &["--drain-timeout", "1h"]).await;
    let client = proxy.client();
    let send = async |name: &str, method: &str, params: Value| {
        let message = whole(json!(name), method, params);
        headers(&client.of(name), &message).post(message).await
    };
    let filter = json!({ "notifications": { "promptsListChanged": true } });
    let mut kept = send("kept", "subscriptions/listen", filter.clone())
        .await
        .stream();
    let mut gone = send("gone", "subscriptions/listen", filter).await.stream();
    for stream in [&mut kept, &mut gone] {
        let first = stream.message().await;
        assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
    }
    file.write(&json!({ "kept": new }));
    proxy.signal(Signal::HUP);
    // It is no call, so nobody waits for its end.
    let rest = within("the end of the subscription", gone.rest()).await;
    assert!(
        rest.iter().all(|message| message["method"].is_null()),
        "{rest:?}"
    );
    let notify = json!({ "name": "notify", "arguments": {} });
    send("kept", "tools/call", notify).await.answer().await;
    let heard = kept.message().await;
    assert_eq!(heard["method"], "notifications/prompts/list_changed");
}

#[tokio::test]
async fn a_call_that_does_not_end_is_cut_off() {
    let file = File::new(&json!({ "a": toy(&[]), "b": toy(&[]) }));
    let proxy = serving(&file, &["--drain-timeout", "200ms"]).await;
    let session = Session::open(&proxy.client().of("a"), LATEST).await;
    let child = session.pid().await;
    let client = session.client.clone();
    let hanging = tokio::spawn(async move {
        let reply = client.post(call("x", "hang", json!({})));
        reply.await.answer().await
    });
    in_flight(&proxy.client(), 1).await;
    file.write(&json!({ "b": toy(&[]) }));
    proxy.signal(Signal::HUP);
    let answer = within("an answer", hanging).await.unwrap();
    assert!(answer["error"].is_object(), "{answer}");
    eventually("the child has ended", || !runs(child)).await;
    proxy.says("--drain-timeout gives them longer").await;
}

#[tokio::test]
async fn a_program_that_was_missing_is_looked_for_again() {
    let file = File::new(&json!({}));
    let program = file.folder.join("late");
    file.write(&json!({ "late": { "command": program } }));
    let proxy = serving(&file, &["--eager"]).await;
    let client = proxy.client();
    client
        .of("late")
        .post(initialize(LATEST))
        .await
        .refused(503)
        .await;
    let script = format!("#!/bin/sh\nexec '{}'\n", toy_path());
    // Under another name first: a file that is open for writing cannot be executed.
    let draft = file.folder.join("draft");
    fs::write(&draft, script).unwrap();
    fs::set_permissions(&draft, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&draft, &program).unwrap();
    proxy.signal(Signal::HUP);
    proxy.says("replaced").await;
    let pid = within("the eager child", async {
        loop {
            let status = client.status().await;
            if let Some(pid) = status["servers"]["late"]["children"][0]["pid"].as_u64() {
                return pid;
            }
        }
    })
    .await;
    assert_eq!(client.get("/health/ready").await.status, 200);
    let session = Session::open(&client.of("late"), LATEST).await;
    assert_eq!(u64::from(session.pid().await), pid);
}

#[tokio::test]
async fn a_pipe_is_read_once_and_nobody_waits_for_it() {
    let file = File::new(&json!({}));
    let pipe = file.folder.join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let (path, text) = (pipe.clone(), document(&json!({ "a": toy(&[]) })));
    let writer = tokio::task::spawn_blocking(move || fs::write(path, text).unwrap());
    let flag = format!("--named-server-config={}", pipe.display());
    let proxy = Proxy::typed(&[], &["--port", "0", &flag]).await;
    within("the reader", writer).await.unwrap();
    proxy.signal(Signal::HUP);
    proxy.says("it is a pipe, which cannot be read again").await;
    let session = Session::open(&proxy.client().of("a"), LATEST).await;
    assert_eq!(session.call("count", json!({})).await, "1");
}

#[tokio::test]
async fn without_a_file_hangup_means_stop() {
    let named = format!("a={}", toy_path());
    let mut proxy = Proxy::typed(&[], &["--port", "0", "--named-server", &named]).await;
    let session = Session::open(&proxy.client().of("a"), LATEST).await;
    let child = session.pid().await;
    proxy.signal(Signal::HUP);
    assert_eq!(proxy.exit().await, Some(0));
    assert!(!runs(child));
}

#[tokio::test]
async fn what_is_on_its_way_out_is_stopped_with_the_proxy() {
    let file = File::new(&json!({ "a": toy(&[]) }));
    let mut proxy = serving(&file, &["--drain-timeout", "1h"]).await;
    let session = Session::open(&proxy.client().of("a"), LATEST).await;
    let child = session.pid().await;
    let client = session.client.clone();
    let hanging = tokio::spawn(async move {
        let _cut = client.post(call("x", "hang", json!({}))).await;
    });
    in_flight(&proxy.client(), 1).await;
    file.write(&json!({}));
    proxy.signal(Signal::HUP);
    proxy.says("removed").await;
    proxy.signal(Signal::TERM);
    proxy.says("stopping").await;
    // A hangup is no second order to stop; a terminated twice is.
    proxy.signal(Signal::HUP);
    assert!(runs(child));
    proxy.signal(Signal::TERM);
    assert_eq!(proxy.exit().await, Some(0));
    eventually("the child has ended", || !runs(child)).await;
    hanging.abort();
}
