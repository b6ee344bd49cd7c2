//! Servers of the session eras: one for each session, or a common one that the proxy greets.

use std::sync::Arc;

use mcp_wire::Era;

use super::slots::Whose;
use super::undecided::Undecided;
use super::{Pool, Sharing};
use crate::back::Conversation as _;
use crate::back::legacy::Legacy;
use crate::exchange::{Refusal, Seat, Seated, Server as _};

impl Pool {
    /// A place for a client of the session eras.
    pub(super) async fn legacy(&self, seat: Seat) -> Result<Seated, Refusal> {
        let known = self.known_eras().await?.legacy;
        if known == Some(false) {
            return self.interpreted(seat).await;
        }
        let whose = match self.settings.sharing {
            Sharing::Session => return self.own(seat, known.is_some()).await,
            Sharing::All => Whose::default(),
            Sharing::Principal => self.whose(&seat),
        };
        let legacy = match self.common(whose).await {
            Err(refusal) if Self::is_modern_only(&refusal) => return self.interpreted(seat).await,
            legacy => legacy?,
        };
        let feed = legacy.seat(seat.standing);
        if let Some(revival) = seat.revival {
            legacy.remember(feed, &revival, self.settings.start);
        }
        Ok(Seated {
            server: legacy,
            feed,
        })
    }

    /// A child of one client. `known`: that it speaks the session eras is.
    async fn own(&self, seat: Seat, known: bool) -> Result<Seated, Refusal> {
        let whose = self.whose(&seat);
        // The spare one was started for nobody, with nobody's credentials.
        let spare = whose.is_plain().then(|| self.spare.lock().take()).flatten();
        let spare = spare.filter(|legacy| !legacy.is_gone());
        let legacy = match spare {
            Some(legacy) => {
                self.adopt(&legacy, &whose);
                legacy
            }
            None => {
                let legacy = Legacy::of_one();
                self.start(&legacy, false, &whose).await?;
                legacy
            }
        };
        let Some(revival) = &seat.revival else {
            return Ok(if known {
                Self::seated(&legacy, &seat)
            } else {
                Undecided::seat(&self.me, legacy, seat)
            });
        };
        let seated = Self::seated(&legacy, &seat);
        let mut unfinished = StopUnlessKept(Some(Arc::clone(&legacy)));
        let revived = legacy.revive(revival, self.settings.start).await;
        if legacy.refused_legacy() {
            self.eras.note(Era::Legacy, false);
            drop(unfinished);
            return self.interpreted(seat).await;
        }
        revived?;
        unfinished.0 = None;
        Ok(seated)
    }

    fn seated(legacy: &Arc<Legacy>, seat: &Seat) -> Seated {
        let seated = Seated {
            feed: legacy.seat(seat.standing.clone()),
            server: Arc::<Legacy>::clone(legacy),
        };
        // Whoever fills it first is this very call.
        let _first = seat.early.set(seated.clone());
        seated
    }

    /// A child of several clients, greeted once.
    pub(super) async fn common(&self, whose: Whose) -> Result<Arc<Legacy>, Refusal> {
        let pool = self.me()?;
        let theirs = whose.clone();
        let start = || async move {
            pool.still_serving()?;
            pool.greeted(&theirs).await
        };
        self.common.get(whose, start).await
    }

    /// A server that the proxy itself has greeted.
    pub(super) async fn greeted(&self, whose: &Whose) -> Result<Arc<Legacy>, Refusal> {
        let legacy = Legacy::common();
        self.start(&legacy, false, whose).await?;
        let mut unfinished = StopUnlessKept(Some(Arc::clone(&legacy)));
        let welcomed = legacy.welcome(self.settings.start).await;
        self.learn_of(&legacy)?;
        welcomed?;
        self.eras.note(Era::Legacy, true);
        unfinished.0 = None;
        Ok(legacy)
    }
}

impl Pool {
    /// A server that was greeted and speaks nothing so old is known for it.
    pub(super) fn learn_of(&self, legacy: &Legacy) -> Result<(), Refusal> {
        if legacy.refused_legacy() {
            self.eras.note(Era::Legacy, false);
            return Err(Refusal::OtherEra {
                speaks: Era::Modern,
            });
        }
        Ok(())
    }
}

/// Stops a child whose greeting did not come to its end.
pub(super) struct StopUnlessKept(pub(super) Option<Arc<Legacy>>);

impl Drop for StopUnlessKept {
    fn drop(&mut self) {
        if let Some(legacy) = &self.0 {
            legacy.stop();
        }
    }
}
