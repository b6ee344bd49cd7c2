//! A small authorization server: metadata, keys that can be exchanged, and tokens for whoever asks the
//! test. Nobody signs in here; `proxy/tests/clients/oauth.mjs` has a real one for that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Where it is, and what it signs with. Dropped, nobody answers any more.
pub(super) struct Issuer {
    pub(super) url: String,
    inside: Arc<Inside>,
    task: JoinHandle<()>,
}

struct Inside {
    url: String,
    key: Mutex<(String, EcdsaKeyPair)>,
    down: AtomicBool,
    asked: AtomicUsize,
}

impl Issuer {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/realm", listener.local_addr().unwrap());
        let inside = Arc::new(Inside {
            url: url.clone(),
            key: Mutex::new(("key-1".into(), key())),
            down: AtomicBool::new(false),
            asked: AtomicUsize::new(0),
        });
        let serving = Arc::clone(&inside);
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(answer(Arc::clone(&serving), socket));
            }
        });
        Self { url, inside, task }
    }

    /// From now on it signs with another key, and knows the old one no more.
    pub(super) fn rotate(&self, kid: &str) {
        *self.inside.key.lock() = (kid.to_owned(), key());
    }

    /// Whether it answers 503.
    pub(super) fn set_down(&self, down: bool) {
        self.inside.down.store(down, Ordering::SeqCst);
    }

    /// How often it was asked for its keys.
    pub(super) fn asked(&self) -> usize {
        self.inside.asked.load(Ordering::SeqCst)
    }

    /// A token of this subject for this audience, with these scopes, good for five minutes.
    pub(super) fn token(&self, subject: &str, audience: &str, scope: &str) -> String {
        self.signed(&json!({
            "iss": self.url, "sub": subject, "aud": audience, "scope": scope, "exp": now() + 300,
        }))
    }

    /// A token with these claims.
    pub(super) fn signed(&self, claims: &Value) -> String {
        let (kid, key) = &*self.inside.key.lock();
        let header = json!({ "alg": "ES256", "kid": kid, "typ": "at+jwt" });
        let signed = format!("{}.{}", text(header.to_string()), text(claims.to_string()));
        let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", text(signature.as_ref()))
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

fn key() -> EcdsaKeyPair {
    let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap()
}

fn text(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Inside {
    /// What is at a path.
    fn page(&self, path: &str) -> Option<Value> {
        match path {
            "/.well-known/oauth-authorization-server/realm" => {
                let keys = format!("{}/keys", self.url);
                Some(json!({ "issuer": self.url, "jwks_uri": keys }))
            }
            "/realm/keys" => {
                self.asked.fetch_add(1, Ordering::SeqCst);
                let (kid, key) = &*self.key.lock();
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                let jwk = json!({
                    "kty": "EC", "crv": "P-256", "kid": kid, "use": "sig", "alg": "ES256",
                    "x": text(x), "y": text(y),
                });
                Some(json!({ "keys": [jwk] }))
            }
            _ => None,
        }
    }
}

/// One request, one answer.
async fn answer(inside: Arc<Inside>, mut socket: TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match socket.read_u8().await {
            Ok(byte) if head.len() < 8192 => head.push(byte),
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    let (status, body) = match inside.page(path) {
        _ if inside.down.load(Ordering::SeqCst) => ("503 Service Unavailable", json!({})),
        Some(page) => ("200 OK", page),
        None => ("404 Not Found", json!({})),
    };
    let body = body.to_string();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    // A proxy that is gone reads nothing.
    let _written = socket.write_all(answer.as_bytes()).await;
}
