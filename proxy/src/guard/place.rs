//! Which doors a path has (rule 11).
//!
//! Paths are compared as they arrive, letter by letter: the router does the same, so no spelling of a
//! guarded path can pass for an open one.

use super::resource::WELL_KNOWN;
use crate::config::Door;

/// Paths that load balancers and scrapers call by address, without a name or a token.
const PROBES: [&str; 4] = ["/health", "/health/live", "/health/ready", "/metrics"];

/// The paths that are open, and those `--health-path` added to them.
#[derive(Clone, Debug)]
pub(super) struct Places {
    added: Box<[String]>,
}

impl Places {
    /// The open paths of this door.
    pub(super) fn new(door: &Door) -> Self {
        Self {
            added: door.health_paths.clone().into(),
        }
    }

    /// Whether the `Host` header is left unread: platforms probe an instance by its bare address.
    pub(super) fn is_probe(&self, path: &str) -> bool {
        PROBES.contains(&path)
            || is_probe_of_one(path)
            || self.added.iter().any(|added| added == path)
    }

    /// Whether no token is asked for: probes, and the page that says what this is.
    pub(super) fn is_public(&self, path: &str) -> bool {
        path == "/" || self.is_probe(path)
    }
}

/// Whether the path is for what says where tokens come from (RFC 9728): whoever asks has none yet.
pub(super) fn describes(path: &str) -> bool {
    let below = path.strip_prefix(WELL_KNOWN);
    below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
}

/// Whether the path asks whether one named server is ready.
fn is_probe_of_one(path: &str) -> bool {
    let name = path
        .strip_prefix("/servers/")
        .and_then(|rest| rest.strip_suffix("/health/ready"));
    name.is_some_and(|name| !name.is_empty() && !name.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TokenPolicy;

    #[test]
    fn open_paths_are_these_and_no_other_spelling() {
        let places = Places::new(&Door {
            health_paths: vec!["/healthz".into()],
            ..Door::with(TokenPolicy::Open)
        });
        for (path, probe, public) in [
            ("/healthz", true, true),
            ("/healthz/", false, false),
            ("/healthz/../mcp", false, false),
            ("/servers/a/health/ready", true, true),
            ("/servers/a/b/health/ready", false, false),
            ("/servers//health/ready", false, false),
            ("/servers/health/ready", false, false),
            ("/servers/a/mcp", false, false),
            ("/servers/a/health/ready/", false, false),
            ("/", false, true),
            ("/health", true, true),
            ("/health/live", true, true),
            ("/health/ready", true, true),
            ("/metrics", true, true),
            ("/mcp", false, false),
            ("/status", false, false),
            ("/config", false, false),
            ("//", false, false),
            ("/health/", false, false),
            ("/health/../mcp", false, false),
            ("/HEALTH", false, false),
            ("", false, false),
        ] {
            assert_eq!(places.is_probe(path), probe, "{path}");
            assert_eq!(places.is_public(path), public, "{path}");
        }
    }
}
