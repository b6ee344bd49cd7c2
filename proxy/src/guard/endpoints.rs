//! Which endpoint a path means. The guard and the router read paths by this one function, so that
//! neither takes for another endpoint what the other has let in.

/// What a path under a server's place stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Streamable HTTP.
    Mcp,
    /// The stream of HTTP+SSE.
    Sse,
    /// Where HTTP+SSE posts to.
    Messages,
}

/// The server's name and the endpoint of a path; `None` where it is neither. A slash at the end
/// changes nothing. `mcp_path` is where the default server's MCP endpoint is.
#[must_use]
pub fn locate<'a>(path: &'a str, mcp_path: &str) -> Option<(Option<&'a str>, Endpoint)> {
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
