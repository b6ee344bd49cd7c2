//! The processes: how one gets its place, what becomes of its start, and how its end is seen.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use mcp_wire::Era;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::heard::Ear;
use super::life::Epoch;
use super::measure::Added;
use super::slots::Whose;
use super::{Pool, Sharing, own};
use crate::back::Conversation;
use crate::exchange::Refusal;
use crate::link::child::{Child, State};

/// What a client is told of a start that failed before it is known which pause that leads to.
const RETRY_START: Duration = Duration::from_secs(1);

/// What collecting a killed child may take on a busy machine, beyond the ladder that stops it.
const COLLECTING: Duration = Duration::from_secs(2);

/// The children that have not ended, by number.
pub(super) type Children = Mutex<BTreeMap<u64, Running>>;

/// A child, and the conversation held with it.
pub(super) struct Running {
    pub(super) conversation: Weak<dyn Conversation>,
    pub(super) child: Child,
    pub(super) era: Era,
    /// Whom it serves, and what it was given for that.
    pub(super) whose: Whose,
    epoch: Epoch,
    /// What of it the metrics have.
    pub(super) added: Added,
    /// Started to find something out; that it fails may be what is found.
    probe: bool,
    /// It is known what became of its start.
    settled: bool,
}

impl Running {
    pub(super) fn stop(&self) {
        self.child.stop();
    }

    /// Whether it has answered its greeting.
    pub(super) fn is_greeted(&self) -> bool {
        let conversation = self.conversation.upgrade();
        conversation.is_some_and(|conversation| conversation.is_greeted())
    }

    pub(super) fn runs(&self) -> bool {
        self.child.status().state == State::Running
    }
}

/// Somebody's turn to start a child. Dropped before there is one, the turn is the next one's.
struct Turn<'a> {
    pool: &'a Pool,
    /// `None` once there is a child.
    epoch: Option<Epoch>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(epoch) = self.epoch {
            self.pool.life.lock().abandoned(epoch, Instant::now());
        }
    }
}

impl Pool {
    /// Whether a child may be started now.
    fn turn(&self, probe: bool) -> Result<Turn<'_>, Refusal> {
        let now = Instant::now();
        // Whoever was told of a failure may be back before it is written down.
        self.settle(now);
        match self.life.lock().ask(now, probe) {
            Ok(epoch) => Ok(Turn {
                pool: self,
                epoch: Some(epoch),
            }),
            Err(not_now) => Err(Refusal::Start {
                sentence: not_now.sentence,
                retry_after: not_now.wait,
            }),
        }
    }

    /// Starts a process for a conversation and sees to it that its place is given back when it
    /// ends. That a `probe` fails is nobody's misfortune.
    pub(super) async fn start<C: Conversation>(
        &self,
        conversation: &Arc<C>,
        probe: bool,
        whose: &Whose,
    ) -> Result<(), Refusal> {
        let settings = &self.settings;
        // Before a place is taken: whoever waits for an installation keeps nobody else out.
        let command = settings.program.command(settings.start).await?;
        self.faltering.check(whose, Instant::now())?;
        // What its own variables do to a child says nothing of the server.
        let telling = !probe && whose.is_plain();
        let (command, link) = own::dressed(command, &settings.link, whose);
        let mut turn = self.turn(!telling)?;
        let ladder = settings.link.stop;
        let patience = ladder.close_wait + ladder.term_wait + COLLECTING;
        let place = settings.room.place(patience).await?;
        // There are as many as places in the room, unless the pool stops and waits for all of them.
        let own = Arc::clone(&self.own).try_acquire_owned();
        let own = own.map_err(|_| Refusal::Draining)?;
        let Some(epoch) = turn.epoch.take() else {
            return Err(Refusal::Draining);
        };
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.past.lock().starts += 1;
        let inbound = Ear::new(conversation.inbound(), settings.heard.clone(), number);
        let span = tracing::info_span!("child", child = number);
        let start = || Child::start(&command, &link, Box::new(inbound));
        let child = span.in_scope(start).map_err(|error| {
            tracing::warn!(child = number, server = settings.link.name, "{error}");
            let sentence = error.to_string();
            self.life
                .lock()
                .failed(epoch, sentence.clone(), Instant::now());
            Refusal::Start {
                sentence,
                retry_after: RETRY_START,
            }
        })?;
        let link = Ear::new(child.clone(), settings.heard.clone(), number);
        conversation.connect(Box::new(link));
        let known: Arc<dyn Conversation> = Arc::<C>::clone(conversation);
        let place = place.taken_by(child.clone(), Arc::downgrade(&known));
        self.children.lock().insert(
            number,
            Running {
                conversation: Arc::downgrade(&known),
                child: child.clone(),
                era: known.era(),
                whose: whose.clone(),
                epoch,
                added: Added::default(),
                probe,
                settled: false,
            },
        );
        if self.life.lock().is_draining() {
            // Whoever stops the pool may have looked at the children before this one was there.
            child.stop();
        }
        tracing::debug!(child = number, pid = child.status().pid, "started");
        let (pool, eras) = (Weak::clone(&self.me), Arc::clone(&self.eras));
        self.figures.starts.increment(1);
        let figures = Arc::clone(&self.figures);
        let program = Arc::clone(&settings.program);
        tokio::spawn(async move {
            child.stopped().await;
            figures.exited(&child.status());
            if known.failed_start().is_some() {
                program.died(&child.last_words());
            }
            if known.refused_legacy() {
                eras.note(Era::Legacy, false);
            }
            if let Some(pool) = pool.upgrade() {
                pool.over(number, &child);
            }
            // Until here, so that what became of its start can be seen by everybody.
            drop(known);
            // In this order: whoever gets the place in the room must find one of ours, too.
            drop((own, place));
        });
        Ok(())
    }

    /// Writes down what has become of starts since the last look.
    pub(super) fn settle(&self, now: Instant) {
        let mut children = self.children.lock();
        let unsettled = children.iter_mut().filter(|(_, running)| !running.settled);
        for (number, running) in unsettled {
            let Some(conversation) = running.conversation.upgrade() else {
                continue;
            };
            if conversation.is_greeted() {
                self.life.lock().greeted(running.epoch, now);
                self.faltering.greeted(&running.whose);
                running.settled = true;
            } else if let Some(end) = conversation.failed_start() {
                running.settled = true;
                if running.probe {
                    continue;
                }
                if !running.whose.is_plain() {
                    tracing::warn!(
                        child = number,
                        "{end} before it answered initialize, with variables of its client's own; what \
                         it wrote to standard error is above"
                    );
                    self.faltering.failed(&running.whose, now);
                    continue;
                }
                let sentence = format!("{end} before it answered initialize");
                tracing::warn!(
                    child = number,
                    server = self.settings.link.name,
                    "{sentence}; what it wrote to standard error is above"
                );
                self.life.lock().failed(running.epoch, sentence, now);
            }
        }
    }

    /// A child has ended and was collected.
    fn over(&self, number: u64, child: &Child) {
        let now = Instant::now();
        self.settle(now);
        let status = child.status();
        if let Some(running) = self.children.lock().get_mut(&number) {
            running.added.traffic(&status, &self.figures);
        }
        if let State::Ended(end) = status.state {
            self.past.lock().ended(&end, now);
        }
        let ended = self.children.lock().remove(&number);
        let Some(running) = ended.filter(|running| !running.settled) else {
            return;
        };
        // It was stopped before it answered: because nobody wanted it any more, or because it took
        // too long.
        let mut life = self.life.lock();
        if !running.probe
            && running.whose.is_plain()
            && now.duration_since(status.started) >= self.settings.start
        {
            let sentence = "it did not answer initialize within --start-timeout".to_owned();
            let server = &self.settings.link.name;
            tracing::warn!(child = number, server, "{sentence}");
            life.failed(running.epoch, sentence, now);
        } else {
            life.abandoned(running.epoch, now);
        }
    }

    /// Ends calls whose time is over, stops children nobody has needed for long, and tries a failed
    /// server that nobody else tries. Called about once a second.
    pub fn sweep(&self, now: Instant) {
        self.settle(now);
        let living: Vec<Arc<dyn Conversation>> = {
            let children = self.children.lock();
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
        self.interpreters.sweep(now);
        self.put_away_outdated();
        if self.life.lock().is_due(now)
            && let Some(pool) = self.me.upgrade()
        {
            tokio::spawn(async move { pool.try_again().await });
        }
    }

    /// Tries a failed server: monitors send nobody to it, so nobody else will.
    async fn try_again(&self) {
        let Ok(eras) = self.known_eras().await else {
            return;
        };
        // What came of it is written down like any other start; here is nobody to be told.
        let _tried = if eras.legacy == Some(false) {
            self.modern_child(self.everybody()).await.map(drop)
        } else if self.settings.sharing == Sharing::All {
            self.common(Whose::default()).await.map(drop)
        } else {
            self.greeted(&self.everybody())
                .await
                .map(|legacy| legacy.stop())
        };
    }
}
