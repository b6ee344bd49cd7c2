//! What the configuration means to rooms that do not know it.

use crate::back::verdict::Eras;
use crate::config::{ChildEra, Config, OnChildExit};
use crate::session::SessionLimits;

/// What a session may hold.
pub(super) const fn session_limits(config: &Config) -> SessionLimits {
    SessionLimits {
        replay: config.limits.replay_bytes,
        outlet: config.limits.outlet_bytes,
        ends_with_child: matches!(config.on_child_exit, OnChildExit::End),
    }
}

/// What the configuration says of the server's eras.
pub(super) const fn eras(era: ChildEra) -> Option<Eras> {
    let (legacy, modern) = match era {
        ChildEra::Auto => return None,
        ChildEra::Legacy => (true, false),
        ChildEra::Modern => (false, true),
        ChildEra::Dual => (true, true),
    };
    Some(Eras {
        legacy: Some(legacy),
        modern: Some(modern),
    })
}
