//! `mcp-proxy`: any stdio MCP server, over HTTP or to one local client.
//!
//! A table of contents: read what was typed, listen, say where, serve until told to stop, drain,
//! choose an exit code.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use mcp_proxy::config::env::{self, ProcessEnvironment};
use mcp_proxy::config::{Config, Errand, Log, Stop, ThisMachine, least};
use mcp_proxy::front::listener::{Connections, Listener};
use mcp_proxy::front::stdio::Ending;
use mcp_proxy::front::tls::Tls;
use mcp_proxy::idle::{self, Due};
use mcp_proxy::launch::install::{memory_limit, prewarm};
use mcp_proxy::link::child::{Guardian, Orphans, guardian};
use mcp_proxy::policy::audit;
use mcp_proxy::reload::Watch;
use mcp_proxy::session::Store;
use mcp_proxy::{assemble, budget, observe};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

/// How often deadlines are looked at: those of calls, sessions and children.
const SWEEP: Duration = Duration::from_secs(1);

/// How long the last lines of the audit log may take to be written.
const AUDIT_FLUSH: Duration = Duration::from_secs(1);

/// How long the last spans may take to reach their collector.
#[cfg(feature = "otlp")]
const SPAN_FLUSH: Duration = Duration::from_secs(2);

/// Where a proxy without a port is.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Exit code for a command line or an environment that cannot be used.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    if std::env::args_os()
        .nth(1)
        .is_some_and(|word| word == guardian::WORD)
    {
        // Before anything is read or built: it is to stay small.
        guardian::keep_watch();
        return ExitCode::SUCCESS;
    }
    // A child runs as the same user, and could otherwise read our environment, token included,
    // from /proc. The mark is not inherited through exec.
    let _kept_readable = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let config = match Config::read(env::arguments(), &ProcessEnvironment) {
        Ok(config) => config,
        Err(Stop::Told(text)) => {
            // Help and version are what was asked for, so they go where output goes. Whoever
            // closed it has read enough.
            let _closed = std::io::stdout().write_all(text.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(Stop::Errand(errand)) => {
            let log = errand.log.clone();
            return with_runtime(&log, || install(*errand));
        }
        Err(Stop::Faults(faults)) => {
            let _closed = writeln!(std::io::stderr(), "{faults}");
            return ExitCode::from(USAGE);
        }
    };
    let log = config.log.clone();
    with_runtime(&log, || run(config))
}

/// Opens the log, and does the work to its end.
fn with_runtime<F: Future<Output = ExitCode>>(log: &Log, work: impl FnOnce() -> F) -> ExitCode {
    if let Err(error) = observe::log::init(log) {
        let _closed = writeln!(std::io::stderr(), "mcp-proxy cannot start: {error}");
        return ExitCode::from(USAGE);
    }
    observe::panic::report();
    if let Err(error) = observe::metrics::install() {
        tracing::error!("failed to {error}");
        return ExitCode::FAILURE;
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "failed to start");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(work())
}

/// `mcp-proxy install`: what is there now goes to standard output, everything else to standard error.
async fn install(mut errand: Errand) -> ExitCode {
    errand.order.settings.guardian = Guardian::of_this_process();
    for warning in &errand.warnings {
        tracing::warn!("{warning}");
    }
    let mut signals = match Signals::new(false) {
        Ok(signals) => signals,
        Err(error) => {
            tracing::error!(%error, "failed to listen for signals");
            return ExitCode::FAILURE;
        }
    };
    tokio::select! {
        (told, all) = errand.order.follow() => {
            let _closed = std::io::stdout().write_all(told.as_bytes());
            if all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        // The installer is in a group of its own, and is killed because nobody waits for it any more.
        name = signals.stop() => {
            tracing::error!(signal = name, "stopped");
            ExitCode::FAILURE
        }
    }
}

async fn run(mut config: Config) -> ExitCode {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let tls = config.door.tls.as_ref().map(Tls::new);
    let reloads = config.named.file.is_some();
    let bound = if config.stdio {
        Ok(None)
    } else {
        Listener::bind(&config.listen).await.map(Some)
    };
    let (listener, mut signals) = match (bound, Signals::new(reloads)) {
        (Ok(listener), Ok(signals)) => (listener, signals),
        (Err(error), _) => {
            tracing::error!("failed to {error}");
            return ExitCode::FAILURE;
        }
        (_, Err(error)) => {
            tracing::error!(%error, "failed to listen for signals");
            return ExitCode::FAILURE;
        }
    };
    let audit = match audit::of(config.audit.as_ref()) {
        Ok(audit) => audit,
        Err(error) => {
            tracing::error!(%error, "failed to open the audit log (--audit)");
            return ExitCode::FAILURE;
        }
    };
    let store = match config.state_dir.as_deref().map(Store::open).transpose() {
        Ok(store) => store,
        Err(error) => {
            tracing::error!("failed to {error}");
            return ExitCode::FAILURE;
        }
    };
    #[cfg(feature = "otlp")]
    if let Some(settings) = config.otlp.clone() {
        observe::otlp::start(settings);
    }
    budget::PROCESS.limit_to(memory_budget(&config));
    let guardian = Guardian::of_this_process();
    config.guarded_by(guardian.as_ref());
    let address = listener.as_ref().map_or(NOWHERE, Listener::address);
    let audited = audit.clone();
    let mut proxy = assemble::proxy(&config, address, guardian, tls.as_ref(), audited, store);
    let mut orphans = Orphans::of_this_process();
    let mut watch = config.named.file.clone().map(Watch::new);
    let (stop, stopped) = watch::channel(false);
    let connections = Connections {
        max: config.limits.max_connections,
        tls,
        header: config.bounds.header,
        unread: config.bounds.unread,
    };
    let mut serving = match (listener, proxy.stdio()) {
        (Some(listener), _) => {
            let serving = listener.serve(proxy.app.clone(), connections, stopped);
            let _closed = std::io::stderr().write_all(proxy.banner.as_bytes());
            tokio::spawn(async move {
                serving.await;
                Ending::Told
            })
        }
        (None, Some(stdio)) => tokio::spawn(stdio.serve(stopped)),
        (None, None) => {
            tracing::error!("--stdio has no server to serve; give its command after `--`");
            return ExitCode::from(USAGE);
        }
    };
    let mut over = false;

    if let Some(order) = config.prewarm.clone() {
        tokio::spawn(prewarm(order));
    }
    proxy.warm();
    let mut code = ExitCode::SUCCESS;
    let mut sweep = tokio::time::interval(SWEEP);
    // After a pause of the whole machine one look is enough.
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            now = sweep.tick() => {
                proxy.sweep(now);
                if let Some(orphans) = &mut orphans {
                    orphans.sweep();
                }
                let changed = |watch: &mut Watch| watch.look(now, &ProcessEnvironment, &ThisMachine);
                if let Some(servers) = watch.as_mut().and_then(changed) {
                    proxy.renew(servers);
                }
                if let Some(reason) = proxy.hopeless() {
                    tracing::error!("stopping, as --exit-on-failure says: {reason}");
                    code = ExitCode::FAILURE;
                    break;
                }
                match proxy.idle(now) {
                    Due::Nothing => {}
                    Due::Exit => {
                        tracing::info!("nobody uses this proxy; stopping (--idle-action exit)");
                        break;
                    }
                    // By itself, so that serving goes on meanwhile.
                    Due::PutAway(machine) => drop(tokio::spawn(idle::put_away(machine))),
                }
            }
            ending = &mut serving => {
                over = true;
                if !matches!(ending, Ok(Ending::Left | Ending::Told)) {
                    code = ExitCode::FAILURE;
                }
                break;
            }
            told = signals.next() => match told {
                Told::Stop(name) => {
                    // Said when it is true: whoever reads it may act on it.
                    proxy.refuse_new_work();
                    tracing::info!(signal = name, "stopping");
                    break;
                }
                Told::Reload => {
                    tracing::info!("reading the named servers again");
                    let asked = |watch: &mut Watch| watch.asked(&ProcessEnvironment, &ThisMachine);
                    if let Some(servers) = watch.as_mut().and_then(asked) {
                        proxy.renew(servers);
                    }
                }
            },
        }
    }
    tokio::select! {
        () = proxy.drain() => {}
        name = signals.stop() => tracing::warn!(signal = name, "stopping now"),
    }
    let _nobody_listens = stop.send(true);
    if !over {
        let _ended = serving.await;
    }
    #[cfg(feature = "otlp")]
    observe::otlp::flush(SPAN_FLUSH).await;
    if let Some(audit) = audit {
        audit.flush(AUDIT_FLUSH);
    }
    code
}

/// What all clients together may have held for them, in bytes.
fn memory_budget(config: &Config) -> usize {
    let least = least(config.limits.max_line, config.limits.max_body);
    let suitable = || budget::suitable(memory_limit(Path::new("/")), least);
    config.bounds.memory.unwrap_or_else(suitable)
}

/// The signals of a supervisor, and those of a terminal that is closed or used. SIGHUP is both: where
/// there is a file to read again it means that, as for other daemons, and "stop" where there is not,
/// because the terminal was closed. Our children are in groups of their own, so what ends us does not reach them by itself.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    quit: Signal,
    /// SIGHUP does not mean "stop".
    hangup_reloads: bool,
}

impl Signals {
    fn new(hangup_reloads: bool) -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
            hangup_reloads,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Told::Stop("SIGINT"),
            _ = self.hangup.recv() => if self.hangup_reloads { Told::Reload } else { Told::Stop("SIGHUP") },
            _ = self.quit.recv() => Told::Stop("SIGQUIT"),
        }
    }

    /// The name of the next signal that means "stop".
    async fn stop(&mut self) -> &'static str {
        loop {
            if let Told::Stop(name) = self.next().await {
                return name;
            }
        }
    }
}

/// What a signal means.
enum Told {
    /// Stop, says the signal of this name.
    Stop(&'static str),
    /// Read the file of named servers again.
    Reload,
}
