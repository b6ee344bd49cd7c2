//! Fetches the keys of an authorization server, bounded in bytes and time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use serde::Deserialize;

use super::keys::Keys;
use super::reach::Reach;
use crate::config::Issuer;

/// For one document, name and connection included.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The longest document, in bytes. A set of keys is a few KiB, and metadata with every claim somebody
/// supports a few more.
const MAX_BYTES: usize = 256 * 1024;

/// The one status that comes with a document.
const OK: u16 = 200;

/// Fetches keys.
pub(super) struct Fetcher {
    issuer: Issuer,
    reach: Reach,
    /// Made when it is first needed: there may be no certificates to believe.
    client: Option<Client>,
}

/// What is read of a server's metadata (RFC 8414, section 2; OpenID Connect Discovery has the same).
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: Option<String>,
}

impl Fetcher {
    pub(super) fn new(issuer: Issuer) -> Self {
        Self {
            reach: Reach::of(&issuer),
            issuer,
            client: None,
        }
    }

    /// The keys as they are now.
    ///
    /// # Errors
    ///
    /// A sentence for the log.
    ///
    /// # Cancel safety
    ///
    /// May be dropped.
    pub(super) async fn keys(&mut self) -> Result<Keys, String> {
        let client = match &self.client {
            Some(client) => client.clone(),
            None => self.client.insert(client(self.reach)?).clone(),
        };
        let url = match &self.issuer.jwks_url {
            Some(url) => url.clone(),
            None => self.discover(&client).await?,
        };
        let text = self.document(&client, &url).await;
        let text = text.map_err(|failure| failure.sentence(&url))?;
        Keys::parse(&text).map_err(|fault| format!("{url}: {fault}"))
    }

    /// The address of the keys, by the server's own metadata.
    async fn discover(&self, client: &Client) -> Result<Url, String> {
        let mut told = None;
        for place in places(&self.issuer.url) {
            let text = match self.document(client, &place).await {
                Ok(text) => text,
                Err(failure) => {
                    // That nothing is at one of three places says less than anything else.
                    if told.is_none() || !matches!(failure, Failure::Status(_)) {
                        told = Some(failure.sentence(&place));
                    }
                    continue;
                }
            };
            let Ok(metadata) = serde_json::from_slice::<Metadata>(&text) else {
                told = Some(format!("{place}: that is no metadata of an issuer"));
                continue;
            };
            // Letter by letter (RFC 8414, section 3.3): else one tenant could speak for another.
            if metadata.issuer != self.issuer.name {
                return Err(format!(
                    "{place}: it is the metadata of {:?}; --auth-issuer has to be exactly that",
                    metadata.issuer
                ));
            }
            let keys = metadata.jwks_uri.as_deref().map(Url::parse);
            return match keys {
                Some(Ok(url)) => Ok(url),
                Some(Err(_)) => Err(format!("{place}: its jwks_uri is no address")),
                None => Err(format!(
                    "{place}: it has no jwks_uri; --auth-jwks-url says where the keys are, if its \
                     tokens are JWTs"
                )),
            };
        }
        Err(told.unwrap_or_else(|| "there is no metadata".to_owned()))
    }

    async fn document(&self, client: &Client, url: &Url) -> Result<Vec<u8>, Failure> {
        self.reach.allows(url).map_err(Failure::Refused)?;
        let mut response = client.get(url.clone()).send().await?;
        if response.status().as_u16() != OK {
            return Err(Failure::Status(response.status().as_u16()));
        }
        let mut text = Vec::new();
        while let Some(piece) = response.chunk().await? {
            if text.len() + piece.len() > MAX_BYTES {
                return Err(Failure::Refused(format!(
                    "{url} is longer than {MAX_BYTES} bytes"
                )));
            }
            text.extend_from_slice(&piece);
        }
        Ok(text)
    }
}

/// Why a document was not had.
enum Failure {
    Refused(String),
    Status(u16),
    Broken(reqwest::Error),
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        Self::Broken(error.without_url())
    }
}

impl Failure {
    fn sentence(&self, url: &Url) -> String {
        match self {
            Self::Refused(sentence) => sentence.clone(),
            Self::Status(status) => format!("{url} answered {status}"),
            Self::Broken(error) => {
                let mut sentence = format!("{url}: {error}");
                let mut cause = std::error::Error::source(error);
                while let Some(inner) = cause {
                    sentence.push_str(&format!(": {inner}"));
                    cause = inner.source();
                }
                sentence
            }
        }
    }
}

/// Where an issuer's metadata may be: RFC 8414 (section 3), OpenID Connect with the path inserted and
/// with it in front, in the order in which MCP clients look.
fn places(issuer: &Url) -> Vec<Url> {
    let path = issuer.path().trim_end_matches('/');
    let mut paths = vec![
        format!("/.well-known/oauth-authorization-server{path}"),
        format!("/.well-known/openid-configuration{path}"),
    ];
    if !path.is_empty() {
        paths.push(format!("{path}/.well-known/openid-configuration"));
    }
    let at = |path: String| {
        let mut place = issuer.clone();
        place.set_path(&path);
        place
    };
    paths.into_iter().map(at).collect()
}

fn client(reach: Reach) -> Result<Client, String> {
    // The same that serves TLS; there may be one for the whole process.
    let _first = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .dns_resolver(Arc::new(Resolver(reach)))
        // Where it leads was not looked at.
        .redirect(Policy::none())
        // It would look names up in our place, wherever they lead.
        .no_proxy()
        .timeout(TIMEOUT)
        .pool_max_idle_per_host(0)
        .user_agent(concat!("mcp-proxy/", env!("CARGO_PKG_VERSION")))
        .build();
    client.map_err(|error| format!("no connection can be made: {error}"))
}

/// Looks names up, and finds those addresses only that may be gone to. What was looked at is what is
/// connected to: a second look-up could answer otherwise.
struct Resolver(Reach);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> = found.filter(|found| reach.covers(found.ip())).collect();
            if found.is_empty() {
                let sentence = format!(
                    "{} has private addresses only; --auth-allow-private allows them",
                    name.as_str()
                );
                return Err(sentence.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_looked_for_where_clients_look() {
        let found = |issuer: &str| -> Vec<String> {
            let places = places(&Url::parse(issuer).unwrap());
            places.iter().map(ToString::to_string).collect()
        };
        assert_eq!(
            found("https://login.example/"),
            [
                "https://login.example/.well-known/oauth-authorization-server",
                "https://login.example/.well-known/openid-configuration",
            ]
        );
        assert_eq!(
            found("https://login.example/realms/one"),
            [
                "https://login.example/.well-known/oauth-authorization-server/realms/one",
                "https://login.example/.well-known/openid-configuration/realms/one",
                "https://login.example/realms/one/.well-known/openid-configuration",
            ]
        );
    }
}
