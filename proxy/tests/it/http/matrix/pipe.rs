//! A client at a pipe, of either era: everything comes one line after another, and is told apart by what it names.

use std::collections::VecDeque;

use serde_json::{Map, Value, json};

use super::{
    super::stateless::whole,
    speaker::{Heard, reply},
};
use crate::stdio::pipe::{LATEST, Pipe, request};

const TAG: &str = "io.modelcontextprotocol/subscriptionId";

/// More rounds than any server of these tests wants.
const MOST_ROUNDS: usize = 10;

pub(super) struct AtPipe {
    pipe: Pipe,
    pub(super) welcome: Value,
    /// From which level on its requests want log lines; in a session the server remembers.
    pub(super) level: Option<String>,
    pub(super) modern: bool,
    next: u64,
    news: VecDeque<Value>,
}

impl AtPipe {
    pub(super) async fn open(modern: bool, server: &[&str]) -> Self {
        let mut this = Self {
            pipe: Pipe::start(&[], server),
            welcome: Value::Null,
            level: None,
            modern,
            next: 1,
            news: VecDeque::new(),
        };
        if modern {
            this.welcome = this.say("server/discover", json!({})).await.answer;
            let versions = &this.welcome["result"]["supportedVersions"];
            assert_eq!(*versions, json!(["2026-07-28"]), "{}", this.welcome);
        } else {
            this.welcome = this.pipe.greet(LATEST).await;
        }
        this
    }

    async fn begin(&mut self, method: &str, mut params: Value) -> u64 {
        let id = self.next;
        self.next += 1;
        let message = if self.modern {
            if let Some(level) = &self.level {
                params["_meta"]["io.modelcontextprotocol/logLevel"] = json!(level);
            }
            whole(id.into(), method, params)
        } else {
            request(id.into(), method, params)
        };
        self.pipe.send(&message).await;
        id
    }

    async fn tell(&mut self, method: &str, params: Value) {
        let message = json!({ "jsonrpc": "2.0", "method": method, "params": params });
        self.pipe.send(&message).await;
    }

    /// Whether a notification belongs to no call.
    fn is_news(&self, message: &Value) -> bool {
        if self.modern {
            return !message["params"]["_meta"][TAG].is_null();
        }
        let method = message["method"].as_str().unwrap();
        method.ends_with("/list_changed") || method == "notifications/resources/updated"
    }

    async fn hear(&mut self, id: u64, heard: &mut Heard) {
        loop {
            let message = self.pipe.message().await;
            match (message.get("method"), message.get("id")) {
                (Some(_), Some(_)) => {
                    assert!(!self.modern, "a request of the server: {message}");
                    heard.asked(&message);
                    let answer = json!({
                        "jsonrpc": "2.0", "id": message["id"], "result": reply(&message),
                    });
                    self.pipe.send(&answer).await;
                }
                (Some(_), None) if self.is_news(&message) => self.news.push_back(message),
                (Some(_), None) => heard.notes.push(message),
                (None, _) => {
                    assert_eq!(message["id"], id, "{message}");
                    heard.answer = message;
                    return;
                }
            }
        }
    }

    pub(super) async fn say(&mut self, method: &str, mut params: Value) -> Heard {
        let mut heard = Heard::default();
        while heard.requests < MOST_ROUNDS {
            let id = self.begin(method, params.clone()).await;
            heard.requests += 1;
            self.hear(id, &mut heard).await;
            let result = heard.answer["result"].clone();
            if result["resultType"] != "input_required" {
                return heard;
            }
            assert!(self.modern, "{heard:?}");
            let mut answers = Map::new();
            for (key, question) in result["inputRequests"].as_object().unwrap() {
                heard.asked(question);
                answers.insert(key.clone(), reply(question));
            }
            params["inputResponses"] = answers.into();
            if let Some(state) = result.get("requestState") {
                params["requestState"] = state.clone();
            }
        }
        panic!("it is asked for ever: {heard:?}");
    }

    pub(super) async fn watch(&mut self, uri: &str) {
        let filter = json!({
            "toolsListChanged": true, "promptsListChanged": true, "resourcesListChanged": true,
            "resourceSubscriptions": [uri],
        });
        let params = json!({ "notifications": filter });
        let id = self.begin("subscriptions/listen", params).await;
        let first = self.pipe.message().await;
        assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
        assert_eq!(first["params"]["notifications"], filter, "{first}");
        assert_eq!(first["params"]["_meta"][TAG], id, "{first}");
    }

    pub(super) async fn news(&mut self) -> Value {
        if let Some(news) = self.news.pop_front() {
            return news;
        }
        let news = self.pipe.message().await;
        assert!(self.is_news(&news), "{news}");
        news
    }

    pub(super) async fn abandon(&mut self, params: Value) {
        let id = self.begin("tools/call", params).await;
        let first = self.pipe.message().await;
        assert_eq!(first["method"], "notifications/progress");
        let params = json!({ "requestId": id });
        self.tell("notifications/cancelled", params).await;
        // What was on its way when the client changed its mind is of no use to anybody.
        let last = self.begin("tools/list", json!({})).await;
        let mut heard = Heard::default();
        self.hear(last, &mut heard).await;
    }

    pub(super) fn said(&self) -> String {
        self.pipe.said()
    }
}
