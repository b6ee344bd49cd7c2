//! What waits for the child to read it: an ordered queue, bounded in bytes, that never makes its caller wait.
//!
//! Small messages are written as lines into one growing buffer right away, so that sixteen calls which arrive together
//! leave in one `write`, and so that a small message does not keep alive the large body it was cut from. Large
//! messages are queued as they are and leave without being copied.

use std::{collections::VecDeque, mem};

use bytes::{Bytes, BytesMut};
use mcp_wire::Message;
use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::Notify;

use crate::budget::{self, Account};

/// Messages above this are not copied. Below it a copy costs less than one more entry of a vectored write.
const LARGE_BYTES: usize = 16 * 1024;

/// How many bytes of small messages share a buffer: what a Linux pipe takes at once by default, so that more would
/// not make fewer writes.
const BATCH_BYTES: usize = 64 * 1024;

/// What a buffer begins with: a handful of typical calls.
const FIRST_BATCH_BYTES: usize = 4 * 1024;

/// Why a message was not accepted for a child.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SendError {
    /// The child does not read, and as much waits for it as may wait. Trying later can help.
    #[error("the server does not read its input: {queued} bytes wait for it, {limit} may")]
    Full {
        /// Bytes that wait.
        queued: usize,
        /// The bound.
        limit: usize,
    },
    /// The child has ended, is being stopped, or has closed its input.
    #[error("the server is gone")]
    Gone,
}

/// The queue towards one child's standard input.
pub(super) struct Outbox {
    limit: usize,
    queue: Mutex<Queue>,
    filled: Notify,
}

struct Queue {
    door: Door,
    parts: VecDeque<Part>,
    /// Bytes that are queued or being written.
    bytes: usize,
    /// Those of them that were copied here: large messages count themselves.
    copied: usize,
    account: Account,
    /// The writer waits to be woken.
    idle: bool,
    /// An empty buffer that the writer gave back.
    spare: Option<BytesMut>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Door {
    Open,
    /// Nothing more is accepted; what is queued still leaves.
    Finishing,
    /// Nothing leaves any more.
    Closed,
}

/// What the writer takes at once.
pub(super) enum Part {
    /// Whole lines of small messages.
    Lines { text: BytesMut, count: u64 },
    /// The line of one large message, in pieces that share its memory.
    Large(VecDeque<Bytes>),
}

impl Outbox {
    pub(super) fn new(limit: usize) -> Self {
        let queue = Queue {
            door: Door::Open,
            parts: VecDeque::new(),
            bytes: 0,
            copied: 0,
            account: budget::PROCESS.account(),
            idle: false,
            spare: None,
        };
        Self {
            limit,
            queue: Mutex::new(queue),
            filled: Notify::new(),
        }
    }

    /// Queues a message behind those sent before. A message larger than the bound is accepted when nothing else
    /// waits, because it could never be sent otherwise; its size was bounded where it came in.
    pub(super) fn send(&self, message: &Message) -> Result<(), SendError> {
        let length = message.len() + 1;
        let large = (length > LARGE_BYTES).then(|| message.line_pieces().collect());
        let mut queue = self.queue.lock();
        if queue.door != Door::Open {
            return Err(SendError::Gone);
        }
        if queue.bytes > 0 && queue.bytes.saturating_add(length) > self.limit {
            return Err(SendError::Full {
                queued: queue.bytes,
                limit: self.limit,
            });
        }
        queue.bytes += length;
        match large {
            Some(pieces) => queue.parts.push_back(Part::Large(pieces)),
            None => {
                queue.push_line(message, length);
                let copied = queue.copied + length;
                queue.count(copied);
            }
        }
        let wake = mem::take(&mut queue.idle);
        drop(queue);
        if wake {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Accepts nothing more, and lets what is queued leave.
    pub(super) fn finish(&self) {
        let mut queue = self.queue.lock();
        if queue.door == Door::Open {
            queue.door = Door::Finishing;
            drop(queue);
            self.filled.notify_one();
        }
    }

    /// Accepts nothing more and forgets what is queued.
    pub(super) fn close(&self) {
        let mut queue = self.queue.lock();
        queue.door = Door::Closed;
        queue.bytes = 0;
        queue.count(0);
        queue.spare = None;
        let forgotten = mem::take(&mut queue.parts);
        drop(queue);
        drop(forgotten);
        self.filled.notify_one();
    }

    pub(super) fn queued(&self) -> usize {
        self.queue.lock().bytes
    }

    /// Moves all that is queued into `parts`, which is empty. Waits until there is something; false once nothing more
    /// will come.
    ///
    /// # Cancel safety
    /// Dropped while it waits, it has taken nothing.
    pub(super) async fn take(&self, parts: &mut VecDeque<Part>) -> bool {
        loop {
            {
                let mut queue = self.queue.lock();
                if !queue.parts.is_empty() {
                    mem::swap(&mut queue.parts, parts);
                    return true;
                }
                if queue.door != Door::Open {
                    return false;
                }
                queue.idle = true;
            }
            self.filled.notified().await;
        }
    }

    /// Bytes left for the child.
    pub(super) fn wrote(&self, bytes: usize) {
        let mut queue = self.queue.lock();
        // After `close` the count is zero already.
        queue.bytes = queue.bytes.saturating_sub(bytes);
    }

    /// Gives back a buffer whose lines have left, for the next ones. A buffer that grew beyond a batch is freed.
    pub(super) fn recycle(&self, mut text: BytesMut) {
        let mut queue = self.queue.lock();
        // After `close` the count is zero already.
        let copied = queue.copied.saturating_sub(text.len());
        queue.count(copied);
        text.clear();
        if text.capacity() <= BATCH_BYTES {
            queue.spare.get_or_insert(text);
        }
    }
}

impl Queue {
    fn count(&mut self, copied: usize) {
        self.copied = copied;
        self.account.set(copied);
    }

    fn push_line(&mut self, message: &Message, length: usize) {
        match self.parts.back_mut() {
            Some(Part::Lines { text, count }) if text.len() + length <= BATCH_BYTES => {
                message.write_line(text);
                *count += 1;
            }
            _ => {
                let mut text = self
                    .spare
                    .take()
                    .unwrap_or_else(|| BytesMut::with_capacity(FIRST_BATCH_BYTES));
                message.write_line(&mut text);
                self.parts.push_back(Part::Lines { text, count: 1 });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(padding: usize) -> Message {
        let text = format!(
            r#"{{"jsonrpc":"2.0","method":"m","params":{{"p":"{}"}}}}"#,
            "x".repeat(padding)
        );
        Message::parse(Bytes::from(text)).unwrap()
    }

    /// What the writer would see now, as the number of lines of each part; zero for a large one.
    async fn taken(outbox: &Outbox) -> Vec<u64> {
        let mut parts = VecDeque::new();
        assert!(outbox.take(&mut parts).await);
        let count = |part: Part| match part {
            Part::Lines { count, .. } => count,
            Part::Large(_) => 0,
        };
        parts.into_iter().map(count).collect()
    }

    #[tokio::test]
    async fn small_messages_share_a_part_and_large_ones_keep_their_place() {
        let outbox = Outbox::new(1 << 20);
        for padding in [1, 2, 20_000, 3, 4, 5] {
            outbox.send(&message(padding)).unwrap();
        }
        assert_eq!(taken(&outbox).await, [2, 0, 3]);
    }

    #[tokio::test]
    async fn the_bound_counts_what_is_being_written() {
        let outbox = Outbox::new(1_000);
        let size = message(500).len() + 1;
        outbox.send(&message(500)).unwrap();
        assert_eq!(taken(&outbox).await, [1]);
        assert_eq!(
            outbox.send(&message(500)),
            Err(SendError::Full {
                queued: size,
                limit: 1_000
            })
        );
        outbox.wrote(size);
        assert_eq!(outbox.queued(), 0);
        outbox.send(&message(500)).unwrap();
    }

    #[tokio::test]
    async fn one_message_beyond_the_bound_may_go_alone() {
        let outbox = Outbox::new(1_000);
        outbox.send(&message(5_000)).unwrap();
        assert!(matches!(
            outbox.send(&message(1)),
            Err(SendError::Full { .. })
        ));
    }

    #[tokio::test]
    async fn finishing_lets_the_queue_leave_and_closing_forgets_it() {
        let outbox = Outbox::new(1_000);
        outbox.send(&message(1)).unwrap();
        outbox.finish();
        assert_eq!(outbox.send(&message(1)), Err(SendError::Gone));
        assert_eq!(taken(&outbox).await, [1]);
        assert!(!outbox.take(&mut VecDeque::new()).await);

        let outbox = Outbox::new(1_000);
        outbox.send(&message(1)).unwrap();
        outbox.close();
        assert_eq!(outbox.queued(), 0);
        assert!(!outbox.take(&mut VecDeque::new()).await);
    }

    #[tokio::test]
    async fn a_waiting_writer_is_woken() {
        let outbox = std::sync::Arc::new(Outbox::new(1_000));
        let writer = tokio::spawn({
            let outbox = outbox.clone();
            async move { taken(&outbox).await }
        });
        // On this single-threaded runtime the writer has come to wait once we run again.
        tokio::task::yield_now().await;
        outbox.send(&message(1)).unwrap();
        assert_eq!(writer.await.unwrap(), [1]);
    }
}
