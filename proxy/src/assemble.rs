//! Puts the rooms together: from a [`Config`] to something that can be served, and later to a set of
//! servers that is not the one it began with.

mod retire;
mod settings;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::time::Instant;

use self::retire::{ASK_AGAIN, retire};
use self::settings::{command, eras, session_limits, sharing, translation, wallet, warm_children};
use crate::config::{Config, Listen, NamedServer, Server};
use crate::exchange::Servers;
use crate::front::given::Given;
use crate::front::http_sse::{self, HttpSse};
use crate::front::pages::About;
use crate::front::router::{App, Entrance, entrance};
use crate::front::routes::{Broken, Named, Routes, Switchboard};
use crate::front::served::Served;
use crate::front::sessions::{self, Sessions};
use crate::front::stateless::{self, Stateless};
use crate::front::tls::Tls;
use crate::guard::Guard;
use crate::guard::credentials::Credentials;
use crate::guard::refresh::{Refresh, Reload};
use crate::idle::{Due, Idling};
use crate::launch::install::{Provision, bounded, memory_limit};
use crate::link::child::{Guardian, Settings as LinkSettings, StopLadder};
use crate::observe::banner::{BannerFacts, Behind, banner};
use crate::observe::metrics::{self, Share};
use crate::policy::audit::Audit;
use crate::policy::policed::{Policed, Policies};
use crate::policy::scopes::ToolScopes;
use crate::pool::{Heard, Pool, Room, Settings as PoolSettings};
use crate::session::{Keeper, Store, Table};

/// A proxy that has everything but a socket.
#[derive(Debug)]
pub struct Proxy {
    /// What the listener serves.
    pub app: Entrance,
    /// The files that are read again when they change.
    refresh: Arc<Refresh>,
    /// What a person is told at the start.
    pub banner: String,
    switchboard: Arc<Switchboard>,
    workshop: Workshop,
    idling: Idling,
    /// Keeps sessions over a restart.
    keeper: Option<Keeper>,
    /// The named servers as they were configured last.
    named: Vec<NamedServer>,
}

impl Proxy {
    /// Starts a child of every server before anybody asks for one, where that is configured.
    pub fn warm(&self) {
        if self.workshop.config.eager {
            for served in self.switchboard.now().all() {
                warm(served);
            }
        }
    }

    /// Looks at every deadline, and at every file that may change; to be called about once a
    /// second.
    pub fn sweep(&self, now: Instant) {
        self.refresh.tick();
        for served in self.switchboard.now().all() {
            served.sweep(now);
        }
        metrics::upkeep();
    }

    /// Why the proxy should end under `--exit-on-failure`: every server it has is given up, because
    /// too many of its starts in a row have failed. One of several that fails takes no other down.
    #[must_use]
    pub fn hopeless(&self) -> Option<String> {
        if !self.workshop.config.exit_on_failure {
            return None;
        }
        let routes = self.switchboard.now();
        let reasons: Option<Vec<String>> = routes
            .default
            .iter()
            .chain(routes.named.values().filter_map(Named::served))
            .map(|served| served.pool.hopeless())
            .collect();
        reasons?.into_iter().next()
    }

    /// What is due because nobody uses the proxy; to be called about once a second.
    pub fn idle(&mut self, now: Instant) -> Due {
        let routes = self.switchboard.now();
        let calls = routes.all().map(|served| served.load().1).sum();
        self.idling.look(calls, now)
    }

    /// Exchanges the named servers for these. What is configured as before is left alone, with its
    /// sessions and children. What is gone, or configured otherwise, takes no new work, has the time
    /// of `--drain-timeout` to end its calls, and is stopped.
    pub fn renew(&mut self, servers: Vec<NamedServer>) {
        let before = std::mem::replace(&mut self.named, servers);
        let now = self.switchboard.now();
        let mut named = BTreeMap::new();
        let mut news = Vec::new();
        for server in &self.named {
            let known = before.contains(server);
            let kept = now.named.get(&server.name).filter(|_| known).cloned();
            let kept = kept.unwrap_or_else(|| {
                let made = self.workshop.named(server);
                let name = &server.name;
                let was_there = now.named.contains_key(name);
                news.push((name.clone(), if was_there { "replaced" } else { "added" }));
                if let (true, Named::Served(served)) = (self.workshop.config.eager, &made) {
                    warm(served);
                }
                made
            });
            named.insert(server.name.clone(), kept);
        }
        let is_kept = |served: &Arc<Served>| {
            let mut kept = named.values().filter_map(Named::served);
            kept.any(|kept| Arc::ptr_eq(kept, served))
        };
        let gone = now.named.iter().filter_map(|(name, named)| {
            let served = named.served().filter(|served| !is_kept(served))?;
            Some((name.clone(), Arc::clone(served)))
        });
        let gone: Vec<_> = gone.collect();
        let removed = now.named.keys().filter(|name| !named.contains_key(*name));
        news.extend(removed.map(|name| (name.clone(), "removed")));
        self.switchboard.change(|routes| {
            routes.named = named;
            routes.retiring.extend(gone.iter().cloned());
        });
        // Said when it is true: whoever reads it may act on it.
        for (name, what) in news {
            tracing::info!(server = name, "{what}");
        }
        let limit = self.workshop.config.times.drain;
        for (name, served) in gone {
            tokio::spawn(retire(Arc::clone(&self.switchboard), name, served, limit));
        }
    }

    /// New requests and streams are refused from now on, and the proxy is not ready any more.
    pub fn refuse_new_work(&self) {
        for served in self.switchboard.now().all() {
            served.drain();
        }
    }

    /// Refuses new work, lets calls end within `--drain-timeout`, then closes every stream and stops
    /// every child; resolves when all are collected.
    ///
    /// # Cancel safety
    ///
    /// The children go on stopping when this is dropped, if that had begun.
    pub async fn drain(&self) {
        self.refuse_new_work();
        let routes = self.switchboard.now();
        let calls = || routes.all().map(|served| served.load().1).sum::<usize>();
        let deadline = Instant::now() + self.workshop.config.times.drain;
        while calls() > 0 && Instant::now() < deadline {
            tokio::time::sleep(ASK_AGAIN).await;
        }
        let left = calls();
        if left > 0 {
            tracing::warn!(calls = left, "cut off; --drain-timeout gives them longer");
        }
        if let Some(keeper) = &self.keeper {
            // Now, because sessions that end with the proxy are to go on with the next.
            keeper.finish().await;
        }
        // All are told before any is waited for, so that they stop side by side.
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

fn warm(served: &Arc<Served>) {
    let pool = Arc::clone(&served.pool);
    tokio::spawn(async move {
        if let Err(error) = pool.warm().await {
            tracing::error!("{error}; the next request tries again");
        }
    });
}

/// The proxy of this configuration, reached at `address`. `guardian` ends the children where this
/// process cannot any more; `store` is the folder where sessions are kept. Must be called in a runtime.
#[must_use]
pub fn proxy(
    config: &Config,
    address: SocketAddr,
    guardian: Option<Guardian>,
    tls: Option<&Arc<Tls>>,
    audit: Option<Audit>,
    store: Option<Store>,
) -> Proxy {
    let workshop = Workshop::new(config, guardian, audit);
    let everyones = || workshop.table.neighbour("");
    let keeper = store.map(|store| Keeper::start(store, everyones()));
    let default = config.server.as_ref();
    let named = config.named.servers.iter();
    let named = named.map(|server| (server.name.clone(), workshop.named(server)));
    let switchboard = Switchboard::new(Routes {
        default: default.map(|server| workshop.serve(server, None)),
        named: named.collect(),
        retiring: Vec::new(),
    });
    let app = App {
        switchboard: Arc::clone(&switchboard),
        started: Instant::now(),
        intake: settings::intake(config),
        settings: config.settings.clone(),
    };
    // With the port the system chose, so that the address we print is one we accept.
    let listen = Listen {
        port: address.port(),
        ..config.listen.clone()
    };
    let default = default.map(|server| Behind {
        name: &server.name,
        path: listen.mcp_path.clone(),
        display: &server.display,
        broken: None,
    });
    let named = config.named.servers.iter().map(|server| Behind {
        name: &server.name,
        path: format!("/servers/{}/mcp", server.name),
        display: &server.display,
        broken: server.server.as_ref().err().map(String::as_str),
    });
    let guard = Guard::new(&listen, &config.door);
    let mut reloads = guard.reloads();
    let credentials = workshop.credentials.clone();
    reloads.extend(credentials.map(|credentials| credentials as Arc<dyn Reload>));
    reloads.extend(tls.cloned().map(|tls| tls as Arc<dyn Reload>));
    Proxy {
        refresh: Refresh::new(reloads),
        app: entrance(app, guard, &listen, &config.door),
        banner: banner(&BannerFacts {
            listen: &listen,
            servers: default.into_iter().chain(named).collect(),
            is_secure: config.door.tls.is_some(),
            tokens: &config.door.tokens,
        }),
        switchboard,
        idling: Idling::new(config.idle.clone(), workshop.heard.clone()),
        workshop,
        keeper,
        named: config.named.servers.clone(),
    }
}

/// Makes servers of their configuration, with what all of them share.
#[derive(Debug)]
struct Workshop {
    config: Config,
    audit: Option<Audit>,
    /// Every server's is a neighbour of this one, so that `--max-sessions` bounds them together.
    table: Table,
    /// When anything was said at any of them.
    heard: Heard,
    /// The children of all servers, so that `--max-children` bounds them together.
    room: Arc<Room>,
    /// One for all children.
    guardian: Option<Guardian>,
    /// What each principal's own children are given.
    credentials: Option<Arc<Credentials>>,
}

impl Workshop {
    fn new(config: &Config, guardian: Option<Guardian>, audit: Option<Audit>) -> Self {
        Self {
            table: Table::new(settings::session_bounds(config)),
            heard: Heard::new(),
            room: Room::new(config.limits.max_children),
            credentials: config.own.credentials.as_ref().map(Credentials::new),
            config: config.clone(),
            guardian,
            audit,
        }
    }

    /// Where the server's command comes from. What has to be installed begins to be.
    fn program(&self, server: &Server) -> Arc<Provision> {
        let command = command(server);
        let limit = memory_limit(Path::new("/"));
        let install = server
            .launch
            .install
            .clone()
            .zip(self.config.install.clone());
        let Some((installable, settings)) = install else {
            return Provision::fixed(bounded(command, limit));
        };
        let program = Provision::package(settings, *installable, command, limit);
        program.begin();
        program
    }

    /// A server with a name.
    fn named(&self, server: &NamedServer) -> Named {
        match &server.server {
            Ok(made) => Named::Served(self.serve(made, Some(&server.name))),
            Err(reason) => Named::Broken(Arc::new(Broken {
                command: server.display.clone(),
                reason: reason.clone(),
            })),
        }
    }

    /// A server that has started nothing yet, reached below its name's place, or at the plain paths.
    fn serve(&self, server: &Server, name: Option<&str>) -> Arc<Served> {
        let below = name.map_or_else(String::new, |name| format!("/servers/{name}"));
        let mcp_path = match name {
            Some(_) => format!("{below}/mcp"),
            None => self.config.listen.mcp_path.clone(),
        };
        // One for both fronts, so that each finds the other's sessions when it counts.
        let kept_as = name.map_or_else(|| server.name.clone(), |name| format!("servers/{name}"));
        let table = Arc::new(self.table.neighbour(&kept_as));
        let config = &self.config;
        let (limits, times) = (&config.limits, &config.times);
        let (sharing, sharing_name) = sharing(config);
        let pool = Pool::new(PoolSettings {
            program: self.program(server),
            link: LinkSettings {
                name: server.name.clone(),
                max_line: limits.max_line,
                max_queued: limits.max_queued,
                stop: StopLadder {
                    close_wait: times.close_wait,
                    term_wait: times.term_wait,
                },
                show_stderr: config.log.show_child_stderr,
                masks: server.masks.clone(),
                guardian: self.guardian.clone(),
            },
            sharing,
            room: Arc::clone(&self.room),
            eager: config.eager,
            max_starting: limits.max_starting,
            start: times.start,
            idle: times.session_idle,
            machine: config.machine.clone(),
            eras: eras(config.child_era),
            heard: self.heard.clone(),
            wallet: wallet(self.credentials.as_ref()),
            cache: config.cache.clone(),
            translation: translation(config),
            warm: warm_children(config),
        });
        let given = Given::new(&config.own.headers);
        let scopes = ToolScopes::new(config.tool_scopes.clone());
        let session = session_limits(config);
        let servers: Arc<dyn Servers> = Policed::new(
            Arc::<Pool>::clone(&pool),
            Policies::new(&server.name, config.tools.clone(), self.audit.clone()),
        );
        let sessions = Sessions::new(
            Arc::clone(&servers),
            Arc::clone(&table),
            sessions::Settings {
                session,
                start: times.start,
                request: times.request,
                silence: times.silence,
                keep_alive: times.keep_alive,
                max_stream_idle: config.idle.max_stream,
                given: given.clone(),
                machine: config.machine.clone(),
                stateless: config.stateless,
            },
        );
        let stateless = Stateless::new(
            Arc::clone(&servers),
            stateless::Settings {
                given: given.clone(),
                outlet: limits.outlet_bytes,
                request: times.request,
                silence: times.silence,
                keep_alive: times.keep_alive,
                max_stream_idle: config.idle.max_stream,
            },
        );
        let http_sse = HttpSse::new(
            servers,
            table,
            http_sse::Settings {
                session,
                start: times.start,
                request: times.request,
                keep_alive: times.keep_alive,
                machine: config.machine.clone(),
                messages_path: format!("{below}/messages"),
                given,
                scopes: scopes.clone(),
                stateless: config.stateless,
            },
        );
        Arc::new(Served {
            sessions,
            stateless,
            http_sse,
            pool,
            scopes,
            about: About {
                name: server.name.clone(),
                command: server.display.clone(),
                started: Instant::now(),
                mcp_path,
                sse_path: (!config.stateless).then(|| format!("{below}/sse")),
                sharing: sharing_name,
            },
            session_count: Share::sessions(&server.name),
        })
    }
}
