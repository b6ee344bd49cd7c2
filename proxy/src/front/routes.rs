//! Which server a path means.
//!
//! The server without a name is at the plain paths (`/mcp`, `/sse`, `/messages`), every named one
//! below `/servers/NAME/`. The set can be exchanged while requests run: whoever found its server
//! keeps it until the request is done, and a server that was taken out is still found by those who
//! have a session there, until its last call has ended.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::request::Parts;
use parking_lot::RwLock;

use super::served::Served;
use super::{Fault, headers, http_sse};
use crate::exchange::Refusal;
pub(super) use crate::guard::endpoints::{Endpoint, locate};

/// How soon a client may ask again for a server that cannot be started: as soon as somebody may have
/// repaired it.
const RETRY_AFTER_BROKEN: Duration = Duration::from_secs(30);

/// Endpoints named in the answer to a request that named none.
const MOST_NAMED: usize = 20;

/// Everything that is served.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    /// The server at the plain paths.
    pub default: Option<Arc<Served>>,
    /// The servers below `/servers/NAME/`.
    pub named: BTreeMap<String, Named>,
    /// Servers that were below `/servers/NAME/`, and end when their calls have.
    pub retiring: Vec<(String, Arc<Served>)>,
}

/// A server with a name.
#[derive(Clone, Debug)]
pub enum Named {
    /// One that can be started.
    Served(Arc<Served>),
    /// One that cannot.
    Broken(Arc<Broken>),
}

/// A server that cannot be started, and does not keep the others from it.
#[derive(Debug)]
pub struct Broken {
    /// Its command, as a person would type it.
    pub command: String,
    /// Why, in one sentence.
    pub reason: String,
}

impl Named {
    /// The server, if it can be started.
    #[must_use]
    pub const fn served(&self) -> Option<&Arc<Served>> {
        match self {
            Self::Served(served) => Some(served),
            Self::Broken(_) => None,
        }
    }

    /// Why new clients cannot be served right now, if they cannot.
    #[must_use]
    pub fn unready(&self) -> Option<String> {
        match self {
            Self::Served(served) => served.pool.unready(),
            Self::Broken(broken) => Some(broken.reason.clone()),
        }
    }
}

impl Routes {
    /// Every server that has been started or can be, the retiring ones included.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Served>> {
        let named = self.named.values().filter_map(Named::served);
        let retiring = self.retiring.iter().map(|(_, served)| served);
        self.default.iter().chain(named).chain(retiring)
    }

    /// The server of this name, without one the default, for a request with this head.
    ///
    /// # Errors
    ///
    /// There is no such server, or it cannot be started.
    pub fn find(&self, name: Option<&str>, head: &Parts) -> Result<Arc<Served>, Fault> {
        let Some(name) = name else {
            return self.default.clone().ok_or_else(|| Fault::NoDefault {
                others: self.endpoints(),
            });
        };
        if let Some(retiring) = self.retiring(name, head) {
            return Ok(Arc::clone(retiring));
        }
        match self.named.get(name) {
            Some(Named::Served(served)) => Ok(Arc::clone(served)),
            Some(Named::Broken(broken)) => Err(Fault::Refused(Refusal::Start {
                sentence: broken.reason.clone(),
                retry_after: RETRY_AFTER_BROKEN,
            })),
            None => Err(Fault::NoSuchServer),
        }
    }

    /// A server on its way out that has the session the request names.
    fn retiring(&self, name: &str, head: &Parts) -> Option<&Arc<Served>> {
        if self.retiring.is_empty() {
            return None;
        }
        let id = headers::session_id(&head.headers).or_else(|| http_sse::session_id(&head.uri))?;
        let mut named = self.retiring.iter().filter(|(known, _)| known == name);
        let (_, served) = named.find(|(_, served)| served.sessions.has(id))?;
        Some(served)
    }

    /// Where the named servers are, for a sentence.
    fn endpoints(&self) -> String {
        let some = self.named.keys().take(MOST_NAMED);
        let mut list: Vec<String> = some.map(|name| format!("/servers/{name}/mcp")).collect();
        if self.named.len() > MOST_NAMED {
            list.push(format!("{} more", self.named.len() - MOST_NAMED));
        }
        list.join(", ")
    }
}

/// The routes of this moment. Finding a server costs one lock that nobody holds for longer, and one
/// count.
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

    /// The server of this name at this moment; see [`Routes::find`].
    ///
    /// # Errors
    ///
    /// As [`Routes::find`].
    pub fn find(&self, name: Option<&str>, head: &Parts) -> Result<Arc<Served>, Fault> {
        self.0.read().find(name, head)
    }

    /// Changes the routes. Requests under way keep the server they found.
    pub fn change(&self, change: impl FnOnce(&mut Routes)) {
        change(Arc::make_mut(&mut self.0.write()));
    }
}
