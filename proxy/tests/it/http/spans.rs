//! Spans of calls, at a collector that says nothing but 200 and remembers what it was sent.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::client::{call, text};
use super::proxy::Proxy;
use super::session::{LATEST, Session};
use super::stateless;
use crate::toy::eventually;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<(String, Value)>>>);

impl Collector {
    async fn start() -> (Self, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let collector = Self::default();
        let heard = collector.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let heard = heard.clone();
                let take = service_fn(move |request| heard.clone().take(request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), take));
            }
        });
        (collector, address)
    }

    async fn take(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        assert_eq!(head.headers["content-type"], "application/json");
        let body = body.collect().await.unwrap().to_bytes();
        let key = head.headers.get("x-key").map(|key| key.to_str().unwrap());
        let told = format!("{} {} {}", head.method, head.uri, key.unwrap_or("-"));
        self.0
            .lock()
            .push((told, serde_json::from_slice(&body).unwrap()));
        Ok(Response::new(Full::from("{}")))
    }

    fn spans(&self) -> Vec<Value> {
        let told = self.0.lock();
        let all = told.iter().flat_map(|(_, body)| {
            body["resourceSpans"][0]["scopeSpans"][0]["spans"]
                .as_array()
                .unwrap()
                .clone()
        });
        all.collect()
    }

    fn of(&self, name: &str) -> Option<Value> {
        self.spans().into_iter().find(|span| span["name"] == name)
    }
}

/// The `traceparent` the server was told in its last line: trace and span.
fn told(answer: &Value) -> (String, String) {
    let seen: Vec<String> = serde_json::from_str(text(answer)).unwrap();
    let last: Value = serde_json::from_str(seen.last().unwrap()).unwrap();
    let parent = last["params"]["_meta"]["traceparent"].as_str().unwrap();
    let mut parts = parent.split('-').skip(1);
    (parts.next().unwrap().into(), parts.next().unwrap().into())
}

#[tokio::test]
async fn a_calls_span_stands_between_its_clients_and_its_servers() {
    let (collector, address) = Collector::start().await;
    let endpoint = format!("http://{address}/base");
    let env = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=hunter%32"),
        ("SERVICE_NAME", "my-service"),
    ];
    let mut proxy = Proxy::start_with(&env, &[], &["--era", "dual"]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    let traced = session
        .client
        .with("traceparent", PARENT)
        .with("tracestate", "a=1");
    let answer = traced.post(call(1, "seen", json!({}))).await.answer().await;
    let (trace, span) = told(&answer);
    assert_eq!(trace, TRACE);
    assert_ne!(
        span, "00f067aa0ba902b7",
        "the server's spans stand below ours"
    );
    traced
        .post(call(2, "error", json!({})))
        .await
        .answer()
        .await;
    // A client that records nothing.
    let unrecorded = traced.with("traceparent", &PARENT.replace("b7-01", "b7-00"));
    unrecorded
        .post(call(3, "count", json!({})))
        .await
        .answer()
        .await;
    // Nobody began a trace, so we did.
    let answer = stateless::tool(&proxy, 1, "seen", json!({}))
        .await
        .answer()
        .await;
    let (own_trace, own_span) = told(&answer);
    assert_ne!(own_trace, TRACE);

    let found = |span: &str| {
        collector
            .spans()
            .into_iter()
            .find(|one| one["spanId"] == *span)
    };
    eventually("both spans", || {
        found(&span).is_some() && found(&own_span).is_some()
    })
    .await;
    let theirs = found(&span).unwrap();
    assert_eq!(theirs["traceId"], TRACE);
    assert_eq!(theirs["parentSpanId"], "00f067aa0ba902b7");
    assert_eq!(theirs["name"], "tools/call seen");
    let ours = found(&own_span).unwrap();
    assert_eq!(ours["traceId"], own_trace);
    assert!(ours.get("parentSpanId").is_none(), "{ours}");
    eventually("the failed call", || {
        collector.of("tools/call error").is_some()
    })
    .await;
    assert_eq!(
        collector.of("tools/call error").unwrap()["status"]["code"],
        2
    );

    session
        .start("echo", json!({ "text": "just before the end" }))
        .await
        .answer()
        .await;
    proxy.signal(Signal::TERM);
    assert_eq!(proxy.exit().await, Some(0));
    assert!(
        collector.of("tools/call echo").is_some(),
        "what is over is sent before the end"
    );
    assert!(
        collector.of("tools/call count").is_none(),
        "nobody records that trace"
    );
    let sent = collector.0.lock();
    for (told, body) in sent.iter() {
        assert_eq!(told, "POST /base/v1/traces hunter2");
        let resource = body["resourceSpans"][0]["resource"]["attributes"].to_string();
        assert!(resource.contains("my-service"), "{resource}");
        assert!(!body.to_string().contains("just before"), "{body}");
    }
    assert!(!proxy.said().contains("hunter2"), "{}", proxy.said());
}

#[tokio::test]
async fn a_collector_that_is_not_there_costs_calls_nothing() {
    // Bound and dropped: nobody listens there.
    let free = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let endpoint = format!("http://{free}");
    let env = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())];
    let proxy = Proxy::start_with(&env, &[], &[]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    for _ in 0..10 {
        session.call("count", json!({})).await;
    }
    proxy.says("spans cannot be sent to the collector").await;
    let page = proxy.client().get("/metrics").await.text().await;
    let dropped = page
        .lines()
        .find(|line| line.starts_with("mcp_proxy_spans_dropped_total "));
    assert!(dropped.is_some_and(|line| !line.ends_with(" 0")), "{page}");
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_used_is_a_fault_of_the_configuration() {
    for wrong in ["https://collector:4318", "collector:4318"] {
        let env = [("OTEL_EXPORTER_OTLP_ENDPOINT", wrong)];
        let (code, _, said) = super::proxy::run(&env, &["--port", "0", "--", "cat"]).await;
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{said}");
    }
}
