//! How a child starts, why it may not, and what it says on standard error.

use std::{path::PathBuf, sync::Arc};

use mcp_proxy::link::child::{Child, Command, Environment, StartError};
use serde_json::json;

use super::fixture::{Fixture, Heard, Listener, command, settings};
use crate::toy::{self, eventually};
#[tokio::test]
async fn a_child_gets_its_command_and_nothing_else() {
    let folder = std::fs::canonicalize(std::env::temp_dir()).unwrap();
    let env: Environment = [("ONLY", "this"), ("MCP_TOY_FLAGS", "")]
        .into_iter()
        .collect();
    let command = Command {
        cwd: Some(folder.clone()),
        env,
        ..command(toy::program(), &["a b", "$HOME", "*", ""])
    };
    let mut toy = Fixture::start(&command, &settings());
    assert_eq!(
        toy.text("args", json!({})).await,
        r#"["a b","$HOME","*",""]"#
    );
    assert_eq!(toy.text("cwd", json!({})).await, folder.to_str().unwrap());
    assert_eq!(
        toy.text("env", json!({})).await,
        r#"{"MCP_TOY_FLAGS":"","ONLY":"this"}"#
    );
    assert_eq!(
        toy.text("pid", json!({})).await,
        toy.child.status().pid.to_string()
    );
}

fn refused(command: &Command) -> (StartError, String) {
    let heard = Arc::new(Heard::default());
    let refused =
        Child::start(command, &settings(), Box::new(Listener(heard.clone()))).unwrap_err();
    assert!(heard.events.lock().is_empty());
    let sentence = refused.to_string();
    (refused, sentence)
}

#[tokio::test]
async fn a_missing_program_is_named() {
    let (error, sentence) = refused(&command("no-such-server", &[]));
    assert!(matches!(error, StartError::NotFound { program } if program == "no-such-server"));
    assert_eq!(
        sentence,
        "start the server: program \"no-such-server\" was not found in PATH"
    );

    let (error, sentence) = refused(&command("./no/such/server", &[]));
    assert!(matches!(error, StartError::NotFound { .. }));
    assert_eq!(
        sentence,
        "start the server: program \"./no/such/server\" was not found"
    );
}

#[tokio::test]
async fn a_program_that_may_not_run_is_told_apart() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let (error, sentence) = refused(&command(&file, &[]));
    assert!(matches!(error, StartError::NotExecutable { .. }));
    assert!(sentence.ends_with("is not executable"), "{sentence}");
}

#[tokio::test]
async fn a_missing_folder_is_not_a_missing_program() {
    let command = Command {
        cwd: Some(PathBuf::from("/no/such/folder")),
        ..command(toy::program(), &[])
    };
    let (error, sentence) = refused(&command);
    assert!(matches!(error, StartError::NoFolder { .. }));
    assert_eq!(
        sentence,
        "start the server: its folder /no/such/folder does not exist"
    );
}

#[tokio::test]
async fn standard_error_is_escaped_and_bounded() {
    let mut toy = Fixture::toy(&[], &settings());
    toy.text("stderr", json!({ "lines": 1, "bytes": 0, "control": true }))
        .await;
    toy.text("stderr", json!({ "text": "plain" })).await;
    eventually("both lines are known", || toy.child.last_words().len() == 2).await;
    assert_eq!(
        toy.child.last_words(),
        ["1 \\x1b[31mred\\x1b[0m\\x07\\x00\\xff", "plain"]
    );

    toy.text("stderr", json!({ "lines": 30, "bytes": 100_000 }))
        .await;
    toy.child.stop();
    toy.end().await;
    let kept = toy.child.last_words();
    assert_eq!(kept.len(), 20);
    assert!(
        kept[19].starts_with("30 eee") && kept[19].ends_with("… (100000 bytes)"),
        "{}",
        kept[19]
    );
    assert!(kept.iter().all(|line| line.len() < 600));
}

#[tokio::test]
async fn a_flood_on_standard_error_holds_nobody_up() {
    let mut toy = Fixture::toy(&[], &settings());
    assert_eq!(
        toy.text("stderr", json!({ "lines": 20_000, "bytes": 100 }))
            .await,
        "written"
    );
}
