//! The audit log: who called what, and how it ended.

use std::path::PathBuf;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::proxy::Proxy;
use super::session::{LATEST, Session};
use super::stateless;
use crate::toy::eventually;

/// A file of this test's own, that is not there yet.
fn file(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("audit-{name}"));
    let _absent = std::fs::remove_file(&path);
    path
}

fn lines(path: &PathBuf) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let whole = text.lines().filter(|_| text.ends_with('\n'));
    whole
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn every_call_is_one_line_without_its_arguments() {
    let path = file("plain.log");
    let flags = ["--audit", path.to_str().unwrap(), "--deny-tool", "hang"];
    let mut proxy = Proxy::start(&flags, &["--era", "dual"]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    session.call("echo", json!({ "text": "private" })).await;
    session.start("error", json!({})).await.answer().await;
    session.start("hang", json!({})).await.answer().await;
    session
        .request("resources/read", json!({ "uri": "toy://a\n\"b" }))
        .await;
    stateless::tool(&proxy, 1, "echo", json!({ "text": "private" }))
        .await
        .answer()
        .await;
    proxy.signal(Signal::TERM);
    assert_eq!(proxy.exit().await, Some(0));

    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        !text.contains("private") && !text.contains(&session.id),
        "{text}"
    );
    let lines = lines(&path);
    let told: Vec<String> = lines
        .iter()
        .map(|line| {
            format!("{} {} {}", line["method"], line["name"], line["outcome"]).replace('"', "")
        })
        .collect();
    assert_eq!(
        told,
        [
            "initialize null result",
            "tools/call echo result",
            "tools/call error error",
            "tools/call hang refused",
            "resources/read toy://a\\n\\b error",
            "tools/call echo result",
        ]
    );
    for line in &lines {
        assert_eq!(
            (&line["principal"], &line["server"]),
            (&json!("anonymous"), &json!("mcp-toy"))
        );
        assert!(line["time"].as_str().unwrap().starts_with("20"), "{line}");
        assert!(line["duration_ms"].is_u64(), "{line}");
        assert!(line.get("arguments").is_none(), "{line}");
    }
    assert_eq!(lines[0]["session"].as_str().unwrap().len(), 12);
    assert_eq!(lines[0]["session"], lines[4]["session"]);
    assert!(lines[5].get("session").is_none(), "{}", lines[5]);
}

#[tokio::test]
async fn arguments_are_written_when_asked_for_and_a_moved_file_is_made_anew() {
    let (path, moved) = (file("full.log"), file("full.log.1"));
    let flags = ["--audit", path.to_str().unwrap(), "--audit-arguments"];
    let proxy = Proxy::start(&flags, &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    session.call("echo", json!({ "text": "a\nb" })).await;
    eventually("two lines", || lines(&path).len() == 2).await;
    assert_eq!(lines(&path)[1]["arguments"], json!({ "text": "a\nb" }));
    std::fs::rename(&path, &moved).unwrap();
    session
        .call("echo", json!({ "text": "x".repeat(20_000) }))
        .await;
    eventually("a line in a new file", || lines(&path).len() == 1).await;
    assert_eq!(lines(&path)[0]["arguments"], json!({ "bytes": 20_011 }));
    assert_eq!(lines(&moved).len(), 2);
}
