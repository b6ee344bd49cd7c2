//! The official clients, through the proxy, to real servers: each script of
//! `proxy/tests/clients` against a proxy of its own.
//!
//! The proxy is started in each way that the README shows, so that those ways are tested too.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::fetch::{self, Node, Python, Uvx};
use crate::mixed;
use crate::place;
use crate::proxy::{Profile, Proxy};
use crate::run::{self, Log, Result};
use crate::tally::Tally;

/// Each check has a deadline of its own; this one is for a script that hangs between them.
const SCRIPT_LIMIT: Duration = Duration::from_secs(300);

/// What the scripts need.
struct World {
    proxy: PathBuf,
    node: Node,
    legacy: PathBuf,
    newest: PathBuf,
    uvx: Uvx,
    scratch: PathBuf,
}

/// A client, the server it talks to, and what the script is told beside the address.
struct Conversation {
    script: &'static str,
    proxy: Command,
    client: Command,
    told: Vec<OsString>,
    /// The client starts the proxy by itself, and is told its command line instead of an address.
    at_a_pipe: bool,
}

/// Runs the scripts and prints their checks.
///
/// # Errors
/// When a check fails.
pub(crate) fn show(profile: Profile) -> Result<()> {
    let log = Log::start(place::target().join("test-logs/clients.log"))?;
    let tally = judge(profile, &log)?;
    for line in log.read()?.lines().filter(|line| verdict(line).is_some()) {
        println!("{line}");
    }
    println!("{}", tally.line());
    tally.verdict()
}

/// Runs the scripts; their output goes to the log.
///
/// # Errors
/// When anything keeps them from running.
pub(crate) fn group(log: &Log) -> Result<Tally> {
    judge(Profile::Dev, log)
}

fn judge(profile: Profile, log: &Log) -> Result<Tally> {
    let scratch = place::target().join("test-logs/clients");
    if scratch.exists() {
        std::fs::remove_dir_all(&scratch).map_err(|err| run::cannot("remove", &scratch, &err))?;
    }
    let world = World {
        node: fetch::node()?,
        legacy: Python::Legacy.bin()?.join("python"),
        newest: Python::Newest.bin()?.join("python"),
        uvx: fetch::uvx()?,
        proxy: profile.build(log)?,
        scratch,
    };
    world.install(log)?;
    let folder = world.scratch.join("folder");
    std::fs::create_dir_all(&folder).map_err(|err| run::cannot("create", &folder, &err))?;
    let mut tally = Tally::default();
    for conversation in conversations(&world, &folder)? {
        tally.add(hold(conversation, log)?);
    }
    tally.add(world.signed_in(log)?);
    let (mixed, _) = mixed::judge(world.proxy, mixed::SHORT_SECONDS, log)?;
    tally.add(mixed);
    Ok(tally)
}

fn conversations(world: &World, folder: &Path) -> Result<Vec<Conversation>> {
    let everything = "@modelcontextprotocol/server-everything";
    let main = world.node.script(everything, "dist/index.js");
    let json = |arguments: &[&Path]| serde_json::json!(arguments).to_string();

    // A package and nothing else, as on the README's first screen.
    let mut by_package = world.proxy();
    by_package
        .env("MCP_PACKAGE", npm(everything)?)
        .env(NO_REGISTRY.0, NO_REGISTRY.1);

    // Any command after the flags.
    let mut by_command_line = world.proxy();
    by_command_line.arg("--").arg("node").arg(&main);

    // A command and its arguments from the environment.
    let mut by_command = world.proxy();
    by_command
        .env("MCP_COMMAND", "node")
        .env("MCP_ARGS", json(&[&main]));

    // The same server for clients of the older transport.
    let mut by_sse = world.proxy();
    by_sse.arg("--").arg("node").arg(&main);
    let mut by_sse_too = world.proxy();
    by_sse_too.arg("--").arg("node").arg(&main);

    // A package whose folder is an argument.
    let mut filesystem = world.proxy();
    filesystem
        .env(NO_REGISTRY.0, NO_REGISTRY.1)
        .env(
            "MCP_PACKAGE",
            npm("@modelcontextprotocol/server-filesystem")?,
        )
        .env("MCP_ARGS", json(&[folder]));

    // A package that is told by an environment variable of its own.
    let mut memory = world.proxy();
    memory
        .env(NO_REGISTRY.0, NO_REGISTRY.1)
        .env("MCP_PACKAGE", npm("@modelcontextprotocol/server-memory")?)
        .env(
            "MCP_ENV_MEMORY_FILE_PATH",
            world.scratch.join("memory.jsonl"),
        );

    // A package from PyPI, which `uvx` installs. Its SDK makes it one of both eras.
    let version = world.uvx.version("mcp-server-time")?;
    let time = || {
        let mut proxy = world.proxy();
        proxy
            .env("MCP_PACKAGE", format!("pypi:mcp-server-time=={version}"))
            .env("PATH", place::path_with(&world.uvx.bin))
            .envs(world.uvx.variables(true));
        proxy
    };

    // One from npm on the TypeScript SDK v2, which settles on an era in another way. Its tools
    // need the network, so they are only listed.
    let mut context7 = world.proxy();
    let main = world.node.script("@upstash/context7-mcp", "dist/index.js");
    context7.arg("--").arg("node").arg(main);

    // Servers of one era and of both, for clients of the other one and of their own.
    let children = place::root().join("proxy/tests/children");
    let child = |python: &Path, words: &[&str]| {
        let mut proxy = world.proxy();
        proxy.arg("--").arg(python);
        for word in words {
            match word.strip_prefix("--") {
                None => proxy.arg(children.join(word)),
                Some(_) => proxy.arg(word),
            };
        }
        proxy
    };
    let dual = || child(&world.newest, &["modern.py"]);
    let legacy_only = || child(&world.legacy, &["legacy.py"]);
    let modern_only = || child(&world.newest, &["modern.py", "--modern-only"]);
    let stateless = |script, proxy, server: &str| Conversation {
        told: vec![server.into()],
        ..world.talk(script, proxy)
    };

    Ok(vec![
        world.talk("everything.mjs", by_package),
        world.talk("everything.py", by_command_line),
        world.talk("newest.py", by_command),
        stateless("stateless.py", dual(), "modern-child"),
        stateless("stateless.mjs", dual(), "modern-child"),
        stateless("stateless.py", modern_only(), "modern-child"),
        stateless("stateless.py", legacy_only(), "legacy-child"),
        stateless("stateless.mjs", legacy_only(), "legacy-child"),
        world.talk("sessions.py", dual()),
        world.talk("sessions.py", modern_only()),
        world.pipe("pipe.py", &world.legacy, &["legacy.py"]),
        world.pipe("pipe.py", &world.newest, &["modern.py", "--modern-only"]),
        world.pipe("pipe_newest.py", &world.legacy, &["legacy.py"]),
        world.pipe("pipe_newest.py", &world.newest, &["modern.py"]),
        world.talk("sse.mjs", by_sse),
        world.talk("sse.py", by_sse_too),
        Conversation {
            told: vec![folder.into()],
            ..world.talk("filesystem.mjs", filesystem)
        },
        world.talk("memory.mjs", memory),
        world.talk("clock.py", time()),
        Conversation {
            told: ["get_current_time", r#"{"timezone":"Europe/Paris"}"#]
                .map(OsString::from)
                .into(),
            ..world.talk("published.py", time())
        },
        Conversation {
            told: vec!["resolve-library-id".into()],
            ..world.talk("published.py", context7)
        },
    ])
}

/// Where the proxy keeps the packages that it installs itself.
fn installed() -> PathBuf {
    place::fetched().join("installed")
}

/// Nobody listens there: what is served all the same came from the cache.
const NO_REGISTRY: (&str, &str) = ("npm_config_registry", "http://127.0.0.1:9/");

impl World {
    /// Installs the packages that are then served without a registry, and the server that dies of the
    /// SDK's 2.x line unless it is given the older one.
    fn install(&self, log: &Log) -> Result<()> {
        let mut verb = Command::new(&self.proxy);
        verb.arg("install")
            .args([
                npm("@modelcontextprotocol/server-everything")?,
                npm("@modelcontextprotocol/server-filesystem")?,
                npm("@modelcontextprotocol/server-memory")?,
                "pypi:mcp-server-sqlite==2025.4.25".to_owned(),
            ])
            .env("MCP_PROXY_CACHE_DIR", installed())
            .env("PATH", place::path_with(&self.uvx.bin));
        let told = run::read(&mut verb, SCRIPT_LIMIT)?;
        log.line(&told)?;
        if told.contains("mcp-server-sqlite 2025.4.25 with mcp<2") {
            Ok(())
        } else {
            Err(format!("mcp-server-sqlite was not given mcp<2:\n{told}"))
        }
    }

    /// Clients that sign in at an authorization server, which listens before the proxy does.
    fn signed_in(&self, log: &Log) -> Result<Tally> {
        let mut issuer = Command::new(&self.node.program);
        issuer
            .arg(place::root().join("proxy/tests/clients/issuer.mjs"))
            .current_dir(&self.node.home);
        let issuer = Proxy::named_by(&mut issuer, log, issuer_in)?;
        let mut proxy = self.proxy();
        proxy
            .args(["--auth-issuer", &issuer.url, "--auth-scope", "mcp:use"])
            .args(["--tool-scope", "test_simple_text=tools:write"])
            .arg("--")
            .arg(&self.newest)
            .arg(place::root().join("proxy/tests/children/modern.py"));
        hold(self.talk("oauth.mjs", proxy), log)
    }

    /// A proxy in the folder with the fetched packages, where `npx` finds the pinned ones.
    fn proxy(&self) -> Command {
        let mut command = Command::new(&self.proxy);
        command
            .args(["--port", "0"])
            .current_dir(&self.node.home)
            .env("MCP_PROXY_CACHE_DIR", installed());
        command
    }

    fn talk(&self, script: &'static str, proxy: Command) -> Conversation {
        let program = match script {
            "newest.py" | "stateless.py" | "published.py" | "pipe_newest.py" => &self.newest,
            script if script.ends_with(".py") => &self.legacy,
            _ => &self.node.program,
        };
        let mut client = Command::new(program);
        client
            .arg(place::root().join("proxy/tests/clients").join(script))
            // The TypeScript scripts find the SDK here.
            .current_dir(&self.node.home);
        Conversation {
            script,
            proxy,
            client,
            told: Vec::new(),
            at_a_pipe: false,
        }
    }

    /// A client that starts the proxy by itself, in front of a server that is a script.
    fn pipe(&self, script: &'static str, python: &Path, server: &[&str]) -> Conversation {
        let mut proxy = Command::new(&self.proxy);
        proxy.args(["--stdio", "--"]).arg(python);
        if let [file, words @ ..] = server {
            let children = place::root().join("proxy/tests/children");
            proxy.arg(children.join(file)).args(words);
        }
        Conversation {
            at_a_pipe: true,
            ..self.talk(script, proxy)
        }
    }
}

fn npm(package: &str) -> Result<String> {
    Ok(format!("{package}@{}", fetch::npm_version(package)?))
}

fn hold(conversation: Conversation, log: &Log) -> Result<Tally> {
    let Conversation {
        script,
        mut proxy,
        mut client,
        told,
        at_a_pipe,
    } = conversation;
    let mut tally = Tally::default();
    let proxy = if at_a_pipe {
        client.arg(proxy.get_program()).args(proxy.get_args());
        None
    } else {
        match Proxy::start(&mut proxy, log) {
            Ok(proxy) => {
                client.arg(&proxy.url);
                Some(proxy)
            }
            Err(sentence) => {
                log.line(&format!("not ok {script}: {sentence}"))?;
                tally.count(script, false);
                return Ok(tally);
            }
        }
    };
    client.args(told);
    let before = log.read()?.len();
    let ended = run::logged(&mut client, log, SCRIPT_LIMIT);
    drop(proxy);
    let said = log.read()?;
    for (name, passed) in said
        .get(before..)
        .unwrap_or_default()
        .lines()
        .filter_map(verdict)
    {
        tally.count(name, passed);
    }
    match ended {
        Ok(status) if status.success() && tally.passed > 0 => {}
        // The failed checks say it all.
        Ok(status) if !status.success() && !tally.failed.is_empty() => {}
        Ok(status) => tally.count(&format!("{script} ({status})"), false),
        Err(sentence) => {
            log.line(&sentence)?;
            tally.count(script, false);
        }
    }
    Ok(tally)
}

/// The address in the line `issuer http://127.0.0.1:8081`.
fn issuer_in(line: &str) -> Option<&str> {
    line.strip_prefix("issuer ")
}

/// `ok NAME` or `not ok NAME`, as the scripts print.
fn verdict(line: &str) -> Option<(&str, bool)> {
    let passed = line.strip_prefix("ok ").map(|name| (name, true));
    passed.or_else(|| line.strip_prefix("not ok ").map(|name| (name, false)))
}
