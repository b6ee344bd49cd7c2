//! The table: what each step of the script comes to, for everybody, and where it has to differ.

use std::{fmt, sync::Arc};

use super::{
    super::proxy::Proxy,
    pending,
    script::Step,
    speaker::{Client, Speaker},
};

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Server {
    /// 2025-11-25 and older.
    Legacy,
    /// 2026-07-28 and nothing else.
    Modern,
    /// Both, one in each process.
    Dual,
}

/// To whom a difference applies.
type Whom = fn(Client, Server) -> bool;

/// One step: what everybody sees, and the differences that are meant, the first that applies.
struct Row {
    step: Step,
    seen: &'static str,
    but: &'static [(Whom, &'static str)],
}

/// A client of the session eras, over either transport.
fn in_session(client: Client) -> bool {
    !matches!(client, Client::Stateless | Client::StatelessPipe)
}

/// A client and a server whose eras differ, so that everything is translated.
fn translated(client: Client, server: Server) -> bool {
    match server {
        Server::Legacy => !in_session(client),
        Server::Modern => in_session(client),
        Server::Dual => false,
    }
}

/// Whether the process that serves this client speaks 2026-07-28.
fn modern_process(client: Client, server: Server) -> bool {
    server == Server::Modern || server == Server::Dual && !in_session(client)
}

const TABLE: [Row; Step::ALL.len()] = [
    Row {
        step: Step::Greet,
        seen: "mcp-toy speaks 2026-07-28 and misbehaves on request",
        but: &[
            (
                |client, _| matches!(client, Client::Session | Client::SessionPipe),
                "mcp-toy speaks 2025-11-25 and misbehaves on request",
            ),
            (
                |client, _| client == Client::HttpSse,
                "mcp-toy speaks 2025-06-18 and misbehaves on request",
            ),
        ],
    },
    Row {
        step: Step::List,
        seen: "prompts greeting; resources greeting, empty; templates number; echo among the tools",
        // The toy has more to offer where it can ask by its answers.
        but: &[(
            modern_process,
            "prompts greeting, question; resources greeting, empty, question; templates number; echo among the tools",
        )],
    },
    Row {
        step: Step::Call,
        seen: "grüße 🦀; a failure; no such resource: -32602",
        // 2026-07-28 gave the code of its own up. Nothing tells a missing resource from wrong
        // params in a modern server's answer, so a session behind it sees the newer code.
        but: &[(
            |client, server| in_session(client) && !translated(client, server),
            "grüße 🦀; a failure; no such resource: -32002",
        )],
    },
    Row {
        step: Step::Progress,
        seen: "1, 2, 3 under \"t\", then 3 steps",
        but: &[],
    },
    Row {
        step: Step::Log,
        seen: "error, then logged",
        but: &[],
    },
    Row {
        step: Step::Elicit,
        seen: r#"elicitation/create; heard {"action":"accept","content":{"name":"Ada"}}"#,
        but: &[],
    },
    Row {
        step: Step::Sample,
        seen: r#"sampling/createMessage; heard {"content":{"text":"Ada","type":"text"},"model":"m","role":"assistant"}"#,
        but: &[],
    },
    Row {
        step: Step::Roots,
        seen: r#"roots/list; heard {"roots":[{"name":"srv","uri":"file:///srv"}]}"#,
        but: &[],
    },
    Row {
        step: Step::Rounds,
        // The call itself, and a call more for each answer that asks.
        seen: "2 questions one after another in 3 requests; 3 at once in 2",
        but: &[
            // A modern server asks at once by one answer; on a session these are three requests
            // of the server, and never a second one of the client.
            (
                |client, _| in_session(client),
                "2 questions one after another in 1 requests; 3 at once in 1",
            ),
        ],
    },
    Row {
        step: Step::Subscribe,
        seen: "updated, tools, resources, prompts",
        but: &[],
    },
    Row {
        step: Step::Cancel,
        seen: "cancelled at the server",
        but: &[],
    },
    Row {
        step: Step::Restart,
        seen: "an error; another process; updated, tools, resources, prompts",
        // Who listens is told what may have changed while nobody was there to tell.
        but: &[(
            |client, _| !in_session(client),
            "an error; another process; tools, prompts, resources, updated, tools, resources, prompts",
        )],
    },
];

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.step)
    }
}

impl Row {
    fn expected(&self, client: Client, server: Server) -> &'static str {
        let mut but = self.but.iter();
        but.find(|(whom, _)| whom(client, server))
            .map_or(self.seen, |(_, seen)| seen)
    }
}

/// Goes through the script once, in one conversation as long as nothing breaks it, and fails with every row that did
/// not come out as the table and the list of pending rows say.
pub(super) async fn compose(client: Client, server: Server) {
    let era = match server {
        Server::Legacy => "legacy",
        Server::Modern => "modern",
        Server::Dual => "dual",
    };
    let toy = ["--era", era];
    let proxy = if client.is_at_a_pipe() {
        None
    } else {
        Some(Arc::new(Proxy::start(&[], &toy).await))
    };
    let mut conversation: Option<Speaker> = None;
    let mut faults = Vec::new();
    for row in &TABLE {
        let is_pending = pending::row(client, server, row.step);
        let (step, proxy, going_on) = (row.step, proxy.clone(), conversation.take());
        let told = async move {
            let mut speaker = match going_on {
                Some(speaker) => speaker,
                None => Speaker::open(proxy.as_deref(), client, &toy).await,
            };
            let seen = step.tell(&mut speaker).await;
            (speaker, seen)
        };
        let outcome = match pending::attempt(is_pending, told).await {
            Ok((speaker, seen)) => {
                conversation = Some(speaker);
                let expected = row.expected(client, server);
                if seen == expected {
                    Ok(())
                } else {
                    Err(format!("saw      {seen}\n    expected {expected}"))
                }
            }
            Err(said) => Err(said),
        };
        match (outcome, is_pending) {
            (Ok(()), true) => faults.push(format!("{row}: passes, and is still listed as pending")),
            (Err(said), false) => faults.push(format!("{row}: {said}")),
            (Ok(()), false) | (Err(_), true) => {}
        }
    }
    let said = match (&proxy, &conversation) {
        (Some(proxy), _) => proxy.said(),
        (None, conversation) => conversation
            .as_ref()
            .map_or_else(String::new, Speaker::said),
    };
    let faults = faults.join("\n  ");
    assert!(
        faults.is_empty(),
        "{client:?} × {server:?}:\n  {faults}\n{said}",
    );
}
