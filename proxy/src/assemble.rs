//! Puts the rooms together: from a [`Config`] to something that can be served.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::time::Instant;

use crate::back::verdict::Eras;
use crate::config::{ChildEra, ChildMode, Config, Listen};
use crate::front::endpoint::McpEndpoint;
use crate::front::http_sse::{self, HttpSse};
use crate::front::pages::About;
use crate::front::router::{App, Entrance, entrance};
use crate::front::sessions::{self, Sessions};
use crate::front::stateless::{self, Stateless};
use crate::link::child::{Command, Environment, Settings as LinkSettings, StopLadder};
use crate::observe::banner::{BannerFacts, banner};
use crate::pool::{Pool, Settings as PoolSettings, Sharing};
use crate::session::{SessionLimits, Table};

/// A proxy that has everything but a socket.
#[derive(Debug)]
pub struct Proxy {
    /// What the listener serves.
    pub app: Entrance,
    /// The front of the session eras.
    pub sessions: Arc<Sessions>,
    /// The front of 2026-07-28.
    pub stateless: Arc<Stateless>,
    /// The front of HTTP+SSE.
    pub http_sse: Arc<HttpSse>,
    /// The children.
    pub pool: Arc<Pool>,
    /// What a person is told at the start.
    pub banner: String,
}

impl Proxy {
    /// Calls in progress.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.sessions.load().1 + self.stateless.in_flight()
    }

    /// Ends every session and every subscription.
    pub fn end_all(&self) {
        self.stateless.end_all();
        self.sessions.end_all();
    }

    /// Looks at every deadline; to be called about once a second.
    pub fn sweep(&self, now: Instant) {
        self.pool.sweep(now);
        self.sessions.sweep(now);
        self.http_sse.sweep();
    }

    /// Refuses new work from now on.
    pub fn drain(&self) {
        self.sessions.drain();
        self.stateless.drain();
        self.http_sse.drain();
    }
}

/// The proxy of this configuration, reached at `address`.
#[must_use]
pub fn proxy(config: &Config, address: SocketAddr) -> Proxy {
    let (sharing, sharing_name) = match (config.stateless, config.child_mode) {
        (true, ChildMode::Session) => (Sharing::Principal, "stateless"),
        (_, ChildMode::Shared) => (Sharing::All, "shared"),
        (false, ChildMode::Session) => (Sharing::Session, "session"),
    };
    let pool = Pool::new(PoolSettings {
        command: command(config),
        link: LinkSettings {
            name: config.server.name.clone(),
            max_line: config.limits.max_line,
            max_queued: config.limits.max_queued,
            stop: StopLadder {
                close_wait: config.times.close_wait,
                term_wait: config.times.term_wait,
            },
            show_stderr: config.log.show_child_stderr,
        },
        sharing,
        max_children: config.limits.max_children,
        max_starting: config.limits.max_starting,
        start: config.times.start,
        idle: config.times.session_idle,
        machine: config.machine.clone(),
        eras: eras(config.child_era),
        cache: None,
    });
    let (limits, times) = (&config.limits, &config.times);
    let session = SessionLimits {
        replay: limits.replay_bytes,
        outlet: limits.outlet_bytes,
    };
    // One table for both, so that --max-sessions bounds them together.
    let table = Arc::new(Table::new(limits.max_sessions, times.session_idle));
    let servers: Arc<Pool> = Arc::clone(&pool);
    let sessions = Sessions::new(
        servers,
        Arc::clone(&table),
        sessions::Settings {
            session,
            start: times.start,
            request: times.request,
            silence: times.silence,
            keep_alive: times.keep_alive,
            machine: config.machine.clone(),
            stateless: config.stateless,
        },
    );
    let servers: Arc<Pool> = Arc::clone(&pool);
    let stateless = Stateless::new(
        servers,
        stateless::Settings {
            outlet: limits.outlet_bytes,
            request: times.request,
            silence: times.silence,
            keep_alive: times.keep_alive,
        },
    );
    let servers: Arc<Pool> = Arc::clone(&pool);
    let http_sse = HttpSse::new(
        servers,
        table,
        http_sse::Settings {
            session,
            start: times.start,
            request: times.request,
            keep_alive: times.keep_alive,
            machine: config.machine.clone(),
            stateless: config.stateless,
        },
    );
    let app = App {
        endpoint: McpEndpoint {
            sessions: Arc::clone(&sessions),
            stateless: Arc::clone(&stateless),
        },
        http_sse: Arc::clone(&http_sse),
        pool: Arc::clone(&pool),
        about: Arc::new(About {
            name: config.server.name.clone(),
            command: config.server.display.clone(),
            started: Instant::now(),
            mcp_path: config.listen.mcp_path.clone(),
            has_sse: !config.stateless,
            sharing: sharing_name,
        }),
        max_body: config.limits.max_body,
    };
    // With the port the system chose, so that the address we print is one we accept.
    let listen = Listen {
        port: address.port(),
        ..config.listen.clone()
    };
    Proxy {
        app: entrance(app, &listen, &config.door),
        sessions,
        stateless,
        http_sse,
        pool,
        banner: banner(&BannerFacts {
            listen: &listen,
            name: &config.server.name,
            display: &config.server.display,
            tokens: &config.door.tokens,
        }),
    }
}

/// What the configuration says of the server's eras.
const fn eras(era: ChildEra) -> Option<Eras> {
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

fn command(config: &Config) -> Command {
    let launch = &config.server.launch;
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
