//! Which server a path means.
//!
//! The server without a name is at the plain paths (`/mcp`, `/sse`, `/messages`), every named one
//! below `/servers/NAME/`. The set can be exchanged while requests run: whoever found its server
//! keeps it until the request is done.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;

use super::served::Served;

/// Everything that is served.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    /// The server at the plain paths.
    pub default: Option<Arc<Served>>,
    /// The servers below `/servers/NAME/`.
    pub named: BTreeMap<String, Arc<Served>>,
}

impl Routes {
    /// Every server.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Served>> {
        self.default.iter().chain(self.named.values())
    }

    /// The server of this name; without one, the default.
    #[must_use]
    pub fn find(&self, name: Option<&str>) -> Option<&Arc<Served>> {
        match name {
            None => self.default.as_ref(),
            Some(name) => self.named.get(name),
        }
    }
}

/// The routes of this moment. Reading costs one lock that nobody holds and one count.
#[derive(Debug, Default)]
pub struct Switchboard(RwLock<Arc<Routes>>);

impl Switchboard {
    /// A switchboard with these routes.
    #[must_use]
    pub fn new(routes: Routes) -> Arc<Self> {
        Arc::new(Self(RwLock::new(Arc::new(routes))))
    }

    /// The routes of this moment.
    #[must_use]
    pub fn now(&self) -> Arc<Routes> {
        Arc::clone(&self.0.read())
    }

    /// Exchanges the routes. Requests under way keep the server they found.
    pub fn set(&self, routes: Routes) {
        *self.0.write() = Arc::new(routes);
    }
}

/// What a path under a server's place stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// Streamable HTTP.
    Mcp,
    /// The stream of HTTP+SSE.
    Sse,
    /// Where HTTP+SSE posts to.
    Messages,
}

/// The server's name and the endpoint of a path; `None` where it is neither. A slash at the end
/// changes nothing. `mcp_path` is where the default server's MCP endpoint is.
pub(super) fn locate<'a>(path: &'a str, mcp_path: &str) -> Option<(Option<&'a str>, Endpoint)> {
    let path = path.strip_suffix('/').unwrap_or(path);
    if path == mcp_path {
        return Some((None, Endpoint::Mcp));
    }
    let (name, endpoint) = match path.strip_prefix("/servers/") {
        None => (None, path.strip_prefix('/')?),
        Some(rest) => {
            let (name, endpoint) = rest.split_once('/')?;
            (Some(name), endpoint)
        }
    };
    let endpoint = match (name, endpoint) {
        (Some(_), "mcp") => Endpoint::Mcp,
        (_, "sse") => Endpoint::Sse,
        (_, "messages") => Endpoint::Messages,
        _ => return None,
    };
    Some((name, endpoint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_a_server_and_an_endpoint() {
        use Endpoint::{Mcp, Messages, Sse};
        for (path, found) in [
            ("/x", Some((None, Mcp))),
            ("/x/", Some((None, Mcp))),
            ("/sse", Some((None, Sse))),
            ("/messages/", Some((None, Messages))),
            ("/servers/a/mcp", Some((Some("a"), Mcp))),
            ("/servers/a.b/sse/", Some((Some("a.b"), Sse))),
            ("/servers/a/messages", Some((Some("a"), Messages))),
            ("/servers//mcp", Some((Some(""), Mcp))),
            // The endpoint of the default server was moved, so it is not here.
            ("/mcp", None),
            ("/servers/a/x", None),
            ("/servers/a/b/mcp", None),
            ("/servers/mcp", None),
            ("/servers/a/mcp//", None),
            ("/servers", None),
            ("/x//", None),
            ("/", None),
            ("", None),
            ("sse", None),
        ] {
            assert_eq!(locate(path, "/x"), found, "{path}");
        }
    }
}
