//! The paths, and what every request goes through before it gets there.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, header};
use axum::routing::{any, get};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::pages;
use super::sessions::Sessions;
use super::{Fault, rescue};
use crate::config::{Door, Listen};
use crate::exchange::Principal;
use crate::guard;
use crate::pool::Pool;

/// How long a client may take to send a body after its headers.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// What the paths need.
#[derive(Clone, Debug)]
pub struct App {
    /// The front of the session eras.
    pub sessions: Arc<Sessions>,
    /// The children, for the pages that tell of them.
    pub pool: Arc<Pool>,
    /// What `/` and `/status` say of the server behind.
    pub about: Arc<pages::About>,
    /// The longest request body, in bytes.
    pub max_body: usize,
}

/// The whole application: paths inside, the door around them.
pub fn router(app: App, listen: &Listen, door: &Door) -> Router {
    let paths = Router::new()
        .route("/mcp", any(mcp))
        .route("/mcp/", any(mcp))
        .route("/", get(pages::index))
        .route("/health", get(pages::live))
        .route("/health/live", get(pages::live))
        .route("/health/ready", get(pages::ready))
        .route("/status", get(pages::status))
        .fallback(nothing_here)
        .method_not_allowed_fallback(only_get)
        .with_state(app);
    guard::enclose(paths, listen, door, rescue::door)
}

async fn mcp(State(app): State<App>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let anonymous = Principal::anonymous();
    let principal = parts.extensions.get::<Principal>().unwrap_or(&anonymous);
    let announced: Option<usize> = parts
        .headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    let body = if announced.is_some_and(|length| length > app.max_body) {
        // Refused before a byte of it is read.
        Err(Fault::TooLarge {
            limit: app.max_body,
        })
    } else {
        read(body, app.max_body).await
    };
    match body {
        Ok(body) => app.sessions.handle(&parts, principal, body).await,
        Err(fault) => fault.into_response(None),
    }
}

/// The whole body, bounded in bytes and in time.
async fn read(body: Body, limit: usize) -> Result<Bytes, Fault> {
    let whole = Limited::new(body, limit).collect();
    match tokio::time::timeout(BODY_TIMEOUT, whole).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Fault::TooLarge { limit }),
        Ok(Err(_)) | Err(_) => Err(Fault::Incomplete),
    }
}

async fn nothing_here() -> Response<Body> {
    Fault::NoSuchPath.into_response(None)
}

async fn only_get() -> Response<Body> {
    Fault::WrongMethod { allowed: "GET" }.into_response(None)
}
