//! The paths, and what every request goes through before it gets there.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Request, Response, header};
use axum::routing::get;
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tokio::time::Instant;

use super::routes::{Endpoint, Switchboard, locate};
use super::served::Served;
use super::{Fault, pages, rescue};
use crate::config::{Door, Listen};
use crate::exchange::Principal;
use crate::guard::Guard;
use crate::observe::metrics;

/// How long a client may take to send a body after its headers.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// What the paths need.
#[derive(Clone, Debug)]
pub struct App {
    /// The servers, by where they are reached.
    pub switchboard: Arc<Switchboard>,
    /// When the proxy started.
    pub started: Instant,
    /// The longest request body, in bytes.
    pub max_body: usize,
}

/// The whole application, as a connection is served by it: the guard first, then the paths. Cheap
/// to clone.
///
/// The MCP endpoints are told from the pages by comparing paths, before any router: every layer
/// of a router boxes what passes through it, and there would be more of that in a call than of
/// everything else the proxy does for it.
#[derive(Clone)]
pub struct Entrance(Arc<Inside>);

struct Inside {
    guard: Guard,
    /// Counts who was let in.
    admitted: metrics::Counter,
    switchboard: Arc<Switchboard>,
    /// The path of the default server's endpoint, without a slash at its end; with one it is the
    /// same.
    mcp_path: String,
    max_body: usize,
    pages: TowerToHyperService<Router>,
}

impl fmt::Debug for Entrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entrance")
            .field("guard", &self.0.guard)
            .finish_non_exhaustive()
    }
}

/// The way in to this application, through this door.
#[must_use]
pub fn entrance(app: App, listen: &Listen, door: &Door) -> Entrance {
    let switchboard = Arc::clone(&app.switchboard);
    let max_body = app.max_body;
    let health = door.health_paths.iter().fold(Router::new(), |pages, path| {
        // `config` refuses every path that is routed already.
        pages.route(path, get(pages::live))
    });
    let pages = health
        .route("/", get(pages::index))
        .route("/health", get(pages::live))
        .route("/health/live", get(pages::live))
        .route("/health/ready", get(pages::ready))
        .route("/status", get(pages::status))
        .route("/metrics", get(pages::metrics))
        .route("/servers/{name}/health/ready", get(pages::one_ready))
        .fallback(nothing_here)
        .method_not_allowed_fallback(only_get)
        .with_state(app);
    Entrance(Arc::new(Inside {
        guard: Guard::new(listen, door),
        admitted: metrics::admitted(),
        switchboard,
        mcp_path: listen.mcp_path.clone(),
        max_body,
        pages: TowerToHyperService::new(pages),
    }))
}

impl<B> Service<Request<B>> for Entrance
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<B>) -> Self::Future {
        let (head, body) = request.into_parts();
        let principal = match self.0.guard.admit(&head) {
            Err(refusal) => {
                metrics::refused(refusal.kind());
                return Box::pin(ready(Ok(rescue::door(refusal))));
            }
            Ok(principal) => principal,
        };
        self.0.admitted.increment(1);
        let Some((name, endpoint)) = locate(head.uri.path(), &self.0.mcp_path) else {
            return Box::pin(self.0.pages.call(Request::from_parts(head, body)));
        };
        let served = match self.0.switchboard.find(name, &head) {
            Ok(served) => served,
            Err(fault) => return Box::pin(ready(Ok(fault.into_response(None)))),
        };
        match endpoint {
            // Its answer is a stream and its request has no body.
            Endpoint::Sse => Box::pin(ready(Ok(served.http_sse.sse(&head, &principal)))),
            Endpoint::Mcp | Endpoint::Messages => {
                self.posted((served, endpoint), head, principal, body)
            }
        }
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl Entrance {
    /// Reads the body, and lets the endpoint answer.
    fn posted<B>(
        &self,
        (served, endpoint): (Arc<Served>, Endpoint),
        head: Parts,
        principal: Principal,
        body: B,
    ) -> Answering
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let max_body = self.0.max_body;
        Box::pin(async move {
            let body = match read(&head, body, max_body).await {
                Ok(body) => body,
                Err(fault) => return Ok(fault.into_response(None)),
            };
            Ok(if endpoint == Endpoint::Messages {
                served.http_sse.messages(&head, &principal, body).await
            } else {
                served.mcp(&head, &principal, body).await
            })
        })
    }
}

/// The whole body, bounded in bytes and in time.
async fn read<B>(head: &Parts, body: B, limit: usize) -> Result<Bytes, Fault>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let announced: Option<usize> = head
        .headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length| length > limit) {
        // Refused before a byte of it is read.
        return Err(Fault::TooLarge { limit });
    }
    let whole = Limited::new(body, limit).collect();
    match tokio::time::timeout(BODY_TIMEOUT, whole).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Fault::TooLarge { limit }),
        Ok(Err(_)) => Err(Fault::Incomplete),
        Err(_) => Err(Fault::Late),
    }
}

async fn nothing_here() -> Response<Body> {
    Fault::NoSuchPath.into_response(None)
}

async fn only_get() -> Response<Body> {
    Fault::WrongMethod { allowed: "GET" }.into_response(None)
}
