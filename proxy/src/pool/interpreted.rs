//! Servers of 2026-07-28 for clients of the session eras: a child of the newer era, as every request
//! of its principal shares it, and an interpreter for each client before it.

use std::sync::{Arc, Weak};

use mcp_wire::Era;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Pool, Sharing};
use crate::back::modern::Modern;
use crate::exchange::{Principal, Refusal, Seat, Seated};
use crate::translate::modern_server::Interpreter;

/// The interpreters of clients that are here. They are kept by their clients.
#[derive(Default)]
pub(super) struct Interpreters(Mutex<Vec<Client>>);

/// One that is here, and where it sits.
struct Client {
    interpreter: Weak<Interpreter>,
    modern: Weak<Modern>,
    principal: Principal,
}

impl Interpreters {
    fn enter(&self, client: Client) {
        self.0.lock().push(client);
    }

    /// Has each of them end what waits in vain, and keeps its seat, which would be given away to others
    /// who come while its client says nothing.
    pub(super) fn sweep(&self, now: Instant) {
        let living: Vec<Arc<Interpreter>> = {
            let mut interpreters = self.0.lock();
            interpreters.retain(|client| client.interpreter.strong_count() > 0);
            for client in interpreters.iter() {
                if let Some(modern) = client.modern.upgrade() {
                    let _kept = modern.seat(&client.principal);
                }
            }
            let living = interpreters.iter();
            living
                .filter_map(|client| client.interpreter.upgrade())
                .collect()
        };
        for interpreter in living {
            interpreter.sweep(now);
        }
    }
}

impl Pool {
    /// A place for a client of the session eras at a server that does not speak them.
    pub(super) async fn interpreted(&self, seat: Seat) -> Result<Seated, Refusal> {
        let whose = self.served_with(&seat);
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
            server: Arc::<Modern>::clone(&modern),
        };
        if self.settings.sharing == Sharing::Principal {
            return Ok(Interpreter::of_requests(place, discovered).seat());
        }
        let interpreter = Interpreter::of_session(place, discovered, seat.standing);
        self.interpreters.enter(Client {
            interpreter: Arc::downgrade(&interpreter),
            modern: Arc::downgrade(&modern),
            principal: seat.principal.clone(),
        });
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
