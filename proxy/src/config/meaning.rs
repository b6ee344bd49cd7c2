//! What the program does: the settings every other room reads, with nothing left to interpret.
//!
//! Each field is a decision already made: durations are durations, sizes are bytes, the server is a
//! command that was found, and the token policy is settled. `Debug` of all of it may be logged: it
//! shows no secret and no value of the child's environment.

use std::path::PathBuf;
use std::time::Duration;

use crate::launch::Launch;
use crate::launch::install::{self, Order};
use crate::link::child::Guardian;
use crate::observe::mask::Masks;
use crate::policy::audit::AuditSettings;
use crate::policy::tools::ToolRules;

use super::access::{Issuer, Own};
use super::bounds::Bounds;
use super::certificate::Certificate;
use super::named::Named;
use super::network::{Network, Rate};
use super::print::Settings;
use super::roster::Roster;
use super::scope::ToolScope;
use super::secret::Secret;
use super::translation::StateKeys;

/// Everything the program was told, after defaults, checks and conversions.
#[derive(Clone, Debug)]
pub struct Config {
    /// Every setting as it was written and where, secrets hidden: what `/config` shows.
    pub settings: Settings,
    /// Where clients reach us.
    pub listen: Listen,
    /// No port is opened: the one client is at our standard input and output.
    pub stdio: bool,
    /// The MCP server at the plain paths; there may be none where there are named ones.
    pub server: Option<Server>,
    /// The MCP servers with names.
    pub named: Named,
    /// Whether sessions share a child (rule 2).
    pub child_mode: ChildMode,
    /// Which eras the server speaks.
    pub child_era: ChildEra,
    /// How clients of one era have a server of another.
    pub translation: Translation,
    /// What becomes of a session whose child has ended.
    pub on_child_exit: OnChildExit,
    /// Where sessions are kept over a restart.
    pub state_dir: Option<PathBuf>,
    /// No session ids are given out; legacy requests stand alone.
    pub stateless: bool,
    /// The child is started at once rather than for the first request.
    pub eager: bool,
    /// The proxy exits when its server is given up: too many starts in a row have failed.
    pub exit_on_failure: bool,
    /// This machine's name among several that share an address; session ids begin with it, so
    /// that whoever routes requests knows where a session lives (rule 10).
    pub machine: Option<String>,
    /// The folder for what is kept over restarts and can be found out again: installed packages,
    /// which eras a server speaks. `None` where there is no place for it.
    pub cache: Option<PathBuf>,
    /// How packages are installed; `None` leaves that to `npx` and `uvx`.
    pub install: Option<install::Settings>,
    /// Packages to install at start beside the server's own.
    pub prewarm: Option<Order>,
    /// What is done when nobody uses the proxy.
    pub idle: Idle,
    /// Who may come in.
    pub door: Door,
    /// Where calls are written down.
    pub audit: Option<AuditSettings>,
    /// Where the spans of calls go.
    #[cfg(feature = "otlp")]
    pub otlp: Option<crate::observe::otlp::OtlpSettings>,
    /// Which tools clients have.
    pub tools: ToolRules,
    /// Which scope calling a tool takes.
    pub tool_scopes: Vec<ToolScope>,
    /// What servers are given that are one principal's own.
    pub own: Own,
    /// How much of anything there may be.
    pub limits: Limits,
    /// How long anything may take.
    pub times: Times,
    /// What is common to all clients and connections.
    pub bounds: Bounds,
    /// What is written to standard error.
    pub log: Log,
    /// What a person should know and nothing depends on, one sentence each, to be logged once the
    /// log is open.
    pub warnings: Vec<String>,
}

impl Config {
    /// Installers are ended by this guardian where this process cannot any more.
    pub fn guarded_by(&mut self, guardian: Option<&Guardian>) {
        let prewarm = self.prewarm.as_mut().map(|order| &mut order.settings);
        for settings in self.install.iter_mut().chain(prewarm) {
            settings.guardian = guardian.cloned();
        }
    }
}

/// The address the proxy listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// An IP address or a host name, without brackets. `::` means every address, IPv4 included.
    pub host: String,
    /// The TCP port; 0 asks the system for a free one.
    pub port: u16,
    /// The path of the MCP endpoint: plain segments, without a slash at its end.
    pub mcp_path: String,
}

impl Listen {
    /// Whether only this machine can reach the address.
    ///
    /// `localhost` counts. Any other name does not: what it resolves to is not ours to say.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        super::authority::is_loopback_host(&self.host)
    }
}

/// An MCP server behind the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// A short name for logs and client snippets, of letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// How its process is started.
    pub launch: Launch,
    /// The command as a person would type it, with control characters escaped.
    pub display: String,
    /// Whether the server's environment was kept to what it needs to start, what was given with
    /// `-e`, and `MCP_ENV_*`.
    pub clean_env: bool,
    /// What is not shown of what it writes: the credentials it was given.
    pub masks: Masks,
}

/// Which child serves a legacy session (rule 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildMode {
    /// Each session owns a child. The default: nothing leaks from one client to another.
    Session,
    /// One child serves every session, initialised with no client capabilities.
    Shared,
}

/// How clients of one era have a server of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translation {
    /// What seals the states that clients hand back; `None`: a key of this process alone.
    pub keys: Option<StateKeys>,
    /// How long a question waits for its client.
    pub patience: Duration,
    /// Servers kept ready; `None`: as the memory allows.
    pub warm: Option<usize>,
    /// The text of the `ListRootsResult` for servers that ask no client.
    pub roots: Option<String>,
}

/// What becomes of a session whose child has ended, however it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnChildExit {
    /// Its next request starts another child, which is told what the client had said.
    Revive,
    /// It ends, too: for servers whose state cannot be told again.
    End,
}

/// What is done when nobody uses the proxy: no call is in flight, and nothing but keep-alives was
/// said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idle {
    /// For this long.
    pub after: Duration,
    /// This.
    pub action: IdleAction,
    /// A stream that carried nothing for this long is ended, so that a platform sees no connection;
    /// `None`: it stays.
    pub max_stream: Option<Duration>,
}

/// What an idle proxy does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdleAction {
    /// It waits.
    Nothing,
    /// It drains and ends with success.
    Exit,
    /// It has its machine put away.
    PutAway(FlyMachine),
}

/// The machine we run on, as Fly knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlyMachine {
    /// What is asked for: `suspend` or `stop`.
    pub verb: &'static str,
    /// The app's name.
    pub app: String,
    /// The machine's id.
    pub id: String,
    /// Where the Machines API listens.
    pub socket: PathBuf,
}

/// Which eras the server speaks (rule 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildEra {
    /// It is found out by the first request of each era.
    Auto,
    /// 2024-11-05 to 2025-11-25 only.
    Legacy,
    /// 2026-07-28 only.
    Modern,
    /// Both.
    Dual,
}

/// Who may come in.
#[derive(Clone, Debug)]
pub struct Door {
    /// Which bearer token is asked for.
    pub tokens: TokenPolicy,
    /// `Host` header values accepted beside loopback and the bound address: `name`, `name:port` or
    /// `*`, in lower case. Empty means none was configured.
    pub allow_hosts: Vec<String>,
    /// `Origin` header values accepted beside loopback and same-origin, as browsers write them
    /// (`https://app.example`), or `*`.
    pub allow_origins: Vec<String>,
    /// Paths that answer like `/health` beside it, and like it ask for neither name nor token.
    pub health_paths: Vec<String>,
    /// Request headers that allowed pages may send beside those of the protocol, in lower case.
    pub cors_headers: Vec<String>,
    /// Response headers that allowed pages may read beside those of the protocol, in lower case.
    pub expose_headers: Vec<String>,
    /// How often one address, and one principal, may come; `None` for as often as it likes.
    pub rate: Option<Rate>,
    /// Requests one principal may have in flight; `None` for any number.
    pub max_in_flight: Option<usize>,
    /// Proxies whose word on where a request comes from is believed.
    pub trusted_proxies: Vec<Network>,
    /// Requests that came over plain HTTP are refused.
    pub require_https: bool,
    /// The certificate; `None` where the proxy speaks plain HTTP.
    pub tls: Option<Certificate>,
    /// The authorization server whose tokens are taken, beside those of `tokens`.
    pub issuer: Option<Issuer>,
}

#[cfg(test)]
impl Door {
    /// A door that asks for these tokens and has nothing else configured.
    pub(crate) fn with(tokens: TokenPolicy) -> Self {
        Self {
            tokens,
            allow_hosts: Vec::new(),
            allow_origins: Vec::new(),
            health_paths: Vec::new(),
            cors_headers: Vec::new(),
            expose_headers: Vec::new(),
            rate: None,
            max_in_flight: None,
            trusted_proxies: Vec::new(),
            require_https: false,
            tls: None,
            issuer: None,
        }
    }
}

/// Which bearer token clients present, decided by rule 11.
#[derive(Clone, Debug)]
pub enum TokenPolicy {
    /// The owner chose a token, or one for each principal.
    Given(Roster),
    /// The proxy listens beyond loopback and nothing was said about authentication, so it made a
    /// token of 256 random bits and prints it once, as notebooks do.
    Generated(Secret),
    /// None of ours: tokens come from the authorization server.
    Issued,
    /// No token: only this machine can connect.
    Open,
    /// No token although others can connect, because `--allow-unauthenticated` says so.
    OpenDeclared,
}

impl TokenPolicy {
    /// Whether a token is asked for.
    #[must_use]
    pub const fn asks(&self) -> bool {
        matches!(self, Self::Given(_) | Self::Generated(_) | Self::Issued)
    }
}

/// How much of anything there may be. Sizes are bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest request body.
    pub max_body: usize,
    /// The longest line read from a child.
    pub max_line: usize,
    /// Bytes waiting for one child's standard input.
    pub max_queued: usize,
    /// Bytes waiting for one client's stream; over it the stream ends, visibly.
    pub outlet_bytes: usize,
    /// Bytes of events one session keeps for a client that comes back.
    pub replay_bytes: usize,
    /// Sessions alive at once.
    pub max_sessions: usize,
    /// Child processes alive at once.
    pub max_children: usize,
    /// Requests that may wait while a child starts.
    pub max_starting: usize,
    /// Connections open at once.
    pub max_connections: usize,
}

/// How long anything may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Times {
    /// From spawning a child until it answered `initialize`.
    pub start: Duration,
    /// A client's request, not counting the time a person is being asked something (rule 13).
    pub request: Duration,
    /// A session nobody uses is ended after this long.
    pub session_idle: Duration,
    /// The child of a session nobody uses is stopped after this long, and the session lives on;
    /// `None`: it is kept as long as the session.
    pub child_idle: Option<Duration>,
    /// First rung of stopping a child: from closing its input until SIGTERM.
    pub close_wait: Duration,
    /// Second rung of stopping a child: from SIGTERM until SIGKILL.
    pub term_wait: Duration,
    /// When the proxy stops: from refusing new work until what is left is cut off.
    pub drain: Duration,
    /// Between two comments on a silent SSE stream, so that middle boxes keep it open.
    pub keep_alive: Duration,
    /// A request without an answer for this long gets an SSE stream (rule 7).
    pub silence: Duration,
}

/// What is written to standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The least important level shown.
    pub level: LogLevel,
    /// Directives of `MCP_PROXY_LOG` (`info,child=debug`), which win over `level`.
    pub filter: Option<String>,
    /// For people or for machines.
    pub format: LogFormat,
    /// What stands on every record: `service`, `version` and `environment`, as far as they are
    /// known.
    pub labels: Vec<(&'static str, String)>,
    /// Whether the child's standard error is shown.
    pub show_child_stderr: bool,
}

/// How much is logged, from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// Only what failed.
    Error,
    /// And what a person should look at.
    Warn,
    /// And what happened: the default.
    Info,
    /// And why.
    Debug,
    /// And every step.
    Trace,
}

/// How a log record is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One readable line a record.
    Text,
    /// One JSON object a line.
    Json,
}
