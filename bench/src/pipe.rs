//! `pipe`: the thinnest possible bridge from HTTP to stdio.
//!
//! One shared child, and the id spliced, because two clients may choose the same one. Nothing
//! else: no sessions, no checks, no limits, no notifications, no errors worth the name. What the
//! proxy costs beyond this is what the proxy does beyond this.

use std::collections::HashMap;
use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use bytes::{Bytes, BytesMut};
use memchr::memmem;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, oneshot};

use crate::answer::after;

/// Lines that wait for the child. More than the load has in flight, so it is never full.
const QUEUED_LINES: usize = 1024;

/// Room for the next read. As much as a pipe holds.
const READ_BYTES: usize = 64 * 1024;

struct Bridge {
    lines: mpsc::Sender<Vec<u8>>,
    waiting: Waiting,
    next: AtomicU64,
}

/// Who waits for the answer of which id.
type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Bytes>>>>;

/// Serves until it is ended.
///
/// # Errors
/// When it cannot listen or start its child.
pub(crate) async fn serve() -> io::Result<()> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("echo")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("the child has no pipes"));
    };
    let (lines, queued) = mpsc::channel(QUEUED_LINES);
    let waiting = Waiting::default();
    tokio::spawn(write(stdin, queued));
    tokio::spawn(read(stdout, Arc::clone(&waiting)));
    let bridge = Arc::new(Bridge {
        lines,
        waiting,
        next: AtomicU64::new(1),
    });
    let app = Router::new().route("/mcp", post(pass)).with_state(bridge);
    axum::serve(crate::listen().await?, app).await
}

/// One request: its id exchanged on the way in, and back on the way out.
async fn pass(State(bridge): State<Arc<Bridge>>, body: Bytes) -> Response {
    let Some(id) = after(&body, b"\"id\":") else {
        let mut line = body.to_vec();
        line.push(b'\n');
        // Nobody waits for what becomes of a notification.
        let _gone = bridge.lines.send(line).await;
        return StatusCode::ACCEPTED.into_response();
    };
    let key = bridge.next.fetch_add(1, Ordering::Relaxed);
    let (answer, answered) = oneshot::channel();
    bridge.waiting.lock().insert(key, answer);
    let mut line = spliced(&body, id, key.to_string().as_bytes());
    line.push(b'\n');
    let sent = bridge.lines.send(line).await;
    match answered.await {
        Ok(reply) if sent.is_ok() => {
            let key = after(&reply, b"\"id\":").unwrap_or_default();
            let reply = spliced(&reply, key, id);
            ([(header::CONTENT_TYPE, "application/json")], reply).into_response()
        }
        _ => StatusCode::BAD_GATEWAY.into_response(),
    }
}

/// `text` with `with` in the place of its first id, which is `id`.
fn spliced(text: &[u8], id: &[u8], with: &[u8]) -> Vec<u8> {
    let start = memmem::find(text, b"\"id\":").map_or(0, |found| found + "\"id\":".len());
    [&text[..start], with, &text[start + id.len()..]].concat()
}

/// Writes what is queued, all of it at once.
async fn write(mut stdin: ChildStdin, mut queued: mpsc::Receiver<Vec<u8>>) -> io::Result<()> {
    let mut lines = Vec::new();
    while queued.recv_many(&mut lines, QUEUED_LINES).await > 0 {
        stdin.write_all(&lines.concat()).await?;
        lines.clear();
    }
    Ok(())
}

/// Hands every line to whoever waits for it.
async fn read(mut stdout: ChildStdout, waiting: Waiting) -> io::Result<()> {
    let mut buffer = BytesMut::new();
    let mut searched = 0;
    loop {
        buffer.reserve(READ_BYTES);
        if stdout.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
        while let Some(found) = memchr::memchr(b'\n', &buffer[searched..]) {
            let line = buffer.split_to(searched + found + 1).freeze();
            searched = 0;
            let line = line.slice(..line.len() - 1);
            let key = after(&line, b"\"id\":").and_then(|key| std::str::from_utf8(key).ok());
            let caller = key.and_then(|key| waiting.lock().remove(&key.parse().ok()?));
            if let Some(caller) = caller {
                // A caller that has left does not want its answer.
                let _left = caller.send(line);
            }
        }
        searched = buffer.len();
    }
}
