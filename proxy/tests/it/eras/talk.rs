//! A conversation with a toy of one's own, line by line.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::toy::{self, within};

pub(super) const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
pub(super) const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
pub(super) const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

/// A running toy. Dropping it kills it.
pub(super) struct Talk {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Talk {
    pub(super) fn start(flags: &str) -> Self {
        let mut child = Command::new(toy::program())
            .args(flags.split_whitespace())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()).lines(),
            child,
        }
    }

    pub(super) async fn say(&mut self, message: &Value) {
        let line = format!("{message}\n");
        self.input.write_all(line.as_bytes()).await.unwrap();
    }

    /// The next line as it is; nothing when the toy has ended.
    pub(super) async fn line(&mut self) -> Option<String> {
        within("a line", self.output.next_line()).await.unwrap()
    }

    pub(super) async fn hear(&mut self) -> Value {
        let line = self.line().await.expect("the toy goes on");
        serde_json::from_str(&line).unwrap_or_else(|err| panic!("{err} in {line}"))
    }

    /// A request of the legacy era, and the next message.
    pub(super) async fn legacy(&mut self, id: u64, method: &str, params: Value) -> Value {
        self.say(&request(id, method, params)).await;
        self.hear().await
    }

    /// A request of 2026-07-28 whose client can be asked anything, and the next message.
    pub(super) async fn modern(&mut self, id: u64, method: &str, params: Value) -> Value {
        self.say(&request(id, method, claimed(params))).await;
        self.hear().await
    }

    /// A tool's answer in 2026-07-28.
    pub(super) async fn call(&mut self, id: u64, tool: &str, arguments: Value) -> Value {
        let params = json!({ "name": tool, "arguments": arguments });
        self.modern(id, "tools/call", params).await
    }

    pub(super) async fn initialize(&mut self, id: u64) -> Value {
        let params = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": { "name": "talk", "version": "1" },
        });
        self.legacy(id, "initialize", params).await
    }

    /// How it ended.
    pub(super) async fn ended(&mut self) -> Option<i32> {
        within("the end", self.child.wait()).await.unwrap().code()
    }
}

pub(super) fn request(id: u64, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

/// Params that say what 2026-07-28 wants to know, unless they say it already.
pub(super) fn claimed(mut params: Value) -> Value {
    let tasks = json!({ "io.modelcontextprotocol/tasks": {} });
    let all = json!({ "elicitation": {}, "sampling": {}, "roots": {}, "extensions": tasks });
    for (key, value) in [(VERSION, json!("2026-07-28")), (CAPABILITIES, all)] {
        let meta = &mut params["_meta"];
        if meta[key].is_null() {
            meta[key] = value;
        }
    }
    params
}

pub(super) fn text(answer: &Value) -> &str {
    let text = answer["result"]["content"][0]["text"].as_str();
    text.unwrap_or_else(|| panic!("{answer}"))
}

pub(super) fn code(answer: &Value) -> i64 {
    let code = answer["error"]["code"].as_i64();
    code.unwrap_or_else(|| panic!("{answer}"))
}
