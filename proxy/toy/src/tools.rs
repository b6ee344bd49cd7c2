//! The tools: a table of names, arguments and functions, and those that behave well.

use std::{env, io::Write as _, time::Duration};

use serde_json::{Map, Value, json};

use crate::{
    message::{Object, quote},
    misbehave,
    modern::{self, Envelope},
    notices, tasks,
    toy::{Relisted, Toy},
};

/// A tool call in progress.
pub(crate) struct Call {
    pub(crate) toy: Toy,
    /// The request's id as it was spelled.
    pub(crate) id: String,
    pub(crate) params: Object,
    pub(crate) arguments: Object,
    name: String,
    pub(crate) token: Option<String>,
    /// What the request says about its client, when it is one of 2026-07-28.
    pub(crate) envelope: Option<Envelope>,
}

/// What comes of a call.
pub(crate) enum Outcome {
    /// A result with one text.
    Text(String),
    /// A result with one text that is JSON already.
    Quoted(String),
    /// A result, as JSON and as it is.
    Result(String),
    /// A result that says `isError`.
    Failed(String),
    /// A JSON-RPC error.
    Error(i32, String),
    /// No answer, because it was given already or never will be.
    Nothing,
}

/// One row of the table.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    /// Name, JSON type, meaning.
    pub(crate) arguments: &'static [(&'static str, &'static str, &'static str)],
    run: fn(&Call) -> Outcome,
}

const INVALID_PARAMS: i32 = -32602;

/// Most bytes that a tool makes at once: more would test the machine's memory and not the proxy.
pub(crate) const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// The arguments that a client mirrors into headers (SEP-2243).
const MIRRORED: [(&str, &str); 3] = [("region", "Region"), ("count", "Count"), ("dry", "Dry-Run")];

/// Every tool, in the order in which `tools/list` and `--help` show them.
#[rustfmt::skip]
pub(crate) const TOOLS: &[Tool] = &[
    Tool { name: "echo", what: "returns its text", run: echo,
        arguments: &[("text", "string", "given back with its escapes as they were")] },
    Tool { name: "raw", what: "answers with any result, byte for byte", run: raw,
        arguments: &[("result", "string", "JSON text that becomes the result")] },
    Tool { name: "line", what: "writes any line, then answers", run: line,
        arguments: &[("line", "string", "the line"), ("answer", "boolean", "answer as well [true]")] },
    Tool { name: "size", what: "a result of so many bytes", run: size,
        arguments: &[("bytes", "integer", "length of the text [0]")] },
    Tool { name: "error", what: "a JSON-RPC error", run: error,
        arguments: &[("code", "integer", "the code, without its minus sign [32603]"), ("message", "string", "its sentence")] },
    Tool { name: "fail", what: "a result that says isError", run: fail,
        arguments: &[("text", "string", "why")] },
    Tool { name: "sleep", what: "answers later; a cancelled call is not answered", run: sleep,
        arguments: &[("ms", "integer", "how long [1000]"), ("stubborn", "boolean", "answer even when cancelled [false]")] },
    Tool { name: "hang", what: "never answers", run: hang, arguments: &[] },
    Tool { name: "cancelled", what: "the ids of cancelled requests, as JSON", run: cancelled, arguments: &[] },
    Tool { name: "progress", what: "progress notifications with the token given, then the answer; ends when it is cancelled", run: notices::progress,
        arguments: &[("n", "integer", "how many [3]"), ("ms", "integer", "pause between them [0]")] },
    Tool { name: "log", what: "log notifications, then the answer", run: notices::log,
        arguments: &[("level", "string", "their level [info]"), ("text", "string", "their data"), ("n", "integer", "how many [1]"), ("ms", "integer", "pause between them [0]"), ("unasked", "boolean", "also when nobody wants them [false]")] },
    Tool { name: "ask", what: "sends the client a request and returns its answer as text", run: notices::ask,
        arguments: &[("kind", "string", "elicitation, url, sampling, roots or ping [elicitation]"), ("message", "string", "what is asked"), ("n", "integer", "one after another [1]"), ("wait_ms", "integer", "patience [30000]"), ("together", "boolean", "all at once, or in one round [false]"), ("key", "string", "before 2026-07-28: the key it would like to have in a round"), ("undeclared", "boolean", "2026-07-28: although the client did not say it can be asked [false]")] },
    Tool { name: "notify", what: "list_changed of all three kinds, or one resource updated, to whoever asked for it", run: notices::notify,
        arguments: &[("uri", "string", "resource that was updated; absent: the lists changed"), ("force", "boolean", "also without a subscription [false]")] },
    Tool { name: "listens", what: "2026-07-28: the ids of open subscriptions/listen, as JSON", run: notices::listens,
        arguments: &[("end", "boolean", "end them all from this side, and say how many [false]")] },
    Tool { name: "task", what: "2026-07-28: a task of the Tasks extension", run: tasks::create,
        arguments: &[("ms", "integer", "how long it works [100]"), ("ask", "boolean", "wait for a name first [false]"), ("fail", "boolean", "end with an error [false]")] },
    Tool { name: "mirrored", what: "its arguments as they were spelled; clients of 2026-07-28 send them as headers too", run: mirrored,
        arguments: &[("region", "string", "Mcp-Param-Region"), ("count", "integer", "Mcp-Param-Count"), ("dry", "boolean", "Mcp-Param-Dry-Run")] },
    Tool { name: "strange", what: "a result with members nobody knows and numbers nobody can hold", run: strange, arguments: &[] },
    Tool { name: "crash", what: "ends the process", run: misbehave::crash,
        arguments: &[("code", "integer", "exit status [1]"), ("signal", "integer", "dies by this signal instead"), ("lines", "integer", "log notifications just before [0]"), ("answer", "boolean", "answer just before [false]"), ("half", "boolean", "half of the answer just before [false]"), ("stderr", "string", "last words on standard error")] },
    Tool { name: "garbage", what: "writes what is no message, then answers", run: misbehave::garbage,
        arguments: &[("kind", "string", "banner, blank, half, nul, utf8, unknown_id, array, bare, damaged or all [all]"), ("n", "integer", "how many times [1]")] },
    Tool { name: "long_line", what: "a line of so many bytes that is no message, then answers", run: misbehave::long_line,
        arguments: &[("bytes", "integer", "its length [1000000]"), ("id", "boolean", "let it begin like this call's answer, and not answer [false]"), ("newline", "boolean", "end it [true]")] },
    Tool { name: "stderr", what: "writes to standard error, then answers", run: misbehave::stderr,
        arguments: &[("lines", "integer", "how many [1]"), ("bytes", "integer", "length of each [20]"), ("control", "boolean", "with control bytes and invalid UTF-8 [false]"), ("text", "string", "this instead")] },
    Tool { name: "grandchild", what: "starts a process that inherits the pipes, returns its pid", run: misbehave::grandchild,
        arguments: &[("seconds", "integer", "how long it lives [3600]"), ("setsid", "boolean", "in a session of its own [false]"), ("ignore_term", "boolean", "ignoring SIGTERM [false]")] },
    Tool { name: "deaf", what: "answers, then reads no more", run: misbehave::deaf, arguments: &[] },
    Tool { name: "env", what: "its environment, as a JSON object", run: environment, arguments: &[] },
    Tool { name: "args", what: "its arguments, as a JSON array", run: args, arguments: &[] },
    Tool { name: "cwd", what: "its folder", run: cwd, arguments: &[] },
    Tool { name: "pid", what: "its process id", run: pid, arguments: &[] },
    Tool { name: "count", what: "how often this was called in this process", run: count, arguments: &[] },
    Tool { name: "seen", what: "the last lines that came in, as a JSON array, this call included", run: seen,
        arguments: &[("n", "integer", "how many [256]")] },
    Tool { name: "relist", what: "changes what the list says of a tool, and tells nobody, as servers do that read their tools anew", run: relist,
        arguments: &[("tool", "string", "which"), ("read_only", "boolean", "its readOnlyHint"), ("header", "string", "the x-mcp-header of its first mirrored argument")] },
];

/// The tools that only read, and say so.
const READING: [&str; 8] = [
    "echo", "args", "cwd", "pid", "count", "seen", "mirrored", "relist",
];

/// The value of `tools` in the answer to `tools/list`.
pub(crate) fn list(toy: &Toy) -> Vec<Value> {
    let describe = |tool: &Tool| {
        let relisted = toy.relisted(tool.name);
        let properties: Map<String, Value> = tool
            .arguments
            .iter()
            .map(|(name, kind, what)| {
                let mut property = json!({ "type": kind, "description": what });
                let header = MIRRORED.iter().find(|(mirrored, _)| mirrored == name);
                if let (Some((_, header)), "mirrored") = (header, tool.name) {
                    let first = *name == MIRRORED[0].0;
                    let other = relisted.header.as_deref().filter(|_| first);
                    property["x-mcp-header"] = other.unwrap_or(header).into();
                }
                ((*name).to_owned(), property)
            })
            .collect();
        let mut described = json!({
            "name": tool.name,
            "description": tool.what,
            "inputSchema": { "type": "object", "properties": properties },
        });
        if relisted
            .read_only
            .unwrap_or_else(|| READING.contains(&tool.name))
        {
            described["annotations"] = json!({ "readOnlyHint": true });
        }
        described
    };
    TOOLS.iter().map(describe).collect()
}

impl Call {
    pub(crate) fn new(toy: Toy, id: String, params: Object, envelope: Option<Envelope>) -> Self {
        Self {
            toy,
            id,
            envelope,
            arguments: params.object("arguments"),
            name: params.text("name").unwrap_or_default(),
            token: params
                .object("_meta")
                .raw("progressToken")
                .map(str::to_owned),
            params,
        }
    }

    /// A tool that changes how lines are read, or tells what was read, runs before the next line is.
    pub(crate) fn must_be_inline(&self) -> bool {
        matches!(
            self.name.as_str(),
            "deaf" | "seen" | "cancelled" | "count" | "listens"
        )
    }

    /// Runs the tool and answers.
    pub(crate) fn run(&self) {
        let outcome = match TOOLS.iter().find(|tool| tool.name == self.name) {
            Some(tool) => (tool.run)(self),
            None => Outcome::Error(INVALID_PARAMS, format!("unknown tool {:?}", self.name)),
        };
        self.finish(outcome);
    }

    fn finish(&self, outcome: Outcome) {
        match outcome {
            Outcome::Text(text) => self.answer(&quote(&text), false),
            Outcome::Quoted(text) => self.answer(&text, false),
            Outcome::Failed(text) => self.answer(&quote(&text), true),
            Outcome::Result(result) => self.toy.answer(&self.id, &result),
            Outcome::Error(code, message) => self.toy.fail(&self.id, code, &message),
            Outcome::Nothing => {}
        }
    }

    /// Answers with one text, which is JSON already.
    pub(crate) fn answer(&self, text: &str, failed: bool) {
        let failed = if failed { r#","isError":true"# } else { "" };
        let content = format!(r#"{{"type":"text","text":{text}}}"#);
        let stamp = self.stamp();
        self.toy.answer(
            &self.id,
            &format!(r#"{{"content":[{content}]{failed}{stamp}}}"#),
        );
    }

    /// What every result of 2026-07-28 has, and none before.
    fn stamp(&self) -> String {
        if self.envelope.is_none() {
            return String::new();
        }
        let meta = modern::server_info();
        format!(r#","resultType":"complete","_meta":{meta}"#)
    }

    pub(crate) fn number(&self, name: &str, default: u64) -> u64 {
        self.arguments.number(name).unwrap_or(default)
    }

    pub(crate) fn text(&self, name: &str, default: &str) -> String {
        self.arguments
            .text(name)
            .unwrap_or_else(|| default.to_owned())
    }

    /// The pause between two of several things.
    pub(crate) fn pause(&self) {
        let ms = self.number("ms", 0);
        if ms > 0 {
            std::thread::sleep(Duration::from_millis(ms));
        }
    }
}

fn echo(call: &Call) -> Outcome {
    match call.arguments.raw("text") {
        // The string leaves as it came, escapes and all.
        Some(text) if text.starts_with('"') => Outcome::Quoted(text.to_owned()),
        Some(other) => Outcome::Text(other.to_owned()),
        None => Outcome::Error(INVALID_PARAMS, "text is missing".to_owned()),
    }
}

fn raw(call: &Call) -> Outcome {
    match call.arguments.text("result") {
        Some(result) => Outcome::Result(result),
        None => Outcome::Error(INVALID_PARAMS, "result is missing".to_owned()),
    }
}

fn line(call: &Call) -> Outcome {
    call.toy.line(&call.text("line", ""));
    if call.arguments.raw("answer") == Some("false") {
        Outcome::Nothing
    } else {
        Outcome::Text("written".to_owned())
    }
}

fn size(call: &Call) -> Outcome {
    let bytes = call.number("bytes", 0);
    match usize::try_from(bytes) {
        Ok(length) if bytes <= MAX_BYTES => Outcome::Text("x".repeat(length)),
        _ => Outcome::Error(INVALID_PARAMS, format!("at most {MAX_BYTES} bytes")),
    }
}

fn error(call: &Call) -> Outcome {
    let code = i32::try_from(call.number("code", 32_603)).unwrap_or(32_603);
    Outcome::Error(-code, call.text("message", "an error was asked for"))
}

fn fail(call: &Call) -> Outcome {
    Outcome::Failed(call.text("text", "a failure was asked for"))
}

fn sleep(call: &Call) -> Outcome {
    let cancelled = call
        .toy
        .sleep(&call.id, Duration::from_millis(call.number("ms", 1_000)));
    if cancelled && !call.arguments.flag("stubborn") {
        return Outcome::Nothing;
    }
    Outcome::Text(if cancelled { "cancelled" } else { "slept" }.to_owned())
}

fn hang(_: &Call) -> Outcome {
    Outcome::Nothing
}

fn cancelled(call: &Call) -> Outcome {
    Outcome::Text(format!("[{}]", call.toy.cancelled().join(",")))
}

fn mirrored(call: &Call) -> Outcome {
    Outcome::Text(call.params.raw("arguments").unwrap_or("{}").to_owned())
}

fn strange(call: &Call) -> Outcome {
    Outcome::Result(format!(
        r#"{{"x-first": {{"n":[1.0,1e3,0.10,-0, 12345678901234567890123456789]}},"content":[{{"type":"text","text":"\u00e9\/","x-mood":null}}],"structuredContent":{{"n":9007199254740993}}{}}}"#,
        call.stamp()
    ))
}

fn environment(_: &Call) -> Outcome {
    let variables: Map<String, Value> = env::vars_os()
        .map(|(name, value)| {
            (
                name.to_string_lossy().into_owned(),
                value.to_string_lossy().into(),
            )
        })
        .collect();
    Outcome::Text(Value::Object(variables).to_string())
}

fn args(_: &Call) -> Outcome {
    let args: Value = env::args_os()
        .skip(1)
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    Outcome::Text(args.to_string())
}

fn cwd(_: &Call) -> Outcome {
    match env::current_dir() {
        Ok(folder) => Outcome::Text(folder.to_string_lossy().into_owned()),
        Err(cause) => Outcome::Failed(cause.to_string()),
    }
}

fn pid(_: &Call) -> Outcome {
    Outcome::Text(std::process::id().to_string())
}

fn count(call: &Call) -> Outcome {
    Outcome::Text(call.toy.count().to_string())
}

fn seen(call: &Call) -> Outcome {
    let count = usize::try_from(call.number("n", 256)).unwrap_or(usize::MAX);
    Outcome::Text(Value::from(call.toy.seen(count)).to_string())
}

fn relist(call: &Call) -> Outcome {
    let said = call.arguments.raw("read_only");
    let relisted = Relisted {
        read_only: said.map(|said| said == "true"),
        header: call.arguments.text("header"),
    };
    call.toy.relist(call.text("tool", ""), relisted);
    Outcome::Text("relisted".to_owned())
}

/// Writes to standard error and does not care whether anybody reads it.
pub(crate) fn to_stderr(bytes: &[u8]) {
    _ = std::io::stderr().lock().write_all(bytes);
}
