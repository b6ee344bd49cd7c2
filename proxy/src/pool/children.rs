//! The processes: how one gets its place, what is known of it, and how its end is seen.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use mcp_wire::Era;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::Pool;
use super::conversation::Conversation;
use crate::exchange::Refusal;
use crate::link::child::{Child, State, Status};

/// How soon a client may try again after a server could not be started.
const RETRY_AFTER_FAILED_START: Duration = Duration::from_secs(2);

/// What collecting a killed child may take on a busy machine, beyond the ladder that stops it.
const COLLECTING: Duration = Duration::from_secs(2);

/// How long a failed start makes the proxy unready. Longer would keep a machine out of its pool for
/// good: where no request comes, nothing tries again.
const UNREADY_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// The last start that failed.
#[derive(Debug)]
pub(super) struct Failed {
    /// The child's number.
    number: u64,
    at: Instant,
    sentence: String,
}

/// Why a start failed, until a later one succeeds.
pub(super) type Failure = Arc<Mutex<Option<Failed>>>;

/// The children that have not ended, by number.
pub(super) type Children = Mutex<BTreeMap<u64, Running>>;

/// A child, and the conversation held with it.
pub(super) struct Running {
    conversation: Weak<dyn Conversation>,
    child: Child,
    /// Started to find something out; that it fails may be what is found.
    probe: bool,
}

impl Running {
    pub(super) fn stop(&self) {
        self.child.stop();
    }
}

impl Pool {
    /// Starts a process for a conversation and sees to it that its place is given back when it
    /// ends. That a `probe` fails is nobody's misfortune.
    pub(super) async fn start<C: Conversation>(
        &self,
        conversation: &Arc<C>,
        probe: bool,
    ) -> Result<(), Refusal> {
        let settings = &self.settings;
        // Before a place is taken: whoever waits for an installation keeps nobody else out.
        let command = settings.program.command(settings.start).await?;
        let ladder = settings.link.stop;
        let patience = ladder.close_wait + ladder.term_wait + COLLECTING;
        let place = settings.room.place(patience).await?;
        // There are as many as places in the room, unless the pool stops and waits for all of them.
        let own = Arc::clone(&self.own).try_acquire_owned();
        let own = own.map_err(|_| Refusal::Draining)?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let child =
            Child::start(&command, &settings.link, conversation.inbound()).map_err(|error| {
                tracing::warn!(child = number, "{error}");
                *self.failure.lock() = Some(Failed {
                    number,
                    at: Instant::now(),
                    sentence: error.to_string(),
                });
                Refusal::Start {
                    sentence: error.to_string(),
                    retry_after: RETRY_AFTER_FAILED_START,
                }
            })?;
        conversation.connect(Box::new(child.clone()));
        let known: Arc<dyn Conversation> = Arc::<C>::clone(conversation);
        let place = place.taken_by(child.clone(), Arc::downgrade(&known));
        self.children.lock().insert(
            number,
            Running {
                conversation: Arc::downgrade(&known),
                child: child.clone(),
                probe,
            },
        );
        if self.draining.load(Ordering::Relaxed) {
            // Whoever stops the pool may have looked at the children before this one was there.
            child.stop();
        }
        tracing::debug!(child = number, pid = child.status().pid, "started");
        let (failure, eras) = (Arc::clone(&self.failure), Arc::clone(&self.eras));
        let program = Arc::clone(&settings.program);
        tokio::spawn(async move {
            child.stopped().await;
            if known.failed_start().is_some() {
                program.died(&child.status().stderr);
            }
            if known.refused_legacy() {
                eras.note(Era::Legacy, false);
            }
            let mut failure = failure.lock();
            if known.is_greeted() {
                failure.take_if(|failed| failed.number < number);
            } else if let Some(end) = known.failed_start().filter(|_| !probe) {
                let sentence = format!("{end} before it answered initialize");
                tracing::warn!(
                    child = number,
                    "{sentence}; what it wrote to standard error is above"
                );
                *failure = Some(Failed {
                    number,
                    at: Instant::now(),
                    sentence,
                });
            }
            // In this order: whoever gets the place in the room must find one of ours, too.
            drop((own, place));
        });
        Ok(())
    }

    /// Ends calls whose time is over, stops children nobody has needed for long, and forgets those
    /// that have ended. Called about once a second.
    pub fn sweep(&self, now: Instant) {
        let living: Vec<Arc<dyn Conversation>> = {
            let mut children = self.children.lock();
            children.retain(|_, running| !matches!(running.child.status().state, State::Ended(_)));
            let unneeded = |running: &&Running| {
                running
                    .conversation
                    .upgrade()
                    .and_then(|conversation| conversation.idle_since())
                    .is_some_and(|since| now.duration_since(since) >= self.settings.idle)
            };
            for running in children.values().filter(unneeded) {
                running.stop();
            }
            children
                .values()
                .filter_map(|running| running.conversation.upgrade())
                .collect()
        };
        for conversation in living {
            conversation.expire(now);
        }
    }

    /// Why new clients cannot be served right now, if they cannot.
    #[must_use]
    pub fn unready(&self) -> Option<String> {
        if self.draining.load(Ordering::Relaxed) {
            return Some(Refusal::Draining.to_string());
        }
        if let Some(reason) = self.settings.program.unready() {
            return Some(reason);
        }
        let children = self.children.lock();
        let living = |(_, running): (&u64, &Running)| {
            running.conversation.upgrade().filter(|_| !running.probe)
        };
        // A server that has just ended is not written down yet; its client knows already.
        let ending = children.iter().filter_map(living).next_back();
        if let Some(end) = ending.and_then(|conversation| conversation.failed_start()) {
            return Some(format!("{end} before it answered initialize"));
        }
        let failure = self.failure.lock();
        let failed = failure
            .as_ref()
            .filter(|failed| failed.at.elapsed() < UNREADY_AFTER_FAILURE)?;
        let later = children
            .range(failed.number + 1..)
            .filter_map(|(_, running)| running.conversation.upgrade())
            .any(|conversation| conversation.is_greeted());
        (!later).then(|| failed.sentence.clone())
    }

    /// What every child is doing, with its calls in flight and its seats.
    #[must_use]
    pub fn status(&self) -> Vec<(Status, usize, usize)> {
        self.children
            .lock()
            .values()
            .map(|running| {
                let (calls, seats) = running
                    .conversation
                    .upgrade()
                    .map_or((0, 0), |conversation| conversation.load());
                (running.child.status(), calls, seats)
            })
            .collect()
    }
}
