//! Standard output: events become lines, which a thread of its own writes.

use std::io::Write as _;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use mcp_wire::Message;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::Ending;
use super::voice::Voice;
use crate::exchange::{Item, Tap};

/// Lines that are ready together are written together, up to about this much.
const TOGETHER_BYTES: usize = 16 * 1024;

/// The two that write: a task that has the words, and a thread that has the pipe.
pub(super) struct Writing {
    task: JoinHandle<Ending>,
    /// How the task has ended, once it has.
    ending: Option<Ending>,
    /// Resolves when the thread has written its last.
    last: oneshot::Receiver<()>,
}

/// Begins to write what the tap yields.
pub(super) fn start(tap: Tap, voice: Arc<Voice>) -> Writing {
    let (sender, receiver) = mpsc::channel(1);
    let (done, last) = oneshot::channel();
    let writing = thread::Builder::new()
        .name("stdout".to_owned())
        .spawn(move || {
            write(receiver);
            let _nobody_waits = done.send(());
        });
    if let Err(error) = writing {
        // The receiver is gone with it, so to the task the client has left.
        tracing::error!(%error, "could not write to standard output");
    }
    Writing {
        task: tokio::spawn(speak(tap, voice, sender)),
        ending: None,
        last,
    }
}

impl Writing {
    /// Resolves when nothing more can be written, or nothing more will come.
    ///
    /// # Cancel safety
    ///
    /// May be dropped and called again.
    pub(super) async fn ended(&mut self) -> Ending {
        match self.ending {
            Some(ending) => ending,
            None => {
                // It could only fail by a panic, which is reported where it happens.
                let ending = (&mut self.task).await.unwrap_or(Ending::Over);
                self.ending = Some(ending);
                ending
            }
        }
    }

    /// Waits for what is queued to be written, if its client reads it within `limit`.
    pub(super) async fn finish(mut self, limit: Duration) {
        let written = async {
            let _ending = self.ended().await;
            let _thread = (&mut self.last).await;
        };
        if tokio::time::timeout(limit, written).await.is_err() {
            tracing::warn!("the client did not read what was written last");
        }
        self.task.abort();
    }
}

/// Takes events, and gives them to the thread as lines.
async fn speak(mut tap: Tap, voice: Arc<Voice>, pipe: mpsc::Sender<Vec<Bytes>>) -> Ending {
    let mut buffer = BytesMut::new();
    loop {
        let item = tokio::select! {
            item = tap.next() => item,
            () = pipe.closed() => return Ending::Left,
        };
        let mut next = item;
        let mut parts = Vec::new();
        let ending = loop {
            match next {
                None => break Some(Ending::Over),
                Some(Item::Overflow) => {
                    for message in voice.overflow() {
                        append(&message, &mut buffer, &mut parts);
                    }
                    break Some(Ending::Unread);
                }
                Some(Item::Event(tagged)) => {
                    if let Some(message) = voice.render(tagged) {
                        append(&message, &mut buffer, &mut parts);
                    }
                }
            }
            if !parts.is_empty() || buffer.len() >= TOGETHER_BYTES {
                break None;
            }
            match std::future::poll_fn(|cx| Poll::Ready(tap.poll_next(cx))).await {
                Poll::Ready(item) => next = item,
                Poll::Pending => break None,
            }
        };
        if !buffer.is_empty() {
            parts.push(buffer.split().freeze());
        }
        if !parts.is_empty() && pipe.send(parts).await.is_err() {
            return Ending::Left;
        }
        if let Some(ending) = ending {
            return ending;
        }
    }
}

/// Appends a message as a line. Small ones are gathered in the buffer; a big one goes out in its own
/// pieces, after what was gathered before it.
fn append(message: &Message, buffer: &mut BytesMut, parts: &mut Vec<Bytes>) {
    if message.len() <= TOGETHER_BYTES {
        message.write_line(buffer);
        return;
    }
    if !buffer.is_empty() {
        parts.push(buffer.split().freeze());
    }
    parts.extend(message.line_pieces());
    buffer.extend_from_slice(b"\n");
    parts.push(buffer.split().freeze());
}

/// Writes until there is nothing more or nobody reads.
fn write(mut lines: mpsc::Receiver<Vec<Bytes>>) {
    let mut stdout = std::io::stdout().lock();
    while let Some(parts) = lines.blocking_recv() {
        let written = parts
            .iter()
            .try_for_each(|part| stdout.write_all(part))
            .and_then(|()| stdout.flush());
        if let Err(error) = written {
            tracing::info!(%error, "the client does not take standard output any more");
            return;
        }
    }
}
