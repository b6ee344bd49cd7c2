//! Tokens, good ones and each kind of bad one, against an authorization server of one connection.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::config::Scope;

/// What signs, as an authorization server would.
enum Signer {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

impl Signer {
    fn es256() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
        Self::Es256(key)
    }

    fn ed_dsa() -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::EdDsa(Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap())
    }

    fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::Es256(key) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "kid": kid, "alg": "ES256", "use": "sig",
                       "x": text(x), "y": text(y)})
            }
            Self::EdDsa(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": text(key.public_key().as_ref())})
            }
        }
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", text(header.to_string()), text(claims.to_string()));
        let signature = match self {
            Self::Es256(key) => key
                .sign(&SystemRandom::new(), signed.as_bytes())
                .unwrap()
                .as_ref()
                .to_vec(),
            Self::EdDsa(key) => key.sign(signed.as_bytes()).as_ref().to_vec(),
        };
        format!("{signed}.{}", text(signature))
    }
}

fn text(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Answers every request with this set of keys, and counts them.
async fn keys_at(keys: Value) -> (String, Arc<std::sync::atomic::AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut head = vec![0; 4096];
            let _read = socket.read(&mut head).await;
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let body = keys.to_string();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _written = socket.write_all(answer.as_bytes()).await;
        }
    });
    (format!("http://{address}/jwks"), count)
}

const ISSUER: &str = "https://login.example/realm";
const US: &str = "https://mcp.example/mcp";

async fn tokens(keys: Value) -> Arc<Tokens> {
    let (url, _) = keys_at(keys).await;
    let tokens = Tokens::new(&Issuer {
        url: ISSUER.parse().unwrap(),
        name: ISSUER.into(),
        jwks_url: Some(url.parse().unwrap()),
        audiences: Vec::new(),
        scopes: vec![Scope::parse("any").unwrap()],
        allow_private: false,
        public_url: None,
    });
    tokens.following.look().await;
    tokens
}

fn now() -> u64 {
    jsonwebtoken::get_current_timestamp()
}

fn claims() -> Value {
    json!({"iss": ISSUER, "aud": US, "sub": "alice", "exp": now() + 300, "scope": "read write"})
}

/// The claims with these changed; `null` takes one away.
fn but(changes: Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

#[tokio::test]
async fn tokens_say_whose_they_are_and_every_flaw_is_found() {
    let (ec, ed, stranger) = (Signer::es256(), Signer::ed_dsa(), Signer::es256());
    let tokens = tokens(json!({"keys": [
        ec.jwk("ec"),
        ed.jwk("ed"),
        // What is of no use does no harm.
        {"kty": "oct", "kid": "secret", "k": "c2VjcmV0"},
        {"kty": "new", "kid": "new"},
        {"kty": "EC", "crv": "P-256", "kid": "enc", "use": "enc", "x": "AA", "y": "AA"},
        7,
    ]}))
    .await;
    let header = json!({"alg": "ES256", "kid": "ec", "typ": "at+jwt"});
    let check = |token: &str| {
        let checked = tokens.check(token.as_bytes(), |audience| audience == US);
        checked.map(|token| token.principal.as_str().to_owned())
    };
    let alice = Ok(format!("{ISSUER}#alice"));
    let signed = |claims: &Value| ec.sign(&header, claims);

    // Good ones, by either key, with and without its name.
    for (signer, header) in [
        (&ec, header.clone()),
        (&ec, json!({"alg": "ES256", "typ": "JWT"})),
        (&ed, json!({"alg": "EdDSA", "kid": "ed"})),
        (&ed, json!({"alg": "EdDSA", "typ": "application/at+JWT"})),
    ] {
        assert_eq!(check(&signer.sign(&header, &claims())), alice, "{header}");
    }
    for claims in [
        but(json!({"aud": ["https://other.example", US]})),
        but(json!({"nbf": now() + 10, "exp": now() - 10})),
        but(json!({"exp": 1e10, "nbf": 1.5})),
        but(json!({"scope": null, "scp": ["read"]})),
    ] {
        assert_eq!(check(&signed(&claims)), alice, "{claims}");
    }

    // What is signed, and wrong.
    for (changes, flaw) in [
        (json!({"iss": "https://login.example"}), Flaw::Issuer),
        (json!({"iss": format!("{ISSUER}/")}), Flaw::Issuer),
        (json!({"iss": null}), Flaw::Claims),
        (json!({"aud": "https://other.example"}), Flaw::Audience),
        (json!({"aud": []}), Flaw::Audience),
        (json!({"aud": null}), Flaw::Claims),
        (json!({"exp": now() - 60}), Flaw::Expired),
        (json!({"exp": null}), Flaw::Claims),
        (json!({"exp": "tomorrow"}), Flaw::Claims),
        (json!({"nbf": now() + 60}), Flaw::Early),
        (json!({"sub": null}), Flaw::Claims),
        (json!({"sub": ""}), Flaw::Claims),
        (json!({"sub": 7}), Flaw::Claims),
        (json!({"sub": "a\nb"}), Flaw::Claims),
        (json!({"sub": "a".repeat(256)}), Flaw::Claims),
        (json!({"cnf": {"jkt": "x"}}), Flaw::Bound),
    ] {
        assert_eq!(
            check(&signed(&but(changes.clone()))),
            Err(flaw),
            "{changes}"
        );
    }

    // What is signed otherwise, or not at all.
    let none = format!(
        "{}.{}.",
        text(r#"{"alg":"none"}"#),
        text(claims().to_string())
    );
    // The public key as the secret of an HMAC, which would make everybody an issuer.
    let hmac = {
        let signed = format!(
            "{}.{}",
            text(r#"{"alg":"HS256","kid":"ec"}"#),
            text(claims().to_string())
        );
        let Signer::Es256(key) = &ec else {
            unreachable!()
        };
        let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key.public_key().as_ref());
        let tag = ring::hmac::sign(&secret, signed.as_bytes());
        format!("{signed}.{}", text(tag.as_ref()))
    };
    let good = signed(&claims());
    let (body, _) = good.rsplit_once('.').unwrap();
    let foreign = signed(&but(json!({"sub": "mallory"})));
    let (_, other) = foreign.rsplit_once('.').unwrap();
    let long = "a".repeat(MAX_TOKEN_BYTES + 1);
    for (token, flaw) in [
        (none.as_str(), Flaw::Malformed),
        (&hmac, Flaw::Algorithm),
        (&stranger.sign(&header, &claims()), Flaw::Signature),
        (&format!("{body}.{other}"), Flaw::Signature),
        (&format!("{body}."), Flaw::Signature),
        (&format!("{body}.!"), Flaw::Malformed),
        (
            &stranger.sign(&json!({"alg": "ES256", "kid": "x"}), &claims()),
            Flaw::Key,
        ),
        // A key is of its own algorithm only.
        (
            &ed.sign(&json!({"alg": "EdDSA", "kid": "ec"}), &claims()),
            Flaw::Key,
        ),
        (
            &ec.sign(&json!({"alg": "RS256", "kid": "ec"}), &claims()),
            Flaw::Key,
        ),
        (
            &ec.sign(&json!({"alg": "ES256", "typ": "logout+jwt"}), &claims()),
            Flaw::Malformed,
        ),
        (
            &ec.sign(&json!({"alg": "ES256", "crit": ["x"], "x": 1}), &claims()),
            Flaw::Malformed,
        ),
        ("correct-horse-battery", Flaw::Malformed),
        ("a.b.c", Flaw::Malformed),
        ("..", Flaw::Malformed),
        ("", Flaw::Malformed),
        (&long, Flaw::Malformed),
    ] {
        assert_eq!(check(token), Err(flaw), "{token}");
    }
    // What was found right once is found right for its own audience only.
    assert_eq!(check(&good), alice);
    let elsewhere = tokens.check(good.as_bytes(), |audience| {
        audience == "https://other.example"
    });
    assert_eq!(elsewhere.unwrap_err(), Flaw::Audience);
    let scopes = tokens.check(good.as_bytes(), |_| true).unwrap();
    assert_eq!(*scopes.scopes, [Box::from("read"), Box::from("write")]);
}

#[tokio::test]
async fn nobody_can_make_the_proxy_ask_for_keys_more_often_than_it_likes() {
    let (ec, stranger) = (Signer::es256(), Signer::es256());
    let (url, count) = keys_at(json!({"keys": [ec.jwk("ec")]})).await;
    let tokens = Tokens::new(&Issuer {
        url: ISSUER.parse().unwrap(),
        name: ISSUER.into(),
        jwks_url: Some(url.parse().unwrap()),
        audiences: Vec::new(),
        scopes: Vec::new(),
        allow_private: false,
        public_url: None,
    });
    let invented = |kid: usize| {
        let header = json!({"alg": "ES256", "kid": kid.to_string()});
        stranger.sign(&header, &claims())
    };
    for kid in 0..50 {
        let missing = tokens.missing(invented(kid).as_bytes()).unwrap();
        missing.look().await;
    }
    assert_eq!(count.load(std::sync::atomic::Ordering::SeqCst), 1);
    // Whoever names another issuer, or no key that could be one, is not waited for at all.
    let header = json!({"alg": "ES256", "kid": "x"});
    let elsewhere = stranger.sign(&header, &but(json!({"iss": "https://other.example"})));
    assert!(tokens.missing(elsewhere.as_bytes()).is_none());
    assert!(tokens.missing(b"correct-horse-battery").is_none());
    assert!(
        tokens
            .missing(
                ec.sign(&json!({"alg": "ES256", "kid": "ec"}), &claims())
                    .as_bytes()
            )
            .is_none()
    );
}

#[tokio::test]
async fn without_keys_nobody_knows() {
    let ec = Signer::es256();
    let tokens = tokens(json!({"keys": []})).await;
    let token = ec.sign(&json!({"alg": "ES256", "kid": "ec"}), &claims());
    assert_eq!(
        tokens.check(token.as_bytes(), |_| true),
        Err(Flaw::Unchecked)
    );
}

#[test]
fn descriptions_stand_in_a_header() {
    for flaw in [
        Flaw::Malformed,
        Flaw::Algorithm,
        Flaw::Key,
        Flaw::Signature,
        Flaw::Issuer,
        Flaw::Audience,
        Flaw::Expired,
        Flaw::Early,
        Flaw::Claims,
        Flaw::Bound,
        Flaw::Unchecked,
    ] {
        let sentence = flaw.sentence();
        assert!(
            !sentence.contains(['"', '\\']) && sentence.is_ascii(),
            "{sentence}"
        );
    }
}
