//! `floor`: bare axum that answers in process. What it costs is HTTP, and no proxy goes below it.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use bytes::Bytes;
use parking_lot::Mutex;

use crate::answer::Answers;

/// Serves until it is ended.
///
/// # Errors
/// When it cannot listen.
pub(crate) async fn serve() -> io::Result<()> {
    let app = Router::new()
        .route("/mcp", post(answer))
        .with_state(Arc::default());
    axum::serve(crate::listen().await?, app).await
}

async fn answer(State(answers): State<Arc<Mutex<Answers>>>, body: Bytes) -> Response {
    let Some(answer) = answers.lock().to(&body) else {
        return StatusCode::ACCEPTED.into_response();
    };
    let mut whole = answer.head;
    whole.extend_from_slice(&answer.tail);
    ([(header::CONTENT_TYPE, "application/json")], whole).into_response()
}
