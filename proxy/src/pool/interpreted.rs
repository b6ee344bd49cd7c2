//! Servers of 2026-07-28 for clients of the session eras: a child of the newer era, as every request
//! of its principal shares it, and an interpreter for each client before it.

use std::sync::{Arc, Weak};

use mcp_wire::Era;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Pool, Sharing};
use crate::exchange::{Refusal, Seat, Seated};
use crate::translate::modern_server::Interpreter;

/// The interpreters of clients that are here. They are kept by their clients.
#[derive(Default)]
pub(super) struct Interpreters(Mutex<Vec<Weak<Interpreter>>>);

impl Interpreters {
    fn enter(&self, interpreter: &Arc<Interpreter>) {
        self.0.lock().push(Arc::downgrade(interpreter));
    }

    /// Has each of them end what waits in vain.
    pub(super) fn sweep(&self, now: Instant) {
        let living: Vec<Arc<Interpreter>> = {
            let mut interpreters = self.0.lock();
            interpreters.retain(|interpreter| interpreter.strong_count() > 0);
            interpreters.iter().filter_map(Weak::upgrade).collect()
        };
        for interpreter in living {
            interpreter.sweep(now);
        }
    }
}

impl Pool {
    /// A place for a client of the session eras at a server that does not speak them.
    pub(super) async fn interpreted(&self, seat: Seat) -> Result<Seated, Refusal> {
        let whose = match self.settings.sharing {
            Sharing::All => None,
            Sharing::Session | Sharing::Principal => Some(seat.principal.clone()),
        };
        let modern = self.modern_child(whose).await.inspect_err(|refusal| {
            if matches!(
                refusal,
                Refusal::OtherEra {
                    speaks: Era::Legacy
                }
            ) {
                // It was another server when that was found out; the next client will be served.
                self.eras.note(Era::Legacy, true);
            }
        })?;
        let discovered = modern.discovered();
        let place = Seated {
            feed: modern.seat(&seat.principal),
            server: modern,
        };
        if self.settings.sharing == Sharing::Principal {
            return Ok(Interpreter::of_requests(place, discovered).seat());
        }
        let interpreter = Interpreter::of_session(place, discovered, seat.standing);
        self.interpreters.enter(&interpreter);
        if let Some(revival) = &seat.revival {
            interpreter.revive(revival);
        }
        Ok(interpreter.seat())
    }

    /// Whether a refusal says that the server speaks 2026-07-28 only.
    pub(super) const fn is_modern_only(refusal: &Refusal) -> bool {
        matches!(
            refusal,
            Refusal::OtherEra {
                speaks: Era::Modern
            }
        )
    }
}
