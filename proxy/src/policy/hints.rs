//! Which tools only read, as far as their server says so: `--read-only`.
//!
//! # Theory of operation
//!
//! A tool says in the server's list whether it changes anything (`annotations.readOnlyHint`, since
//! 2025-03-26). What is not annotated may change something. The list is read when a call names a tool
//! that is not known to read, and lists that clients ask for are learned from in passing, so a client
//! that lists first and calls then costs no list more. What is known is believed for a while; before a
//! call is refused, the list is read again, because it may be older than the tool.
//!
//! A hint is the server's word. This policy keeps honest servers from being used for more than reading;
//! a server that lies is kept from nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use mcp_wire::{Era, ErrorCode, Id, Member, Message, method, object};
use parking_lot::Mutex;
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::exchange::{
    Call, Event, ExchangeId, FeedId, Item, Key, Outcome, Outlet, Server, Tagged,
};

/// How long it is believed that a tool only reads.
const BELIEVED: Duration = Duration::from_secs(60);

/// Between two readings of the list. Every refused call asks for one.
const PAUSE: Duration = Duration::from_millis(500);

/// How long the list may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Pages of the list that are read. A server that has more goes round in circles.
const MAX_PAGES: usize = 64;

/// Tools that are remembered, and the longest name of one, in bytes.
const MAX_TOOLS: usize = 4096;
const MAX_NAME: usize = 256;

/// The proxy's own request for a list, in its own outlet.
const LISTING: ExchangeId = ExchangeId(1);

/// What a server has said of its tools to one client.
#[derive(Debug, Default)]
pub(super) struct Hints {
    /// Whether a tool only reads, and since when that is known.
    known: Mutex<HashMap<String, (bool, Instant)>>,
    /// Held by whoever reads the list; when the last reading began.
    reading: tokio::sync::Mutex<Option<Instant>>,
}

/// The list could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unread;

impl Hints {
    /// Whether it is known that this tool only reads.
    pub(super) fn reads(&self, tool: &str, now: Instant) -> bool {
        let known = self.known.lock();
        let hint = known.get(tool);
        hint.is_some_and(|(reads, since)| *reads && now.duration_since(*since) < BELIEVED)
    }

    /// Learns from a page of the list.
    pub(super) fn learn(&self, result: &[u8], now: Instant) {
        let page = hints(result);
        let mut known = self.known.lock();
        if known.len() + page.len() > MAX_TOOLS {
            known.clear();
        }
        known.extend(
            page.into_iter()
                .take(MAX_TOOLS)
                .map(|(name, reads)| (name, (reads, now))),
        );
    }

    /// Whether this tool only reads, after reading the list again if that is not known.
    ///
    /// # Errors
    ///
    /// The list could not be read.
    ///
    /// # Cancel safety
    ///
    /// May be dropped; what was known stays.
    pub(super) async fn ask(&self, at: &Listing<'_>, tool: &str) -> Result<bool, Unread> {
        let arrived = Instant::now();
        let mut begun = self.reading.lock().await;
        if self.reads(tool, arrived) {
            return Ok(true);
        }
        if let Some(begun) = *begun {
            if begun > arrived {
                // Somebody else read it for us, too.
                return Ok(false);
            }
            tokio::time::sleep_until(begun + PAUSE).await;
        }
        *begun = Some(Instant::now());
        let read = tokio::time::timeout(PATIENCE, at.read()).await;
        let found = read.map_err(|_late| Unread)??;
        let now = Instant::now();
        let mut known = self.known.lock();
        *known = found
            .into_iter()
            .map(|(name, reads)| (name, (reads, now)))
            .collect();
        Ok(known.get(tool).is_some_and(|(reads, _)| *reads))
    }
}

/// Where the list is read: a client's place, and how it converses.
pub(super) struct Listing<'a> {
    pub(super) server: &'a Arc<dyn Server>,
    pub(super) feed: FeedId,
    pub(super) era: Era,
    /// The `_meta` of the call that made it necessary. What 2026-07-28 wants in every request is in
    /// there.
    pub(super) meta: Option<Bytes>,
    /// Counts our own requests at that place: they are nobody's calls.
    pub(super) ours: &'a AtomicUsize,
}

impl Listing<'_> {
    /// The whole list; a tool that is there twice reads if both do.
    async fn read(&self) -> Result<HashMap<String, bool>, Unread> {
        let mut found = HashMap::new();
        let mut cursor = None;
        for _ in 0..MAX_PAGES {
            let page = self.page(cursor.as_deref()).await?;
            let result = page.result().ok_or(Unread)?;
            for (name, reads) in hints(result) {
                if found.len() < MAX_TOOLS {
                    *found.entry(name).or_insert(true) &= reads;
                }
            }
            cursor = object::get(result, "nextCursor")
                .filter(|cursor| *cursor != b"null")
                .map(<[u8]>::to_vec);
            if cursor.is_none() {
                break;
            }
        }
        Ok(found)
    }

    async fn page(&self, cursor: Option<&[u8]>) -> Result<Message, Unread> {
        let (outlet, mut tap) = Outlet::new(usize::MAX);
        // Whatever else the server has to say is not for us.
        tap.unattend();
        let call = Call {
            message: self.request(cursor).ok_or(Unread)?,
            exchange: LISTING,
            outlet,
            deadline: Instant::now() + PATIENCE,
        };
        self.ours.fetch_add(1, Ordering::Relaxed);
        let mut unwanted = Ours {
            of: self,
            unanswered: None,
        };
        let key = self.server.call(self.feed, call).map_err(|_| Unread)?;
        unwanted.unanswered = Some(key);
        while let Some(Item::Event(Tagged { event, .. })) = tap.next().await {
            match event {
                Event::Done(outcome) => {
                    unwanted.unanswered = None;
                    return match outcome {
                        Outcome::Result(page) => Ok(page),
                        _ => Err(Unread),
                    };
                }
                Event::Ask { ask, question } => {
                    let reply = mcp_wire::error_message(
                        question.id().as_ref(),
                        ErrorCode::METHOD_NOT_FOUND,
                        "nobody can be asked while the tools are listed",
                        None,
                    );
                    let _waiting = self.server.answer(self.feed, ask, reply);
                }
                Event::Notify(_) | Event::Withdraw { .. } => {}
            }
        }
        Err(Unread)
    }

    fn request(&self, cursor: Option<&[u8]>) -> Option<Message> {
        let mut params = b"{".to_vec();
        if let Some(meta) = self.meta.as_ref().filter(|_| self.era == Era::Modern) {
            params.extend_from_slice(b"\"_meta\":");
            params.extend_from_slice(meta);
        }
        if let Some(cursor) = cursor {
            if params.len() > 1 {
                params.push(b',');
            }
            params.extend_from_slice(b"\"cursor\":");
            params.extend_from_slice(cursor);
        }
        params.push(b'}');
        let whole = mcp_wire::request(&Id::number(0), method::TOOLS_LIST, Some(&params));
        // Read again, because what is located is located by reading.
        let mut request = Message::parse(whole.to_bytes()).ok()?;
        for call_s_own in [Member::ProgressToken, Member::MetaLogLevel] {
            request.remove_meta(call_s_own.name());
        }
        Some(request)
    }
}

/// A request of ours. Dropped before its answer, it is cancelled.
struct Ours<'a> {
    of: &'a Listing<'a>,
    unanswered: Option<Key>,
}

impl Drop for Ours<'_> {
    fn drop(&mut self) {
        self.of.ours.fetch_sub(1, Ordering::Relaxed);
        if let Some(key) = self.unanswered.take() {
            self.of.server.cancel(key, None);
        }
    }
}

/// The tools of a page, and whether each only reads.
fn hints(result: &[u8]) -> HashMap<String, bool> {
    let mut found: HashMap<String, bool> = HashMap::new();
    for list in object::members(result).filter(|member| member.key.is("tools")) {
        let tools: Vec<&RawValue> = serde_json::from_slice(list.value).unwrap_or_default();
        for tool in tools {
            let reads = only_reads(tool.get().as_bytes());
            // Should a server write the name twice, nobody knows which one its client reads.
            let names = object::members(tool.get().as_bytes())
                .filter(|member| member.key.is("name"))
                .filter_map(|member| object::string(member.value));
            for name in names.filter(|name| name.len() <= MAX_NAME) {
                *found.entry(name.into_owned()).or_insert(true) &= reads;
            }
        }
    }
    found
}

/// Whether a tool is annotated as one that only reads. Of members that are there twice, both have to
/// say so.
pub(super) fn only_reads(tool: &[u8]) -> bool {
    let mut hints = object::members(tool)
        .filter(|member| member.key.is("annotations"))
        .map(|annotations| {
            let hints = object::members(annotations.value);
            let mut hints = hints
                .filter(|member| member.key.is("readOnlyHint"))
                .peekable();
            hints.peek().is_some() && hints.all(|hint| hint.value == b"true")
        })
        .peekable();
    hints.peek().is_some() && hints.all(|reads| reads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_annotated_reads() {
        for (tool, reads) in [
            (r#"{"name":"a","annotations":{"readOnlyHint":true}}"#, true),
            (
                r#"{"annotations":{"\u0072eadOnlyHint": true },"name":"a"}"#,
                true,
            ),
            (r#"{"name":"a"}"#, false),
            (r#"{"name":"a","annotations":{}}"#, false),
            (r#"{"name":"a","annotations":null}"#, false),
            (r#"{"name":"a","readOnlyHint":true}"#, false),
            (
                r#"{"name":"a","annotations":{"readOnlyHint":"true"}}"#,
                false,
            ),
            (r#"{"name":"a","annotations":{"readOnlyHint":1}}"#, false),
            (
                r#"{"annotations":{"readOnlyHint":true,"readOnlyHint":false}}"#,
                false,
            ),
            (
                r#"{"annotations":{"readOnlyHint":true},"annotations":{}}"#,
                false,
            ),
        ] {
            assert_eq!(only_reads(tool.as_bytes()), reads, "{tool}");
        }
    }

    #[test]
    fn a_tool_that_is_there_twice_reads_if_both_do() {
        let page = br#"{"tools":[
            {"name":"a","annotations":{"readOnlyHint":true}},
            {"name":"b","annotations":{"readOnlyHint":true}},
            {"name":"b"},
            {"name":"c","name":"d","annotations":{"readOnlyHint":true}}]}"#;
        let hints = hints(page);
        assert!(hints["a"] && hints["c"] && hints["d"] && !hints["b"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_known_is_believed_for_a_while() {
        let hints = Hints::default();
        let page = br#"{"tools":[{"name":"a","annotations":{"readOnlyHint":true}},{"name":"b"}]}"#;
        hints.learn(page, Instant::now());
        assert!(hints.reads("a", Instant::now()));
        assert!(!hints.reads("b", Instant::now()) && !hints.reads("c", Instant::now()));
        tokio::time::advance(BELIEVED).await;
        assert!(!hints.reads("a", Instant::now()));
        // What was learned later counts.
        hints.learn(br#"{"tools":[{"name":"a"}]}"#, Instant::now());
        assert!(!hints.reads("a", Instant::now()));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let hints = Hints::default();
        for page in 0..10 {
            let tools: Vec<String> = (0..1000)
                .map(|n| format!(r#"{{"name":"{page}-{n}"}}"#))
                .collect();
            let page = format!(r#"{{"tools":[{}]}}"#, tools.join(","));
            hints.learn(page.as_bytes(), Instant::now());
        }
        assert!(hints.known.lock().len() <= MAX_TOOLS);
    }
}
