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
//! `room.rs` how many children there may be in all pools.

mod children;
mod conversation;
mod legacy;
mod modern;
mod remembered;
mod room;
mod slots;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use mcp_wire::Era;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

pub use self::room::Room;

use self::children::{Children, Failure};
use self::remembered::Remembered;
use self::slots::Slots;
use crate::back::legacy::Legacy;
use crate::back::modern::Modern;
use crate::back::verdict::Eras;
use crate::exchange::{Principal, Refusal, Seat, Seated, Servers};
use crate::launch::install::{InstallStatus, Provision};
use crate::link::child::Settings as LinkSettings;

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
    /// Where what was found out of them is kept.
    pub cache: Option<PathBuf>,
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
    /// Which eras the server speaks, as far as that is known.
    eras: Arc<Remembered>,
    /// What states that leave this proxy are marked with.
    key: Arc<[u8; 32]>,
    generations: AtomicU64,
    /// A child started ahead of its session (`--eager`).
    spare: Mutex<Option<Arc<Legacy>>>,
    /// Why a start failed, and the number of that child; void once a later one was greeted.
    failure: Failure,
    draining: AtomicBool,
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
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            own: Arc::new(Semaphore::new(settings.room.cap())),
            waiting: Semaphore::new(settings.max_starting),
            settings,
            children: Mutex::default(),
            next: AtomicU64::new(1),
            common: Slots::default(),
            moderns: Slots::default(),
            eras: Arc::new(eras),
            key: Arc::new(key),
            generations: AtomicU64::new(1),
            spare: Mutex::default(),
            failure: Arc::default(),
            draining: AtomicBool::new(false),
        })
    }

    /// Starts a child before anybody asks for one.
    ///
    /// # Errors
    ///
    /// Why it could not be started; the next request tries again.
    pub async fn warm(self: &Arc<Self>) -> Result<(), Refusal> {
        match self.settings.sharing {
            Sharing::Session => {
                let legacy = Legacy::of_one();
                self.start(&legacy, false).await?;
                *self.spare.lock() = Some(legacy);
                Ok(())
            }
            Sharing::All => self.common(None).await.map(drop),
            Sharing::Principal => self.common(Some(Principal::anonymous())).await.map(drop),
        }
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
        if self.draining.load(Ordering::Relaxed) {
            return Err(Refusal::Draining);
        }
        Ok(())
    }

    /// Stops every child and resolves when all are collected. Nothing starts any more.
    ///
    /// # Cancel safety
    ///
    /// The children go on stopping when this is dropped.
    pub async fn stop(&self) {
        self.draining.store(true, Ordering::Relaxed);
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
            match seat.era {
                Era::Legacy => self.legacy(seat).await,
                Era::Modern => self.modern(seat).await,
            }
        })
    }
}
