//! A client in a session over Streamable HTTP: questions come on the call's own stream, news on the standing one.

use serde_json::{Value, json};

use super::{
    super::{
        client::{Stream, request},
        proxy::Proxy,
        session::{LATEST, Session},
    },
    speaker::{Heard, reply},
};

pub(super) struct InSession {
    session: Session,
    pub(super) welcome: Value,
    standing: Stream,
}

impl InSession {
    pub(super) async fn open(proxy: &Proxy) -> Self {
        let (session, welcome) = Session::greet(&proxy.client(), LATEST).await;
        let status = session.notify("notifications/initialized", json!({})).await;
        assert_eq!(status, 202);
        let standing = session.listen().await;
        Self {
            session,
            welcome,
            standing,
        }
    }

    pub(super) async fn say(&mut self, method: &str, params: Value) -> Heard {
        let mut heard = Heard {
            requests: 1,
            ..Heard::default()
        };
        let id = self.session.next_id();
        let posted = self.session.post(request(id, method, params)).await;
        if !posted.is_stream() {
            heard.answer = posted.json().await;
            assert_eq!(heard.answer["id"], id, "{heard:?}");
            return heard;
        }
        let mut stream = posted.stream();
        loop {
            let message = stream.message().await;
            match (message.get("method"), message.get("id")) {
                (Some(_), Some(_)) => {
                    heard.asked(&message);
                    self.session.reply(&message, reply(&message)).await;
                }
                (Some(_), None) => heard.notes.push(message),
                (None, _) => {
                    assert_eq!(message["id"], id, "{message}");
                    assert_eq!(stream.next().await, None, "nothing follows an answer");
                    heard.answer = message;
                    return heard;
                }
            }
        }
    }

    pub(super) async fn news(&mut self) -> Value {
        self.standing.message().await
    }

    pub(super) async fn abandon(&mut self, params: Value) {
        let id = self.session.next_id();
        let posted = self.session.post(request(id, "tools/call", params)).await;
        let mut stream = posted.stream();
        let first = stream.message().await;
        assert_eq!(first["method"], "notifications/progress");
        let params = json!({ "requestId": id });
        let status = self.session.notify("notifications/cancelled", params).await;
        assert_eq!(status, 202);
    }
}
