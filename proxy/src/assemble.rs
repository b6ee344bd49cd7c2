//! Puts the rooms together: from a [`Config`] to something that can be served.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::time::Instant;

use crate::back::verdict::Eras;
use crate::config::{ChildEra, ChildMode, Config, Listen, Server};
use crate::front::http_sse::{self, HttpSse};
use crate::front::pages::About;
use crate::front::router::{App, Entrance, entrance};
use crate::front::routes::{Routes, Switchboard};
use crate::front::served::Served;
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
    /// The servers, by where they are reached.
    pub switchboard: Arc<Switchboard>,
    /// What a person is told at the start.
    pub banner: String,
}

impl Proxy {
    /// Looks at every deadline; to be called about once a second.
    pub fn sweep(&self, now: Instant) {
        for served in self.switchboard.now().all() {
            served.sweep(now);
        }
    }

    /// Refuses new work from now on.
    pub fn drain(&self) {
        for served in self.switchboard.now().all() {
            served.drain();
        }
    }

    /// Calls in flight at all servers.
    #[must_use]
    pub fn calls(&self) -> usize {
        let routes = self.switchboard.now();
        routes.all().map(|served| served.load().1).sum()
    }

    /// Closes every stream and stops every child; resolves when all are collected.
    ///
    /// # Cancel safety
    ///
    /// As [`Served::stop`].
    pub async fn stop(&self) {
        let routes = self.switchboard.now();
        // Told all before any is waited for, so that they stop side by side.
        let stopping: Vec<_> = routes
            .all()
            .map(|served| {
                let served = Arc::clone(served);
                tokio::spawn(async move { served.stop().await })
            })
            .collect();
        for stopped in stopping {
            // It could only fail by a panic, which is reported where it happens.
            let _stopped = stopped.await;
        }
    }
}

/// The proxy of this configuration, reached at `address`.
#[must_use]
pub fn proxy(config: &Config, address: SocketAddr) -> Proxy {
    let workshop = Workshop::new(config);
    let switchboard = Switchboard::new(Routes {
        default: Some(workshop.serve(&config.server, &config.listen.mcp_path, "/messages")),
        ..Routes::default()
    });
    let app = App {
        switchboard: Arc::clone(&switchboard),
        max_body: config.limits.max_body,
    };
    // With the port the system chose, so that the address we print is one we accept.
    let listen = Listen {
        port: address.port(),
        ..config.listen.clone()
    };
    Proxy {
        app: entrance(app, &listen, &config.door),
        switchboard,
        banner: banner(&BannerFacts {
            listen: &listen,
            name: &config.server.name,
            display: &config.server.display,
            tokens: &config.door.tokens,
        }),
    }
}

/// Makes servers of their configuration, with what all of them share.
#[derive(Debug)]
struct Workshop {
    config: Config,
    /// One for all fronts, so that `--max-sessions` bounds them together.
    table: Arc<Table>,
}

impl Workshop {
    fn new(config: &Config) -> Self {
        let (limits, times) = (&config.limits, &config.times);
        Self {
            table: Arc::new(Table::new(limits.max_sessions, times.session_idle)),
            config: config.clone(),
        }
    }

    /// A server that is reached at these paths, and has started nothing yet.
    fn serve(&self, server: &Server, mcp_path: &str, messages_path: &str) -> Arc<Served> {
        let config = &self.config;
        let (limits, times) = (&config.limits, &config.times);
        let (sharing, sharing_name) = match (config.stateless, config.child_mode) {
            (true, ChildMode::Session) => (Sharing::Principal, "stateless"),
            (_, ChildMode::Shared) => (Sharing::All, "shared"),
            (false, ChildMode::Session) => (Sharing::Session, "session"),
        };
        let pool = Pool::new(PoolSettings {
            command: command(server),
            link: LinkSettings {
                name: server.name.clone(),
                max_line: limits.max_line,
                max_queued: limits.max_queued,
                stop: StopLadder {
                    close_wait: times.close_wait,
                    term_wait: times.term_wait,
                },
                show_stderr: config.log.show_child_stderr,
            },
            sharing,
            max_children: limits.max_children,
            max_starting: limits.max_starting,
            start: times.start,
            idle: times.session_idle,
            machine: config.machine.clone(),
            eras: eras(config.child_era),
            cache: None,
        });
        let session = SessionLimits {
            replay: limits.replay_bytes,
            outlet: limits.outlet_bytes,
        };
        let servers: Arc<Pool> = Arc::clone(&pool);
        let sessions = Sessions::new(
            servers,
            Arc::clone(&self.table),
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
            Arc::clone(&self.table),
            http_sse::Settings {
                session,
                start: times.start,
                request: times.request,
                keep_alive: times.keep_alive,
                machine: config.machine.clone(),
                messages_path: messages_path.to_owned(),
                stateless: config.stateless,
            },
        );
        Arc::new(Served {
            sessions,
            stateless,
            http_sse,
            pool,
            about: About {
                name: server.name.clone(),
                command: server.display.clone(),
                started: Instant::now(),
                mcp_path: mcp_path.to_owned(),
                has_sse: !config.stateless,
                sharing: sharing_name,
            },
        })
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

fn command(server: &Server) -> Command {
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
