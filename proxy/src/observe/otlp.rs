//! Spans of calls, for a collector: OTLP over HTTP, as JSON (OTLP 1.x, "OTLP/HTTP", "JSON Protobuf
//! Encoding").
//!
//! # Theory of operation
//!
//! A call must never wait for a collector. Its span is put into a queue of bounded length when the call
//! ends; a task of its own sends what is there, a batch at a time. When the queue is full or the
//! collector does not answer, spans are dropped and `mcp_proxy_spans_dropped_total` says so. There is
//! one exporter for the process, as there is one log.
//!
//! A span's parent is what the request's `traceparent` says, and the server is told of the span in its
//! place, so that its own spans stand below ours. Whether a trace is recorded is its beginner's choice;
//! where nobody began one, we do.
//!
//! The protocol is small and we use little of it, so it is written here: the official crates would bring
//! three times the code of this proxy for it.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, HeaderValue, Request, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use mcp_wire::{Message, object};
use metrics::counter;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::trace::{Parent, TRACEPARENT};

/// Spans that may wait for the collector.
const QUEUE: usize = 2048;

/// Spans that are sent together.
const BATCH: usize = 512;

/// How long a span waits for others to be sent with.
const PAUSE: Duration = Duration::from_secs(2);

/// What the collector may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is read of an answer: it says little.
const MAX_ANSWER: usize = 64 * 1024;

/// Where spans go, and what stands on all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpSettings {
    /// The collector's host and port.
    pub authority: String,
    /// The path spans are posted to.
    pub path: String,
    /// Headers the collector wants, which may be credentials; marked sensitive, so that they are not
    /// printed.
    pub headers: HeaderMap,
    /// Attributes of this proxy: `service.name` and others.
    pub resource: Vec<(String, String)>,
}

static EXPORTER: OnceLock<mpsc::Sender<Note>> = OnceLock::new();

#[derive(Debug)]
enum Note {
    Ended(Box<Value>),
    /// Everything before this was sent, or dropped, when it is answered.
    Flush(oneshot::Sender<()>),
}

/// Begins to export the spans of this process. Must be called in a runtime; a second call changes
/// nothing.
pub fn start(settings: OtlpSettings) {
    let (queue, notes) = mpsc::channel(QUEUE);
    if EXPORTER.set(queue).is_ok() {
        tokio::spawn(export(settings, notes));
    }
}

/// Waits until what has ended so far was sent, at most for `limit`.
///
/// # Cancel safety
///
/// What was not sent is sent later.
pub async fn flush(limit: Duration) {
    let Some(exporter) = EXPORTER.get() else {
        return;
    };
    let (done, sent) = oneshot::channel();
    let flushed = async {
        let _over = exporter.send(Note::Flush(done)).await;
        let _over = sent.await;
    };
    let _late = tokio::time::timeout(limit, flushed).await;
}

/// A span that has begun.
#[derive(Debug)]
pub struct Open {
    own: Parent,
    /// The span that called, in the same trace.
    parent: Option<u64>,
    began: SystemTime,
}

/// What a span says when it ends.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ending<'a> {
    /// The method, of those that are known by name.
    pub method: &'static str,
    /// The tool or the prompt.
    pub name: Option<&'a str>,
    /// How the call ended, in a word.
    pub outcome: &'static str,
    /// Whether that is a failure.
    pub failed: bool,
    /// The server's name.
    pub server: &'a str,
    /// The principal, of those who have a name.
    pub principal: Option<&'a str>,
    /// A hash of the session's id.
    pub session: Option<&'a str>,
    /// The number of the call, as in the log.
    pub request: u64,
}

impl Open {
    /// The span of this request, which is told to the server in the place of its client's. `None` where
    /// spans go nowhere.
    pub fn begin(request: &mut Message) -> Option<Self> {
        EXPORTER.get()?;
        let told = request.meta(TRACEPARENT);
        let told = told.as_deref().and_then(object::string);
        let caller = told.and_then(|text| Parent::parse(&text));
        let mut random = [0; 24];
        // Without random numbers there is no session either, and no request comes as far as this.
        getrandom::fill(&mut random).ok()?;
        let (trace, span) = random.split_at(16);
        let own = Parent {
            trace: match caller {
                Some(caller) => caller.trace,
                None => u128::from_be_bytes(trace.try_into().ok()?).max(1),
            },
            span: u64::from_be_bytes(span.try_into().ok()?).max(1),
            sampled: caller.is_none_or(|caller| caller.sampled),
        };
        let text = format!("\"{}\"", own.text());
        let _told = request.insert_meta(TRACEPARENT, Bytes::from(text));
        Some(Self {
            own,
            parent: caller.map(|caller| caller.span),
            began: SystemTime::now(),
        })
    }

    /// The call has ended. Never waits.
    pub fn end(&self, ending: &Ending<'_>) {
        if let Some(exporter) = EXPORTER.get()
            && self.own.sampled
            && exporter
                .try_send(Note::Ended(Box::new(self.told(ending, SystemTime::now()))))
                .is_err()
        {
            dropped(1);
        }
    }

    /// The span as a collector reads it; names are those of OpenTelemetry's conventions for MCP.
    fn told(&self, ending: &Ending<'_>, ended: SystemTime) -> Value {
        let name = match ending.name {
            Some(name) => format!("{} {name}", ending.method),
            None => ending.method.to_owned(),
        };
        let tool = ending.name.filter(|_| ending.method == "tools/call");
        let prompt = ending.name.filter(|_| ending.method == "prompts/get");
        let words = [
            ("mcp.method.name", Some(ending.method)),
            ("gen_ai.tool.name", tool),
            ("gen_ai.prompt.name", prompt),
            ("error.type", Some(ending.outcome).filter(|_| ending.failed)),
            ("mcp_proxy.outcome", Some(ending.outcome)),
            ("mcp_proxy.server", Some(ending.server)),
            ("mcp_proxy.session", ending.session),
            ("enduser.id", ending.principal),
        ];
        let words = words
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)));
        let mut attributes: Vec<Value> = words.map(|(key, value)| attribute(key, value)).collect();
        attributes.push(json!({
            "key": "mcp_proxy.request", "value": { "intValue": ending.request.to_string() },
        }));
        let mut span = json!({
            "traceId": self.own.trace_id(),
            "spanId": format!("{:016x}", self.own.span),
            "name": name,
            // SPAN_KIND_SERVER
            "kind": 2,
            "startTimeUnixNano": nanoseconds(self.began),
            "endTimeUnixNano": nanoseconds(ended.max(self.began)),
            "attributes": attributes,
            // STATUS_CODE_ERROR, and STATUS_CODE_UNSET: that it went well is the caller's to say.
            "status": { "code": if ending.failed { 2 } else { 0 } },
        });
        if let Some(parent) = self.parent {
            span["parentSpanId"] = format!("{parent:016x}").into();
        }
        span
    }
}

/// 64-bit numbers are text in this encoding.
fn nanoseconds(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_nanos().to_string()
}

fn attribute(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn dropped(count: usize) {
    counter!("mcp_proxy_spans_dropped_total").increment(count as u64);
}

async fn export(settings: OtlpSettings, mut notes: mpsc::Receiver<Note>) {
    let mut failing = false;
    let mut open = true;
    while open {
        let mut spans = Vec::new();
        let mut waiting = Vec::new();
        let mut due: Option<Instant> = None;
        while spans.len() < BATCH && waiting.is_empty() {
            let next = async {
                match due {
                    Some(due) => tokio::time::timeout_at(due, notes.recv()).await.ok(),
                    None => Some(notes.recv().await),
                }
            };
            match next.await {
                None => break,
                Some(None) => {
                    open = false;
                    break;
                }
                Some(Some(Note::Flush(done))) => waiting.push(done),
                Some(Some(Note::Ended(span))) => {
                    spans.push(*span);
                    due.get_or_insert_with(|| Instant::now() + PAUSE);
                }
            }
        }
        if !spans.is_empty() {
            let count = spans.len();
            let sent = tokio::time::timeout(PATIENCE, send(&settings, spans)).await;
            let sent = sent.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}")));
            if let Err(why) = &sent {
                dropped(count);
                if !failing {
                    tracing::warn!("spans cannot be sent to the collector: {why}");
                }
            }
            failing = sent.is_err();
        }
        for done in waiting {
            // Whoever asked may have lost patience.
            let _told = done.send(());
        }
    }
}

/// Posts a batch, over a connection of its own: there is one every few seconds at most.
async fn send(settings: &OtlpSettings, spans: Vec<Value>) -> Result<(), String> {
    let said = |error: &dyn std::fmt::Display| error.to_string();
    let resource = settings.resource.iter();
    let resource: Vec<Value> = resource.map(|(key, value)| attribute(key, value)).collect();
    let body = json!({ "resourceSpans": [{
        "resource": { "attributes": resource },
        "scopeSpans": [{
            "scope": { "name": "mcp-proxy", "version": env!("CARGO_PKG_VERSION") },
            "spans": spans,
        }],
    }] });
    let mut request = Request::post(&settings.path)
        .body(Full::new(Bytes::from(body.to_string())))
        .map_err(|error| said(&error))?;
    let headers = request.headers_mut();
    headers.extend(settings.headers.clone());
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    let host = HeaderValue::from_str(&settings.authority).map_err(|error| said(&error))?;
    headers.insert(header::HOST, host);
    let stream = TcpStream::connect(&settings.authority);
    let stream = stream.await.map_err(|error| said(&error))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| said(&error))?;
    let driver = tokio::spawn(connection);
    let answered = async {
        let response = sender.send_request(request).await;
        let (head, body) = response.map_err(|error| said(&error))?.into_parts();
        let whole = Limited::new(body, MAX_ANSWER).collect().await;
        whole.map_err(|error| said(&error))?;
        match head.status.is_success() {
            true => Ok(()),
            false => Err(format!("it answered {}", head.status)),
        }
    };
    let answered = answered.await;
    driver.abort();
    answered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_as_collectors_read_it() {
        let parent = Parent {
            trace: 0xa,
            span: 0xb,
            sampled: true,
        };
        let open = Open {
            own: parent,
            parent: Some(0xc),
            began: UNIX_EPOCH + Duration::from_nanos(1_700_000_000_000_000_001),
        };
        let ending = Ending {
            method: "tools/call",
            name: Some("echo"),
            outcome: "error",
            failed: true,
            server: "toy",
            principal: None,
            session: Some("3f9a"),
            request: 7,
        };
        let told = open.told(&ending, UNIX_EPOCH);
        assert_eq!(told["traceId"], format!("{:0>32}", "a"));
        assert_eq!(told["spanId"], format!("{:0>16}", "b"));
        assert_eq!(told["parentSpanId"], format!("{:0>16}", "c"));
        assert_eq!(told["name"], "tools/call echo");
        assert_eq!(told["startTimeUnixNano"], "1700000000000000001");
        assert_eq!(told["endTimeUnixNano"], told["startTimeUnixNano"]);
        assert_eq!(told["status"]["code"], 2);
        let attributes = told["attributes"].as_array().unwrap();
        for (key, value) in [
            ("gen_ai.tool.name", json!({ "stringValue": "echo" })),
            ("error.type", json!({ "stringValue": "error" })),
            ("mcp_proxy.request", json!({ "intValue": "7" })),
        ] {
            assert!(
                attributes.contains(&json!({ "key": key, "value": value })),
                "{told}"
            );
        }
        assert!(!told.to_string().contains("enduser"), "{told}");
    }
}
