//! One client: it opens a session, calls, and believes no answer that it has not looked at.

use std::io;
use std::rc::Rc;

use bytes::BytesMut;
use memchr::memmem;
use tokio::time::Instant;

use super::Plan;
use super::http::{Connection, Response};
use crate::answer;

/// A session, shared by its clients. A server without sessions gives no id.
pub(crate) struct Session {
    /// What the head of every later request says.
    header: String,
}

impl Session {
    /// What takes its place for clients of 2026-07-28, which call the one tool.
    pub(crate) fn none() -> Self {
        let header =
            "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: echo\r\n";
        Self {
            header: header.to_owned(),
        }
    }

    /// Says `initialize` and `initialized`.
    ///
    /// # Errors
    /// When the server does not welcome us.
    pub(crate) async fn open(authority: &str) -> io::Result<Self> {
        let mut connection = Connection::open(authority).await?;
        let initialize = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"mcp-bench","version":"1"}}}"#;
        let response = connection
            .exchange(&request(authority, "", initialize))
            .await?;
        if response.status != 200 {
            return Err(unexpected("initialize", &response));
        }
        let header = response.session.map_or_else(String::new, |id| {
            format!("Mcp-Session-Id: {id}\r\nMCP-Protocol-Version: 2025-06-18\r\n")
        });
        let initialized = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        let response = connection
            .exchange(&request(authority, &header, initialized))
            .await?;
        if response.status != 202 {
            return Err(unexpected("initialized", &response));
        }
        Ok(Self { header })
    }
}

/// One connection with one call in flight.
pub(crate) struct Client {
    connection: Connection,
    session: Rc<Session>,
    next: u64,
}

/// Between two ids of a client. Each client's ids are its own, as a session demands of calls that
/// are in flight together.
const STRIDE: u64 = 1024;

impl Client {
    /// Connects, to call in this session. Its ids begin at `first` and are in no other client's.
    ///
    /// # Errors
    /// When nobody listens there.
    pub(crate) async fn connect(
        authority: &str,
        session: Rc<Session>,
        first: u64,
    ) -> io::Result<Self> {
        Ok(Self {
            connection: Connection::open(authority).await?,
            session,
            next: first,
        })
    }

    /// Calls, one after the other, so often or until it is late. Returns how long each took in
    /// microseconds.
    ///
    /// # Errors
    /// At the first answer that is not what was asked for.
    pub(crate) async fn call(
        &mut self,
        plan: &Plan,
        times: u64,
        until: Option<Instant>,
    ) -> io::Result<Vec<u32>> {
        let mut micros = Vec::new();
        for _ in 0..times {
            let id = self.next;
            self.next += STRIDE;
            let call = text_of(plan, id);
            let request = request(&plan.authority, &self.session.header, &call);
            let started = Instant::now();
            let response = self.connection.exchange(&request).await?;
            micros.push(u32::try_from(started.elapsed().as_micros()).unwrap_or(u32::MAX));
            if !is_right(plan, id, &response) {
                return Err(unexpected("a call", &response));
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                break;
            }
        }
        Ok(micros)
    }
}

fn text_of(plan: &Plan, id: u64) -> String {
    let Plan { size, progress, .. } = plan;
    if plan.stateless {
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"echo","arguments":{{"size":{size}}},"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{{"name":"mcp-bench","version":"1"}},"io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#
        )
    } else if *progress == 0 {
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"echo","arguments":{{"size":{size}}}}}}}"#
        )
    } else {
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"echo","arguments":{{"size":{size},"progress":{progress}}},"_meta":{{"progressToken":{id}}}}}}}"#
        )
    }
}

fn request(authority: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST /mcp HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Whether this is the answer to the call of this id: its own id, its whole length, its end, and
/// all the progress before it.
fn is_right(plan: &Plan, id: u64, response: &Response) -> bool {
    if response.status != 200 {
        return false;
    }
    if plan.progress == 0 {
        return !response.events && is_answer(plan, id, &response.body);
    }
    let token = format!("\"progressToken\":{id},");
    let told = memmem::find_iter(&response.body, token.as_bytes()).count();
    let last = memmem::rfind(&response.body, b"data: ").map(|at| &response.body[at + 6..]);
    response.events
        && told == plan.progress
        && last.is_some_and(|last| is_answer(plan, id, last.trim_ascii_end()))
}

fn is_answer(plan: &Plan, id: u64, text: &[u8]) -> bool {
    let head = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},");
    if plan.stateless {
        // What else is in a result is its server's affair, and the translator's.
        let whole = memmem::find(text, b"\"text\":\"").is_some_and(|at| {
            let text = &text[at + b"\"text\":\"".len()..];
            text.iter().position(|byte| *byte == b'"') == Some(plan.size)
        });
        let stamped = memmem::find(text, b"\"resultType\":\"complete\"").is_some();
        return text.starts_with(head.as_bytes()) && whole && stamped;
    }
    let digits = id.checked_ilog10().unwrap_or(0) as usize + 1;
    text.starts_with(head.as_bytes())
        && text.len() == answer::length(plan.size) + digits
        && text.ends_with(b"\"}]}}")
}

fn unexpected(to: &str, response: &Response) -> io::Error {
    let shown = BytesMut::from(&response.body[..response.body.len().min(300)]);
    io::Error::other(format!(
        "the answer to {to} was not what was asked for: {} {}",
        response.status,
        String::from_utf8_lossy(&shown)
    ))
}
