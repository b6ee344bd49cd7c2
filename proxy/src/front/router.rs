//! The paths, and what every request goes through before it gets there.

use std::convert::Infallible;
use std::fmt;
use std::future::ready;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request, Response};
use axum::routing::get;
use bytes::Bytes;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tokio::time::Instant;

use super::caught::{Answering, Caught};
use super::connection::Begun;
use super::held::until_taken;
use super::intake::Intake;
use super::routes::{Endpoint, Switchboard, locate};
use super::served::Served;
use super::{Fault, pages, rescue, well_known};
use crate::config::{Door, Listen, Settings};
use crate::exchange::Principal;
use crate::guard::forwarded::Peer;
use crate::guard::{Admitted, Guard};
use crate::observe::metrics;

/// What the paths need.
#[derive(Clone, Debug)]
pub struct App {
    /// The servers, by where they are reached.
    pub switchboard: Arc<Switchboard>,
    /// When the proxy started.
    pub started: Instant,
    /// How bodies are taken in.
    pub intake: Intake,
    /// What `/config` shows.
    pub settings: Settings,
}

/// The whole application: the guard first, then the paths. Cheap
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
    intake: Intake,
    pages: TowerToHyperService<Router>,
}

impl fmt::Debug for Entrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entrance")
            .field("guard", &self.0.guard)
            .finish_non_exhaustive()
    }
}

/// The way in to this application, past this guard.
#[must_use]
pub fn entrance(app: App, guard: Guard, listen: &Listen, door: &Door) -> Entrance {
    let switchboard = Arc::clone(&app.switchboard);
    let intake = app.intake;
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
        .route("/config", get(pages::config))
        .route("/metrics", get(pages::metrics))
        .route("/servers/{name}/health/ready", get(pages::one_ready))
        .merge(well_known::pages(guard.resources()))
        .fallback(nothing_here)
        .method_not_allowed_fallback(only_get)
        .with_state(app);
    Entrance(Arc::new(Inside {
        guard,
        admitted: metrics::admitted(),
        switchboard,
        mcp_path: listen.mcp_path.clone(),
        intake,
        pages: TowerToHyperService::new(pages),
    }))
}

/// The entrance as one connection meets it.
#[derive(Clone, Debug)]
pub struct Doorway {
    entrance: Entrance,
    peer: Peer,
    begun: Begun,
}

impl Entrance {
    /// For a connection of this peer, which is told that a request has come.
    #[must_use]
    pub fn met_by(&self, peer: Peer, begun: Begun) -> Doorway {
        Doorway {
            entrance: self.clone(),
            peer,
            begun,
        }
    }
}

impl<B> Service<Request<B>> for Doorway
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Caught;

    fn call(&self, request: Request<B>) -> Self::Future {
        self.begun.say();
        Caught::of(|| {
            let (head, body) = request.into_parts();
            let entrance = &self.entrance;
            let Some(cors) = entrance.0.guard.cors() else {
                return entrance.answer(head, body, self.peer);
            };
            let crossing = cors.crossing(&head);
            let answering = entrance.answer(head, body, self.peer);
            Box::pin(async move {
                let mut response = answering.await?;
                crossing.mark(response.headers_mut());
                Ok(response)
            })
        })
    }
}

impl Entrance {
    /// Waits for the key of the request's token where it is not known, then asks the guard.
    fn answer<B>(&self, head: Parts, body: B, peer: Peer) -> Answering
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let Some(missing) = self.0.guard.missing(&head) else {
            return self.judged(head, body, peer);
        };
        let entrance = self.clone();
        Box::pin(async move {
            missing.look().await;
            entrance.judged(head, body, peer).await
        })
    }

    /// Asks the guard, and lets whatever is at the path answer.
    fn judged<B>(&self, mut head: Parts, body: B, peer: Peer) -> Answering
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let Admitted {
            principal,
            grant,
            ticket,
        } = match self.0.guard.admit(&head, peer) {
            Err(refusal) => {
                metrics::refused(refusal.kind(), refusal.why());
                return Box::pin(ready(Ok(rescue::door(refusal))));
            }
            Ok(admitted) => admitted,
        };
        self.0.admitted.increment(1);
        if let Some(grant) = grant {
            head.extensions.insert(grant);
        }
        let answering = self.found(head, body, principal);
        let Some(ticket) = ticket else {
            return answering;
        };
        Box::pin(async move { Ok(until_taken(answering.await?, ticket)) })
    }

    /// Lets whatever is at the path answer.
    fn found<B>(&self, head: Parts, body: B, principal: Principal) -> Answering
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        if let Some(headers) = self.preflight(&head) {
            return Box::pin(ready(Ok(rescue::preflight(headers))));
        }
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

    /// What a page of another origin is told that asks what it may send here.
    fn preflight(&self, head: &Parts) -> Option<HeaderMap> {
        let endpoint = locate(head.uri.path(), &self.0.mcp_path).map(|(_, endpoint)| endpoint);
        let methods = match endpoint {
            // Without sessions two of them are refused, which a page should be able to read, too.
            Some(Endpoint::Mcp) => "GET, POST, DELETE",
            Some(Endpoint::Messages) => "POST",
            Some(Endpoint::Sse) | None => "GET",
        };
        self.0.guard.cors()?.preflight(head, methods)
    }

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
        let intake = self.0.intake;
        Box::pin(async move {
            let body = match intake.read(&head, body).await {
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

async fn nothing_here() -> Response<Body> {
    Fault::NoSuchPath.into_response(None)
}

async fn only_get() -> Response<Body> {
    Fault::WrongMethod { allowed: "GET" }.into_response(None)
}
