//! TLS, spoken by the proxy itself.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::{
    folder::Folder,
    proxy::{Proxy, run, toy_path},
    session::{LATEST, Session, initialize},
};
use crate::toy::within;

/// A certificate for localhost, and its key, as PEM.
fn made() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// The two files, as they stand in the folder.
struct Files {
    folder: Folder,
}

impl Files {
    fn new(name: &str, (cert, key): &(String, String)) -> Self {
        let files = Self {
            folder: Folder::new(name),
        };
        files.write("cert", cert);
        files.write("key", key);
        files
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path(name), text).unwrap();
    }

    fn flags(&self) -> [String; 4] {
        let path = |name| self.folder.path(name).to_str().unwrap().to_owned();
        [
            "--tls-cert".into(),
            path("cert"),
            "--tls-key".into(),
            path("key"),
        ]
    }
}

/// A client that knows this certificate and no other.
fn knowing(cert: &str, versions: &[&'static SupportedProtocolVersion], alpn: &str) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    let cert = CertificateDer::from_pem_slice(cert.as_bytes()).unwrap();
    roots.add(cert).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.into()];
    Arc::new(config).into()
}

fn usual(cert: &str) -> TlsConnector {
    knowing(cert, rustls::ALL_VERSIONS, "http/1.1")
}

async fn started(files: &Files, more: &[&str]) -> Proxy {
    let flags = files.flags();
    let flags: Vec<&str> = flags
        .iter()
        .map(String::as_str)
        .chain(more.iter().copied())
        .collect();
    let proxy = Proxy::start(&flags, &[]).await;
    assert!(
        proxy.said().contains("listens on https://"),
        "{}",
        proxy.said()
    );
    proxy
}

#[tokio::test]
async fn a_conversation_over_either_version() {
    let pair = made();
    let files = Files::new("either", &pair);
    let proxy = started(&files, &["--require-https"]).await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let tls = knowing(&pair.0, &[version], "http/1.1");
        let client = proxy.client().with_tls(tls);
        let session = Session::open(&client, LATEST).await;
        assert_eq!(session.call("count", json!({})).await, "1");
        let mut standing = session.listen().await;
        session.call("notify", json!({})).await;
        assert_eq!(
            standing.message().await["method"],
            "notifications/tools/list_changed"
        );
    }
}

#[tokio::test]
async fn http2_is_agreed_on() {
    let pair = made();
    let files = Files::new("http2", &pair);
    let proxy = started(&files, &[]).await;
    let tls = knowing(&pair.0, rustls::ALL_VERSIONS, "h2");
    let stream = TcpStream::connect(proxy.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = tls.connect(name, stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, driver) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    let driver = tokio::spawn(driver);
    let request = Request::post(format!("https://localhost:{}/mcp", proxy.address.port()))
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(Full::new(Bytes::from(initialize(LATEST))))
        .unwrap();
    let reply = within("an answer", sender.send_request(request))
        .await
        .unwrap();
    assert_eq!(reply.status(), 200);
    let body = reply.into_body().collect().await.unwrap().to_bytes();
    assert!(
        body.windows(LATEST.len())
            .any(|part| part == LATEST.as_bytes())
    );
    driver.abort();
}

#[tokio::test]
async fn a_renewed_certificate_serves_the_next_connection() {
    let old = made();
    let files = Files::new("renewed", &old);
    let proxy = started(&files, &[]).await;
    let client = proxy.client().with_tls(usual(&old.0));
    let session = Session::open(&client, LATEST).await;
    let mut standing = session.listen().await;
    let mut kept = client.connect().await;
    assert_eq!(kept.send(&client, "GET", "/health", "").await.status, 200);

    // Half of it is none.
    let new = made();
    files.write("cert", &new.0);
    let said = proxy.says("the certificate stays as it was").await;
    assert!(
        said.contains("does not belong to the certificate"),
        "{said}"
    );
    assert_eq!(client.get("/health").await.status, 200);
    files.write("key", &new.1);
    proxy.says("the certificate was read again").await;
    let renewed = session.client.with_tls(usual(&new.0));
    assert_eq!(renewed.get("/health").await.status, 200);
    // A client that only knows the old one is not let down silently, but by itself.
    let stream = TcpStream::connect(proxy.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    usual(&old.0).connect(name, stream).await.unwrap_err();
    // Whoever is connected stays so.
    renewed
        .post(super::client::call(7, "notify", json!({})))
        .await
        .answer()
        .await;
    assert_eq!(
        standing.message().await["method"],
        "notifications/tools/list_changed"
    );
    for half in [&old.1, &new.1] {
        let secret = half.lines().nth(1).unwrap();
        assert!(!proxy.said().contains(secret));
    }
}

#[tokio::test]
async fn plain_http_and_silence_get_nothing_and_hold_nothing() {
    let pair = made();
    let files = Files::new("plain", &pair);
    let proxy = started(&files, &["--max-connections", "1"]).await;
    let mut plain = TcpStream::connect(proxy.address).await.unwrap();
    plain
        .write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut said = Vec::new();
    let _reset = within("the connection ends", plain.read_to_end(&mut said)).await;
    assert!(!said.starts_with(b"HTTP"), "{said:?}");
    // It has the one place, and says nothing: only a limit on the handshake gives that back.
    let silent = TcpStream::connect(proxy.address).await.unwrap();
    let client = proxy.client().with_tls(usual(&pair.0));
    let reply = within("the place is free again", client.get("/health")).await;
    assert_eq!(reply.status, 200);
    drop(silent);
}

#[tokio::test]
async fn what_is_wrong_with_the_files_stops_the_start() {
    let (pair, other) = (made(), made());
    let encrypted = pair.1.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    for (key, part) in [
        (&other.1, "does not belong to the certificate of --tls-cert"),
        (&encrypted, "is encrypted; write it without a password"),
        (&pair.0, "there is no private key in it"),
    ] {
        let files = Files::new("wrong", &(pair.0.clone(), key.clone()));
        let toy = toy_path();
        let flags = files.flags();
        let line: Vec<&str> = flags
            .iter()
            .map(String::as_str)
            .chain(["--", &toy])
            .collect();
        let (code, _, said) = run(&[], &line).await;
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("--tls-key") && said.contains(part), "{said}");
    }
}
