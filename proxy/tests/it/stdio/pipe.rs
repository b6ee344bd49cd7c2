//! The program as a client starts it, and what that client says and hears. Every line that is heard must be a
//! message: nothing else has a place on standard output.

use std::{collections::VecDeque, process::Stdio, sync::Arc, time::Duration};

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::toy::{self, eventually, within};

/// The newest of the session eras.
pub(crate) const LATEST: &str = "2025-11-25";

/// A running `mcp-proxy --stdio` and both ends of its pipes. Dropping it kills the program.
pub(crate) struct Pipe {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Lines<BufReader<ChildStdout>>,
    said: Arc<Mutex<Vec<String>>>,
    /// What was heard while something else was waited for.
    kept: VecDeque<Value>,
}

impl Pipe {
    /// In front of a toy: flags of the proxy, then words of the toy.
    pub(crate) fn start(flags: &[&str], toy: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-proxy"));
        command.args(words(flags, toy));
        Self::spawned(command)
    }

    /// The same, by a shell that stays above it and holds the pipes too.
    pub(crate) fn below_a_shell(flags: &[&str], toy: &[&str]) -> Self {
        let mut command = Command::new("sh");
        // `exec` would leave nobody above it; `wait` keeps the shell from doing that by itself. A
        // background command has no standard input of a shell's unless it is given one.
        let script = r#""$0" "$@" <&3 & echo $! >&2; wait"#;
        let script = format!("exec 3<&0; {script}");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_mcp-proxy")]);
        command.args(words(flags, toy));
        Self::spawned(command)
    }

    fn spawned(mut command: Command) -> Self {
        let mut child = command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&said);
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                heard.lock().push(line);
            }
        });
        Self {
            stdin: child.stdin.take(),
            stdout: BufReader::new(child.stdout.take().unwrap()).lines(),
            child,
            said,
            kept: VecDeque::new(),
        }
    }

    /// One whose client has said `initialize` in this version, and the answer to that.
    pub(crate) async fn session(flags: &[&str], toy: &[&str], version: &str) -> (Self, Value) {
        let mut pipe = Self::start(flags, toy);
        let welcome = pipe.greet(version).await;
        (pipe, welcome)
    }

    /// Begins a session.
    pub(crate) async fn greet(&mut self, version: &str) -> Value {
        let params = json!({
            "protocolVersion": version,
            "capabilities": { "elicitation": {}, "sampling": {}, "roots": {} },
            "clientInfo": { "name": "test", "version": "1" },
        });
        self.send(&request(json!("greet"), "initialize", params))
            .await;
        let welcome = self.answer(&json!("greet")).await;
        self.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))
            .await;
        welcome
    }

    /// Writes a message.
    pub(crate) async fn send(&mut self, message: &Value) {
        self.write(&format!("{message}\n")).await;
    }

    /// Writes this text as it is.
    pub(crate) async fn write(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().expect("an open input");
        let written = async {
            stdin.write_all(text.as_bytes()).await.unwrap();
            stdin.flush().await.unwrap();
        };
        within("the proxy to read", written).await;
    }

    /// The next message; `None` at the end of the output.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        if let Some(kept) = self.kept.pop_front() {
            return Some(kept);
        }
        self.read().await
    }

    async fn read(&mut self) -> Option<Value> {
        let line = within("a line", self.stdout.next_line()).await.unwrap()?;
        let message: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
        assert_eq!(message["jsonrpc"], "2.0", "{line}");
        Some(message)
    }

    /// The next message.
    pub(crate) async fn message(&mut self) -> Value {
        match self.next().await {
            Some(message) => message,
            None => panic!("the output ended:\n{}", self.said()),
        }
    }

    /// The answer to the request of this id; what comes before it is kept.
    pub(crate) async fn answer(&mut self, id: &Value) -> Value {
        let is_it = |message: &Value| message["id"] == *id && message.get("method").is_none();
        if let Some(at) = self.kept.iter().position(is_it) {
            return self.kept.remove(at).unwrap();
        }
        loop {
            let Some(message) = self.read().await else {
                panic!(
                    "the output ended before {id} was answered:\n{}",
                    self.said()
                );
            };
            if is_it(&message) {
                return message;
            }
            self.kept.push_back(message);
        }
    }

    /// Sends a request and gives its answer.
    pub(crate) async fn ask(&mut self, message: Value) -> Value {
        self.send(&message).await;
        self.answer(&message["id"]).await
    }

    /// The client closes its end.
    pub(crate) fn close_input(&mut self) {
        drop(self.stdin.take());
    }

    /// The number of the program, or of the shell above it.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Everything it wrote to standard error so far.
    pub(crate) fn said(&self) -> String {
        self.said.lock().join("\n")
    }

    /// Waits until it has written this to standard error.
    pub(crate) async fn says(&self, text: &str) {
        eventually(text, || {
            self.said.lock().iter().any(|line| line.contains(text))
        })
        .await;
    }

    /// Its exit code, which must come within this time.
    pub(crate) async fn exit_within(&mut self, limit: Duration) -> Option<i32> {
        match tokio::time::timeout(limit, self.child.wait()).await {
            Ok(status) => status.unwrap().code(),
            Err(_) => panic!("it did not end within {limit:?}:\n{}", self.said()),
        }
    }
}

fn words(flags: &[&str], toy: &[&str]) -> Vec<String> {
    let program = toy::program();
    let line = [&["--stdio"], flags, &["--", program.to_str().unwrap()], toy].concat();
    line.into_iter().map(str::to_owned).collect()
}

/// A request of the session eras.
pub(crate) fn request(id: Value, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

/// A call of a tool in the session eras.
pub(crate) fn call(id: impl Into<Value>, tool: &str, arguments: Value) -> Value {
    let params = json!({ "name": tool, "arguments": arguments });
    request(id.into(), "tools/call", params)
}

/// A request of 2026-07-28.
pub(crate) fn whole(id: impl Into<Value>, method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": { "elicitation": {}, "sampling": {}, "roots": {} },
    });
    request(id.into(), method, params)
}

/// A call of a tool in 2026-07-28.
pub(crate) fn whole_call(id: impl Into<Value>, tool: &str, arguments: Value) -> Value {
    whole(
        id,
        "tools/call",
        json!({ "name": tool, "arguments": arguments }),
    )
}

/// The text of an answer.
pub(crate) fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"]
        .as_str()
        .unwrap_or_else(|| panic!("no text in {answer}"))
}
