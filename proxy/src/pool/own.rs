//! Children with credentials of their own: `--principal-env` and `--header-env`.

use std::sync::Arc;

use super::children::Running;
use super::slots::Whose;
use super::{Pool, Sharing};
use crate::back::legacy::Legacy;
use crate::exchange::Seat;
use crate::link::child::{Command, Settings as LinkSettings};

impl Pool {
    /// Whom a child serves that is this client's own, and what it is given.
    pub(super) fn whose(&self, seat: &Seat) -> Whose {
        let wallet = self.settings.wallet.as_ref();
        let given = wallet.map(|wallet| wallet.of(&seat.principal));
        Whose {
            principal: Some(seat.principal.clone()),
            brought: seat.variables.clone(),
            given: given.unwrap_or_default(),
        }
    }

    /// For whom the child of this seat's requests is, where they need no session: everybody, or its
    /// principal.
    pub(super) fn served_with(&self, seat: &Seat) -> Whose {
        match self.settings.sharing {
            Sharing::All => Whose::default(),
            Sharing::Session | Sharing::Principal => self.whose(seat),
        }
    }

    /// A child that was started for nobody is theirs from now on.
    pub(super) fn adopt(&self, legacy: &Arc<Legacy>, whose: &Whose) {
        let theirs = Arc::as_ptr(legacy).cast::<()>();
        let mut children = self.children.lock();
        let mut all = children.values_mut();
        if let Some(running) =
            all.find(|running| running.conversation.as_ptr().cast::<()>() == theirs)
        {
            running.whose = whose.clone();
        }
    }

    /// Whether a child was given what its principal's are given no more. Only what the owner gives can
    /// change: a child is never anybody else's, and what a client brings along makes another one.
    fn is_outdated(&self, running: &Running) -> bool {
        let (Some(wallet), Some(principal)) = (&self.settings.wallet, &running.whose.principal)
        else {
            return false;
        };
        wallet.of(principal) != running.whose.given
    }

    /// Puts children away that were given what is no longer true, once their calls have ended. Their
    /// clients' next requests start others.
    pub(super) fn put_away_outdated(&self) {
        if self.settings.wallet.is_none() {
            return;
        }
        let children = self.children.lock();
        for (number, running) in &*children {
            let working = running.conversation.upgrade();
            let working = working.map_or(0, |conversation| conversation.working());
            if working == 0 && running.runs() && self.is_outdated(running) {
                tracing::info!(
                    child = number,
                    "put away, because the variables of its principal have changed"
                );
                running.stop();
            }
        }
    }
}

/// The command of a child with this of its own, and how it is supervised: nothing that it was given is
/// shown of what it writes.
pub(super) fn dressed(
    mut command: Command,
    link: &LinkSettings,
    whose: &Whose,
) -> (Command, LinkSettings) {
    let mut link = link.clone();
    let variables = whose.variables();
    for (name, value) in variables.iter() {
        command.env.set(name, value);
    }
    link.masks = link.masks.and(variables.iter().map(|(_, value)| value));
    (command, link)
}
