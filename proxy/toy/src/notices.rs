//! The tools that send more than their answer: progress, log lines, news, and questions.

use std::{thread, time::Duration};

use crate::{
    listen,
    message::{Object, quote},
    rounds,
    tools::{Call, Outcome},
};

const INVALID_PARAMS: i32 = -32602;

/// How long a question waits for its answer unless told otherwise.
const ASK_WAIT_MS: u64 = 30_000;

pub(crate) fn progress(call: &Call) -> Outcome {
    let n = call.number("n", 3);
    let Some(token) = &call.token else {
        return Outcome::Text("no progress token was given".to_owned());
    };
    for step in 1..=n {
        let params = format!(
            r#"{{"progressToken":{token},"progress":{step},"total":{n},"message":"step {step} of {n}"}}"#
        );
        call.toy.notify("notifications/progress", &params);
        let ms = call.number("ms", 0);
        if ms > 0 && call.toy.sleep(&call.id, Duration::from_millis(ms)) {
            // Whoever cancelled it expects no more of it.
            return Outcome::Nothing;
        }
    }
    Outcome::Text(format!("{n} steps"))
}

pub(crate) fn log(call: &Call) -> Outcome {
    let level = call.text("level", "info");
    let data = quote(&call.text("text", "a log line was asked for"));
    let unasked = call.arguments.flag("unasked");
    for step in 1..=call.number("n", 1) {
        // On 2026-07-28 a request says itself what it wants to hear; before, the client said it once.
        let wanted = match &call.envelope {
            Some(envelope) => envelope.would_log(&level),
            None => call.toy.would_log(&level),
        };
        if wanted || unasked {
            let level = quote(&level);
            let params =
                format!(r#"{{"level":{level},"logger":"toy","data":{data},"step":{step}}}"#);
            call.toy.notify("notifications/message", &params);
        }
        call.pause();
    }
    Outcome::Text("logged".to_owned())
}

pub(crate) fn ask(call: &Call) -> Outcome {
    if let Some(envelope) = &call.envelope {
        return rounds::ask(call, envelope);
    }
    let kind = call.text("kind", "elicitation");
    let message = call.text("message", "What is your name?");
    let Some((method, params, _)) = rounds::question(&kind, &message) else {
        return Outcome::Error(INVALID_PARAMS, format!("unknown kind {kind:?}"));
    };
    let wait = Duration::from_millis(call.number("wait_ms", ASK_WAIT_MS));
    let n = call.number("n", 1);
    let question = |place: u64| {
        let params = named(call, place, &params);
        call.toy.ask(method, &params, wait)
    };
    let answers: Option<Vec<String>> = if call.arguments.flag("together") {
        // Each waits for its own answer, so that all are asked before any is answered.
        thread::scope(|scope| {
            let question = &question;
            let asking: Vec<_> = (1..=n)
                .map(|place| scope.spawn(move || question(place)))
                .collect();
            let answered = asking.into_iter().map(|asked| asked.join().ok().flatten());
            answered.collect()
        })
    } else {
        (1..=n).map(question).collect()
    };
    match answers {
        None => Outcome::Failed("nobody answered".to_owned()),
        Some(answers) => {
            let outcomes: Vec<String> = answers.iter().map(|answer| outcome(answer)).collect();
            Outcome::Text(outcomes.join("\n"))
        }
    }
}

/// The params of one of several questions, with the key that it would like to be asked under, if it has one.
fn named(call: &Call, place: u64, params: &str) -> String {
    let Some(key) = call.arguments.text("key") else {
        return params.to_owned();
    };
    let key = if place == 1 {
        key
    } else {
        format!("{key}{place}")
    };
    let meta = format!(r#"{{"_meta":{{"mcp-proxy/inputKey":{}}}"#, quote(&key));
    match params.strip_prefix('{') {
        Some("}") | None => format!("{meta}}}"),
        Some(rest) => format!("{meta},{rest}"),
    }
}

/// What an answer says, as it was spelled.
fn outcome(answer: &str) -> String {
    let answer = Object::parse(answer).unwrap_or_default();
    let said = answer.raw("result").or_else(|| answer.raw("error"));
    said.unwrap_or("null").to_owned()
}

pub(crate) fn notify(call: &Call) -> Outcome {
    let uri = call.arguments.text("uri");
    let force = call.arguments.flag("force");
    if call.envelope.is_some() && !force {
        let told = match &uri {
            Some(uri) => listen::updated(&call.toy, uri),
            None => listen::lists_changed(&call.toy),
        };
        return Outcome::Text(format!("told {told}"));
    }
    match uri {
        Some(uri) if call.toy.is_subscribed(&uri) || force => {
            let uri = quote(&uri);
            call.toy.notify(
                "notifications/resources/updated",
                &format!(r#"{{"uri":{uri}}}"#),
            );
            Outcome::Text("updated".to_owned())
        }
        Some(_) => Outcome::Text("nobody is subscribed".to_owned()),
        None => {
            for kind in ["tools", "resources", "prompts"] {
                call.toy.line(&format!(
                    r#"{{"jsonrpc":"2.0","method":"notifications/{kind}/list_changed"}}"#
                ));
            }
            Outcome::Text("changed".to_owned())
        }
    }
}

pub(crate) fn listens(call: &Call) -> Outcome {
    if call.arguments.flag("end") {
        return Outcome::Text(format!("ended {}", listen::end_all(&call.toy)));
    }
    Outcome::Text(format!("[{}]", listen::ids(&call.toy).join(",")))
}
