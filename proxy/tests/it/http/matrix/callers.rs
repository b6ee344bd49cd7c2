//! Many callers of 2026-07-28 at once, of two principals, at one server that asks in the middle of its calls: nothing
//! in such a question names the call, and yet none may reach the wrong caller.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::super::{
    client::{Client, text},
    proxy::Proxy,
    stateless::{headers, whole},
};

/// Callers of each principal.
const CALLERS: usize = 8;

/// Questions of each call, one after another.
const QUESTIONS: usize = 3;

const PRINCIPALS: [(&str, &str); 2] = [
    ("alice", "correct-horse-of-alice"),
    ("bob", "battery-staple-of-bob"),
];

const TOKENS: (&str, &str) = (
    "MCP_PROXY_AUTH_TOKENS",
    "alice:correct-horse-of-alice,bob:battery-staple-of-bob",
);

/// Calls the tool once more; gives the whole answer.
async fn post(client: &Client, id: usize, params: &Value) -> Value {
    let message = whole(id.into(), "tools/call", params.clone());
    let answer = headers(client, &message).post(message).await.answer().await;
    assert_eq!(answer["id"], id, "{answer}");
    answer
}

/// One call, from its first request to its answer, and whether it was asked all its questions. Every question has to
/// carry this caller's nonce, every answer carries one that only this caller knows, and the result has to tell exactly
/// these.
async fn caller(client: Client, nonce: String) -> bool {
    let arguments = json!({ "message": nonce, "n": QUESTIONS });
    let mut params = json!({ "name": "ask", "arguments": arguments });
    let mut expected = Vec::new();
    let mut states = BTreeSet::new();
    for round in 1..=QUESTIONS {
        let answer = post(&client, round, &params).await;
        let result = &answer["result"];
        if result["resultType"] != "input_required" {
            // The server was told that nobody can be asked, and says so among what it heard.
            let heard = told(&answer);
            let (unasked, heard): (Vec<Value>, Vec<Value>) =
                heard.into_iter().partition(|one| one["code"] == -32601);
            assert!(!unasked.is_empty(), "in round {round}: {answer}");
            assert_eq!(heard, expected, "{answer}");
            return false;
        }
        let requests = result["inputRequests"].as_object().unwrap();
        assert_eq!(requests.len(), 1, "{answer}");
        let (key, question) = requests.iter().next().unwrap();
        assert_eq!(
            question["params"]["message"], nonce,
            "a stranger's: {answer}"
        );
        let state = result["requestState"].as_str().unwrap();
        assert!(
            states.insert(state.to_owned()),
            "a state that was there: {answer}"
        );
        let name = format!("{nonce} in round {round}");
        let said = json!({ "action": "accept", "content": { "name": name } });
        expected.push(said.clone());
        let mut responses = json!({});
        responses[key] = said;
        params["inputResponses"] = responses;
        params["requestState"] = state.into();
    }
    let answer = post(&client, QUESTIONS + 1, &params).await;
    assert_eq!(told(&answer), expected);
    true
}

/// What the server heard, as the result of a call tells it.
fn told(answer: &Value) -> Vec<Value> {
    let lines = text(answer).lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A client of this principal.
fn bearing(proxy: &Proxy, token: &str) -> Client {
    let bearer = format!("Bearer {token}");
    proxy.client().with("Authorization", &bearer)
}

/// All callers of these principals, and how many of them were asked.
async fn all_at_once(proxy: &Proxy, principals: &[(&str, &str)]) -> usize {
    let mut callers = JoinSet::new();
    for (name, token) in principals {
        for n in 0..CALLERS {
            callers.spawn(caller(bearing(proxy, token), format!("{name} {n}")));
        }
    }
    let mut asked = 0;
    while let Some(outcome) = callers.join_next().await {
        asked += usize::from(outcome.unwrap());
    }
    asked
}

async fn served() -> Proxy {
    Proxy::start_with(&[TOKENS], &["--max-children", "32"], &[]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_question_reaches_the_wrong_caller() {
    let proxy = served().await;
    // From here on the server is known to ask.
    for (name, token) in PRINCIPALS {
        assert!(caller(bearing(&proxy, token), format!("{name} alone")).await);
    }
    let asked = all_at_once(&proxy, &PRINCIPALS).await;
    assert_eq!(asked, PRINCIPALS.len() * CALLERS);
}

/// Until a server has asked for the first time, nobody knows that it will: calls share it, and a question that could be
/// of several is put to nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_question_among_many_calls_reaches_its_caller_or_nobody() {
    let proxy = served().await;
    all_at_once(&proxy, &PRINCIPALS).await;
    let asked = all_at_once(&proxy, &PRINCIPALS).await;
    assert_eq!(asked, PRINCIPALS.len() * CALLERS);
}

/// That a server asks is learnt once, and not by each principal for itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_principal_was_asked_is_known_when_another_calls() {
    let proxy = served().await;
    let [(name, token), other] = PRINCIPALS;
    assert!(caller(bearing(&proxy, token), format!("{name} alone")).await);
    assert_eq!(all_at_once(&proxy, &[other]).await, CALLERS);
}
