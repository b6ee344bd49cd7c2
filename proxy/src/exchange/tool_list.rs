//! A server's list of tools, read now and then.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Mirrored, Tools};

/// How long the list may take before calls are let through unchecked.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two readings. Every refused header asks for one.
const PAUSE: Duration = Duration::from_millis(500);

/// What is known of one server's tools. A server that was never asked has none.
#[derive(Debug, Default)]
pub struct ToolList {
    tools: Mutex<Arc<Tools>>,
    /// Held by whoever reads; when the last reading began.
    reading: tokio::sync::Mutex<Option<Instant>>,
    /// The last reading failed.
    unread: AtomicBool,
}

impl ToolList {
    /// What is known now.
    #[must_use]
    pub fn now(&self) -> Arc<Tools> {
        Arc::clone(&self.tools.lock())
    }

    /// As [`Tools::mirrored`].
    #[must_use]
    pub fn mirrored(&self, tool: &str) -> Option<Arc<[Mirrored]>> {
        self.tools.lock().mirrored(tool)
    }

    /// False when the list could not be read.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !self.unread.load(Ordering::Acquire)
    }

    /// Says that the list will have to be read before it is good for anything.
    pub fn is_to_be_read(&self) {
        self.unread.store(true, Ordering::Release);
    }

    /// Reads the list by `fetch`. One that cannot be read, or not in time, leaves what was known;
    /// readings follow each other with a pause, and who waited for another's has its result.
    ///
    /// # Cancel safety
    ///
    /// May be dropped; the list stays as it was.
    pub async fn read<F>(&self, fetch: impl FnOnce() -> F)
    where
        F: Future<Output = Option<Tools>>,
    {
        let arrived = Instant::now();
        let begun = self.reading.lock().await;
        if begun.is_some_and(|begun| begun > arrived) {
            // Somebody else read it for us, too.
            return;
        }
        self.read_now(begun, fetch).await;
    }

    /// Makes sure that the list was read: waits for whoever reads it, and reads it by `fetch` if that
    /// came to nothing.
    ///
    /// # Cancel safety
    ///
    /// As [`ToolList::read`].
    pub async fn know<F>(&self, fetch: impl FnOnce() -> F)
    where
        F: Future<Output = Option<Tools>>,
    {
        if !self.is_known() {
            let begun = self.reading.lock().await;
            if !self.is_known() {
                self.read_now(begun, fetch).await;
            }
        }
    }

    async fn read_now<F>(
        &self,
        mut begun: tokio::sync::MutexGuard<'_, Option<Instant>>,
        fetch: impl FnOnce() -> F,
    ) where
        F: Future<Output = Option<Tools>>,
    {
        if let Some(before) = *begun {
            tokio::time::sleep_until(before + PAUSE).await;
        }
        *begun = Some(Instant::now());
        let found = tokio::time::timeout(PATIENCE, fetch()).await.ok().flatten();
        self.unread.store(found.is_none(), Ordering::Release);
        match found {
            Some(tools) => *self.tools.lock() = Arc::new(tools),
            None => tracing::warn!(
                "the server's list of tools could not be read; the next call of a tool tries again"
            ),
        }
    }
}
