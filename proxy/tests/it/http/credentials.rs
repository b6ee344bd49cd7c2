//! Credentials of principals: whose server is given what, and whose is put away when that changes.

use serde_json::{Value, json};

use super::client::{Client, call, text};
use super::folder::Folder;
use super::proxy::{Proxy, run, toy_path};
use super::session::{LATEST, Session, initialize};
use super::stateless::{headers, whole};
use crate::toy::{runs, within};

const TOKENS: (&str, &str) = (
    "MCP_PROXY_AUTH_TOKENS",
    "alice:correct-horse-of-alice,bob:battery-staple-of-bob",
);

fn both(proxy: &Proxy) -> [Client; 2] {
    ["correct-horse-of-alice", "battery-staple-of-bob"].map(|token| {
        let bearer = format!("Bearer {token}");
        proxy.client().with("Authorization", &bearer)
    })
}

/// A variable of a session's own server.
async fn variable(session: &Session, name: &str) -> Value {
    let all: Value = serde_json::from_str(&session.call("env", json!({})).await).unwrap();
    all[name].clone()
}

/// What a tool says to a client of 2026-07-28.
async fn said(client: &Client, tool: &str) -> String {
    let message = whole(
        json!(1),
        "tools/call",
        json!({ "name": tool, "arguments": {} }),
    );
    let answer = headers(client, &message)
        .post(&message)
        .await
        .answer()
        .await;
    text(&answer).to_owned()
}

#[tokio::test]
async fn each_principals_servers_have_her_credentials_and_a_change_is_hers_alone() {
    let folder = Folder::new("principal-env");
    let file = folder.path("env.json");
    std::fs::write(
        &file,
        r#"{"alice": {"API_KEY": "of-alice-one"}, "bob": {"API_KEY": "of-bob"}}"#,
    )
    .unwrap();
    let flags = ["--principal-env", file.to_str().unwrap()];
    let proxy = Proxy::start_with(
        &[TOKENS, ("API_KEY", "of-everybody")],
        &flags,
        &["--era", "dual"],
    )
    .await;
    let [alice, bob] = both(&proxy);
    let (hers, his) = (
        Session::open(&alice, LATEST).await,
        Session::open(&bob, LATEST).await,
    );
    assert_eq!(variable(&hers, "API_KEY").await, "of-alice-one");
    assert_eq!(variable(&his, "API_KEY").await, "of-bob");
    let (her_pid, his_pid) = (hers.pid().await, his.pid().await);
    let his_other = said(&bob, "pid").await;
    let her_other: u32 = said(&alice, "pid").await.parse().unwrap();

    // A call that runs while the file changes has all its time.
    let slow = tokio::spawn({
        let client = hers.client.clone();
        async move {
            client
                .post(call(70, "sleep", json!({ "ms": 3000 })))
                .await
                .answer()
                .await
        }
    });
    within("the call at her server", async {
        while alice.status().await["calls_in_flight"] != 1 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await;
    std::fs::write(
        &file,
        r#"{"bob": {"API_KEY": "of-bob"}, "alice": {"API_KEY": "of-alice-two"}}"#,
    )
    .unwrap();
    let line = proxy.says("were read again").await;
    assert!(line.contains("alice") && !line.contains("bob"), "{line}");
    // The other one has nothing to do, and goes at once.
    crate::toy::eventually("her idle server is put away", || !runs(her_other)).await;
    assert!(runs(her_pid), "it works still");
    let answer = slow.await.unwrap();
    assert!(answer["result"].is_object(), "{answer}");
    crate::toy::eventually("her server is put away", || !runs(her_pid)).await;
    // Her session goes on, and nobody else has noticed.
    assert_eq!(variable(&hers, "API_KEY").await, "of-alice-two");
    assert_eq!(his.pid().await, his_pid);
    assert_eq!(said(&bob, "pid").await, his_other);
    let environment: Value = serde_json::from_str(&said(&alice, "env").await).unwrap();
    assert_eq!(environment["API_KEY"], "of-alice-two");

    // Somebody the file does not name has what everybody has.
    std::fs::write(&file, r#"{"alice": {"API_KEY": "of-alice-two"}}"#).unwrap();
    crate::toy::eventually("his server is put away", || !runs(his_pid)).await;
    assert_eq!(variable(&his, "API_KEY").await, "of-everybody");
    for secret in ["of-alice", "of-bob"] {
        assert!(!proxy.said().contains(secret));
    }
}

#[tokio::test]
async fn what_a_server_repeats_of_its_credentials_is_masked() {
    let folder = Folder::new("principal-env-masked");
    let file = folder.path("env.json");
    std::fs::write(&file, r#"{"alice": {"PLACE": "hunter2-of-alice"}}"#).unwrap();
    let flags = ["--principal-env", file.to_str().unwrap()];
    let proxy = Proxy::start_with(&[TOKENS], &flags, &[]).await;
    let [alice, _] = both(&proxy);
    let session = Session::open(&alice, LATEST).await;
    let complaint = json!({ "text": "cannot use hunter2-of-alice" });
    session.call("stderr", complaint).await;
    let line = proxy.says("cannot use").await;
    assert!(line.contains("***") && !line.contains("hunter2"), "{line}");
    let status = alice.status().await.to_string();
    assert!(
        status.contains("cannot use") && !status.contains("hunter2"),
        "{status}"
    );
}

#[tokio::test]
async fn a_header_becomes_a_variable_of_its_clients_own_server() {
    let flags = ["--header-env", "X-Api-Key=API_KEY, X-Place=PLACE"];
    let proxy = Proxy::start_with(
        &[TOKENS, ("PLACE", "everywhere")],
        &flags,
        &["--era", "dual"],
    )
    .await;
    let [alice, bob] = both(&proxy);
    let one = alice.with("X-Api-Key", "key-one").with("X-Other", "x");
    let session = Session::open(&one, LATEST).await;
    assert_eq!(variable(&session, "API_KEY").await, "key-one");
    assert_eq!(variable(&session, "PLACE").await, "everywhere");
    let environment = session.call("env", json!({})).await;
    assert!(
        !environment.contains("correct-horse"),
        "a token has reached the server"
    );
    // The session's server is what it was; its next one has what its client says now.
    let moved = session.client.with("X-Api-Key", "key-two");
    let answer = moved.post(call(50, "env", json!({}))).await.answer().await;
    assert!(text(&answer).contains("key-one"));
    let pid = session.pid().await;
    let _crash = moved
        .post(call(51, "crash", json!({})))
        .await
        .answer()
        .await;
    crate::toy::eventually("its server is gone", || !runs(pid)).await;
    let answer = moved.post(call(52, "env", json!({}))).await.answer().await;
    assert!(text(&answer).contains("key-two"));

    // In 2026-07-28 a server is shared by equal values of one principal.
    let two = alice.with("X-Api-Key", "key-two");
    let (first, same) = (said(&one, "pid").await, said(&one, "pid").await);
    assert_eq!(first, same);
    let his = said(&bob.with("X-Api-Key", "key-one"), "pid").await;
    let others = [said(&two, "pid").await, said(&alice, "pid").await, his];
    assert!(!others.contains(&first), "{first} {others:?}");
    // No more of them than eight.
    for n in 0..6 {
        let client = alice.with("X-Api-Key", &format!("key-{n}"));
        said(&client, "pid").await;
    }
    let message = whole(json!(1), "tools/list", json!({}));
    let ninth = alice.with("X-Api-Key", "key-nine");
    let refused = headers(&ninth, &message)
        .post(&message)
        .await
        .refused(503)
        .await;
    assert!(
        refused["message"]
            .as_str()
            .unwrap()
            .contains("--header-env"),
        "{refused}"
    );
    assert_eq!(said(&one, "pid").await, first);
    // Twice is nobody knows which.
    let mut twice = one.clone();
    twice.add("X-Api-Key", "key-three");
    twice.post(initialize(LATEST)).await.refused(400).await;
    // HTTP+SSE has one, too.
    let mut stream = one.get("/sse").await.stream();
    let path = String::from_utf8(stream.event().await.unwrap().data.to_vec()).unwrap();
    assert_eq!(
        one.send("POST", &path, initialize("2024-11-05"))
            .await
            .status,
        202
    );
    stream.message().await;
    assert_eq!(
        one.send("POST", &path, call(2, "env", json!({})))
            .await
            .status,
        202
    );
    let answer = stream.message().await;
    assert!(text(&answer).contains("key-one"), "{answer}");
}

#[tokio::test]
async fn a_credential_that_ends_every_server_is_its_principals_misfortune() {
    let folder = Folder::new("principal-env-fatal");
    let file = folder.path("env.json");
    std::fs::write(
        &file,
        r#"{"alice": {"MCP_TOY_FLAGS": "--exit-at-start 1"}}"#,
    )
    .unwrap();
    let flags = [
        "--principal-env",
        file.to_str().unwrap(),
        "--child-era",
        "legacy",
    ];
    let proxy = Proxy::start_with(&[TOKENS], &flags, &[]).await;
    let [alice, bob] = both(&proxy);
    for _ in 0..6 {
        let refused = alice.post(initialize(LATEST)).await;
        assert!(refused.header("retry-after").is_some());
        refused.refused(503).await;
        // Nobody else waits for hers.
        assert_eq!(bob.post(initialize(LATEST)).await.status, 200);
    }
    assert_eq!(proxy.client().get("/health/ready").await.status, 200);
    // The first was tried, the others met her pause.
    let starts = alice.status().await["starts"].as_u64().unwrap();
    assert!((7..=9).contains(&starts), "{starts}");
    std::fs::write(&file, "{}").unwrap();
    proxy.says("were read again").await;
    assert_eq!(alice.post(initialize(LATEST)).await.status, 200);
}

#[tokio::test]
async fn a_server_for_everybody_has_nobodys_credentials() {
    let folder = Folder::new("principal-env-shared");
    let file = folder.path("env.json");
    std::fs::write(&file, r#"{"alice": {"LD_PRELOAD": "hunter2"}}"#).unwrap();
    let toy = toy_path();
    let line = [
        "--child-mode",
        "shared",
        "--principal-env",
        file.to_str().unwrap(),
        "--header-env",
        "X-A=A,Authorization=TOKEN,X-B=NODE_OPTIONS",
        "--",
        &toy,
    ];
    let (code, _, said) = run(&[TOKENS], &line).await;
    assert_eq!(code, Some(2));
    for sentence in [
        "--principal-env needs servers that are one principal's own",
        "--header-env needs servers that are one principal's own",
        "the header authorization is between the client and the proxy",
        "NODE_OPTIONS decides what runs and how",
        "\"LD_PRELOAD\" decides what runs and how",
    ] {
        assert!(said.contains(sentence), "{sentence}\n{said}");
    }
    assert!(!said.contains("hunter2"), "{said}");
}

#[tokio::test]
async fn clients_of_2026_have_theirs_at_servers_of_the_session_eras_too() {
    let folder = Folder::new("principal-env-translated");
    let file = folder.path("env.json");
    std::fs::write(&file, r#"{"bob": {"PLACE": "of-bob"}}"#).unwrap();
    let flags = [
        "--principal-env",
        file.to_str().unwrap(),
        "--header-env",
        "X-Api-Key=API_KEY",
    ];
    let proxy = Proxy::start_with(&[TOKENS], &flags, &[]).await;
    let [alice, bob] = both(&proxy);
    let one = alice.with("X-Api-Key", "key-one");
    // Whoever has nothing of her own may be given a process that was kept warm.
    let plain: Value = serde_json::from_str(&said(&alice, "env").await).unwrap();
    assert_eq!(plain["API_KEY"], Value::Null);
    let hers: Value = serde_json::from_str(&said(&one, "env").await).unwrap();
    assert_eq!(hers["API_KEY"], "key-one");
    let his: Value = serde_json::from_str(&said(&bob, "env").await).unwrap();
    assert_eq!(his["PLACE"], "of-bob");
    let (first, same) = (said(&one, "pid").await, said(&one, "pid").await);
    assert_eq!(first, same);
    let her_plain: u32 = said(&alice, "pid").await.parse().unwrap();
    let his_pid: u32 = said(&bob, "pid").await.parse().unwrap();
    // What she is given now reaches all that is hers, and nothing of his.
    let text = r#"{"bob": {"PLACE": "of-bob"}, "alice": {"PLACE": "of-alice"}}"#;
    std::fs::write(&file, text).unwrap();
    crate::toy::eventually("her plain server is put away", || !runs(her_plain)).await;
    let hers: Value = serde_json::from_str(&said(&one, "env").await).unwrap();
    assert_eq!([&hers["API_KEY"], &hers["PLACE"]], ["key-one", "of-alice"]);
    assert_eq!(said(&bob, "pid").await, his_pid.to_string());
}
