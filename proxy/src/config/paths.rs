//! The two kinds of paths a person may choose: the MCP endpoint, and further health checks.

use super::cli::Typed;
use super::pick::Picker;

/// The endpoint where nothing was said.
const MCP_PATH: &str = "/mcp";

/// The longest path, in bytes: it stands in every request line.
const LONGEST_PATH: usize = 200;

/// Paths that answer as a health check without being asked to.
const HEALTH: [&str; 3] = ["/health", "/health/live", "/health/ready"];

/// Paths that mean something else here, or will.
const TAKEN: [&str; 6] = ["/", "/status", "/config", "/metrics", "/sse", "/messages"];

/// Where the endpoint is; without a slash at its end.
pub(super) fn mcp(pick: &mut Picker<'_>, typed: &Typed) -> String {
    let Some(picked) = pick.text("mcp-path", typed.mcp_path.as_ref()) else {
        return MCP_PATH.into();
    };
    let path = picked.text.strip_suffix('/').unwrap_or(&picked.text);
    // A page that needs no token must not be where the server is.
    if is_taken(path) || HEALTH.contains(&path) || path.is_empty() {
        pick.wrong(&picked, "the path of something else");
    } else if !is_plain(path) {
        pick.wrong(&picked, NOT_PLAIN);
    } else {
        return path.into();
    }
    MCP_PATH.into()
}

/// Paths that answer like `/health`, beside it.
pub(super) fn health(pick: &mut Picker<'_>, typed: &Typed, mcp: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for picked in pick.list("health-path", &typed.health_path) {
        let path = picked.text.as_str();
        let bare = path.strip_suffix('/').unwrap_or(path);
        if HEALTH.contains(&path) || paths.iter().any(|known| known == path) {
            continue;
        }
        // Without a token there is no way to it but by its own name.
        if is_taken(path) || is_taken(bare) || bare == mcp {
            pick.wrong(&picked, "the path of something else");
        } else if !is_plain(bare) {
            pick.wrong(&picked, NOT_PLAIN);
        } else {
            paths.push(picked.text);
        }
    }
    paths
}

const NOT_PLAIN: &str = "not a path (/ and then letters, digits, - . _ ~, with single slashes)";

fn is_taken(path: &str) -> bool {
    TAKEN.contains(&path) || path == "/servers" || path.starts_with("/servers/")
}

/// Whether every client writes the path the same way: nothing in it is ever escaped, or resolved.
fn is_plain(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    path.len() <= LONGEST_PATH
        && path.strip_prefix('/').is_some_and(|rest| {
            rest.split('/')
                .all(|part| !matches!(part, "" | "." | "..") && part.bytes().all(plain))
        })
}
