//! What a child leaves behind: processes of its group must not survive it, those of no group must not hold us up.

use serde_json::json;

use super::fixture::{Fixture, command, exited, settings, stopped};
use crate::toy::{self, runs};
#[tokio::test]
async fn a_grandchild_does_not_survive_a_stop() {
    for arguments in [json!({}), json!({ "ignore_term": true })] {
        let mut toy = Fixture::toy(&[], &settings());
        let grandchild = toy.grandchild(arguments).await;
        toy.child.stop();
        assert_eq!(toy.end().await, stopped());
        assert!(!runs(grandchild));
    }
}

#[tokio::test]
async fn a_grandchild_does_not_survive_a_crash_nor_hide_it() {
    let mut toy = Fixture::toy(&[], &settings());
    let polite = toy.grandchild(json!({})).await;
    let stubborn = toy.grandchild(json!({ "ignore_term": true })).await;
    let id = toy.call("crash", json!({ "answer": true, "code": 4 }));
    assert_eq!(toy.next_message().await["id"], id);
    assert_eq!(toy.end().await, exited(4));
    assert!(!runs(polite));
    assert!(!runs(stubborn));
}

#[tokio::test]
async fn a_process_that_left_the_group_does_not_keep_the_link_open() {
    let mut toy = Fixture::toy(&[], &settings());
    // It holds all three pipes, and belongs to nobody.
    let runaway = toy
        .grandchild(json!({ "setsid": true, "seconds": 120 }))
        .await;
    let id = toy.call("crash", json!({ "answer": true, "code": 5 }));
    assert_eq!(toy.next_message().await["id"], id);
    assert_eq!(toy.end().await, exited(5));
    let runaway = rustix::process::Pid::from_raw(i32::try_from(runaway).unwrap()).unwrap();
    rustix::process::kill_process(runaway, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_launcher_that_leaves_the_server_behind_takes_it_along() {
    let script = format!(
        "{} & echo \"{{\\\"jsonrpc\\\":\\\"2.0\\\",\\\"method\\\":\\\"$!\\\"}}\"",
        toy::program().display()
    );
    let launcher = Fixture::start(&command("/bin/sh", &["-c", &script]), &settings());
    let server = launcher.next_message().await["method"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(launcher.end().await, exited(0));
    assert!(!runs(server));
}
