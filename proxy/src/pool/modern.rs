//! Servers of 2026-07-28, and how it is found out whether there is one (rule 5).
//!
//! The first request of a client of that era is the probe: a child is started and asked by
//! `server/discover`. A server of the session eras that is asked so may be spoilt for it, so a
//! child that turns out to be one is stopped, never greeted again. Death, silence and garbage are
//! what such a server answers with, and what a broken one does; a second child, greeted in the old
//! way, tells the two apart.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mcp_wire::Era;
use tokio::time::Instant;

use super::Pool;
use super::slots::Whose;
use crate::back::modern::{Modern, Neighbours};
use crate::back::verdict::Finding;
use crate::exchange::{Refusal, Seat, Seated};

/// How long a server may be silent before another child of it is asked in the old way. Servers
/// answer within milliseconds of being up; what takes longer is mostly coming up.
const SILENCE: Duration = Duration::from_secs(5);

/// How much longer the first child may be silent once the other has answered. Both were started by
/// the same command, the first one earlier.
const GRACE: Duration = Duration::from_secs(2);

/// How soon a client may try again with a server that did not live to be asked.
const RETRY_START: Duration = Duration::from_secs(1);

/// How soon a client may try again with a server that serves none of its versions.
const RETRY_OTHER_VERSION: Duration = Duration::from_secs(60);

impl Pool {
    /// A place for a client of 2026-07-28.
    pub(super) async fn modern(&self, seat: Seat) -> Result<Seated, Refusal> {
        if self.eras.are_known_to_be_old(Instant::now()) {
            // Whether they still are is looked at when a process starts.
            return self.translated(seat).await;
        }
        let modern = match self.modern_child(self.served_with(&seat)).await {
            Err(Refusal::OtherEra {
                speaks: Era::Legacy,
            }) => return self.translated(seat).await,
            found => found?,
        };
        Ok(Seated {
            feed: modern.seat(&seat.principal),
            server: modern,
        })
    }

    pub(super) async fn modern_child(&self, whose: Whose) -> Result<Arc<Modern>, Refusal> {
        let pool = self.me()?;
        let theirs = whose.clone();
        let start = move || async move {
            pool.still_serving()?;
            if pool.known_eras().await?.modern == Some(false) {
                return Err(only_legacy());
            }
            pool.probe(&theirs).await
        };
        self.moderns.get(whose, start).await
    }

    /// A child that was found to speak 2026-07-28.
    async fn probe(&self, whose: &Whose) -> Result<Arc<Modern>, Refusal> {
        let modern = Modern::new(Neighbours {
            shared: whose.principal.is_none(),
            machine: self.settings.machine.clone(),
            key: Arc::clone(&self.key),
            generation: self.generations.fetch_add(1, Ordering::Relaxed),
        });
        let proven = self.eras.known().modern == Some(true);
        self.start(&modern, !proven, whose).await?;
        let mut unfinished = StopUnlessKept(Some(Arc::clone(&modern)));
        let finding = self.find_out(&modern, whose).await?;
        match finding {
            Finding::Modern => {
                self.eras.note(Era::Modern, true);
                unfinished.0 = None;
                Ok(modern)
            }
            Finding::OtherVersion(versions) => Err(Refusal::Start {
                sentence: format!(
                    "it speaks newer protocol versions than this proxy does ({versions})"
                ),
                retry_after: RETRY_OTHER_VERSION,
            }),
            Finding::Legacy => {
                self.eras.note(Era::Modern, false);
                Err(only_legacy())
            }
            Finding::Unclear(_) if proven => Err(Refusal::Start {
                sentence: "it did not answer server/discover as it used to".to_owned(),
                retry_after: RETRY_START,
            }),
            Finding::Unclear(sentence) => {
                drop(unfinished);
                self.ask_in_the_old_way(sentence, whose).await
            }
        }
    }

    /// What the child answers; where it is silent for long, what another one says.
    async fn find_out(&self, modern: &Arc<Modern>, whose: &Whose) -> Result<Finding, Refusal> {
        let greeting = modern.greet(self.settings.start);
        tokio::pin!(greeting);
        if let Ok(found) = tokio::time::timeout(SILENCE, &mut greeting).await {
            return found;
        }
        tokio::select! {
            found = &mut greeting => found,
            greeted = self.greeted(whose) => match greeted {
                Ok(legacy) => {
                    let found = tokio::time::timeout(GRACE, &mut greeting).await;
                    legacy.stop();
                    let silent = || Finding::Unclear("it did not answer server/discover".to_owned());
                    found.unwrap_or_else(|_| Ok(silent()))
                }
                // It tells nothing; the first child's own time goes on.
                Err(_) => greeting.await,
            },
        }
    }

    /// The server died or wrote garbage: one of the session eras, or broken. One that has shown
    /// that it speaks this era has only failed to start.
    async fn ask_in_the_old_way(
        &self,
        sentence: String,
        whose: &Whose,
    ) -> Result<Arc<Modern>, Refusal> {
        if self.eras.known().legacy == Some(false) {
            return Err(Refusal::Start {
                sentence,
                retry_after: RETRY_START,
            });
        }
        self.greeted(whose).await?.stop();
        self.eras.doubt(Instant::now());
        Err(only_legacy())
    }
}

const fn only_legacy() -> Refusal {
    Refusal::OtherEra {
        speaks: Era::Legacy,
    }
}

/// Stops a child that was asked and is not to serve.
struct StopUnlessKept(Option<Arc<Modern>>);

impl Drop for StopUnlessKept {
    fn drop(&mut self) {
        if let Some(modern) = &self.0 {
            modern.stop();
        }
    }
}
