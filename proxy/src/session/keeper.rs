//! Keeps sessions on disk, off the path of requests.
//!
//! About once a second a task compares what is alive with what is on disk, and writes the
//! difference. No request waits for it and no change tells it anything: a session that changed a
//! hundred times within the second is written once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use super::kept::{Kept, Key, Written};
use super::{Store, Table};

/// How often it looks: what a killed proxy may have forgotten.
const LOOK: Duration = Duration::from_secs(1);

/// How far the time of last use on disk may be behind. Without this every call would be a write; with
/// it a session that is revived may live a little shorter than it should.
const GRAIN: Duration = Duration::from_secs(60);

/// A task that keeps the sessions of a table and of all its neighbours. Dropping it ends it without
/// a last look.
#[derive(Debug)]
pub struct Keeper {
    last: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Keeper {
    /// Puts what was kept into the table, and keeps what is in it from now on. Must be called in a
    /// runtime.
    #[must_use]
    pub fn start(store: Store, table: Table) -> Self {
        let loaded = store.load();
        let found = loaded.len();
        let mut keeping = Keeping {
            written: loaded.iter().map(|(key, _)| (*key, None)).collect(),
            store: Arc::new(store),
            failing: false,
            table,
        };
        keeping.table.restore(loaded);
        tracing::info!(found, "sessions kept from before");
        let (last, mut asked) = watch::channel(false);
        let task = tokio::spawn(async move {
            let mut look = tokio::time::interval(LOOK);
            look.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = look.tick() => keeping.look(GRAIN).await,
                    // Mapped at once: what it gives must not be held while anything waits.
                    asked = async { asked.wait_for(|last| *last).await.is_ok() } => {
                        if asked {
                            keeping.look(Duration::ZERO).await;
                        }
                        return;
                    }
                }
            }
        });
        Self {
            last,
            task: Mutex::new(Some(task)),
        }
    }

    /// Writes everything down and changes nothing any more: to be called when the proxy stops, before
    /// its sessions end.
    ///
    /// # Cancel safety
    ///
    /// It goes on when this is dropped.
    pub async fn finish(&self) {
        self.last.send_replace(true);
        let task = self.task.lock().take();
        if let Some(task) = task {
            // It could only fail by a panic, which is reported where it happens.
            let _finished = task.await;
        }
    }
}

/// What the task has.
struct Keeping {
    store: Arc<Store>,
    table: Table,
    /// What is on disk. `None` for what was there before and nobody has asked for since.
    written: HashMap<Key, Option<Written>>,
    /// The last attempt failed, and it was said.
    failing: bool,
}

impl Keeping {
    async fn look(&mut self, grain: Duration) {
        let (lasting, dormant) = self.table.lasting();
        let mut gone = std::mem::take(&mut self.written);
        let mut changed: Vec<(Key, Kept, Written)> = Vec::new();
        for key in dormant {
            if let Entry::Occupied(known) = gone.entry(key) {
                self.written.insert(key, known.remove());
            }
        }
        for (key, server, session) in lasting {
            let known = gone.remove(&key);
            match session.kept(&server, known.flatten(), grain) {
                Some((kept, written)) => changed.push((key, kept, written)),
                None => drop(self.written.insert(key, known.flatten())),
            }
        }
        let gone: Vec<Key> = gone.into_keys().collect();
        if changed.is_empty() && gone.is_empty() {
            return;
        }
        let store = Arc::clone(&self.store);
        let done = tokio::task::spawn_blocking(move || write(&store, changed, gone)).await;
        let Ok((done, failed)) = done else { return };
        self.written.extend(done);
        match failed {
            Some(error) if !self.failing => {
                self.failing = true;
                tracing::warn!(%error, "cannot keep sessions in --state-dir; trying again");
            }
            Some(_) => {}
            None if self.failing => {
                self.failing = false;
                tracing::info!("sessions are kept in --state-dir again");
            }
            None => {}
        }
    }
}

/// Writes and removes; gives what is on disk now, and the last fault. What failed counts as there and
/// not true, so that it is tried again.
fn write(
    store: &Store,
    changed: Vec<(Key, Kept, Written)>,
    gone: Vec<Key>,
) -> (Vec<(Key, Option<Written>)>, Option<io::Error>) {
    let (mut done, mut failed) = (Vec::new(), None);
    for (key, kept, written) in changed {
        match store.write(key, &kept) {
            Ok(()) => done.push((key, Some(written))),
            Err(error) => {
                failed = Some(error);
                done.push((key, None));
            }
        }
    }
    for key in gone {
        if let Err(error) = store.remove(key) {
            failed = Some(error);
            done.push((key, None));
        }
    }
    (done, failed)
}
