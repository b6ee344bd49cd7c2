//! A small machine: the proxy, its servers and their clients' calls in a control group of 256 MiB.
//!
//! What counts is that nobody in the group is killed for want of memory while three sessions and a
//! client of 2026-07-28 are served, each session by a Node.js process of its own. The group is made
//! for this and removed; only what is started here is ever put into it. It needs the right to make
//! control groups, which root has on most machines and in few containers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::fetch;
use crate::place;
use crate::proxy::{Profile, Proxy};
use crate::run::{self, Log, Result, cannot};

/// What the group may hold.
const LIMIT: u64 = 256 << 20;

/// How long the clients call.
const SECONDS: u64 = 20;

/// Beside that: starting four servers, and the last calls.
const GRACE: Duration = Duration::from_secs(120);

/// The server that is run.
const SERVER: &str = "@modelcontextprotocol/server-everything";

/// Runs it, and prints who was served and what was held.
///
/// # Errors
/// When somebody was killed or not served, or when no group can be made.
pub(crate) fn show(arguments: &[&str]) -> Result<()> {
    let profile = Profile::read(arguments)?;
    let log = Log::start(place::target().join("test-logs/small.log"))?;
    let binary = profile.build(&log)?;
    let node = fetch::node()?;
    let cache = place::target().join("small-cache");
    let package = format!("{SERVER}@{}", fetch::npm_version(SERVER)?);
    // Outside the group: npm takes more than it has.
    let mut install = Command::new(&binary);
    install
        .args(["install", &package])
        .env("MCP_PROXY_CACHE_DIR", &cache);
    log.line(&run::read(&mut install, GRACE)?)?;

    let group = Group::make(LIMIT)?;
    // The shell puts itself into the group and becomes the proxy.
    let mut command = Command::new("sh");
    command
        .args(["-c", r#"echo $$ > "$0" && exec "$@""#])
        .arg(group.path.join("cgroup.procs"))
        .arg(&binary)
        .args(["--port", "0"])
        .env("MCP_PACKAGE", &package)
        .env("MCP_PROXY_CACHE_DIR", &cache);
    let proxy = Proxy::start(&mut command, &log)?;
    let mut clients = Command::new(&node.program);
    clients
        .arg(place::root().join("proxy/tests/clients/small.mjs"))
        .args([proxy.url.clone(), SECONDS.to_string()]);
    let said = run::read(&mut clients, Duration::from_secs(SECONDS) + GRACE);
    let processes = group.processes();
    let figures = group.figures();
    drop(proxy);
    print!("{}", said.as_deref().unwrap_or_default());
    println!(
        "limit {} MiB, most held {} MiB, killed {}",
        LIMIT >> 20,
        figures.most >> 20,
        figures.killed
    );
    for (name, proportional) in processes {
        println!("{name}: {} MiB", proportional >> 20);
    }
    if figures.killed > 0 {
        return Err(format!(
            "{} processes were killed for want of memory",
            figures.killed
        ));
    }
    said.map(drop)
}

/// A control group of memory.
struct Group {
    path: PathBuf,
    /// cgroups(7): whether it is of version 2.
    unified: bool,
}

/// What the kernel says of a group.
struct Figures {
    /// The most it held at any time, in bytes.
    most: u64,
    killed: u64,
}

impl Group {
    fn make(limit: u64) -> Result<Self> {
        let mounts = Path::new("/sys/fs/cgroup");
        let unified = mounts.join("cgroup.controllers").exists();
        let parent = if unified {
            mounts.to_owned()
        } else {
            mounts.join("memory")
        };
        let path = parent.join(format!("mcp-proxy-small-{}", std::process::id()));
        fs::create_dir(&path).map_err(|err| {
            format!(
                "{} (it takes root, outside most containers)",
                cannot("make", &path, &err)
            )
        })?;
        let group = Self { path, unified };
        let names = if unified {
            ["memory.max", "memory.swap.max"]
        } else {
            ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]
        };
        let swap = if unified { 0 } else { limit };
        group.write(names[0], limit)?;
        // Where there is no swap there may be no such file.
        let _without_swap = group.write(names[1], swap);
        Ok(group)
    }

    fn write(&self, name: &str, value: u64) -> Result<()> {
        let file = self.path.join(name);
        fs::write(&file, value.to_string()).map_err(|err| cannot("write", &file, &err))
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path.join(name)).unwrap_or_default()
    }

    fn figures(&self) -> Figures {
        let (most, events) = if self.unified {
            ("memory.peak", "memory.events")
        } else {
            ("memory.max_usage_in_bytes", "memory.oom_control")
        };
        let events = self.read(events);
        let killed = events
            .lines()
            .find_map(|line| line.strip_prefix("oom_kill "));
        Figures {
            most: self.read(most).trim().parse().unwrap_or(0),
            killed: killed
                .and_then(|count| count.trim().parse().ok())
                .unwrap_or(0),
        }
    }

    /// Each process in the group by name, with its part of the memory (PSS) in bytes.
    fn processes(&self) -> Vec<(String, u64)> {
        let all = self.read("cgroup.procs");
        let of = |pid: &str| {
            let folder = Path::new("/proc").join(pid);
            let name = fs::read_to_string(folder.join("comm")).ok()?;
            let rollup = fs::read_to_string(folder.join("smaps_rollup")).ok()?;
            let pss = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
            let kib: u64 = pss.split_whitespace().next()?.parse().ok()?;
            Some((name.trim().to_owned(), kib << 10))
        };
        all.lines().filter_map(of).collect()
    }
}

impl Drop for Group {
    /// Those in it have ended with the proxy; a group that is not empty cannot be removed, and stays.
    fn drop(&mut self) {
        let deadline = std::time::SystemTime::now() + Duration::from_secs(5);
        while fs::remove_dir(&self.path).is_err() && std::time::SystemTime::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
