//! `mcp-proxy`: any stdio MCP server, over HTTP.
//!
//! A table of contents: read what was typed, listen, say where, serve until told to stop, drain,
//! choose an exit code.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use mcp_proxy::config::env::{self, ProcessEnvironment};
use mcp_proxy::config::{Config, Stop};
use mcp_proxy::front::listener::Listener;
use mcp_proxy::{assemble, observe};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::Instant;

/// How often deadlines are looked at: those of calls, sessions and children.
const SWEEP: Duration = Duration::from_secs(1);

/// Exit code for a command line or an environment that cannot be used.
const USAGE: u8 = 2;

fn main() -> ExitCode {
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
        Err(Stop::Faults(faults)) => {
            let _closed = writeln!(std::io::stderr(), "{faults}");
            return ExitCode::from(USAGE);
        }
    };
    if let Err(error) = observe::log::init(&config.log) {
        let _closed = writeln!(std::io::stderr(), "mcp-proxy cannot start: {error}");
        return ExitCode::from(USAGE);
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
    runtime.block_on(run(config))
}

async fn run(config: Config) -> ExitCode {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let (listener, mut signals) = match (Listener::bind(&config.listen).await, Signals::new()) {
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
    let proxy = assemble::proxy(&config, listener.address());
    let (stop, stopped) = watch::channel(false);
    let serving = tokio::spawn(listener.serve(proxy.app.clone(), stopped));
    let _closed = std::io::stderr().write_all(proxy.banner.as_bytes());

    if config.eager {
        for served in proxy.switchboard.now().all() {
            let pool = Arc::clone(&served.pool);
            tokio::spawn(async move {
                if let Err(error) = pool.warm().await {
                    tracing::error!("{error}; the next request tries again");
                }
            });
        }
    }
    let mut sweep = tokio::time::interval(SWEEP);
    loop {
        tokio::select! {
            now = sweep.tick() => proxy.sweep(now),
            name = signals.next() => {
                tracing::info!(signal = name, "stopping");
                break;
            }
        }
    }
    tokio::select! {
        () = drain(&proxy, config.times.drain) => {}
        name = signals.next() => tracing::warn!(signal = name, "stopping now"),
    }
    let _nobody_listens = stop.send(true);
    let _ended = serving.await;
    ExitCode::SUCCESS
}

/// Refuses new work, lets calls end, then closes streams and stops children.
async fn drain(proxy: &assemble::Proxy, limit: Duration) {
    proxy.drain();
    let deadline = Instant::now() + limit;
    while proxy.calls() > 0 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let left = proxy.calls();
    if left > 0 {
        tracing::warn!(calls = left, "cut off; --drain-timeout gives them longer");
    }
    proxy.stop().await;
}

/// The signals that mean "stop": a supervisor's, and those of a terminal that is closed or used.
/// Our children are in groups of their own, so what ends us does not reach them by itself.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    quit: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.hangup.recv() => "SIGHUP",
            _ = self.quit.recv() => "SIGQUIT",
        }
    }
}
