//! What can be typed: the flags, their groups and their help.
//!
//! Values stay the text they were. Turning them into numbers and durations here would stop at the
//! first bad one; `read` turns them and collects every fault. clap sees only flags: `argv` has
//! taken the command away before.

use clap::{ArgAction, CommandFactory, Parser};

use super::access::Access;
use super::bounds::TypedBounds;

/// The flags as they were typed. It has no `Debug`: `-e` carries credentials.
#[derive(Parser, Default)]
#[command(
    name = "mcp-proxy",
    version,
    about = "Offers any stdio MCP server over HTTP, to clients of every protocol revision.",
    override_usage = "mcp-proxy [FLAGS] [--] COMMAND [ARGS]...\n       mcp-proxy --stdio [FLAGS] -- COMMAND [ARGS]...\n       MCP_PACKAGE=NAME mcp-proxy [FLAGS]",
    after_help = EXAMPLES,
    no_binary_name = true,
    args_override_self = true,
    disable_help_flag = true,
    disable_version_flag = true,
    term_width = 100
)]
pub(super) struct Typed {
    /// The address to listen on; `::` is every address. `HOST` is read too [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS", help_heading = "Listening")]
    pub(super) host: Option<String>,
    /// The port to listen on; 0 takes a free one and prints it. `PORT` is read too [default: 8080]
    #[arg(long, value_name = "PORT", help_heading = "Listening")]
    pub(super) port: Option<String>,
    /// Open no port: be the stdio server of the client that started this; the command goes after `--`
    #[arg(long, help_heading = "Listening")]
    pub(super) stdio: bool,
    /// The path of the MCP endpoint [default: /mcp]
    #[arg(long, value_name = "PATH", help_heading = "Listening")]
    pub(super) mcp_path: Option<String>,
    /// A path that answers like /health, beside it; repeatable, or a comma list
    #[arg(long, value_name = "PATH", help_heading = "Listening", action = ArgAction::Append)]
    pub(super) health_path: Vec<String>,

    /// A variable for the server; repeatable, also `-e KEY VALUE`
    #[arg(short, long, value_name = "KEY=VALUE", help_heading = "The server", action = ArgAction::Append)]
    pub(super) env: Vec<String>,
    /// The folder the server runs in [default: the current one]
    #[arg(long, value_name = "FOLDER", help_heading = "The server")]
    pub(super) cwd: Option<String>,
    /// Give the server the proxy's environment (the default, accepted for compatibility)
    #[arg(long, help_heading = "The server")]
    pub(super) pass_environment: bool,
    /// Give the server nothing but PATH, HOME, what npx and uvx need, MCP_ENV_* and -e
    #[arg(long, help_heading = "The server")]
    pub(super) clean_env: bool,
    /// A server at /servers/NAME/, also `--named-server NAME 'COMMAND'`; repeatable
    #[arg(long, value_name = "NAME=COMMAND", help_heading = "The server", action = ArgAction::Append)]
    pub(super) named_server: Vec<String>,
    /// A file of such servers, as desktop clients keep it (`mcpServers`); it is read again when it
    /// changes and at SIGHUP
    #[arg(long, value_name = "FILE", help_heading = "The server")]
    pub(super) named_server_config: Option<String>,
    /// `session`: a server process per session. `shared`: one for all [default: session]
    #[arg(long, value_name = "MODE", help_heading = "The server")]
    pub(super) child_mode: Option<String>,
    /// Which protocol eras the server speaks, `legacy`, `modern` (2026-07-28) or `dual`; `auto`
    /// finds out [default: auto]
    #[arg(long, value_name = "ERA", help_heading = "The server")]
    pub(super) child_era: Option<String>,
    /// A session whose server process ended: `revive` starts another for it, `end` ends it
    /// [default: revive]
    #[arg(long, value_name = "WHAT", help_heading = "The server")]
    pub(super) on_child_exit: Option<String>,
    /// Keep sessions in this folder, so that they go on when the proxy is started again
    #[arg(long, value_name = "FOLDER", help_heading = "The server")]
    pub(super) state_dir: Option<String>,
    /// Give out no session ids
    #[arg(long, help_heading = "The server")]
    pub(super) stateless: bool,
    /// Start the server at once, not for the first request
    #[arg(long, help_heading = "The server")]
    pub(super) eager: bool,
    /// Servers kept ready for clients of another era than theirs: 1, or 0 below 1 GiB of memory, if it
    /// is not said
    #[arg(long, value_name = "N", help_heading = "The server")]
    pub(super) warm_children: Option<String>,
    /// Directories, as paths or file:// URIs, for servers that ask for roots and no client; repeatable,
    /// or a comma list
    #[arg(long, value_name = "PATH", help_heading = "The server", action = ArgAction::Append)]
    pub(super) roots: Vec<String>,
    /// Exit with code 1 when five starts in a row have failed, so that a supervisor sees it
    #[arg(long, help_heading = "The server")]
    pub(super) exit_on_failure: bool,
    /// Do not show what the server writes to standard error
    #[arg(long, help_heading = "The server")]
    pub(super) quiet_child: bool,

    /// Where installed packages are kept; in the user's cache folder if it is not given
    #[arg(long, value_name = "FOLDER", help_heading = "Packages")]
    pub(super) cache_dir: Option<String>,
    /// For installing a package [default: 300s]
    #[arg(long, value_name = "DURATION", help_heading = "Packages")]
    pub(super) install_timeout: Option<String>,
    /// Until an unpinned package is looked up again; 0 looks at every start [default: 24h]
    #[arg(long, value_name = "DURATION", help_heading = "Packages")]
    pub(super) install_refresh: Option<String>,
    /// Install no package: let npx and uvx run it
    #[arg(long, help_heading = "Packages")]
    pub(super) no_install: bool,
    /// A package to install at start beside the server's; repeatable, or a comma list
    #[arg(long, value_name = "PACKAGE", help_heading = "Packages", action = ArgAction::Append)]
    pub(super) prewarm: Vec<String>,
    /// Run no script of an npm package while installing it
    #[arg(long, help_heading = "Packages")]
    pub(super) ignore_scripts: bool,
    /// Install no release younger than this [default: 0]
    #[arg(long, value_name = "DURATION", help_heading = "Packages")]
    pub(super) min_release_age: Option<String>,

    /// A file with the bearer token clients must present (or set MCP_PROXY_AUTH_TOKEN), or with a
    /// line NAME:TOKEN for each of several (or set MCP_PROXY_AUTH_TOKENS); read again when it changes
    #[arg(long, value_name = "FILE", help_heading = "Who may come in")]
    pub(super) auth_token_file: Option<String>,
    /// Here only to be refused with a reason.
    #[arg(long, hide = true)]
    pub(super) auth_token: Option<String>,
    /// Listen beyond loopback without a token: anyone who can connect can use the server
    #[arg(long, help_heading = "Who may come in")]
    pub(super) allow_unauthenticated: bool,
    /// Host headers to accept beside loopback: `name`, `name:port` or `*`; repeatable, or a comma list
    #[arg(long, value_name = "HOST", help_heading = "Who may come in", action = ArgAction::Append)]
    pub(super) allow_host: Vec<String>,
    /// Web pages that may call, as `https://app.example`, or `*`; repeatable, or several values
    #[arg(long, value_name = "ORIGIN", help_heading = "Who may come in", action = ArgAction::Append)]
    pub(super) allow_origin: Vec<String>,
    /// A request header those pages may send beside those of the protocol; repeatable, or several
    /// values
    #[arg(long, value_name = "NAME", help_heading = "Who may come in", action = ArgAction::Append)]
    pub(super) cors_header: Vec<String>,
    /// A response header those pages may read beside those of the protocol; repeatable, or several
    /// values
    #[arg(long, value_name = "NAME", help_heading = "Who may come in", action = ArgAction::Append)]
    pub(super) expose_header: Vec<String>,
    /// Requests of one address, and of one principal, as 20/s, 600/m or 1000/h; so many may come at
    /// once
    #[arg(long, value_name = "RATE", help_heading = "Who may come in")]
    pub(super) rate_limit: Option<String>,
    /// Requests one principal may have in flight
    #[arg(long, value_name = "COUNT", help_heading = "Who may come in")]
    pub(super) max_in_flight: Option<String>,
    /// Proxies before this one that are believed when they say by Forwarded or X-Forwarded-* who
    /// calls: networks as 10.0.0.0/8; repeatable, or a comma list
    #[arg(long, value_name = "NETWORK", help_heading = "Who may come in", action = ArgAction::Append)]
    pub(super) trusted_proxies: Vec<String>,
    /// Speak TLS with the certificate in this file (PEM, with those it depends on); needs --tls-key,
    /// and both are read again when they change
    #[arg(long, value_name = "FILE", help_heading = "Who may come in")]
    pub(super) tls_cert: Option<String>,
    /// The private key of that certificate (PEM, not encrypted)
    #[arg(long, value_name = "FILE", help_heading = "Who may come in")]
    pub(super) tls_key: Option<String>,
    /// Refuse requests that came over plain HTTP
    #[arg(long, help_heading = "Who may come in")]
    pub(super) require_https: bool,
    /// Tools that clients have, as `name` or `get_*`; repeatable, or a comma list
    #[arg(long, value_name = "GLOB", help_heading = "Who may come in", action = ArgAction::Append)]
    pub(super) allow_tool: Vec<String>,
    /// Tools that clients do not have, allowed or not; repeatable, or a comma list
    #[arg(long, value_name = "GLOB", help_heading = "Who may come in", action = ArgAction::Append)]
    pub(super) deny_tool: Vec<String>,
    /// Only tools that their server annotates as reading (`readOnlyHint`)
    #[arg(long, help_heading = "Who may come in")]
    pub(super) read_only: bool,
    #[command(flatten)]
    pub(super) access: Access,

    /// Until a starting server must have answered `initialize` [default: 60s]
    #[arg(long, value_name = "DURATION", help_heading = "Times")]
    pub(super) start_timeout: Option<String>,
    /// For one request, not counting waits for a person [default: 300s]
    #[arg(long, value_name = "DURATION", help_heading = "Times")]
    pub(super) request_timeout: Option<String>,
    /// Until a session nobody uses is ended [default: 30m]
    #[arg(long, value_name = "DURATION", help_heading = "Times")]
    pub(super) session_idle_timeout: Option<String>,
    /// Until the server of a session nobody uses is stopped; the session goes on with another. 0: never
    /// [default: 10m]
    #[arg(long, value_name = "DURATION", help_heading = "Times")]
    pub(super) child_idle_timeout: Option<String>,
    /// For a client's answer to a server's question, where the two are of different eras [default: 5m]
    #[arg(long, value_name = "DURATION", help_heading = "Times")]
    pub(super) input_timeout: Option<String>,
    /// Until the proxy is idle: no call in flight, nothing said but keep-alives [default: 5m]
    #[arg(long, value_name = "DURATION", help_heading = "Times")]
    pub(super) idle_timeout: Option<String>,
    /// What it does then: `none`, `exit`, or on Fly `suspend` or `stop` the machine [default: none]
    #[arg(long, value_name = "ACTION", help_heading = "Times")]
    pub(super) idle_action: Option<String>,
    /// Until a stream that carries nothing is ended. 0: never [default: 0]
    #[arg(long, value_name = "DURATION", help_heading = "Times")]
    pub(super) max_stream_idle: Option<String>,
    /// Stopping a server: from closing its input until SIGTERM [default: 2s]
    #[arg(long, value_name = "DURATION", help_heading = "Times")]
    pub(super) close_wait: Option<String>,
    /// Stopping a server: from SIGTERM until SIGKILL [default: 5s]
    #[arg(long, value_name = "DURATION", help_heading = "Times")]
    pub(super) term_wait: Option<String>,
    /// For requests in progress when the proxy is told to stop [default: 10s]
    #[arg(long, value_name = "DURATION", help_heading = "Times")]
    pub(super) drain_timeout: Option<String>,
    /// Between comments on a silent SSE stream [default: 15s]
    #[arg(long, value_name = "DURATION", help_heading = "Times")]
    pub(super) keep_alive: Option<String>,
    /// Until a request without an answer gets an SSE stream [default: 10s]
    #[arg(long, value_name = "DURATION", help_heading = "Times")]
    pub(super) silence: Option<String>,

    /// The longest request body [default: 4MiB]
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    pub(super) max_body_size: Option<String>,
    /// The longest line a server, or a client at a pipe, may write [default: 32MiB]
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    pub(super) max_line_size: Option<String>,
    /// What may wait for one server to read it [default: 16MiB]
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    pub(super) max_queued_size: Option<String>,
    /// What may wait for one client to read it [default: 64MiB]
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    pub(super) outlet_bytes: Option<String>,
    /// Events kept for each session whose client comes back [default: 256KiB]
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    pub(super) replay_bytes: Option<String>,
    /// Sessions alive at once [default: 1000]
    #[arg(long, value_name = "COUNT", help_heading = "Limits")]
    pub(super) max_sessions: Option<String>,
    /// Server processes alive at once [default: 64]
    #[arg(long, value_name = "COUNT", help_heading = "Limits")]
    pub(super) max_children: Option<String>,
    #[command(flatten)]
    pub(super) bounds: TypedBounds,

    /// off, error, warn, info, debug or trace; MCP_PROXY_LOG takes directives [default: info]
    #[arg(long, value_name = "LEVEL", help_heading = "Log")]
    pub(super) log_level: Option<String>,
    /// text or json; with ENVIRONMENT=production it is json [default: text]
    #[arg(long, value_name = "FORMAT", help_heading = "Log")]
    pub(super) log_format: Option<String>,
    /// Write a line for every call to this file, or to standard error with `-`
    #[arg(long, value_name = "FILE", help_heading = "Log")]
    pub(super) audit: Option<String>,
    /// With the arguments of the calls, which may hold anything
    #[arg(long, help_heading = "Log")]
    pub(super) audit_arguments: bool,
    /// At least `--log-level debug`
    #[arg(long, help_heading = "Log")]
    pub(super) debug: bool,

    /// Show every setting with its value and where it came from, and start nothing
    #[arg(long, help_heading = "Help")]
    pub(super) print_config: bool,
    /// Show this help
    #[arg(short, long, action = ArgAction::Help, help_heading = "Help")]
    help: Option<bool>,
    /// Show the version
    #[arg(short = 'V', long, action = ArgAction::Version, help_heading = "Help")]
    version: Option<bool>,
}

const EXAMPLES: &str = "\
The first word that is not a flag starts the command; everything after it belongs to the server.

Examples:
  mcp-proxy -- npx -y @modelcontextprotocol/server-everything
  mcp-proxy --port 3000 -e API_KEY=... uvx mcp-server-time
  mcp-proxy --host=:: --port=8080 --pass-environment -- npx -y @scope/server
  MCP_PACKAGE=@modelcontextprotocol/server-filesystem MCP_ARGS=/srv/files mcp-proxy
  MCP_PACKAGE=pypi:mcp-server-time mcp-proxy
  MCP_COMMAND='node dist/index.js' mcp-proxy
  mcp-proxy --named-server time 'uvx mcp-server-time' --named-server-config servers.json
  mcp-proxy --stdio -- uvx mcp-server-time
  mcp-proxy install @modelcontextprotocol/server-filesystem pypi:mcp-server-time

As the first word: help, man, install, and completions bash|zsh|fish.

Durations are 500ms, 30s, 5m, 2h, 7d, or seconds. Sizes are 512KiB, 4MiB, or bytes.
Every flag has a variable: --max-body-size is MCP_PROXY_MAX_BODY_SIZE, a switch is true or false.
MCP_ENV_X=v gives the server X=v. README.md has them all in one table.";

/// Flags that no `MCP_PROXY_*` variable stands for: `-e` has `MCP_ENV_*`, `--named-server`
/// has the file of `--named-server-config`, help and `--print-config`
/// are for people at a command line, and `--auth-token` is refused (`MCP_PROXY_AUTH_TOKEN` is read, but not as that flag).
pub(super) const WITHOUT_VARIABLE: [&str; 6] = [
    "env",
    "named-server",
    "auth-token",
    "print-config",
    "help",
    "version",
];

/// Variables that are read beside those of the flags.
const OTHER_VARIABLES: [&str; 6] = [
    "MCP_PROXY_AUTH_TOKEN",
    "MCP_PROXY_AUTH_TOKENS",
    "MCP_PROXY_LOG",
    "MCP_PROXY_MACHINE",
    "MCP_PROXY_FLY_SOCKET",
    "MCP_PROXY_STATE_KEY",
];

/// clap's description of the flags.
pub(super) fn command() -> clap::Command {
    Typed::command()
}

/// The variable that stands for a flag: `max-body-size` is `MCP_PROXY_MAX_BODY_SIZE`.
pub(super) fn variable(flag: &str) -> String {
    format!("MCP_PROXY_{}", flag.replace('-', "_").to_ascii_uppercase())
}

/// Every `MCP_PROXY_*` variable there is.
pub(super) fn variables() -> Vec<String> {
    let command = command();
    let flags = command.get_arguments().filter_map(clap::Arg::get_long);
    flags
        .filter(|flag| !WITHOUT_VARIABLE.contains(flag))
        .map(variable)
        .chain(OTHER_VARIABLES.map(String::from))
        .collect()
}

/// Whether a flag, with its dashes, is known and how many words it takes.
pub(super) fn takes(command: &clap::Command, flag: &str) -> Option<Takes> {
    let arg = match flag.strip_prefix("--") {
        Some(long) => command
            .get_arguments()
            .find(|arg| arg.get_long() == Some(long))?,
        None => {
            let mut letters = flag.strip_prefix('-')?.chars();
            let letter = letters.next().filter(|_| letters.next().is_none())?;
            command
                .get_arguments()
                .find(|arg| arg.get_short() == Some(letter))?
        }
    };
    Some(match arg.get_long() {
        Some("env" | "named-server") => Takes::Pair,
        Some("allow-origin" | "cors-header" | "expose-header") => Takes::Several,
        // With a word after it, it is another program's, which takes a command in one word.
        Some("stdio") => Takes::One,
        _ if arg.get_action().takes_values() => Takes::One,
        _ => Takes::Nothing,
    })
}

/// How many words follow a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// It is a switch.
    Nothing,
    /// One value.
    One,
    /// `KEY=VALUE`, or `KEY VALUE` in two words.
    Pair,
    /// Values until the next flag.
    Several,
}

#[cfg(test)]
mod tests;
