//! The `mcpServers` document, read member by member so that every fault is found at once.
//!
//! A fault names its place as a JSON pointer (RFC 6901) does: `/mcpServers/fetch/args/1`. Values are
//! never repeated: people write credentials into these files.

use serde_json::Value;
use serde_json::value::RawValue;

use crate::config::env::Strings;
use crate::config::faults::Notes;

use super::expand::expand;
use super::members::Members;
use super::{check_name, is_url};

/// A server to run, as the file has it, with its variables filled in.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) command: String,
    pub(super) args: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) cwd: Option<String>,
    /// The command and its arguments as they were written: what a variable holds is not for show.
    pub(super) shown: Vec<String>,
    /// Why it cannot be started on this machine, though nothing is wrong with what was written.
    pub(super) broken: Vec<String>,
}

/// The servers to run of a document. `source` is the file's name, with which every note begins.
pub(super) fn entries(
    text: &str,
    source: &str,
    env: &dyn Strings,
    notes: &mut Notes,
) -> Vec<Entry> {
    let document: Members<&RawValue> = match serde_json::from_str(text) {
        Ok(document) => document,
        Err(error) => {
            notes.fault(format!("{source} is not a JSON object: {error}"));
            return Vec::new();
        }
    };
    let mut servers = None;
    for (member, value) in document.0 {
        match member.as_str() {
            "mcpServers" if servers.is_some() => {
                notes.fault(format!("{source}: /mcpServers is there twice"));
            }
            "mcpServers" => servers = Some(value),
            "$schema" => {}
            _ => notes.warn(format!(
                "{source}: /{} is not known and has no effect",
                token(&member)
            )),
        }
    }
    let Some(servers) = servers else {
        notes.fault(format!(
            "{source}: /mcpServers is missing: the servers are its members"
        ));
        return Vec::new();
    };
    let Ok(servers) = serde_json::from_str::<Members<&RawValue>>(servers.get()) else {
        notes.fault(format!("{source}: /mcpServers must be an object"));
        return Vec::new();
    };
    let mut names: Vec<String> = Vec::new();
    let mut entries = Vec::new();
    for (name, value) in servers.0 {
        let pointer = format!("{source}: /mcpServers/{}", token(&name));
        if let Err(fault) = check_name(&name) {
            notes.fault(format!("{pointer} {fault}"));
        }
        if names.contains(&name) {
            notes.fault(format!("{pointer} is there twice; rename one"));
        }
        let reader = Reader {
            pointer,
            env,
            notes: &mut *notes,
            broken: Vec::new(),
        };
        entries.extend(reader.entry(&name, value));
        names.push(name);
    }
    entries
}

/// Reads one server.
struct Reader<'a> {
    /// The file and the place of the server in it.
    pointer: String,
    env: &'a dyn Strings,
    notes: &'a mut Notes,
    /// Why it cannot be started here, though nothing is wrong with what was written.
    broken: Vec<String>,
}

/// Whether a member switches its server off.
fn is_off((member, value): &(String, Value)) -> bool {
    matches!(
        (member.as_str(), value),
        ("disabled", Value::Bool(true)) | ("enabled", Value::Bool(false))
    )
}

/// What was written, before variables are filled in.
#[derive(Default)]
struct Written {
    command: Option<String>,
    args: Vec<String>,
    env: Vec<(String, String)>,
    cwd: Option<String>,
    is_remote: bool,
    /// There is a command, whatever is wrong with it.
    has_command: bool,
    /// Members without effect, and what to say of them: of a server that runs.
    unused: Vec<(String, &'static str)>,
}

impl Reader<'_> {
    /// The server, unless it is switched off, remote, or something is wrong with it.
    fn entry(mut self, name: &str, value: &RawValue) -> Option<Entry> {
        let Ok(members) = serde_json::from_str::<Members<Value>>(value.get()) else {
            self.fault("", "must be an object");
            return None;
        };
        if members.0.iter().any(is_off) {
            // Whatever else is wrong with it harms nobody.
            return None;
        }
        let before = self.notes.count();
        let written = self.written(members.0);
        match (written.has_command, written.is_remote) {
            (true, true) => self.fault("", "has both a command and a url; leave one out"),
            (false, false) => self.fault("/command", "is missing"),
            _ => {}
        }
        if written.is_remote && !written.has_command {
            self.warn(
                "",
                "is a remote server, which is not served yet; it is left out",
            );
            return None;
        }
        for (at, what) in &written.unused {
            self.warn(at, what);
        }
        let shown = written.command.iter().chain(&written.args).cloned();
        let mut entry = Entry {
            name: name.to_owned(),
            shown: shown.collect(),
            args: self.expanded("/args", written.args),
            env: self.expanded_env(written.env),
            command: written.command.unwrap_or_default(),
            cwd: written.cwd,
            broken: Vec::new(),
        };
        entry.broken = std::mem::take(&mut self.broken);
        (self.notes.count() == before).then_some(entry)
    }

    fn written(&mut self, members: Vec<(String, Value)>) -> Written {
        let mut written = Written::default();
        let mut seen: Vec<String> = Vec::new();
        for (member, value) in members {
            let at = format!("/{}", token(&member));
            if seen.contains(&member) {
                self.fault(&at, "is there twice");
            }
            written.has_command |= member == "command";
            match (member.as_str(), value) {
                ("command", Value::String(text)) => {
                    if text.trim().is_empty() {
                        self.fault(&at, "is empty");
                    } else if is_url(&text) {
                        self.fault(&at, "is a URL; a remote server has it in its url");
                    } else {
                        self.check_text(&at, &text);
                    }
                    written.command = Some(text);
                }
                ("cwd", Value::String(text)) => written.cwd = Some(text),
                ("command" | "cwd", _) => self.fault(&at, "must be a string"),
                ("args", Value::Array(values)) => written.args = self.texts(&at, values),
                ("args", _) => self.fault(&at, "must be an array of strings"),
                ("env", Value::Object(values)) => {
                    for (name, value) in values {
                        let at = format!("{at}/{}", token(&name));
                        if name.is_empty() || name.contains(['=', '\0']) {
                            self.fault(&at, "is not the name of a variable");
                        }
                        match value {
                            Value::String(text) => written.env.push((name, text)),
                            _ => self.fault(&at, "must be a string"),
                        }
                    }
                }
                ("env", _) => self.fault(&at, "must be an object of strings"),
                ("disabled" | "enabled", Value::Bool(_)) => {}
                ("disabled" | "enabled", _) => self.fault(&at, "must be true or false"),
                ("url" | "serverUrl" | "httpUrl", Value::String(_)) => written.is_remote = true,
                ("url" | "serverUrl" | "httpUrl", _) => self.fault(&at, "must be a string"),
                // What is meant is what is done.
                ("type" | "transportType", Value::String(kind)) if kind == "stdio" => {}
                ("type" | "transportType" | "timeout", _) => {
                    written.unused.push((at, "has no effect here"));
                }
                _ => written.unused.push((at, "is not known and has no effect")),
            }
            seen.push(member);
        }
        written
    }

    fn texts(&mut self, at: &str, values: Vec<Value>) -> Vec<String> {
        let mut texts = Vec::new();
        for (index, value) in values.into_iter().enumerate() {
            match value {
                Value::String(text) => texts.push(text),
                _ => self.fault(&format!("{at}/{index}"), "must be a string"),
            }
        }
        texts
    }

    fn expanded(&mut self, at: &str, texts: Vec<String>) -> Vec<String> {
        let numbered = texts.into_iter().enumerate();
        numbered
            .map(|(index, text)| self.filled(&format!("{at}/{index}"), &text))
            .collect()
    }

    fn expanded_env(&mut self, pairs: Vec<(String, String)>) -> Vec<(String, String)> {
        let mut expanded = Vec::new();
        for (name, text) in pairs {
            let text = self.filled(&format!("/env/{}", token(&name)), &text);
            expanded.push((name, text));
        }
        expanded
    }

    fn filled(&mut self, at: &str, text: &str) -> String {
        match expand(text, self.env) {
            Ok(expanded) => {
                if expanded.left {
                    self.warn(
                        at,
                        "holds a ${ that is not ${VAR} or ${VAR:-default} and stays as it is",
                    );
                }
                self.check_text(at, &expanded.text);
                expanded.text
            }
            Err(faults) => {
                // This machine's doing and not the file's: the other servers can be served.
                let faults = faults.into_iter();
                self.broken
                    .extend(faults.map(|fault| format!("its {at} cannot be filled in: {fault}")));
                String::new()
            }
        }
    }

    fn check_text(&mut self, at: &str, text: &str) {
        if text.contains('\0') {
            self.fault(at, "holds a NUL byte, which no program can be given");
        }
    }

    fn fault(&mut self, at: &str, what: &str) {
        self.notes.fault(format!("{}{at} {what}", self.pointer));
    }

    fn warn(&mut self, at: &str, what: &str) {
        self.notes.warn(format!("{}{at} {what}", self.pointer));
    }
}

/// One step of a JSON pointer (RFC 6901, section 3), fit for a line of a log.
fn token(name: &str) -> String {
    let escaped = name.replace('~', "~0").replace('/', "~1");
    escaped.escape_debug().to_string()
}
