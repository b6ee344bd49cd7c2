//! A client of HTTP+SSE: everything comes on one stream, so what belongs to a call is told from the news by its method.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::{
    super::{
        client::{notification, request},
        http_sse::Connection,
        proxy::Proxy,
        session::initialize,
    },
    speaker::{Heard, reply},
};

/// The newest revision whose SDKs still offer this transport to new programs.
const VERSION: &str = "2025-06-18";

pub(super) struct OverSse {
    connection: Connection,
    pub(super) welcome: Value,
    next: u64,
    /// What came while a call was waited for.
    news: VecDeque<Value>,
}

impl OverSse {
    pub(super) async fn open(proxy: &Proxy) -> Self {
        let mut connection = Connection::connect(&proxy.client()).await;
        connection.say(initialize(VERSION)).await;
        let welcome = connection.stream.message().await;
        assert_eq!(welcome["id"], "init", "{welcome}");
        assert!(welcome["result"].is_object(), "{welcome}");
        let initialized = notification("notifications/initialized", json!({}));
        connection.say(initialized).await;
        Self {
            connection,
            welcome,
            next: 1,
            news: VecDeque::new(),
        }
    }

    fn next_id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub(super) async fn say(&mut self, method: &str, params: Value) -> Heard {
        let mut heard = Heard {
            requests: 1,
            ..Heard::default()
        };
        let id = self.next_id();
        self.connection.say(request(id, method, params)).await;
        loop {
            let message = self.connection.stream.message().await;
            match (message["method"].as_str(), message.get("id")) {
                (Some(_), Some(question)) => {
                    heard.asked(&message);
                    let body =
                        json!({ "jsonrpc": "2.0", "id": question, "result": reply(&message) });
                    self.connection.say(body).await;
                }
                (Some("notifications/progress" | "notifications/message"), None) => {
                    heard.notes.push(message);
                }
                (Some(_), None) => self.news.push_back(message),
                (None, _) => {
                    assert_eq!(message["id"], id, "{message}");
                    heard.answer = message;
                    return heard;
                }
            }
        }
    }

    pub(super) async fn news(&mut self) -> Value {
        if let Some(news) = self.news.pop_front() {
            return news;
        }
        self.connection.stream.message().await
    }

    pub(super) async fn abandon(&mut self, params: Value) {
        let id = self.next_id();
        self.connection.say(request(id, "tools/call", params)).await;
        let first = self.connection.stream.message().await;
        assert_eq!(first["method"], "notifications/progress");
        let params = json!({ "requestId": id });
        self.connection
            .say(notification("notifications/cancelled", params))
            .await;
    }
}
