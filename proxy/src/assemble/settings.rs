//! What the configuration means to rooms that do not know it.

use std::sync::Arc;

use crate::back::verdict::Eras;
use crate::config::{ChildEra, ChildMode, Config, OnChildExit, Server};
use crate::link::child::{Command, Environment};
use crate::pool::Sharing;
use crate::session::SessionLimits;
use crate::translate::{Keys, legacy_server};

/// What a session may hold.
pub(super) const fn session_limits(config: &Config) -> SessionLimits {
    SessionLimits {
        replay: config.limits.replay_bytes,
        outlet: config.limits.outlet_bytes,
        ends_with_child: matches!(config.on_child_exit, OnChildExit::End),
    }
}

/// Whom a child serves, and how `/status` calls it.
pub(super) const fn sharing(config: &Config) -> (Sharing, &'static str) {
    match (config.stateless, config.child_mode) {
        (true, ChildMode::Session) => (Sharing::Principal, "stateless"),
        (_, ChildMode::Shared) => (Sharing::All, "shared"),
        (false, ChildMode::Session) => (Sharing::Session, "session"),
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

/// How clients of one era have a server of another.
pub(super) fn translation(config: &Config) -> Arc<legacy_server::Settings> {
    Arc::new(legacy_server::Settings {
        keys: Keys::random(),
        machine: config.machine.clone(),
        patience: std::time::Duration::from_secs(300),
        request: config.times.request,
        roots: None,
    })
}

/// How a server is started.
pub(super) fn command(server: &Server) -> Command {
    let launch = &server.launch;
    let mut env = Environment::empty();
    for (name, value) in &launch.env {
        env.set(name, value);
    }
    Command {
        program: launch.program.clone(),
        args: launch.args.clone(),
        cwd: launch.cwd.clone(),
        env,
    }
}
