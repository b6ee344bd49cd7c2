//! A client of 2026-07-28: questions come as answers, and it calls again with what it was asked for.

use serde_json::{Map, Value, json};

use super::{
    super::{
        client::{Reply, Stream},
        proxy::Proxy,
        stateless::{headers, whole},
    },
    speaker::{Heard, reply},
};
use crate::http::client::Client;

const TAG: &str = "io.modelcontextprotocol/subscriptionId";

/// More rounds than any server of these tests wants.
const MOST_ROUNDS: usize = 10;

pub(super) struct Stateless {
    client: Client,
    pub(super) welcome: Value,
    /// From which level on its requests want log lines.
    pub(super) level: Option<String>,
    next: u64,
    listening: Option<Stream>,
}

impl Stateless {
    pub(super) async fn open(proxy: &Proxy) -> Self {
        let mut this = Self {
            client: proxy.client(),
            welcome: Value::Null,
            level: None,
            next: 1,
            listening: None,
        };
        this.welcome = this.say("server/discover", json!({})).await.answer;
        let versions = &this.welcome["result"]["supportedVersions"];
        assert_eq!(*versions, json!(["2026-07-28"]), "{}", this.welcome);
        this
    }

    async fn post(&mut self, method: &str, mut params: Value) -> (u64, Reply) {
        let id = self.next;
        self.next += 1;
        if let Some(level) = &self.level {
            params["_meta"]["io.modelcontextprotocol/logLevel"] = json!(level);
        }
        let message = whole(id.into(), method, params);
        let reply = headers(&self.client, &message).post(message).await;
        (id, reply)
    }

    pub(super) async fn say(&mut self, method: &str, mut params: Value) -> Heard {
        let mut heard = Heard::default();
        while heard.requests < MOST_ROUNDS {
            let (id, reply) = self.post(method, params.clone()).await;
            heard.requests += 1;
            heard.answer = read(reply, &mut heard.notes).await;
            assert_eq!(heard.answer["id"], id, "{heard:?}");
            let result = &heard.answer["result"];
            if result["resultType"] != "input_required" {
                let complete = result.is_null() || result["resultType"] == "complete";
                assert!(complete, "{heard:?}");
                return heard;
            }
            let result = result.clone();
            let mut answers = Map::new();
            for (key, question) in result["inputRequests"].as_object().unwrap() {
                heard.asked(question);
                answers.insert(key.clone(), reply_to(question));
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
        let (id, reply) = self.post("subscriptions/listen", params).await;
        let mut stream = reply.stream();
        let first = stream.message().await;
        assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
        assert_eq!(first["params"]["notifications"], filter, "{first}");
        assert_eq!(first["params"]["_meta"][TAG], id, "{first}");
        self.listening = Some(stream);
    }

    pub(super) async fn news(&mut self) -> Value {
        let stream = self.listening.as_mut().expect("a subscription");
        let news = stream.message().await;
        assert!(!news["params"]["_meta"][TAG].is_null(), "{news}");
        news
    }

    /// Going away is how this era cancels.
    pub(super) async fn abandon(&mut self, params: Value) {
        let (_, reply) = self.post("tools/call", params).await;
        let mut stream = reply.stream();
        let first = stream.message().await;
        assert_eq!(first["method"], "notifications/progress");
    }
}

fn reply_to(question: &Value) -> Value {
    assert!(question.get("id").is_none(), "{question}");
    reply(question)
}

/// The answer; what came before it is noted, and none of that may want an answer.
async fn read(reply: Reply, notes: &mut Vec<Value>) -> Value {
    if !reply.is_stream() {
        return reply.json().await;
    }
    let mut messages = reply.stream().rest().await;
    let answer = messages.pop().expect("an answer");
    for note in messages {
        assert!(note.get("id").is_none(), "a request on a stream: {note}");
        notes.push(note);
    }
    answer
}
