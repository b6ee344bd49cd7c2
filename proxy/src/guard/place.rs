//! Which doors a path has (rule 11).
//!
//! Paths are compared as they arrive, letter by letter: the router does the same, so no spelling of a
//! guarded path can pass for an open one.

/// Paths that load balancers and scrapers call by address, without a name or a token.
const PROBES: [&str; 4] = ["/health", "/health/live", "/health/ready", "/metrics"];

/// Whether the `Host` header is left unread: platforms probe an instance by its bare address.
pub(super) fn is_probe(path: &str) -> bool {
    PROBES.contains(&path)
}

/// Whether no token is asked for: probes, and the page that says what this is.
pub(super) fn is_public(path: &str) -> bool {
    path == "/" || is_probe(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_paths_are_these_and_no_other_spelling() {
        for (path, probe, public) in [
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
            assert_eq!(is_probe(path), probe, "{path}");
            assert_eq!(is_public(path), public, "{path}");
        }
    }
}
