//! The well-behaved half: what a server of the legacy revisions answers.

use std::{thread, time::Duration};

use serde_json::{Value, json};

use crate::{
    era, listen,
    message::Object,
    tools::{self, Call},
    toy::Toy,
};

const VERSIONS: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];

const INVALID_REQUEST: i32 = -32600;
const METHOD_NOT_FOUND: i32 = -32601;
const INVALID_PARAMS: i32 = -32602;
const RESOURCE_NOT_FOUND: i32 = -32002;

/// How long an `--ask-first` question waits.
const FIRST_QUESTION_WAIT: Duration = Duration::from_secs(60);

const RESOURCES: [(&str, &str, &str); 2] = [
    ("toy://greeting", "greeting", "Hello from the toy."),
    ("toy://empty", "empty", ""),
];

/// Takes one line from the client.
pub(crate) fn receive(toy: &Toy, line: &[u8]) {
    let Some((text, message)) = std::str::from_utf8(line)
        .ok()
        .and_then(|text| Some((text, Object::parse(text)?)))
    else {
        toy.fail("null", INVALID_REQUEST, "the line is not a JSON object");
        return;
    };
    match (message.raw("id"), message.text("method")) {
        (Some(id), Some(method)) => era::request(toy, id, &method, message.object("params")),
        (None, Some(method)) => notification(toy, &method, &message.object("params")),
        (Some(id), None) => toy.answered(id, text),
        (None, None) => toy.fail("null", INVALID_REQUEST, "neither a request nor an answer"),
    }
}

fn notification(toy: &Toy, method: &str, params: &Object) {
    match method {
        "notifications/cancelled" => {
            if let Some(id) = params.raw("requestId") {
                toy.cancel(id);
                listen::cancel(toy, id);
            }
        }
        "notifications/initialized" if toy.flags.ask_first => {
            let toy = toy.clone();
            thread::spawn(move || toy.ask("roots/list", "{}", FIRST_QUESTION_WAIT));
        }
        _ => {}
    }
}

/// Takes a request of the legacy era.
pub(crate) fn request(toy: &Toy, id: &str, method: &str, params: Object) {
    if method == "tools/call" {
        let toy = toy.clone();
        let call = Call::new(toy, id.to_owned(), params, None);
        if call.must_be_inline() {
            call.run();
        } else {
            thread::spawn(move || call.run());
        }
        return;
    }
    match answer(toy, method, &params) {
        Ok(result) => toy.answer(id, &result.to_string()),
        Err((code, message)) => toy.fail(id, code, &message),
    }
}

/// What both eras answer alike, but for a stamp.
pub(crate) fn answer(toy: &Toy, method: &str, params: &Object) -> Result<Value, (i32, String)> {
    Ok(match method {
        "initialize" => initialize(toy, params),
        "ping" => json!({}),
        "tools/list" => json!({ "tools": tools::list(toy) }),
        "resources/list" => {
            let resources: Vec<Value> = RESOURCES
                .iter()
                .map(|(uri, name, _)| json!({ "uri": uri, "name": name, "mimeType": "text/plain" }))
                .collect();
            json!({ "resources": resources })
        }
        "resources/templates/list" => {
            json!({ "resourceTemplates": [{ "uriTemplate": "toy://number/{n}", "name": "number" }] })
        }
        "resources/read" => read(&uri(params)?)?,
        "resources/subscribe" => {
            toy.subscribe(uri(params)?);
            json!({})
        }
        "resources/unsubscribe" => {
            toy.unsubscribe(&uri(params)?);
            json!({})
        }
        "prompts/list" => json!({ "prompts": [{
            "name": "greeting",
            "description": "A greeting for somebody",
            "arguments": [{ "name": "name", "description": "Who is greeted", "required": true }],
        }] }),
        "prompts/get" => prompt(params)?,
        "completion/complete" => {
            let typed = params.object("argument").text("value").unwrap_or_default();
            let values: Vec<&str> = ["Ada", "Alan", "Grace"]
                .into_iter()
                .filter(|name| name.starts_with(&typed))
                .collect();
            json!({ "completion": { "total": values.len(), "hasMore": false, "values": values } })
        }
        "logging/setLevel" => {
            let level = params.text("level").unwrap_or_default();
            if !toy.set_level(&level) {
                return Err((INVALID_PARAMS, format!("unknown level {level:?}")));
            }
            json!({})
        }
        _ => return Err((METHOD_NOT_FOUND, format!("unknown method {method:?}"))),
    })
}

fn initialize(toy: &Toy, params: &Object) -> Value {
    let asked = params.text("protocolVersion").unwrap_or_default();
    let known = VERSIONS.into_iter().find(|version| *version == asked);
    let version = toy
        .flags
        .only_version
        .as_deref()
        .or(known)
        .unwrap_or("2025-11-25");
    let capabilities = if toy.flags.no_capabilities {
        json!({ "tools": {} })
    } else {
        json!({
            "tools": { "listChanged": true },
            "resources": { "subscribe": true, "listChanged": true },
            "prompts": { "listChanged": true },
            "logging": {},
            "completions": {},
        })
    };
    json!({
        "protocolVersion": version,
        "capabilities": capabilities,
        "serverInfo": info(),
        "instructions": "Misbehaves on request.",
    })
}

/// Who this is.
pub(crate) fn info() -> Value {
    json!({ "name": "mcp-toy", "version": env!("CARGO_PKG_VERSION") })
}

fn uri(params: &Object) -> Result<String, (i32, String)> {
    params
        .text("uri")
        .ok_or_else(|| (INVALID_PARAMS, "uri is missing".to_owned()))
}

fn read(uri: &str) -> Result<Value, (i32, String)> {
    let text = match uri.strip_prefix("toy://number/") {
        Some(number) => number,
        None => RESOURCES
            .iter()
            .find(|(known, ..)| *known == uri)
            .map(|(.., text)| *text)
            .ok_or_else(|| (RESOURCE_NOT_FOUND, format!("unknown resource {uri:?}")))?,
    };
    Ok(json!({ "contents": [{ "uri": uri, "mimeType": "text/plain", "text": text }] }))
}

fn prompt(params: &Object) -> Result<Value, (i32, String)> {
    if params.text("name").as_deref() != Some("greeting") {
        return Err((INVALID_PARAMS, "the only prompt is \"greeting\"".to_owned()));
    }
    let name = params
        .object("arguments")
        .text("name")
        .unwrap_or_else(|| "nobody".to_owned());
    Ok(json!({ "messages": [{
        "role": "user",
        "content": { "type": "text", "text": format!("Greet {name}.") },
    }] }))
}
