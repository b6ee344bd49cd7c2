//! Which child serves whom (rule 2), and how many there may be.
//!
//! A session owns its child. With `--child-mode shared` one child serves every session, and with
//! `--stateless` one child serves every request of a principal; both are greeted by the proxy.
//! Requests of 2026-07-28 share a child for each principal, or one for all where children are
//! shared. The pool joins back and link: it is the only place that knows that a conversation runs
//! over a [`Child`](crate::link::child::Child) process.
//!
//! Files: `children.rs` has the processes, `slots.rs` the common ones by whom they serve,
//! `legacy.rs` and `modern.rs` the two eras, `remembered.rs` which of them the server speaks,
//! `translated.rs` and `crew.rs` clients of the newer at servers of the older, `interpreted.rs` and
//! `undecided.rs` clients of the older at servers of the newer,
//! `own.rs` children that have something of their client's own, `faltering.rs` those it keeps from
//! starting,
//! `room.rs` how many children there may be in all pools, `life.rs` whether one may be started now,
//! `tell.rs` what is told of all that, `measure.rs` what the children use.

mod children;
mod crew;
mod faltering;
mod heard;
mod interpreted;
mod legacy;
mod life;
mod measure;
mod modern;
mod own;
mod remembered;
mod room;
mod slots;
mod tell;
mod translated;
mod undecided;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};
use std::time::Duration;

use mcp_wire::Era;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::Instant;

pub use self::heard::Heard;
pub use self::life::State;
pub use self::room::Room;
pub use self::tell::{ChildStatus, PoolStatus};

use self::children::Children;
use self::faltering::Faltering;
use self::interpreted::Interpreters;
use self::life::Life;
use self::measure::Figures;
use self::remembered::Remembered;
use self::slots::{Slots, Whose};
use self::tell::Past;
use self::translated::Translation;
use crate::back::legacy::Legacy;
use crate::back::modern::Modern;
use crate::back::verdict::Eras;
use crate::exchange::{Refusal, Seat, Seated, Servers, Wallet};
use crate::launch::install::{InstallStatus, Provision};
use crate::link::child::Settings as LinkSettings;
use crate::translate::legacy_server;

/// Whom a child serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// One session.
    Session,
    /// Everybody.
    All,
    /// Every request of one principal.
    Principal,
}

/// What the pool needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How a child is started.
    pub program: Arc<Provision>,
    /// How a child is supervised.
    pub link: LinkSettings,
    /// Whom a child serves.
    pub sharing: Sharing,
    /// Where its children have their places, beside those of other pools.
    pub room: Arc<Room>,
    /// Whether a child is about to be started before anybody asks for one, by [`Pool::warm`].
    pub eager: bool,
    /// Requests that may wait for a child to start.
    pub max_starting: usize,
    /// From spawning a child until it answered `initialize`.
    pub start: Duration,
    /// How long a child that serves requests without a session is kept when none come.
    pub idle: Duration,
    /// The name of this machine, where others may run the same server.
    pub machine: Option<String>,
    /// What the configuration says of the eras the server speaks.
    pub eras: Option<Eras>,
    /// What notes that something was said.
    pub heard: Heard,
    /// What each principal's own children are given; `None` where that is nothing.
    pub wallet: Option<Arc<dyn Wallet>>,
    /// Where what was found out of them is kept.
    pub cache: Option<PathBuf>,
    /// How clients of one era have a server of another.
    pub translation: Arc<legacy_server::Settings>,
    /// Processes kept ready for such clients, beyond those that serve them.
    pub warm: usize,
}

/// The children of one configured server.
pub struct Pool {
    /// Itself, for what goes on without the request that began it.
    me: Weak<Self>,
    settings: Settings,
    children: Children,
    next: AtomicU64,
    /// One permit for each child there may be, so that having all of them is having no child.
    own: Arc<Semaphore>,
    waiting: Semaphore,
    /// Children of the session eras that serve several clients.
    common: Slots<Legacy>,
    /// Children of 2026-07-28.
    moderns: Slots<Modern>,
    /// What stands before these for clients of the session eras.
    interpreters: Interpreters,
    /// Which eras the server speaks, as far as that is known.
    eras: Arc<Remembered>,
    /// What states that leave this proxy are marked with.
    key: Arc<[u8; 32]>,
    generations: AtomicU64,
    /// A child started ahead of its session (`--eager`).
    spare: Mutex<Option<Arc<Legacy>>>,
    /// Where the server is in its life, whichever children it has.
    life: Mutex<Life>,
    /// Starts of children that were given something, and failed: nobody else's misfortune.
    faltering: Faltering,
    past: Mutex<Past>,
    figures: Arc<Figures>,
    /// What clients of one era have of a server of another.
    translation: Translation,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("children", &self.children.lock().len())
            .finish_non_exhaustive()
    }
}

impl Pool {
    /// A pool that has started nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> Arc<Self> {
        let mut key = [0; 32];
        // Without random numbers nothing that is marked will be known again, which is the safe
        // side; the system says so elsewhere, for it has no session ids either.
        let _random = getrandom::fill(&mut key);
        let eras = Remembered::new(settings.eras, settings.cache.clone());
        let life = Life::new(settings.eager);
        let translation = Translation::new(Arc::clone(&settings.translation), settings.warm);
        Arc::new_cyclic(|me| Self {
            own: Arc::new(Semaphore::new(settings.room.cap())),
            waiting: Semaphore::new(settings.max_starting),
            figures: Arc::new(Figures::new(&settings.link.name)),
            settings,
            children: Mutex::default(),
            next: AtomicU64::new(1),
            common: Slots::default(),
            moderns: Slots::default(),
            interpreters: Interpreters::default(),
            eras: Arc::new(eras),
            key: Arc::new(key),
            generations: AtomicU64::new(1),
            spare: Mutex::default(),
            life: Mutex::new(life),
            faltering: Faltering::default(),
            past: Mutex::default(),
            translation,
            me: Weak::clone(me),
        })
    }

    /// Starts a child before anybody asks for one.
    ///
    /// # Errors
    ///
    /// Why it could not be started; the next request tries again.
    pub async fn warm(&self) -> Result<(), Refusal> {
        let is_newer = self
            .known_eras()
            .await
            .map(|eras| eras.legacy == Some(false));
        let warmed = match self.settings.sharing {
            _ if is_newer == Ok(true) => self.modern_child(self.everybody()).await.map(drop),
            Sharing::Session => self.prepare_spare().await,
            Sharing::All => self.common(Whose::default()).await.map(drop),
            Sharing::Principal => self.common(self.everybody()).await.map(drop),
        };
        self.settle(Instant::now());
        self.life.lock().warmed();
        warmed
    }

    /// A child that waits for its session. It is that client's `initialize` that greets it, so all
    /// that is known before is that it runs.
    async fn prepare_spare(&self) -> Result<(), Refusal> {
        let legacy = Legacy::of_one();
        self.start(&legacy, false, &Whose::default()).await?;
        *self.spare.lock() = Some(legacy);
        Ok(())
    }

    /// What `/status` says of the server's installation; `None` where nothing is installed.
    #[must_use]
    pub fn installation(&self) -> Option<InstallStatus> {
        self.settings.program.status()
    }

    /// What is known of the eras the server speaks. A package is installed first: which version it
    /// is may make the difference.
    async fn known_eras(&self) -> Result<Eras, Refusal> {
        let command = self.settings.program.command(self.settings.start).await?;
        Ok(self.eras.of(&command))
    }

    /// Itself. It is there as long as anybody calls it.
    fn me(&self) -> Result<Arc<Self>, Refusal> {
        self.me.upgrade().ok_or(Refusal::Draining)
    }

    /// Nothing starts once the proxy stops.
    fn still_serving(&self) -> Result<(), Refusal> {
        if self.life.lock().is_draining() {
            return Err(Refusal::Draining);
        }
        Ok(())
    }

    /// Starts nothing from now on; what runs goes on.
    pub fn drain(&self) {
        self.life.lock().drain();
    }

    /// Stops every child and resolves when all are collected. Nothing starts any more.
    ///
    /// # Cancel safety
    ///
    /// The children go on stopping when this is dropped.
    pub async fn stop(&self) {
        self.drain();
        self.settings.program.stop();
        self.spare.lock().take();
        for running in self.children.lock().values() {
            running.stop();
        }
        let all = u32::try_from(self.settings.room.cap()).unwrap_or(u32::MAX);
        // An error would mean a closed semaphore, and nobody closes it.
        let _all = self.own.acquire_many(all).await;
    }
}

impl Pool {
    /// A failed start, with the pause that it has led to.
    fn with_the_pause(&self, refusal: Refusal) -> Refusal {
        match (refusal, self.pause()) {
            (Refusal::Start { sentence, .. }, Some(retry_after)) => Refusal::Start {
                sentence,
                retry_after,
            },
            (refusal, _) => refusal,
        }
    }
}

impl Servers for Pool {
    fn seat<'a>(
        &'a self,
        seat: Seat,
    ) -> Pin<Box<dyn Future<Output = Result<Seated, Refusal>> + Send + 'a>> {
        Box::pin(async move {
            self.still_serving()?;
            let _waiting = self.waiting.try_acquire().map_err(|_| Refusal::Queue {
                cap: self.settings.max_starting,
            })?;
            let seated = match seat.era {
                Era::Legacy => self.legacy(seat).await,
                Era::Modern => self.modern(seat).await,
            };
            seated.map_err(|refusal| self.with_the_pause(refusal))
        })
    }

    fn pause(&self) -> Option<Duration> {
        let now = Instant::now();
        self.settle(now);
        self.life.lock().pause(now)
    }
}
