//! The script: what every client does, and what it saw of it in one line.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    super::client::text,
    speaker::{Heard, Speaker},
};
use crate::toy::within;

/// A part of the script, in the order in which it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Greet,
    List,
    Call,
    Progress,
    Log,
    Elicit,
    Sample,
    Roots,
    Rounds,
    Subscribe,
    Cancel,
    Restart,
}

const WATCHED: &str = "toy://greeting";

/// What a conversation hears of when one resource was updated and then all lists changed.
const NEWS: [&str; 4] = ["updated", "tools", "resources", "prompts"];

impl Step {
    /// The whole script.
    pub(super) const ALL: [Self; 12] = [
        Self::Greet,
        Self::List,
        Self::Call,
        Self::Progress,
        Self::Log,
        Self::Elicit,
        Self::Sample,
        Self::Roots,
        Self::Rounds,
        Self::Subscribe,
        Self::Cancel,
        Self::Restart,
    ];

    /// Does it, and says what was seen.
    pub(super) async fn tell(self, speaker: &mut Speaker) -> String {
        match self {
            Self::Greet => greet(speaker),
            Self::List => list(speaker).await,
            Self::Call => call(speaker).await,
            Self::Progress => progress(speaker).await,
            Self::Log => log(speaker).await,
            Self::Elicit => ask(speaker, "elicitation").await,
            Self::Sample => ask(speaker, "sampling").await,
            Self::Roots => ask(speaker, "roots").await,
            Self::Rounds => rounds(speaker).await,
            Self::Subscribe => subscribe(speaker).await,
            Self::Cancel => cancel(speaker).await,
            Self::Restart => restart(speaker).await,
        }
    }
}

fn greet(speaker: &Speaker) -> String {
    let (version, server, instructions) = speaker.welcome();
    format!(
        "{server} speaks {version} and {}",
        instructions.trim_end_matches('.').to_lowercase()
    )
}

async fn list(speaker: &mut Speaker) -> String {
    let mut seen = Vec::new();
    for (method, list, called) in [
        ("prompts/list", "prompts", "prompts"),
        ("resources/list", "resources", "resources"),
        ("resources/templates/list", "resourceTemplates", "templates"),
    ] {
        let names = names(&speaker.request(method, json!({})).await, list);
        seen.push(format!("{called} {}", names.join(", ")));
    }
    let tools = names(&speaker.request("tools/list", json!({})).await, "tools");
    let among = tools.iter().any(|name| name == "echo");
    seen.push(format!(
        "echo {} the tools",
        if among { "among" } else { "not among" }
    ));
    seen.join("; ")
}

fn names(answer: &Value, list: &str) -> Vec<String> {
    let Some(entries) = answer["result"][list].as_array() else {
        panic!("no {list} in {answer}");
    };
    let names = entries.iter().map(|entry| entry["name"].as_str().unwrap());
    names.map(str::to_owned).collect()
}

async fn call(speaker: &mut Speaker) -> String {
    let said = speaker.call("echo", json!({ "text": "grüße 🦀" })).await;
    let failed = speaker.call("fail", json!({ "text": "a failure" })).await;
    assert_eq!(failed.answer["result"]["isError"], true, "{failed:?}");
    let missing = json!({ "uri": "toy://missing" });
    let missing = speaker.request("resources/read", missing).await;
    format!(
        "{}; {}; no such resource: {}",
        said.text(),
        failed.text(),
        missing["error"]["code"]
    )
}

async fn progress(speaker: &mut Speaker) -> String {
    let heard = speaker.call("progress", json!({ "n": 3 })).await;
    let notes = heard.notes("notifications/progress");
    let steps: Vec<String> = notes
        .iter()
        .map(|params| params["progress"].to_string())
        .collect();
    let mut tokens: Vec<String> = notes
        .iter()
        .map(|params| params["progressToken"].to_string())
        .collect();
    tokens.dedup();
    format!(
        "{} under {}, then {}",
        steps.join(", "),
        tokens.join(" and "),
        heard.text()
    )
}

async fn log(speaker: &mut Speaker) -> String {
    speaker.hear_from("warning").await;
    let mut levels = Vec::new();
    let mut said = String::new();
    for level in ["info", "error"] {
        let heard = speaker.call("log", json!({ "level": level })).await;
        let notes = heard.notes("notifications/message");
        levels.extend(
            notes
                .iter()
                .map(|params| params["level"].as_str().unwrap().to_owned()),
        );
        said = heard.text();
    }
    format!("{}, then {said}", levels.join(", "))
}

async fn ask(speaker: &mut Speaker, kind: &str) -> String {
    let heard = speaker.call("ask", json!({ "kind": kind })).await;
    format!("{}; heard {}", heard.questions.join(", "), heard.text())
}

async fn rounds(speaker: &mut Speaker) -> String {
    let one = speaker.call("ask", json!({ "n": 2 })).await;
    let other = json!({ "n": 3, "together": true });
    let other = speaker.call("ask", other).await;
    let answers = |heard: &Heard| heard.text().lines().count();
    assert_eq!((answers(&one), answers(&other)), (2, 3));
    format!(
        "{} questions one after another in {} requests; {} at once in {}",
        one.questions.len(),
        one.requests,
        other.questions.len(),
        other.requests
    )
}

async fn subscribe(speaker: &mut Speaker) -> String {
    speaker.watch(WATCHED).await;
    news(speaker).await
}

/// Makes news and gives all that is heard up to the last of them. Who is told that something may have changed while a
/// server came back need not be told again that it did just then.
async fn news(speaker: &mut Speaker) -> String {
    // The server may be a new one that has yet to be told of the subscription.
    within("somebody to be told", async {
        loop {
            let heard = speaker.call("notify", json!({ "uri": WATCHED })).await;
            match heard.text().as_str() {
                "nobody is subscribed" | "told 0" => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                _ => break,
            }
        }
    })
    .await;
    speaker.call("notify", json!({})).await;
    let mut heard = Vec::new();
    while !heard.ends_with(&NEWS) {
        heard.push(match speaker.news().await.as_str() {
            "notifications/resources/updated" => "updated",
            "notifications/tools/list_changed" => "tools",
            "notifications/resources/list_changed" => "resources",
            "notifications/prompts/list_changed" => "prompts",
            other => panic!("unexpected news: {other}"),
        });
    }
    heard.dedup();
    heard.join(", ")
}

async fn cancel(speaker: &mut Speaker) -> String {
    // A minute of progress that nobody waits for.
    speaker
        .abandon("progress", json!({ "n": 600, "ms": 100 }))
        .await;
    within("the cancellation at the server", async {
        while speaker.call("cancelled", json!({})).await.text() == "[]" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    "cancelled at the server".to_owned()
}

async fn restart(speaker: &mut Speaker) -> String {
    let before = speaker.call("pid", json!({})).await.text();
    let lost = speaker.call("crash", json!({})).await;
    assert!(lost.answer["error"]["code"].is_i64(), "{lost:?}");
    let after = speaker.call("pid", json!({})).await.text();
    assert_ne!(before, after);
    format!("an error; another process; {}", news(speaker).await)
}

impl Heard {
    /// The text of the answer.
    pub(super) fn text(&self) -> String {
        text(&self.answer).to_owned()
    }

    /// The params of the notifications of one method.
    fn notes(&self, method: &str) -> Vec<&Value> {
        let notes = self.notes.iter().filter(|note| note["method"] == method);
        notes.map(|note| &note["params"]).collect()
    }
}
