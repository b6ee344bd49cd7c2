//! What the proxy tells people and their monitors about itself.

use axum::body::Body;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, Response, header};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::router::App;
use super::served::Served;
use super::{Fault, rescue};
use crate::link::child::State;

/// A server, as the pages name it.
#[derive(Debug)]
pub struct About {
    /// Its short name.
    pub name: String,
    /// The command, as a person would type it. It may hold what was typed, so only `/status`
    /// shows it.
    pub command: String,
    /// When the proxy started.
    pub started: Instant,
    /// The path of the MCP endpoint.
    pub mcp_path: String,
    /// Whether HTTP+SSE clients are served; not with `--stateless`.
    pub has_sse: bool,
    /// Whom a child serves: `session`, `shared` or `stateless`.
    pub sharing: &'static str,
}

/// `GET /`: what this is and where the endpoint is; JSON for programs, text for people.
pub(super) async fn index(Extract(app): Extract<App>, headers: HeaderMap) -> Response<Body> {
    let wants_json = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("application/json"));
    let routes = app.switchboard.now();
    let Some(served) = &routes.default else {
        return Fault::NoSuchPath.into_response(None);
    };
    let about = &served.about;
    if wants_json {
        return rescue::page(&json!({
            "name": "mcp-proxy",
            "version": env!("CARGO_PKG_VERSION"),
            "server": about.name,
            "endpoints": { "mcp": about.mcp_path, "sse": about.has_sse.then_some("/sse"), "health": "/health", "ready": "/health/ready", "status": "/status" },
        }));
    }
    rescue::text(format!(
        "mcp-proxy {version}: the MCP server \"{name}\" over Streamable HTTP.\n\n\
         Point an MCP client at {mcp_path} on this address{sse}.\n\
         /health/live and /health/ready are for monitors, /status says what runs.\n",
        version = env!("CARGO_PKG_VERSION"),
        name = about.name,
        mcp_path = about.mcp_path,
        sse = if about.has_sse {
            ", or at /sse if it only speaks HTTP+SSE"
        } else {
            ""
        },
    ))
}

/// `GET /health` and `/health/live`: this process answers.
pub(super) async fn live() -> Response<Body> {
    rescue::page(&json!({ "status": "ok" }))
}

/// `GET /health/ready`: whether a new client could be served, and if not, why.
pub(super) async fn ready(Extract(app): Extract<App>) -> Response<Body> {
    let routes = app.switchboard.now();
    match routes.all().find_map(|served| served.pool.unready()) {
        None => rescue::page(&json!({ "status": "ready" })),
        Some(reason) => rescue::unready(&json!({ "status": "unready", "reason": reason })),
    }
}

/// `GET /status`: what runs.
pub(super) async fn status(Extract(app): Extract<App>) -> Response<Body> {
    let routes = app.switchboard.now();
    let Some(served) = &routes.default else {
        return Fault::NoSuchPath.into_response(None);
    };
    rescue::page(&tell(served))
}

fn tell(served: &Served) -> Value {
    let about = &served.about;
    let (sessions, calls) = served.load();
    let children: Vec<Value> = served
        .pool
        .status()
        .into_iter()
        .map(|(status, calls, seats)| {
            json!({
                "pid": status.pid,
                "state": state(&status.state),
                "uptime_seconds": status.started.elapsed().as_secs(),
                "calls_in_flight": calls,
                "clients": seats,
                "lines_read": status.lines_in,
                "lines_written": status.lines_out,
                "bytes_read": status.bytes_in,
                "bytes_written": status.bytes_out,
                "bytes_waiting": status.bytes_queued,
                "garbage_lines": status.garbage,
                "last_stderr": status.stderr,
            })
        })
        .collect();
    json!({
        "name": about.name,
        "command": about.command,
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": about.started.elapsed().as_secs(),
        "child_mode": about.sharing,
        "ready": served.pool.unready().is_none(),
        "reason": served.pool.unready(),
        "sessions": sessions,
        "calls_in_flight": calls,
        "children": children,
    })
}

fn state(state: &State) -> String {
    match state {
        State::Running => "running".to_owned(),
        State::Stopping => "stopping".to_owned(),
        State::Ended(end) => format!("ended: {}", end.sentence()),
    }
}
