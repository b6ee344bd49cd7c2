//! What the configuration means to rooms that do not know it.

use std::path::Path;
use std::sync::Arc;

use crate::back::verdict::Eras;
use crate::config::{ChildEra, ChildMode, Config, OnChildExit, Server};
use crate::exchange::Wallet;
use crate::front::intake::Intake;
use crate::front::stdio::{self, Stdio};
use crate::guard::credentials::Credentials;
use crate::launch::install::memory;
use crate::link::child::{Command, Environment};
use crate::pool::Sharing;
use crate::session::{Bounds, SessionLimits};
use crate::translate::{Keys, legacy_server};

/// With less, a server that nobody uses takes what another needs.
const ENOUGH_MEMORY: u64 = 1 << 30;

impl super::Proxy {
    /// The front for the client of this process; `None` where every server has a name.
    #[must_use]
    pub fn stdio(&self) -> Option<Stdio> {
        let served = self.switchboard.now().default.clone()?;
        let limits = &self.workshop.config.limits;
        let settings = stdio::Settings {
            max_line: limits.max_line,
            outlet: limits.outlet_bytes,
        };
        Some(Stdio::new(served, settings))
    }
}

/// What a session may hold.
pub(super) const fn session_limits(config: &Config) -> SessionLimits {
    SessionLimits {
        replay: config.limits.replay_bytes,
        outlet: config.limits.outlet_bytes,
        ends_with_child: matches!(config.on_child_exit, OnChildExit::End),
    }
}

/// What sessions are held to.
pub(super) const fn session_bounds(config: &Config) -> Bounds {
    Bounds {
        cap: config.limits.max_sessions,
        idle: config.times.session_idle,
        child_idle: config.times.child_idle,
        yield_after: config.bounds.yield_after,
        session: session_limits(config),
    }
}

/// How bodies are taken in.
pub(super) const fn intake(config: &Config) -> Intake {
    Intake {
        max_body: config.limits.max_body,
        limit: config.bounds.body,
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
    let chosen = &config.translation;
    let keys = chosen.keys.as_ref();
    Arc::new(legacy_server::Settings {
        keys: keys.map_or_else(Keys::random, |keys| Keys::new(keys.expose())),
        machine: config.machine.clone(),
        patience: chosen.patience,
        request: config.times.request,
        roots: chosen.roots.clone().map(Into::into),
    })
}

/// How many servers are kept ready: one where there is memory for it.
pub(super) fn warm_children(config: &Config) -> usize {
    let small = || memory(Path::new("/")).is_some_and(|memory| memory < ENOUGH_MEMORY);
    config
        .translation
        .warm
        .unwrap_or_else(|| usize::from(!small()))
}

/// What each principal's own children are given, as the pool knows it.
pub(super) fn wallet(credentials: Option<&Arc<Credentials>>) -> Option<Arc<dyn Wallet>> {
    credentials.map(|credentials| Arc::<Credentials>::clone(credentials) as Arc<dyn Wallet>)
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
