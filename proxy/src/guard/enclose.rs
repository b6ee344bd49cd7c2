//! The list of policies around a router, in the order a request meets them.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;

use crate::config::{Door, Listen};

use super::auth::Auth;
use super::host_origin::HostOrigin;
use super::refusal::{Refusal, Rescue};

/// Puts every policy of this room around a router.
///
/// Behind it each request carries a [`Principal`](super::Principal) in its extensions. Routes added
/// to the result afterwards are not guarded, so this comes last.
pub fn enclose(router: Router, listen: &Listen, door: &Door, rescue: Rescue) -> Router {
    let host_origin = Arc::new((HostOrigin::new(listen, door), rescue));
    let auth = Arc::new((Auth::new(door), rescue));
    // axum runs the layer added last first, so this list is read from its end.
    router
        // Second, who is it: after the question below, so that a page which may not call cannot find
        // out by its answers whether a token is asked for or whether it guessed one.
        .layer(from_fn_with_state(auth, ask_auth))
        // First, is it for us: nothing else in the head of a misdirected request means anything.
        .layer(from_fn_with_state(host_origin, ask_host_origin))
}

/// # Cancel safety
///
/// Dropping it drops the request, as a client that goes away does; the policy keeps nothing.
async fn ask_host_origin(
    State(policy): State<Arc<(HostOrigin, Rescue)>>,
    request: Request,
    next: Next,
) -> Response {
    let (head, body) = request.into_parts();
    match policy.0.check(&head) {
        Ok(()) => next.run(Request::from_parts(head, body)).await,
        Err(refusal) => refuse(policy.1, &head, refusal),
    }
}

/// # Cancel safety
///
/// As [`ask_host_origin`].
async fn ask_auth(
    State(policy): State<Arc<(Auth, Rescue)>>,
    request: Request,
    next: Next,
) -> Response {
    let (mut head, body) = request.into_parts();
    match policy.0.check(&head) {
        Ok(principal) => {
            head.extensions.insert(principal);
            next.run(Request::from_parts(head, body)).await
        }
        Err(refusal) => refuse(policy.1, &head, refusal),
    }
}

fn refuse(rescue: Rescue, head: &Parts, refusal: Refusal) -> Response {
    // At debug level: whoever sends such requests must not be able to fill the log.
    tracing::debug!(target: "guard", refusal = refusal.sentence(), "request refused");
    rescue(head, refusal)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use axum::{Extension, http};
    use http_body_util::BodyExt as _;
    use hyper::service::Service as _;
    use hyper_util::service::TowerToHyperService;

    use super::*;
    use crate::config::{Secret, TokenPolicy};
    use crate::guard::Principal;

    fn rescue(head: &Parts, refusal: Refusal) -> Response {
        let kind = match refusal {
            Refusal::Host { .. } => "host",
            Refusal::Origin { .. } => "origin",
            Refusal::Unauthorized { .. } => "unauthorized",
        };
        Response::new(Body::from(format!("{kind} at {}", head.uri.path())))
    }

    async fn answer(path: &str, headers: &[(&str, &str)]) -> String {
        let listen = Listen {
            host: "127.0.0.1".into(),
            port: 8080,
        };
        let tokens = TokenPolicy::Given(Secret::new("correct-horse-battery").unwrap());
        let door = Door {
            tokens,
            allow_hosts: Vec::new(),
            allow_origins: Vec::new(),
        };
        let who = |Extension(who): Extension<Principal>| async move { who.as_str().to_owned() };
        let router = Router::new()
            .route("/mcp", get(who))
            .route("/health", get(who));
        let service = TowerToHyperService::new(enclose(router, &listen, &door, rescue));
        let mut request = http::Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = service
            .call(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn policies_are_asked_in_order_and_the_principal_arrives() {
        let ours = ("host", "localhost:8080");
        let evil = ("host", "evil.example");
        let page = ("origin", "https://evil.example");
        let token = ("authorization", "Bearer correct-horse-battery");
        for (path, headers, expected) in [
            ("/mcp", &[ours, token][..], "token"),
            ("/mcp", &[ours], "unauthorized at /mcp"),
            // A misdirected request learns nothing about its token, right or wrong.
            ("/mcp", &[evil, token], "host at /mcp"),
            ("/mcp", &[evil], "host at /mcp"),
            ("/mcp", &[ours, page, token], "origin at /mcp"),
            ("/mcp", &[ours, page], "origin at /mcp"),
            ("/health", &[evil], "anonymous"),
            ("/health", &[evil, page], "origin at /health"),
            // What has no route is guarded too.
            ("/unknown", &[ours], "unauthorized at /unknown"),
        ] {
            assert_eq!(answer(path, headers).await, expected, "{path} {headers:?}");
        }
    }
}
