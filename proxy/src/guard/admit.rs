//! The list of policies, in the order a request meets them.

use std::sync::Arc;

use axum::http::request::Parts;

use crate::config::{Door, Listen};

use super::Principal;
use super::auth::Auth;
use super::cors::Cors;
use super::host_origin::HostOrigin;
use super::refresh::Reload;
use super::refusal::Refusal;

/// Every policy of this room, asked in turn about the head of a request.
#[derive(Clone, Debug)]
pub struct Guard {
    host_origin: HostOrigin,
    auth: Auth,
    cors: Option<Cors>,
}

impl Guard {
    /// The policies of a proxy that listens there and has this door.
    #[must_use]
    pub fn new(listen: &Listen, door: &Door) -> Self {
        Self {
            host_origin: HostOrigin::new(listen, door),
            auth: Auth::new(door),
            cors: Cors::new(door),
        }
    }

    /// What follows a file.
    #[must_use]
    pub fn reloads(&self) -> Vec<Arc<dyn Reload>> {
        let keys = self.auth.changing();
        keys.into_iter()
            .map(|keys| keys as Arc<dyn Reload>)
            .collect()
    }

    /// What is told to pages of other origins; `None` where none was named.
    ///
    /// It is no policy of the list below, because it refuses nobody: it says who may read the
    /// answer, refusals included.
    #[must_use]
    pub const fn cors(&self) -> Option<&Cors> {
        self.cors.as_ref()
    }

    /// Lets a request in, and says whose it is.
    ///
    /// # Errors
    ///
    /// The [`Refusal`] of the first policy that objects.
    pub fn admit(&self, head: &Parts) -> Result<Principal, Refusal> {
        // First, is it for us: nothing else in the head of a misdirected request means anything.
        self.host_origin
            .check(head)
            // Second, who is it: after the question above, so that a page which may not call
            // cannot find out by its answers whether a token is asked for or whether it guessed
            // one.
            .and_then(|()| self.auth.check(head))
            .inspect_err(|refusal| {
                // At debug level: whoever sends such requests must not be able to fill the log.
                tracing::debug!(target: "guard", refusal = refusal.sentence(), "request refused");
            })
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;
    use crate::config::{Roster, Secret, TokenPolicy};

    /// Whom the policies let in, or which of them refuses.
    fn answer(path: &str, headers: &[(&str, &str)]) -> String {
        let listen = Listen {
            host: "127.0.0.1".into(),
            port: 8080,
            mcp_path: "/mcp".into(),
        };
        let tokens = TokenPolicy::Given(Roster::of(Secret::new("correct-horse-battery").unwrap()));
        let door = Door::with(tokens);
        let mut request = Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let head = request.body(()).unwrap().into_parts().0;
        match Guard::new(&listen, &door).admit(&head) {
            Ok(principal) => principal.as_str().to_owned(),
            Err(Refusal::Host { .. }) => "host".to_owned(),
            Err(Refusal::Origin { .. }) => "origin".to_owned(),
            Err(Refusal::Unauthorized { .. }) => "unauthorized".to_owned(),
        }
    }

    #[test]
    fn policies_are_asked_in_order_and_the_principal_arrives() {
        let ours = ("host", "localhost:8080");
        let evil = ("host", "evil.example");
        let page = ("origin", "https://evil.example");
        let token = ("authorization", "Bearer correct-horse-battery");
        for (path, headers, expected) in [
            ("/mcp", &[ours, token][..], "token"),
            ("/mcp", &[ours], "unauthorized"),
            // A misdirected request learns nothing about its token, right or wrong.
            ("/mcp", &[evil, token], "host"),
            ("/mcp", &[evil], "host"),
            ("/mcp", &[ours, page, token], "origin"),
            ("/mcp", &[ours, page], "origin"),
            ("/health", &[evil], "anonymous"),
            ("/health", &[evil, page], "origin"),
            // What has no route is guarded too.
            ("/unknown", &[ours], "unauthorized"),
        ] {
            assert_eq!(answer(path, headers), expected, "{path} {headers:?}");
        }
    }
}
