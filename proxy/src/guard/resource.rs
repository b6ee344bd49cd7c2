//! What tokens are for: the addresses of this proxy's endpoints, as its clients know them (RFC 8707,
//! RFC 9728), and the challenges that lead a client to them.

use std::sync::Arc;

use super::endpoints::{Endpoint, locate};
use super::refusal::Refusal;
use crate::config::{Door, Issuer, Listen, Scope};
use crate::observe::banner;

/// Where metadata of a protected resource is found (RFC 9728, section 3), with the path of the
/// resource behind it.
pub const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The protected resources of a proxy.
#[derive(Debug)]
pub struct Resources {
    /// The address of the proxy, without a slash at its end.
    base: String,
    mcp_path: String,
    issuer: String,
    audiences: Vec<String>,
    scopes: Vec<Scope>,
}

/// One server's endpoints.
#[derive(Clone, Copy, Debug)]
pub struct Resource<'a> {
    all: &'a Resources,
    /// `None` for the server at the plain paths.
    server: Option<&'a str>,
}

impl Resources {
    /// Those of a proxy that listens there; `None` where no authorization server is configured.
    #[must_use]
    pub fn new(listen: &Listen, door: &Door) -> Option<Arc<Self>> {
        let Issuer {
            name,
            audiences,
            scopes,
            public_url,
            ..
        } = door.issuer.as_ref()?;
        let own = || banner::url(listen, door.tls.is_some());
        Some(Arc::new(Self {
            base: public_url.clone().unwrap_or_else(own),
            mcp_path: listen.mcp_path.clone(),
            issuer: name.clone(),
            audiences: audiences.clone(),
            scopes: scopes.clone(),
        }))
    }

    /// The server whose endpoint is at this path.
    #[must_use]
    pub fn at<'a>(&'a self, path: &'a str) -> Option<Resource<'a>> {
        let (server, _) = locate(path, &self.mcp_path)?;
        Some(Resource { all: self, server })
    }

    /// The metadata of the resource that a path below [`WELL_KNOWN`] names, and its server's name;
    /// `None` where that is no resource. The bare path stands for the server at the plain paths.
    #[must_use]
    pub fn metadata<'a>(&'a self, path: &'a str) -> Option<(Option<&'a str>, serde_json::Value)> {
        let below = path.strip_prefix(WELL_KNOWN)?;
        let below = below.strip_suffix('/').unwrap_or(below);
        let (server, resource) = if below.is_empty() {
            (None, self.mcp_path.as_str())
        } else {
            match locate(below, &self.mcp_path)? {
                (_, Endpoint::Messages) => return None,
                (server, Endpoint::Mcp | Endpoint::Sse) => (server, below),
            }
        };
        let mut metadata = serde_json::json!({
            "resource": format!("{}{resource}", self.base),
            "authorization_servers": [self.issuer],
            "bearer_methods_supported": ["header"],
        });
        // What everybody needs, and no more: a client asks for all that stands here (2026-07-28,
        // authorization, "Scope selection").
        if !self.scopes.is_empty() {
            let scopes: Vec<&str> = self.scopes.iter().map(Scope::least).collect();
            metadata["scopes_supported"] = scopes.into();
        }
        Some((server, metadata))
    }

    /// What every token must have.
    #[must_use]
    pub fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// The value of `WWW-Authenticate` for a request to this path (RFC 6750 section 3, RFC 9728
    /// section 5.1): `error` and its description where there is one, what to ask for, and where the
    /// metadata is. `more` is needed beside what every token needs.
    #[must_use]
    pub fn challenge(&self, path: &str, error: Option<(&str, &str)>, more: &[&Scope]) -> String {
        let mut challenge = String::from("Bearer realm=\"mcp-proxy\"");
        if let Some((error, description)) = error {
            challenge.push_str(&format!(
                ", error=\"{error}\", error_description=\"{description}\""
            ));
        }
        let mut scopes: Vec<&str> = Vec::new();
        for scope in self.scopes.iter().chain(more.iter().copied()) {
            if !scopes.contains(&scope.least()) {
                scopes.push(scope.least());
            }
        }
        if !scopes.is_empty() {
            challenge.push_str(&format!(", scope=\"{}\"", scopes.join(" ")));
        }
        let path = self.resource_path(path);
        challenge.push_str(&format!(
            ", resource_metadata=\"{}{WELL_KNOWN}{path}\"",
            self.base
        ));
        challenge
    }

    /// The path of the resource that is meant by this path. Messages of HTTP+SSE belong to the stream,
    /// and a name that would not stand in a quoted string is nobody's.
    fn resource_path(&self, path: &str) -> String {
        match locate(path, &self.mcp_path) {
            Some((None, Endpoint::Sse | Endpoint::Messages)) => "/sse".to_owned(),
            Some((Some(name), endpoint)) if is_plain(name) => match endpoint {
                Endpoint::Mcp => format!("/servers/{name}/mcp"),
                Endpoint::Sse | Endpoint::Messages => format!("/servers/{name}/sse"),
            },
            _ => self.mcp_path.clone(),
        }
    }
}

fn is_plain(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !name.is_empty() && name.bytes().all(known)
}

impl Resource<'_> {
    /// Whether a token for this audience is for this server: the address of one of its endpoints, or
    /// what `--auth-audience` names. A slash at the end changes nothing.
    #[must_use]
    pub fn is_meant_by(&self, audience: &str) -> bool {
        let Resources {
            base,
            mcp_path,
            audiences,
            ..
        } = self.all;
        if audiences.iter().any(|known| known == audience) {
            return true;
        }
        let Some(path) = audience.strip_prefix(base.as_str()) else {
            return false;
        };
        matches!(
            locate(path, mcp_path),
            Some((server, Endpoint::Mcp | Endpoint::Sse)) if server == self.server
        )
    }
}

/// What a request may do beyond coming in, where an authorization server has a say in it.
#[derive(Clone, Debug)]
pub struct Grant {
    resources: Arc<Resources>,
    path: String,
    scopes: Arc<[Box<str>]>,
}

impl Grant {
    /// What a token of these scopes may do at this path.
    pub(super) fn new(resources: &Arc<Resources>, path: &str, scopes: &Arc<[Box<str>]>) -> Self {
        Self {
            resources: Arc::clone(resources),
            path: path.to_owned(),
            scopes: Arc::clone(scopes),
        }
    }

    /// Whether all of these are granted.
    ///
    /// # Errors
    ///
    /// [`Refusal::Scope`], with everything in its challenge that this takes.
    pub fn covers(&self, needed: &[&Scope]) -> Result<(), Refusal> {
        let missing = needed.iter().find(|scope| !scope.is_among(&self.scopes));
        let Some(missing) = missing else {
            return Ok(());
        };
        let error = (
            "insufficient_scope",
            "The token lacks a scope that this takes",
        );
        Err(Refusal::Scope {
            challenge: self.resources.challenge(&self.path, Some(error), needed),
            sentence: format!(
                "the token lacks the scope {}; its owner gets one at the authorization server",
                missing.least()
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TokenPolicy;

    pub(super) fn resources(public: Option<&str>, scopes: &[&str]) -> Arc<Resources> {
        let listen = Listen {
            host: "127.0.0.1".into(),
            port: 8080,
            mcp_path: "/mcp".into(),
        };
        let door = Door {
            issuer: Some(Issuer {
                url: "https://login.example".parse().unwrap(),
                name: "https://login.example".into(),
                jwks_url: None,
                audiences: vec!["api://mcp".into()],
                scopes: scopes
                    .iter()
                    .map(|text| Scope::parse(text).unwrap())
                    .collect(),
                allow_private: false,
                public_url: public.map(ToOwned::to_owned),
            }),
            ..Door::with(TokenPolicy::Issued)
        };
        Resources::new(&listen, &door).unwrap()
    }

    #[test]
    fn a_token_is_for_one_servers_endpoints_and_no_others() {
        let resources = resources(Some("https://mcp.example/tools"), &[]);
        for (path, audience, ours) in [
            ("/mcp", "https://mcp.example/tools/mcp", true),
            ("/mcp", "https://mcp.example/tools/mcp/", true),
            ("/mcp", "https://mcp.example/tools/sse", true),
            ("/messages", "https://mcp.example/tools/sse", true),
            ("/sse", "https://mcp.example/tools/mcp", true),
            ("/mcp", "api://mcp", true),
            ("/mcp", "https://mcp.example/tools", false),
            ("/mcp", "https://mcp.example", false),
            ("/mcp", "https://mcp.example/tools/messages", false),
            ("/mcp", "https://mcp.example.evil/tools/mcp", false),
            ("/mcp", "https://mcp.example/tools/mcp?a", false),
            ("/mcp", "https://mcp.example/tools/servers/a/mcp", false),
            (
                "/servers/a/mcp",
                "https://mcp.example/tools/servers/a/mcp",
                true,
            ),
            (
                "/servers/a/mcp",
                "https://mcp.example/tools/servers/a/sse",
                true,
            ),
            (
                "/servers/a/mcp",
                "https://mcp.example/tools/servers/b/mcp",
                false,
            ),
            ("/servers/a/mcp", "https://mcp.example/tools/mcp", false),
            ("/servers/a/mcp", "api://mcp", true),
            ("/mcp", "", false),
        ] {
            let resource = resources.at(path).unwrap();
            assert_eq!(resource.is_meant_by(audience), ours, "{path} {audience}");
        }
        assert!(resources.at("/status").is_none());
    }

    #[test]
    fn challenges_say_where_the_metadata_is_and_what_to_ask_for() {
        let resources = resources(None, &["mcp:use|mcp:admin"]);
        let base = "http://127.0.0.1:8080/.well-known/oauth-protected-resource";
        let more = Scope::parse("write").unwrap();
        for (path, error, more, expected) in [
            (
                "/mcp",
                None,
                &[][..],
                format!(
                    r#"Bearer realm="mcp-proxy", scope="mcp:use", resource_metadata="{base}/mcp""#
                ),
            ),
            (
                "/servers/a/messages",
                Some(("insufficient_scope", "No")),
                &[&more, &more][..],
                format!(
                    r#"Bearer realm="mcp-proxy", error="insufficient_scope", error_description="No", scope="mcp:use write", resource_metadata="{base}/servers/a/sse""#
                ),
            ),
            // Nothing of a client's own making stands in a header.
            (
                "/servers/a\"b/mcp",
                None,
                &[],
                format!(
                    r#"Bearer realm="mcp-proxy", scope="mcp:use", resource_metadata="{base}/mcp""#
                ),
            ),
        ] {
            assert_eq!(resources.challenge(path, error, more), expected, "{path}");
        }
    }

    #[test]
    fn metadata_is_of_the_resource_in_the_path() {
        let resources = resources(Some("https://mcp.example"), &["a|b", "c"]);
        for (path, resource) in [
            ("", Some((None, "https://mcp.example/mcp"))),
            ("/", Some((None, "https://mcp.example/mcp"))),
            ("/mcp", Some((None, "https://mcp.example/mcp"))),
            ("/sse", Some((None, "https://mcp.example/sse"))),
            (
                "/servers/a/mcp",
                Some((Some("a"), "https://mcp.example/servers/a/mcp")),
            ),
            ("/messages", None),
            ("/status", None),
            ("x", None),
        ] {
            let path = format!("{WELL_KNOWN}{path}");
            let found = resources.metadata(&path);
            let shown = found
                .as_ref()
                .map(|(server, metadata)| (*server, metadata["resource"].as_str().unwrap()));
            assert_eq!(shown, resource, "{path}");
        }
        let path = format!("{WELL_KNOWN}/mcp");
        let (_, metadata) = resources.metadata(&path).unwrap();
        assert_eq!(
            metadata,
            serde_json::json!({
                "resource": "https://mcp.example/mcp",
                "authorization_servers": ["https://login.example"],
                "bearer_methods_supported": ["header"],
                "scopes_supported": ["a", "c"],
            })
        );
    }

    #[test]
    fn a_grant_covers_what_its_scopes_do_and_asks_for_all_the_rest_takes() {
        let resources = resources(None, &["mcp:use"]);
        let [read, write] = ["read|write", "write"].map(|text| Scope::parse(text).unwrap());
        let grant = |scopes: &[&str]| {
            let scopes = scopes.iter().map(|scope| Box::from(*scope)).collect();
            Grant::new(&resources, "/mcp", &scopes)
        };
        assert_eq!(grant(&["write"]).covers(&[&read, &write]), Ok(()));
        match grant(&["read"]).covers(&[&read, &write]) {
            Err(Refusal::Scope {
                challenge,
                sentence,
            }) => {
                assert!(
                    challenge.contains(r#"scope="mcp:use read write""#),
                    "{challenge}"
                );
                assert!(sentence.contains("scope write"), "{sentence}");
            }
            other => panic!("{other:?}"),
        }
    }
}
