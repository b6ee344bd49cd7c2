//! The well-behaved half of 2026-07-28: requests that say everything about themselves, and results that say what they
//! are.

use std::thread;

use serde_json::{Value, json};

use crate::{
    era::{self, MODERN, VERSION_KEY},
    listen,
    message::{Object, quote},
    rounds, server, tasks,
    tools::Call,
    toy::{LEVELS, Toy},
};

const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";
const LEVEL_KEY: &str = "io.modelcontextprotocol/logLevel";

const METHOD_NOT_FOUND: i32 = -32601;
pub(crate) const INVALID_PARAMS: i32 = -32602;
const MISSING_CAPABILITY: i32 = -32021;

/// How long a client may keep what it was told; a test that must see a change asks again.
const TTL_MS: u64 = 1_000;

/// The methods whose results carry `ttlMs` and `cacheScope`.
const CACHEABLE: [&str; 6] = [
    "server/discover",
    "tools/list",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
    "resources/read",
];

/// What a request says about its client.
#[derive(Debug)]
pub(crate) struct Envelope {
    capabilities: Object,
    /// The place of the quietest level it wants to hear in `LEVELS`.
    level: Option<usize>,
}

impl Envelope {
    /// Reads the members of `_meta` that every request must have.
    fn read(params: &Object) -> Result<Self, Refusal> {
        let meta = params.object("_meta");
        let missing: Vec<&str> = [VERSION_KEY, CAPABILITIES_KEY]
            .into_iter()
            .filter(|key| meta.raw(key).is_none())
            .collect();
        if !missing.is_empty() {
            let missing = missing.join(", ");
            return Err(Refusal::Params(format!("_meta lacks {missing}")));
        }
        let Some(version) = meta.text(VERSION_KEY) else {
            return Err(Refusal::Params(format!("{VERSION_KEY} is no string")));
        };
        if version != MODERN {
            return Err(Refusal::Version(version));
        }
        let Some(capabilities) = meta.raw(CAPABILITIES_KEY).and_then(Object::parse) else {
            return Err(Refusal::Params(format!("{CAPABILITIES_KEY} is no object")));
        };
        let level = match meta.raw(LEVEL_KEY) {
            None => None,
            Some(raw) => {
                let known = LEVELS.iter().position(|level| quote(level) == raw);
                Some(known.ok_or_else(|| Refusal::Params(format!("unknown level {raw}")))?)
            }
        };
        Ok(Self {
            capabilities,
            level,
        })
    }

    /// Whether the client wants log lines of this level.
    pub(crate) fn would_log(&self, level: &str) -> bool {
        let place = LEVELS.iter().position(|known| *known == level);
        matches!((self.level, place), (Some(least), Some(place)) if place >= least)
    }

    /// Whether the client declared a capability.
    pub(crate) fn can(&self, capability: &str) -> bool {
        self.capabilities.raw(capability).is_some()
    }

    /// Whether the client declared an extension.
    pub(crate) fn extends(&self, extension: &str) -> bool {
        self.capabilities
            .object("extensions")
            .raw(extension)
            .is_some()
    }
}

/// Why a request is not served.
enum Refusal {
    Params(String),
    Version(String),
}

impl Refusal {
    fn send(self, toy: &Toy, id: &str) {
        match self {
            Self::Params(message) => toy.fail(id, INVALID_PARAMS, &message),
            Self::Version(requested) => {
                let message = format!("{requested} is not spoken here");
                era::unsupported(toy, id, &requested, &message);
            }
        }
    }
}

/// Takes a request other than a probe.
pub(crate) fn request(toy: &Toy, id: &str, method: &str, params: Object) {
    let envelope = match Envelope::read(&params) {
        Ok(envelope) => envelope,
        Err(refusal) => return refusal.send(toy, id),
    };
    match method {
        "tools/call" => {
            let call = Call::new(toy.clone(), id.to_owned(), params, Some(envelope));
            if call.must_be_inline() {
                call.run();
            } else {
                thread::spawn(move || call.run());
            }
        }
        "subscriptions/listen" => listen::open(toy, id, &params),
        "tasks/get" | "tasks/update" | "tasks/cancel" => {
            tasks::request(toy, id, method, &params, &envelope);
        }
        "resources/read" if params.text("uri").as_deref() == Some(rounds::RESOURCE) => {
            rounds::resource(toy, id, params, &envelope);
        }
        "prompts/get" if params.text("name").as_deref() == Some(rounds::PROMPT) => {
            rounds::prompt(toy, id, params, &envelope);
        }
        "prompts/get"
        | "resources/read"
        | "tools/list"
        | "prompts/list"
        | "resources/list"
        | "resources/templates/list"
        | "completion/complete" => {
            match server::answer(toy, method, &params) {
                Ok(mut result) => {
                    rounds::list(method, &mut result);
                    toy.answer(id, &stamped(method, result));
                }
                // 2026-07-28 gave the code for a missing resource up.
                Err((_, message)) if method == "resources/read" => {
                    toy.fail(id, INVALID_PARAMS, &message);
                }
                Err((code, message)) => toy.fail(id, code, &message),
            }
        }
        _ => toy.fail(id, METHOD_NOT_FOUND, &format!("unknown method {method:?}")),
    }
}

/// Answers a probe.
pub(crate) fn discover(toy: &Toy, id: &str, params: &Object) {
    if let Err(refusal) = Envelope::read(params) {
        return refusal.send(toy, id);
    }
    let capabilities = if toy.flags.no_capabilities {
        json!({ "tools": {} })
    } else {
        json!({
            "tools": { "listChanged": true },
            "resources": { "subscribe": true, "listChanged": true },
            "prompts": { "listChanged": true },
            "logging": {},
            "completions": {},
            "extensions": { (tasks::EXTENSION): {} },
        })
    };
    let result = json!({
        "supportedVersions": [MODERN],
        "capabilities": capabilities,
        "instructions": "Misbehaves on request.",
    });
    toy.answer(id, &stamped("server/discover", result));
}

/// A complete result of a method, with the members that 2026-07-28 wants in it.
pub(crate) fn stamped(method: &str, mut result: Value) -> String {
    if let Value::Object(members) = &mut result {
        members.insert("resultType".to_owned(), "complete".into());
        if CACHEABLE.contains(&method) {
            members.insert("ttlMs".to_owned(), TTL_MS.into());
            members.insert("cacheScope".to_owned(), "private".into());
        }
        members.insert("_meta".to_owned(), server_info());
    }
    result.to_string()
}

/// The `_meta` of a result.
pub(crate) fn server_info() -> Value {
    json!({ "io.modelcontextprotocol/serverInfo": server::info() })
}

/// Refuses a request that needs what its client did not declare.
pub(crate) fn missing_capability(toy: &Toy, id: &str, required: &Value) {
    let data = json!({ "requiredCapabilities": required });
    let message = "the client did not declare what this needs";
    toy.fail_with(id, MISSING_CAPABILITY, message, &data.to_string());
}
