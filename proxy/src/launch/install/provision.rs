//! The command of a server, which may have to be installed first.
//!
//! The pool asks for the command whenever it starts a child. A command that was typed is there at
//! once; that of a package is there when the installation, begun when the proxy started, has ended.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::installer::with_older_sdk;
use super::pypi::{OLDER_SDK, sdk_fault};
use super::{InstallError, Installed, Recipe, Settings, node_options, provide};
use crate::exchange::Refusal;
use crate::launch::Installable;
use crate::link::child::Command;
use crate::observe::metrics;

/// After a failed installation nobody tries again for this long, and clients are told to wait it out:
/// each try costs seconds of a machine's time, and registries count them.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// What a client that waited in vain for an installation is told to wait more.
const STILL_INSTALLING: Duration = Duration::from_secs(5);

/// Where a server's command comes from. One for each configured server.
#[derive(Debug)]
pub struct Provision(Kind);

#[derive(Debug)]
enum Kind {
    Fixed(Command),
    Package(Box<Package>),
}

#[derive(Debug)]
struct Package {
    settings: Settings,
    recipe: Recipe,
    /// Folder, environment and the server's own arguments; the program is the package's.
    base: Command,
    /// `npx` or `uvx` with everything.
    typed: Command,
    /// Whether there is such a program to fall back on.
    has_fallback: bool,
    /// The memory a server may use, where that is limited.
    limit: Option<u64>,
    state: watch::Sender<State>,
    /// The installation in progress.
    task: Mutex<Option<AbortHandle>>,
}

#[derive(Clone, Debug)]
enum State {
    Idle,
    Installing {
        since: Instant,
    },
    Ready {
        installed: Installed,
        took: Duration,
    },
    /// It failed, and `npx` or `uvx` runs the package instead.
    FellBack {
        reason: String,
        took: Duration,
    },
    Failed {
        reason: String,
        at: Instant,
        took: Duration,
    },
    /// The proxy stops.
    Stopped,
}

impl State {
    /// What it is called where it is told.
    const fn word(&self) -> &'static str {
        match self {
            Self::Idle | Self::Stopped => "waiting",
            Self::Installing { .. } => "installing",
            Self::Ready { installed, .. } if installed.cached => "cached",
            Self::Ready { .. } => "installed",
            Self::FellBack { .. } => "fallback",
            Self::Failed { .. } => "failed",
        }
    }
}

/// What `/status` says of an installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallStatus {
    /// `waiting`, `installing`, `installed`, `cached`, `fallback` or `failed`.
    pub state: &'static str,
    /// The package as it was asked for.
    pub package: String,
    /// The installed version, once it is known.
    pub version: Option<String>,
    /// How long it took, or has taken so far.
    pub seconds: u64,
    /// Why it failed.
    pub reason: Option<String>,
}

impl Provision {
    /// A command that is there.
    #[must_use]
    pub fn fixed(command: Command) -> Arc<Self> {
        Arc::new(Self(Kind::Fixed(command)))
    }

    /// The command of a package. `typed` is that of `npx` or `uvx` with its folder and environment, and
    /// runs the package where it cannot be installed; `limit` is the memory of this control group in
    /// bytes.
    #[must_use]
    pub fn package(
        settings: Settings,
        installable: Installable,
        typed: Command,
        limit: Option<u64>,
    ) -> Arc<Self> {
        let Installable {
            recipe,
            args,
            has_fallback,
        } = installable;
        let base = Command {
            args,
            ..typed.clone()
        };
        Arc::new(Self(Kind::Package(Box::new(Package {
            settings,
            recipe,
            base,
            typed,
            has_fallback,
            limit,
            state: watch::Sender::new(State::Idle),
            task: Mutex::default(),
        }))))
    }

    /// The command as it was configured, which names the server whatever is installed for it.
    #[must_use]
    pub fn typed(&self) -> &Command {
        match &self.0 {
            Kind::Fixed(command) => command,
            Kind::Package(package) => &package.typed,
        }
    }

    /// Ends an installation in progress, and lets nobody wait for one any more.
    pub fn stop(&self) {
        if let Kind::Package(package) = &self.0 {
            package.state.send_replace(State::Stopped);
            if let Some(task) = package.task.lock().take() {
                task.abort();
            }
        }
    }

    /// Begins the installation in the background, unless it has begun, is done, or failed just now.
    /// It ends with the runtime, and so does its installer.
    pub fn begin(self: &Arc<Self>) {
        let Kind::Package(package) = &self.0 else {
            return;
        };
        let begun = package.state.send_if_modified(|state| {
            let begin = match state {
                State::Idle => true,
                State::Failed { at, .. } => at.elapsed() >= RETRY_AFTER,
                // Somebody emptied the cache.
                State::Ready { installed, .. } => !installed.file.exists(),
                State::Installing { .. } | State::FellBack { .. } | State::Stopped => false,
            };
            if begin {
                *state = State::Installing {
                    since: Instant::now(),
                };
            }
            begin
        });
        if begun {
            self.spawn(false);
        }
    }

    /// A server ended before it answered anything; `stderr` is what it wrote last. If it is a Python
    /// package that died of the SDK it got, it is installed again with an older one, and the next who
    /// asks for the command waits for that.
    pub fn died(self: &Arc<Self>, stderr: &[String]) {
        let Kind::Package(package) = &self.0 else {
            return;
        };
        let wanted = &package.recipe.wanted;
        let Some(said) = sdk_fault(&stderr.join("\n")) else {
            return;
        };
        if wanted.is_npm() || wanted.names_sdk() {
            return;
        }
        let begun = package.state.send_if_modified(|state| {
            let again =
                matches!(state, State::Ready { installed, .. } if installed.added.is_empty());
            if again {
                *state = State::Installing {
                    since: Instant::now(),
                };
            }
            again
        });
        if begun {
            tracing::warn!(
                "{wanted} does not start with the newest MCP SDK ({said}); it is installed again with \
                 {OLDER_SDK}"
            );
            self.spawn(true);
        }
    }

    fn spawn(self: &Arc<Self>, older_sdk: bool) {
        if let Kind::Package(package) = &self.0 {
            let this = Arc::clone(self);
            let task = tokio::spawn(async move { this.install(older_sdk).await });
            *package.task.lock() = Some(task.abort_handle());
        }
    }

    async fn install(&self, older_sdk: bool) {
        let Kind::Package(package) = &self.0 else {
            return;
        };
        let since = Instant::now();
        let spec = package.recipe.wanted.spec();
        let provided = if older_sdk {
            with_older_sdk(&package.settings, &package.recipe).await
        } else {
            provide(&package.settings, &package.recipe).await
        };
        let took = since.elapsed();
        let state = match provided {
            Ok(installed) => {
                told(&installed, took);
                State::Ready { installed, took }
            }
            Err(error) => package.failed(&spec, &error, took),
        };
        metrics::provided(&spec, state.word(), took);
        package.state.send_if_modified(|now| {
            let serving = !matches!(now, State::Stopped);
            if serving {
                *now = state;
            }
            serving
        });
    }

    /// The command, waited for at most `limit`.
    ///
    /// # Errors
    ///
    /// Why there is none, and when to come back.
    ///
    /// # Cancel safety
    ///
    /// The installation goes on when this is dropped.
    pub async fn command(self: &Arc<Self>, limit: Duration) -> Result<Command, Refusal> {
        let package = match &self.0 {
            Kind::Fixed(command) => return Ok(command.clone()),
            Kind::Package(package) => package,
        };
        self.begin();
        let mut states = package.state.subscribe();
        let settled = states.wait_for(|state| !matches!(state, State::Installing { .. }));
        let spec = package.recipe.wanted.spec();
        let Ok(settled) = tokio::time::timeout(limit, settled).await else {
            return Err(Refusal::Start {
                sentence: format!(
                    "installing {spec} has not ended within {}s; it goes on, and --start-timeout lets \
                     requests wait longer",
                    limit.as_secs()
                ),
                retry_after: STILL_INSTALLING,
            });
        };
        let state = settled.map_err(|_| Refusal::Draining)?.clone();
        match state {
            State::Ready { installed, .. } => Ok(package.of_installed(&installed)),
            State::Failed { reason, at, .. } => Err(Refusal::Start {
                sentence: reason,
                retry_after: RETRY_AFTER.saturating_sub(at.elapsed()),
            }),
            State::FellBack { .. } => Ok(bounded(package.typed.clone(), package.limit)),
            State::Stopped | State::Idle | State::Installing { .. } => Err(Refusal::Draining),
        }
    }

    /// Why a new client cannot be served yet, or at all.
    #[must_use]
    pub fn unready(&self) -> Option<String> {
        let Kind::Package(package) = &self.0 else {
            return None;
        };
        let spec = || package.recipe.wanted.spec();
        match &*package.state.borrow() {
            State::Idle | State::Ready { .. } | State::FellBack { .. } | State::Stopped => None,
            State::Installing { .. } => Some(format!("installing {}", spec())),
            State::Failed { reason, .. } => Some(format!("installing {}: {reason}", spec())),
        }
    }

    /// What `/status` says; `None` where nothing is installed.
    #[must_use]
    pub fn status(&self) -> Option<InstallStatus> {
        let Kind::Package(package) = &self.0 else {
            return None;
        };
        let state = package.state.borrow();
        let (version, took, reason) = match &*state {
            State::Idle | State::Stopped => (None, Duration::ZERO, None),
            State::Installing { since } => (None, since.elapsed(), None),
            State::Ready { installed, took } => (Some(installed.version.clone()), *took, None),
            State::FellBack { reason, took } | State::Failed { reason, took, .. } => {
                (None, *took, Some(reason.clone()))
            }
        };
        Some(InstallStatus {
            state: state.word(),
            package: package.recipe.wanted.spec(),
            version,
            seconds: took.as_secs(),
            reason,
        })
    }
}

impl Package {
    fn failed(&self, spec: &str, error: &InstallError, took: Duration) -> State {
        let reason = error.to_string();
        match self.has_fallback && !error.is_final() {
            true => {
                let program = self.typed.program.rsplit('/').next().unwrap_or_default();
                tracing::warn!(
                    "{spec} is run by {program}, because it was not installed: {reason}"
                );
                State::FellBack { reason, took }
            }
            false => {
                tracing::error!("{spec} was not installed: {reason}");
                State::Failed {
                    reason,
                    at: Instant::now(),
                    took,
                }
            }
        }
    }

    fn of_installed(&self, installed: &Installed) -> Command {
        let mut words = installed.command.iter().cloned();
        let mut command = self.base.clone();
        command.program = words.next().unwrap_or_default();
        command.args = words.chain(self.base.args.iter().cloned()).collect();
        // Servers start programs that came with them by name, as under npx and uvx.
        let mut path = installed.programs.clone().into_os_string();
        if let Some(old) = self.base.env.get("PATH") {
            path.push(":");
            path.push(old);
        }
        command.env.set("PATH", path);
        if self.recipe.wanted.is_npm() {
            bound_heap(&mut command, self.limit);
        }
        command
    }
}

/// Tells Node.js how much memory it may use.
fn bound_heap(command: &mut Command, limit: Option<u64>) {
    let existing = command.env.get("NODE_OPTIONS").map(ToOwned::to_owned);
    let existing = existing.as_ref().and_then(|text| text.to_str());
    if let Some(options) = node_options(existing, limit) {
        command.env.set("NODE_OPTIONS", options);
    }
}

/// A command that may be a Node.js program's, with the heap bounded if it is.
#[must_use]
pub(crate) fn bounded(mut command: Command, limit: Option<u64>) -> Command {
    let name = command.program.rsplit('/').next().unwrap_or_default();
    if matches!(name, "node" | "nodejs" | "npx" | "npm") {
        bound_heap(&mut command, limit);
    }
    command
}

fn told(installed: &Installed, took: Duration) {
    let Installed {
        name,
        version,
        added,
        ..
    } = installed;
    let with = if added.is_empty() {
        String::new()
    } else {
        format!(", with {} because it needs it", added.join(" "))
    };
    if installed.cached {
        tracing::info!("{name} {version} is in the cache{with}");
    } else {
        tracing::info!(
            seconds = took.as_secs(),
            "{name} {version} is installed{with}"
        );
    }
}

#[cfg(test)]
mod tests;
