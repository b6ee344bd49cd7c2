//! `POST /messages`: taken or not, and nothing else.

use axum::body::Body as HttpBody;
use axum::http::request::Parts;
use axum::http::{Response, Uri};
use bytes::Bytes;
use mcp_wire::Body;

use super::super::conversation::{self, MAX_BATCH};
use super::super::inbox::Inbox;
use super::super::{Fault, headers, rescue, trace};
use super::HttpSse;
use crate::exchange::Principal;
use crate::observe::metrics;

impl HttpSse {
    /// 202 once the connection is known and the body is one it can take; from there on the stream
    /// has the word.
    pub(super) async fn post(
        &self,
        parts: &Parts,
        principal: &Principal,
        body: Bytes,
    ) -> Result<Response<HttpBody>, Fault> {
        headers::check_json(&parts.headers)?;
        headers::check_legacy(&parts.headers)?;
        let length = body.len();
        let body = Body::parse(body, MAX_BATCH)?;
        let granted = self.settings.scopes.check(parts.extensions.get(), &body);
        granted.map_err(|refusal| {
            metrics::refused(refusal.kind(), refusal.why());
            Fault::Door(refusal)
        })?;
        let inbox = self.find(&parts.uri, principal)?;
        let mut messages = match body {
            Body::One(message) => vec![Ok(message)],
            Body::Batch(messages) => {
                conversation::check_batch(&messages)?;
                conversation::takes_batches(inbox.session())?;
                messages
            }
        };
        for message in messages.iter_mut().flatten() {
            trace::carry(&parts.headers, message);
        }
        inbox
            .urgent(&*self.servers, &self.table, &mut messages)
            .await;
        inbox
            .put(messages, length)
            .await
            .map_err(|_| Fault::ConnectionUnknown)?;
        Ok(rescue::accepted())
    }

    /// Where the messages of the connection go that a request names. A stranger's connection is
    /// as unknown as one that never was.
    fn find(&self, uri: &Uri, principal: &Principal) -> Result<Inbox, Fault> {
        let id = session_id(uri).ok_or(Fault::ConnectionUnnamed)?;
        self.inboxes
            .lock()
            .get(id)
            .filter(|inbox| inbox.session().principal() == principal && !inbox.session().is_ended())
            .cloned()
            .ok_or(Fault::ConnectionUnknown)
    }
}

/// The parameter of the address we gave out. Ids have no letter that a client would escape.
pub(in super::super) fn session_id(uri: &Uri) -> Option<&str> {
    uri.query()?
        .split('&')
        .find_map(|parameter| parameter.strip_prefix("session_id="))
}

#[cfg(test)]
mod tests {
    use std::future::{Future, ready};
    use std::pin::Pin;
    use std::sync::Arc;
    use std::time::Duration;

    use axum::http::{HeaderMap, Request};

    use super::super::Settings;
    use super::*;
    use crate::exchange::{Refusal, Seat, Seated, Servers};
    use crate::front::given::Given;
    use crate::policy::scopes::ToolScopes;
    use crate::session::{Bounds, SessionLimits, Table};

    struct NoServers;

    impl Servers for NoServers {
        fn pause(&self) -> Option<Duration> {
            None
        }

        fn seat<'a>(
            &'a self,
            _: Seat,
        ) -> Pin<Box<dyn Future<Output = Result<Seated, Refusal>> + Send + 'a>> {
            Box::pin(ready(Err(Refusal::Gone)))
        }
    }

    #[tokio::test]
    async fn a_connection_takes_messages_of_its_own_principal_only() {
        let session = SessionLimits {
            replay: 1 << 10,
            outlet: 1 << 20,
            ends_with_child: false,
        };
        let table = Arc::new(Table::new(Bounds {
            cap: 1,
            idle: Duration::from_secs(60),
            child_idle: None,
            yield_after: Duration::from_secs(60),
            session,
        }));
        let settings = Settings {
            session,
            start: Duration::from_secs(1),
            request: Duration::from_secs(1),
            keep_alive: Duration::from_secs(60),
            machine: Some("m1".to_owned()),
            messages_path: "/messages".to_owned(),
            given: Given::default(),
            scopes: ToolScopes::default(),
            stateless: false,
        };
        let front = HttpSse::new(Arc::new(NoServers), table, settings);
        let owner = Principal::named("owner");
        let stream = front.open(&HeaderMap::new(), &owner).unwrap();
        let id = front.inboxes.lock().keys().next().cloned().unwrap();
        let request = Request::post(format!("/messages?session_id={}", id.as_str()))
            .header("content-type", "application/json");
        let parts = request.body(()).unwrap().into_parts().0;
        let post = |principal| {
            let (front, parts) = (&front, &parts);
            async move {
                let ping = Bytes::from_static(br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
                front.post(parts, &principal, ping).await
            }
        };
        assert_eq!(post(owner.clone()).await.unwrap().status(), 202);
        for stranger in [Principal::anonymous(), Principal::named("other")] {
            let fault = post(stranger).await.unwrap_err();
            assert!(matches!(fault, Fault::ConnectionUnknown), "{fault}");
        }
        drop(stream);
        let fault = post(owner).await.unwrap_err();
        assert!(matches!(fault, Fault::ConnectionUnknown), "{fault}");
    }

    #[test]
    fn the_session_is_found_among_other_parameters() {
        for (uri, id) in [
            ("/messages?session_id=ab", Some("ab")),
            ("/messages/?a=b&session_id=m1.ab&c", Some("m1.ab")),
            ("/messages?session_id=", Some("")),
            ("/messages?my_session_id=ab", None),
            ("/messages?", None),
            ("/messages", None),
        ] {
            assert_eq!(session_id(&uri.parse().unwrap()), id, "{uri}");
        }
    }
}
