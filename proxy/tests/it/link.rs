//! The child link with real processes: what comes out, in which order, what is left when it ends.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use mcp_proxy::link::{
    End, EndReason, Inbound,
    child::{Child, Command, Environment, SendError, Settings, StartError, State, StopLadder},
};
use mcp_wire::{Id, Message};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{sync::Notify, time::Instant};

use crate::toy::{self, eventually, runs, within};

const MIB: usize = 1024 * 1024;

/// A rung that must be climbed: short, because the test waits for it.
const SHORT: Duration = Duration::from_millis(100);

/// A rung that must not be reached: longer than any deadline, so that reaching it fails the test.
const NEVER: Duration = Duration::from_secs(3_600);

#[derive(Debug)]
enum Event {
    Message(Box<Message>),
    Damaged(String, String),
    Closed(End),
}

/// What the link told, until the test takes it.
#[derive(Default)]
struct Heard {
    events: Mutex<VecDeque<Event>>,
    news: Notify,
}

struct Listener(Arc<Heard>);

impl Listener {
    fn tell(&self, event: Event) {
        self.0.events.lock().push_back(event);
        self.0.news.notify_one();
    }
}

impl Inbound for Listener {
    fn message(&mut self, message: Message) {
        self.tell(Event::Message(Box::new(message)));
    }

    fn damaged(&mut self, id: Id, fault: String) {
        self.tell(Event::Damaged(
            String::from_utf8(id.text().to_vec()).unwrap(),
            fault,
        ));
    }

    fn closed(&mut self, end: End) {
        self.tell(Event::Closed(end));
    }
}

/// A child and what it said.
struct Fixture {
    child: Child,
    heard: Arc<Heard>,
    next_id: u64,
}

fn settings() -> Settings {
    Settings {
        stop: StopLadder {
            close_wait: NEVER,
            term_wait: NEVER,
        },
        ..Settings::named("toy")
    }
}

fn climbing(close_wait: Duration, term_wait: Duration) -> Settings {
    Settings {
        stop: StopLadder {
            close_wait,
            term_wait,
        },
        ..settings()
    }
}

fn command(program: impl AsRef<Path>, args: &[&str]) -> Command {
    Command {
        program: program.as_ref().to_str().unwrap().to_owned(),
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        cwd: None,
        env: [("PATH", "/usr/local/bin:/usr/bin:/bin")]
            .into_iter()
            .collect(),
    }
}

impl Fixture {
    fn start(command: &Command, settings: &Settings) -> Self {
        let heard = Arc::new(Heard::default());
        let child = Child::start(command, settings, Box::new(Listener(heard.clone()))).unwrap();
        Self {
            child,
            heard,
            next_id: 1,
        }
    }

    fn toy(flags: &[&str], settings: &Settings) -> Self {
        Self::start(&command(toy::program(), flags), settings)
    }

    async fn next(&self) -> Event {
        within("the next event", async {
            loop {
                if let Some(event) = self.heard.events.lock().pop_front() {
                    return event;
                }
                self.heard.news.notified().await;
            }
        })
        .await
    }

    async fn next_message(&self) -> Value {
        match self.next().await {
            Event::Message(message) => parse(&message),
            other => panic!("expected a message, got {other:?}"),
        }
    }

    /// Skips what comes before the end, which must be the last thing that is told.
    async fn end(&self) -> End {
        loop {
            if let Event::Closed(end) = self.next().await {
                within("stopped", self.child.stopped()).await;
                assert!(
                    self.heard.events.lock().is_empty(),
                    "nothing may come after the end"
                );
                assert_eq!(self.child.status().state, State::Ended(end.clone()));
                return end;
            }
        }
    }

    /// Sends a tool call and gives its id.
    fn call(&mut self, tool: &str, arguments: Value) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.child.send(&call(id, tool, arguments)).unwrap();
        id
    }

    /// Calls a tool and gives the text of its answer, which must be the next message.
    async fn text(&mut self, tool: &str, arguments: Value) -> String {
        let id = self.call(tool, arguments);
        let answer = self.next_message().await;
        assert_eq!(answer["id"], id, "{answer}");
        answer["result"]["content"][0]["text"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    async fn grandchild(&mut self, arguments: Value) -> u32 {
        let pid = self.text("grandchild", arguments).await.parse().unwrap();
        assert!(runs(pid));
        pid
    }
}

fn parse(message: &Message) -> Value {
    serde_json::from_slice(&message.to_bytes()).unwrap()
}

fn message(value: &Value) -> Message {
    Message::parse(Bytes::from(value.to_string())).unwrap()
}

fn call(id: u64, tool: &str, arguments: Value) -> Message {
    let params = json!({ "name": tool, "arguments": arguments });
    message(&json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }))
}

fn stopped() -> End {
    End::new(EndReason::Stopped)
}

fn exited(code: i32) -> End {
    End::new(EndReason::Exited {
        code: Some(code),
        signal: None,
    })
}

// Messages.

#[tokio::test]
async fn order_is_kept_both_ways() {
    let mut toy = Fixture::toy(&[], &settings());
    for id in 0..500 {
        toy.child
            .send(&message(
                &json!({ "jsonrpc": "2.0", "id": id, "method": "ping" }),
            ))
            .unwrap();
    }
    for id in 0..500 {
        assert_eq!(toy.next_message().await["id"], id);
    }
    let call = toy.call("log", json!({ "n": 500 }));
    for step in 1..=500 {
        assert_eq!(toy.next_message().await["params"]["step"], step);
    }
    assert_eq!(toy.next_message().await["id"], call);
    let status = toy.child.status();
    assert_eq!(
        (status.lines_in, status.lines_out, status.garbage),
        (1_001, 501, 0)
    );
}

#[tokio::test]
async fn small_and_large_messages_keep_their_order_and_their_bytes() {
    let mut toy = Fixture::toy(&[], &settings());
    let mut sent = Vec::new();
    for length in [1, 20_000, 2, 3, 100_000, 300_000, 4] {
        let text = format!(
            "{{\"jsonrpc\": \"2.0\",\r\n \"method\":\"x\", \"params\":{{\"n\": 0.10, \"s\":\"{}\"}}}}",
            "é".repeat(length)
        );
        toy.child
            .send(&Message::parse(Bytes::from(text.clone())).unwrap())
            .unwrap();
        // A line ends where its line break is, so those of the author become spaces.
        sent.push(text.replace(['\r', '\n'], " "));
    }
    let seen: Vec<String> =
        serde_json::from_str(&toy.text("seen", json!({ "n": 8 })).await).unwrap();
    assert_eq!(seen[..7], sent);
}

#[tokio::test]
async fn what_the_server_writes_arrives_byte_for_byte() {
    let mut toy = Fixture::toy(&[], &settings());
    let odd =
        r#"{"z":1,"a":12345678901234567890123450,"f":0.10,"e":1E5,"s":"\u00e9\/","":{"n":[ ]}}"#;
    let deep = format!("{}{}", "[".repeat(2_000), "]".repeat(2_000));
    for result in [odd, &deep] {
        toy.call("raw", json!({ "result": result }));
        let Event::Message(message) = toy.next().await else {
            panic!("expected an answer")
        };
        assert_eq!(message.result().unwrap(), result.as_bytes());
    }
}

#[tokio::test]
async fn eight_mib_go_both_ways_at_once() {
    let mut toy = Fixture::toy(&[], &settings());
    let text = "0123456789abcdef".repeat(8 * MIB / 16);
    for _ in 0..3 {
        toy.call("echo", json!({ "text": text }));
    }
    for _ in 0..3 {
        let answer = toy.next_message().await;
        assert!(
            answer["result"]["content"][0]["text"] == text,
            "the text came back changed"
        );
    }
    assert_eq!(toy.child.status().bytes_queued, 0);
}

#[tokio::test]
async fn a_legacy_batch_of_the_server_comes_as_its_messages() {
    let mut toy = Fixture::toy(&[], &settings());
    let batch = r#"[{"jsonrpc":"2.0","method":"a"}, {"jsonrpc":"2.0","id":77,"result":{}}, 3]"#;
    toy.call("line", json!({ "line": batch }));
    assert_eq!(toy.next_message().await["method"], "a");
    assert_eq!(toy.next_message().await["id"], 77);
    assert_eq!(toy.next_message().await["id"], 1);
    assert_eq!(toy.child.status().garbage, 1);
}

// What is no message.

#[tokio::test]
async fn banners_and_garbage_are_counted_and_skipped() {
    let mut toy = Fixture::toy(&["--banner"], &settings());
    toy.call("garbage", json!({ "n": 3 }));
    for _ in 0..3 {
        assert_eq!(toy.next_message().await["id"], "nobody-asked");
    }
    assert_eq!(toy.next_message().await["id"], 1);
    assert_eq!(toy.text("echo", json!({ "text": "fine" })).await, "fine");
    // The banner has two lines. Of each round, empty lines are no lines at all, and each element of the array counts.
    assert_eq!(toy.child.status().garbage, 2 + 3 * 9);
}

#[tokio::test]
async fn a_damaged_answer_is_told_to_who_waits() {
    let mut toy = Fixture::toy(&[], &settings());
    let id = toy.call("garbage", json!({ "kind": "damaged" }));
    match toy.next().await {
        Event::Damaged(damaged, fault) => {
            assert_eq!(damaged, id.to_string());
            assert!(fault.contains("syntax"), "{fault}");
        }
        other => panic!("expected damage, got {other:?}"),
    }
    assert_eq!(toy.text("echo", json!({ "text": "fine" })).await, "fine");
}

#[tokio::test]
async fn a_refused_request_of_the_server_is_not_taken_for_our_answer() {
    let mut toy = Fixture::toy(&[], &settings());
    let request = r#"{"jsonrpc":"2.0","id":1,"method":"roots/list","params":7}"#;
    toy.call("line", json!({ "line": request }));
    assert_eq!(toy.next_message().await["id"], 1);
    assert_eq!(toy.child.status().garbage, 1);
}

#[tokio::test]
async fn a_line_beyond_the_limit_is_skipped_and_its_caller_told() {
    let limits = Settings {
        max_line: 64 * 1024,
        ..settings()
    };
    let mut toy = Fixture::toy(&[], &limits);
    let id = toy.call("long_line", json!({ "bytes": MIB, "id": true }));
    match toy.next().await {
        Event::Damaged(damaged, fault) => {
            assert_eq!(damaged, id.to_string());
            assert_eq!(fault, format!("the line is too long ({MIB} bytes)"));
        }
        other => panic!("expected damage, got {other:?}"),
    }
    assert_eq!(toy.text("echo", json!({ "text": "fine" })).await, "fine");
    assert_eq!(toy.child.status().garbage, 1);
}

// A child that does not read.

#[tokio::test]
async fn a_deaf_child_fills_its_queue_and_no_more() {
    let limits = Settings {
        max_queued: MIB,
        ..climbing(SHORT, NEVER)
    };
    let mut toy = Fixture::toy(&[], &limits);
    toy.text("deaf", json!({})).await;
    let big = call(0, "echo", json!({ "text": "x".repeat(100_000) }));
    let mut accepted = 0;
    let full = loop {
        match toy.child.send(&big) {
            Ok(()) => accepted += big.len() + 1,
            Err(fault) => break fault,
        }
        assert!(accepted < 64 * MIB, "the queue has no bound");
        tokio::task::yield_now().await;
    };
    assert!(
        matches!(full, SendError::Full { limit: MIB, .. }),
        "{full:?}"
    );
    let queued = toy.child.status().bytes_queued;
    assert!(
        queued <= MIB && queued + big.len() + 1 > MIB,
        "{queued} bytes wait"
    );
    // Answers of the past still could come, and it can still be stopped.
    toy.child.stop();
    assert_eq!(toy.end().await, stopped());
    assert_eq!(toy.child.send(&big), Err(SendError::Gone));
}

// The end.

#[tokio::test]
async fn a_crash_delivers_everything_before_it() {
    let mut toy = Fixture::toy(&[], &settings());
    let id = toy.call(
        "crash",
        json!({ "lines": 2_000, "answer": true, "code": 3 }),
    );
    for step in 1..=2_000 {
        assert_eq!(toy.next_message().await["params"]["step"], step);
    }
    assert_eq!(toy.next_message().await["id"], id);
    let end = toy.end().await;
    assert_eq!(end, exited(3));
    assert_eq!(end.sentence(), "the server exited with status 3");
    assert_eq!(
        toy.child.send(&call(9, "echo", json!({}))),
        Err(SendError::Gone)
    );
}

#[tokio::test]
async fn a_signal_is_told_by_its_name() {
    let mut toy = Fixture::toy(&[], &settings());
    toy.call("crash", json!({ "signal": 6 }));
    assert_eq!(
        toy.end().await.sentence(),
        "the server was killed by signal 6 (SIGABRT)"
    );
}

#[tokio::test]
async fn half_an_answer_before_a_crash_is_damage() {
    let mut toy = Fixture::toy(&[], &settings());
    let id = toy.call("crash", json!({ "half": true }));
    match toy.next().await {
        Event::Damaged(damaged, _) => assert_eq!(damaged, id.to_string()),
        other => panic!("expected damage, got {other:?}"),
    }
    assert_eq!(toy.end().await, exited(1));
}

#[tokio::test]
async fn the_last_words_are_known_when_the_end_is_told() {
    let words = Fixture::toy(&["--exit-at-start", "7"], &settings());
    assert_eq!(words.end().await, exited(7));
    assert_eq!(
        words.child.status().stderr,
        ["mcp-toy: exits at start, as it was told to"]
    );
}

#[tokio::test]
async fn a_polite_child_ends_when_its_input_does() {
    let mut toy = Fixture::toy(&[], &settings());
    toy.text("pid", json!({})).await;
    toy.child.stop();
    assert_eq!(toy.end().await, stopped());
}

#[tokio::test]
async fn what_is_queued_is_still_written_before_the_input_is_closed() {
    let toy = Fixture::toy(&[], &settings());
    for id in 0..100 {
        toy.child
            .send(&message(
                &json!({ "jsonrpc": "2.0", "id": id, "method": "ping" }),
            ))
            .unwrap();
    }
    toy.child.stop();
    for id in 0..100 {
        assert_eq!(toy.next_message().await["id"], id);
    }
    assert_eq!(toy.end().await, stopped());
}

#[tokio::test]
async fn a_child_that_ignores_the_end_of_its_input_gets_sigterm() {
    let mut toy = Fixture::toy(&["--ignore-eof"], &climbing(SHORT, NEVER));
    toy.text("pid", json!({})).await;
    let asked = Instant::now();
    toy.child.stop();
    assert_eq!(toy.end().await, stopped());
    assert!(asked.elapsed() >= SHORT, "SIGTERM came before its time");
}

#[tokio::test]
async fn a_stubborn_child_gets_sigkill() {
    let mut toy = Fixture::toy(&["--stubborn"], &climbing(SHORT, SHORT));
    let pid = toy.text("pid", json!({})).await.parse().unwrap();
    let asked = Instant::now();
    toy.child.stop();
    toy.child.stop();
    assert_eq!(toy.child.status().state, State::Stopping);
    assert_eq!(toy.end().await, stopped());
    assert!(asked.elapsed() >= 2 * SHORT, "SIGKILL came before its time");
    assert!(!runs(pid));
    // And once more, for good measure.
    toy.child.stop();
    assert_eq!(toy.child.status().state, State::Ended(stopped()));
}

#[tokio::test]
async fn dropping_the_last_handle_stops_the_child() {
    let mut toy = Fixture::toy(&[], &settings());
    let pid = toy.text("pid", json!({})).await.parse().unwrap();
    let Fixture { child, heard, .. } = toy;
    drop(child.clone());
    assert_eq!(child.status().state, State::Running);
    drop(child);
    eventually(
        "the listener hears the end",
        || matches!(heard.events.lock().front(), Some(Event::Closed(end)) if *end == stopped()),
    )
    .await;
    assert!(!runs(pid));
}

#[test]
fn the_group_does_not_outlive_the_runtime() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (toy, pids) = runtime.block_on(async {
        let mut toy = Fixture::toy(&["--stubborn"], &settings());
        let leader: u32 = toy.text("pid", json!({})).await.parse().unwrap();
        let grandchild = toy.grandchild(json!({ "ignore_term": true })).await;
        (toy, [leader, grandchild])
    });
    drop(runtime);
    let waiting = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    waiting.block_on(eventually("the group ends", || !pids.into_iter().any(runs)));
    drop(toy);
}

#[tokio::test]
async fn a_child_that_closes_its_output_is_of_no_use() {
    let script = "exec 1>&-; exec sleep 3600";
    let mute = Fixture::start(
        &command("/bin/sh", &["-c", script]),
        &climbing(SHORT, NEVER),
    );
    let end = mute.end().await;
    assert_eq!(
        end.sentence(),
        "the server closed its standard output but kept running"
    );
    assert!(!runs(mute.child.status().pid));
}

#[tokio::test]
async fn a_child_that_closes_its_input_is_of_no_use() {
    let script = "exec 0<&-; echo '{\"jsonrpc\":\"2.0\",\"method\":\"ready\"}'; exec sleep 3600";
    let numb = Fixture::start(
        &command("/bin/sh", &["-c", script]),
        &climbing(SHORT, NEVER),
    );
    assert_eq!(numb.next_message().await["method"], "ready");
    numb.child.send(&call(1, "echo", json!({}))).unwrap();
    assert_eq!(
        numb.end().await.sentence(),
        "the server closed its standard input but kept running"
    );
}

#[tokio::test]
async fn a_listener_that_panics_ends_the_child() {
    struct Fragile;
    impl Inbound for Fragile {
        fn message(&mut self, _: Message) {
            panic!("on purpose");
        }
        fn damaged(&mut self, _: Id, _: String) {}
        fn closed(&mut self, _: End) {
            panic!("not to be called");
        }
    }
    let child = Child::start(
        &command(toy::program(), &[]),
        &settings(),
        Box::new(Fragile),
    )
    .unwrap();
    child.send(&call(1, "pid", json!({}))).unwrap();
    within("stopped", child.stopped()).await;
    let State::Ended(End {
        reason: EndReason::Broken(_),
        ..
    }) = child.status().state
    else {
        panic!("expected a broken link, got {:?}", child.status().state);
    };
}

// Grandchildren.

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

// Standard error.

#[tokio::test]
async fn standard_error_is_escaped_and_bounded() {
    let mut toy = Fixture::toy(&[], &settings());
    toy.text("stderr", json!({ "lines": 1, "bytes": 0, "control": true }))
        .await;
    toy.text("stderr", json!({ "text": "plain" })).await;
    eventually("both lines are known", || {
        toy.child.status().stderr.len() == 2
    })
    .await;
    assert_eq!(
        toy.child.status().stderr,
        ["1 \\x1b[31mred\\x1b[0m\\x07\\x00\\xff", "plain"]
    );

    toy.text("stderr", json!({ "lines": 30, "bytes": 100_000 }))
        .await;
    toy.child.stop();
    toy.end().await;
    let kept = toy.child.status().stderr;
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

// The start.

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
