//! What the proxy asks a server of its own accord: whether it speaks this era, which of its tools'
//! arguments are repeated in headers, and to be told when that changes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mcp_wire::{Id, Message, Version, method, object};
use tokio::time::Instant;

use super::super::ours;
use super::super::parting;
use super::super::verdict::{Finding, judge};
use super::Modern;
use super::machine::OURS;

use crate::exchange::{Outcome, Refusal, Retry, Tools};

/// How long one page of the list of tools may take.
const TOOLS_PATIENCE: Duration = Duration::from_secs(5);

/// Before the proxy listens again at a server that ended its subscription.
const LISTEN_PAUSE: Duration = Duration::from_secs(1);

/// Pages of tools that are read. A server that has more goes round in circles.
const MAX_PAGES: usize = 64;

/// A request of the proxy, with what 2026-07-28 wants in every request. No capability is declared:
/// nobody could answer.
fn own_request(method: &str, members: &str) -> Message {
    let params = format!(
        r#"{{{members}"_meta":{{"io.modelcontextprotocol/protocolVersion":"{}","io.modelcontextprotocol/clientInfo":{{"name":"mcp-proxy","version":"{}"}},"io.modelcontextprotocol/clientCapabilities":{{}}}}}}"#,
        Version::V2026_07_28.as_str(),
        env!("CARGO_PKG_VERSION"),
    );
    mcp_wire::request(&Id::number(0), method, Some(params.as_bytes()))
}

impl Modern {
    /// Asks the server by `server/discover` whether it speaks this era; if it does, it can take
    /// calls when this returns.
    ///
    /// # Errors
    ///
    /// The server took nothing.
    ///
    /// # Cancel safety
    ///
    /// Not resumable: a server whose greeting was dropped is to be stopped.
    pub async fn greet(self: &Arc<Self>, limit: Duration) -> Result<Finding, Refusal> {
        let outcome = self.ask(own_request(method::DISCOVER, ""), limit).await?;
        let finding = judge(&outcome);
        if finding != Finding::Modern {
            return Ok(finding);
        }
        self.machine.lock().greeted = true;
        let Outcome::Result(discovered) = outcome else {
            return Ok(finding);
        };
        let result = discovered.result().unwrap_or_default();
        // Kept for as long as the server lives: not as a slice of the read buffer.
        let _first = self.discovered.set(Bytes::copy_from_slice(result));
        let tools = object::get(result, "capabilities")
            .and_then(|capabilities| object::get(capabilities, "tools"));
        if let Some(tools) = tools {
            if object::get(tools, "listChanged") == Some(b"true") {
                self.listen();
            }
            self.read_tools().await;
        }
        Ok(finding)
    }

    /// Wants to be told when the tools change.
    fn listen(&self) {
        let request = own_request(
            method::LISTEN,
            r#""notifications":{"toolsListChanged":true},"#,
        );
        let (call, _unread) = ours::call(request, Instant::now());
        let _unheard = self.machine.lock().start(OURS, call, &self.link);
    }

    /// Reads the list of tools.
    ///
    /// # Cancel safety
    ///
    /// As [`ToolList::read`](crate::exchange::ToolList::read).
    pub(super) async fn read_tools(&self) {
        self.tools.read(|| self.tools_now()).await;
    }

    /// The server ended the subscription by which the proxy hears of changes.
    pub(super) async fn listen_again(self: Arc<Self>) {
        tokio::time::sleep(LISTEN_PAUSE).await;
        if !self.machine.lock().is_gone() {
            self.listen();
            self.read_tools().await;
        }
    }

    async fn tools_now(&self) -> Option<Tools> {
        let mut tools = Tools::default();
        let mut members = String::new();
        for _ in 0..MAX_PAGES {
            let request = own_request(method::TOOLS_LIST, &members);
            let Ok(Outcome::Result(page)) = self.ask(request, TOOLS_PATIENCE).await else {
                return None;
            };
            match tools.add(page.result()?) {
                Some(cursor) => members = format!(r#""cursor":{cursor},"#),
                None => break,
            }
        }
        Some(tools)
    }

    /// One request of our own, answered or lost.
    async fn ask(&self, message: Message, limit: Duration) -> Result<Outcome, Refusal> {
        let (call, tap) = ours::call(message, Instant::now() + limit);
        {
            let mut machine = self.machine.lock();
            match machine.start(OURS, call, &self.link) {
                Err(Refusal::Gone) => {
                    let epitaph = machine.epitaph.as_deref().unwrap_or("the server ended");
                    let sentence = format!("{epitaph} before it answered");
                    return Ok(Outcome::Lost(parting::by_child(Retry::Safe, sentence)));
                }
                sent => sent?,
            };
        }
        ours::outcome(tap).await
    }
}
