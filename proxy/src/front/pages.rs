//! What the proxy tells people and their monitors about itself.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::{Path, State as Extract};
use axum::http::{HeaderMap, Response, header};
use mcp_wire::Era;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::router::App;
use super::routes::{Named, Routes};
use super::served::Served;
use super::{Fault, rescue};
use crate::link::child::State;
use crate::observe::metrics as observe;
use crate::observe::process;
use crate::pool::ChildStatus;

/// A server, as the pages name it.
#[derive(Debug)]
pub struct About {
    /// Its short name.
    pub name: String,
    /// The command, as a person would type it. It may hold what was typed, so only `/status`
    /// shows it.
    pub command: String,
    /// When it came to be here.
    pub started: Instant,
    /// The path of the MCP endpoint.
    pub mcp_path: String,
    /// Where HTTP+SSE clients are served; not with `--stateless`.
    pub sse_path: Option<String>,
    /// Whom a child serves: `session`, `shared` or `stateless`.
    pub sharing: &'static str,
}

/// `GET /`: what this is and where the endpoints are; JSON for programs, text for people.
pub(super) async fn index(Extract(app): Extract<App>, headers: HeaderMap) -> Response<Body> {
    let wants_json = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("application/json"));
    let routes = app.switchboard.now();
    if wants_json {
        index_for_programs(&routes)
    } else {
        index_for_people(&routes)
    }
}

fn index_for_programs(routes: &Routes) -> Response<Body> {
    let about = routes.default.as_ref().map(|served| &served.about);
    let servers: Map<String, Value> = routes
        .named
        .keys()
        .map(|name| {
            let sse = match routes.named.get(name) {
                Some(Named::Served(served)) => served.about.sse_path.clone(),
                _ => None,
            };
            let paths = json!({
                "mcp": format!("/servers/{name}/mcp"),
                "sse": sse,
                "ready": format!("/servers/{name}/health/ready"),
            });
            (name.clone(), paths)
        })
        .collect();
    let mut page = json!({
        "name": "mcp-proxy",
        "version": env!("CARGO_PKG_VERSION"),
        "server": about.map(|about| &about.name),
        "endpoints": {
            "mcp": about.map(|about| &about.mcp_path),
            "sse": about.and_then(|about| about.sse_path.as_ref()),
            "health": "/health",
            "ready": "/health/ready",
            "status": "/status",
            "config": "/config",
            "metrics": "/metrics",
        },
    });
    if !servers.is_empty() {
        page["servers"] = Value::Object(servers);
    }
    rescue::page(&page)
}

fn index_for_people(routes: &Routes) -> Response<Body> {
    let version = env!("CARGO_PKG_VERSION");
    let mut text = match &routes.default {
        None => format!("mcp-proxy {version}: MCP servers over Streamable HTTP.\n"),
        Some(served) => {
            let About { name, mcp_path, .. } = &served.about;
            let sse = match &served.about.sse_path {
                Some(path) => format!(", or at {path} if it only speaks HTTP+SSE"),
                None => String::new(),
            };
            format!(
                "mcp-proxy {version}: the MCP server \"{name}\" over Streamable HTTP.\n\n\
                 Point an MCP client at {mcp_path} on this address{sse}.\n"
            )
        }
    };
    if !routes.named.is_empty() {
        text.push_str("\nServers by name:\n");
        for name in routes.named.keys() {
            text.push_str(&format!("  /servers/{name}/mcp\n"));
        }
        text.push('\n');
    }
    text.push_str("/health/live and /health/ready are for monitors, /status says what runs.\n");
    rescue::text(text)
}

/// `GET /health` and `/health/live`: this process answers.
pub(super) async fn live() -> Response<Body> {
    rescue::page(&json!({ "status": "ok" }))
}

/// `GET /health/ready`: whether a new client of any server could be served, and if not, why.
pub(super) async fn ready(Extract(app): Extract<App>) -> Response<Body> {
    let routes = app.switchboard.now();
    let reason = routes
        .default
        .as_ref()
        .and_then(|served| served.pool.unready());
    let servers: BTreeMap<&String, String> = routes
        .named
        .iter()
        .filter_map(|(name, named)| Some((name, named.unready()?)))
        .collect();
    let first = servers
        .first_key_value()
        .map(|(name, reason)| format!("the server {name}: {reason}"));
    match reason.or(first) {
        None => ready_page(None),
        Some(reason) if servers.is_empty() => ready_page(Some(reason)),
        Some(reason) => {
            rescue::unready(&json!({ "status": "unready", "reason": reason, "servers": servers }))
        }
    }
}

/// `GET /servers/NAME/health/ready`: the same of one server.
pub(super) async fn one_ready(
    Extract(app): Extract<App>,
    Path(name): Path<String>,
) -> Response<Body> {
    match app.switchboard.now().named.get(&name) {
        None => Fault::NoSuchServer.into_response(None),
        Some(named) => ready_page(named.unready()),
    }
}

fn ready_page(reason: Option<String>) -> Response<Body> {
    match reason {
        None => rescue::page(&json!({ "status": "ready" })),
        Some(reason) => rescue::unready(&json!({ "status": "unready", "reason": reason })),
    }
}

/// `GET /status`: what runs. The default server's own members stand at the top, `servers` has those
/// of the others; `sessions` and `calls_in_flight` at the top are of all.
pub(super) async fn status(Extract(app): Extract<App>) -> Response<Body> {
    let routes = app.switchboard.now();
    let mut page = match &routes.default {
        Some(served) => tell(served),
        None => Map::new(),
    };
    let loads = routes.all().map(|served| served.load());
    let (sessions, calls) = loads.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
    page.insert("version".into(), env!("CARGO_PKG_VERSION").into());
    page.insert(
        "uptime_seconds".into(),
        app.started.elapsed().as_secs().into(),
    );
    page.insert("sessions".into(), sessions.into());
    page.insert("calls_in_flight".into(), calls.into());
    if !routes.named.is_empty() || routes.default.is_none() {
        let servers = routes.named.iter().map(|(name, named)| {
            let told = match named {
                Named::Served(served) => tell(served).into(),
                Named::Broken(broken) => json!({
                    "name": name,
                    "command": broken.command,
                    "ready": false,
                    "reason": broken.reason,
                }),
            };
            (name.clone(), told)
        });
        page.insert("servers".into(), Value::Object(servers.collect()));
    }
    rescue::page(&page.into())
}

/// `GET /config`: every setting, its value and where it came from, secrets hidden, as
/// `--print-config` prints them; and the named servers of this moment.
pub(super) async fn config(Extract(app): Extract<App>) -> Response<Body> {
    let settings: Map<String, Value> = app
        .settings
        .iter()
        .map(|setting| {
            let told = json!({ "value": setting.value, "source": setting.source });
            (setting.name.clone(), told)
        })
        .collect();
    let routes = app.switchboard.now();
    let servers: Map<String, Value> = routes
        .named
        .iter()
        .map(|(name, named)| {
            let command = match named {
                Named::Served(served) => &served.about.command,
                Named::Broken(broken) => &broken.command,
            };
            (name.clone(), json!({ "command": command }))
        })
        .collect();
    rescue::page(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "settings": settings,
        "servers": servers,
    }))
}

/// `GET /metrics`: figures for a monitor. What is looked at rather than counted is looked at now.
pub(super) async fn metrics(Extract(app): Extract<App>) -> Response<Body> {
    let groups = process::groups();
    for served in app.switchboard.now().all() {
        served.measure(&groups);
    }
    observe::measure_this_process();
    match observe::render() {
        Some(page) => rescue::metrics_page(page),
        None => Fault::NoSuchPath.into_response(None),
    }
}

fn tell(served: &Served) -> Map<String, Value> {
    let about = &served.about;
    let (sessions, calls) = served.load();
    let reason = served.pool.unready();
    let pool = served.pool.status();
    let children: Vec<Value> = pool.children.iter().map(child).collect();
    let last_exit = pool.last_exit.map(
        |(sentence, at)| json!({ "sentence": sentence, "seconds_ago": at.elapsed().as_secs() }),
    );
    let install = served.pool.installation().map(|install| {
        json!({
            "state": install.state,
            "package": install.package,
            "version": install.version,
            "seconds": install.seconds,
            "reason": install.reason,
        })
    });
    let members = [
        ("name", json!(about.name)),
        ("command", json!(about.command)),
        ("uptime_seconds", json!(about.started.elapsed().as_secs())),
        ("child_mode", json!(about.sharing)),
        ("ready", json!(reason.is_none())),
        ("reason", json!(reason)),
        ("state", json!(pool.state.word())),
        ("starts", json!(pool.starts)),
        ("crashes", json!(pool.crashes)),
        ("last_exit", json!(last_exit)),
        ("install", json!(install)),
        ("sessions", json!(sessions)),
        ("calls_in_flight", json!(calls)),
        ("children", json!(children)),
    ];
    members
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
}

fn child(child: &ChildStatus) -> Value {
    let status = &child.process;
    let state = match status.state {
        State::Running if child.greeted => "ready",
        State::Running => "starting",
        State::Stopping => "stopping",
        State::Ended(_) => "ended",
    };
    json!({
        "pid": status.pid,
        "state": state,
        "era": match child.era {
            Era::Legacy => "legacy",
            Era::Modern => "modern",
        },
        "uptime_seconds": status.started.elapsed().as_secs(),
        "resident_bytes": child.resident,
        "calls_in_flight": child.calls,
        "clients": child.seats,
        "lines_read": status.lines_in,
        "lines_written": status.lines_out,
        "bytes_read": status.bytes_in,
        "bytes_written": status.bytes_out,
        "bytes_waiting": status.bytes_queued,
        "garbage_lines": status.garbage,
        "last_stderr": child.last_words,
    })
}
