//! What it costs to wait for people: the memory of the proxy and all its servers while calls are
//! parked, each at a server that asked in the middle of it.
//!
//! Memory is counted in proportional shares (PSS, proc(5)), so that what processes have in common
//! counts once: that is what a machine has to have.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::fetch::Python;
use crate::place;
use crate::proxy::{Profile, Proxy};
use crate::run::{Log, Result};

/// How many calls a machine of [`MACHINE_MIB`] has to hold.
const CALLS: usize = 8;

/// A small machine, of which the kernel keeps some for itself.
const MACHINE_MIB: f64 = 256.0;

/// A server starts, is greeted and asks within this.
const ASK_LIMIT: Duration = Duration::from_secs(30);

/// Measures with the toy and with a server in Python, and prints both.
///
/// # Errors
/// When a call is not parked, or the machine would be too small.
pub(super) fn run() -> Result<()> {
    let log = Log::start(place::target().join("test-logs/parked.log"))?;
    let proxy = Profile::Release.build(&log)?;
    let toy = place::target().join("release/mcp-toy");
    if !toy.exists() {
        return Err("the toy is missing; run cargo build --release -p mcp-toy first".to_owned());
    }
    let python = Python::Legacy.bin()?.join("python");
    let script = place::root().join("proxy/tests/children/legacy.py");
    let mut missed = Vec::new();
    for (name, server, tool) in [
        ("mcp-toy", vec![toy], "ask"),
        (
            "legacy.py",
            vec![python, script],
            "test_input_required_result_elicitation",
        ),
    ] {
        let mut command = Command::new(&proxy);
        command.args(["--port", "0", "--"]).args(server);
        let proxy = Proxy::start(&mut command, &log)?;
        let alone = pss_mib(&[proxy.pid()])?;
        for n in 1..=CALLS {
            park(&proxy.url, tool, n)?;
        }
        let family = family(proxy.pid())?;
        let all = pss_mib(&family)?;
        let own = pss_mib(&[proxy.pid()])?;
        println!(
            "{name}: {CALLS} parked calls, {} processes, {all:.1} MiB in all; the proxy {own:.1} MiB, \
             and {alone:.1} MiB before",
            family.len()
        );
        if all > MACHINE_MIB {
            missed.push(name);
        }
    }
    if missed.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "{} MiB are not enough with {}",
            MACHINE_MIB,
            missed.join(", ")
        ))
    }
}

/// Makes a call that is answered by a question.
fn park(url: &str, tool: &str, n: usize) -> Result<()> {
    let authority = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split('/').next())
        .ok_or("the proxy has no address")?;
    let body = serde_json::json!({
        "jsonrpc": "2.0", "id": n, "method": "tools/call",
        "params": { "name": tool, "arguments": {}, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "xtask", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": { "elicitation": {} },
        } },
    })
    .to_string();
    let request = format!(
        "POST /mcp HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n\
         MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: {tool}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answered = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(authority)?;
        stream.set_read_timeout(Some(ASK_LIMIT))?;
        stream.write_all(request.as_bytes())?;
        let mut said = String::new();
        stream.read_to_string(&mut said)?;
        Ok(said)
    };
    let said = answered().map_err(|err| format!("call {n} was not answered: {err}"))?;
    if said.contains(r#""resultType":"input_required""#) {
        Ok(())
    } else {
        Err(format!("call {n} was not parked: {said}"))
    }
}

/// A process and all that it started, and so on.
fn family(pid: u32) -> Result<Vec<u32>> {
    let mut family = vec![pid];
    let mut next = 0;
    while let Some(&member) = family.get(next) {
        next += 1;
        // A process that ended in between has no children, and is not counted either.
        let Ok(tasks) = fs::read_dir(format!("/proc/{member}/task")) else {
            continue;
        };
        for task in tasks.filter_map(std::result::Result::ok) {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            family.extend(
                children
                    .split_whitespace()
                    .filter_map(|pid| pid.parse::<u32>().ok()),
            );
        }
    }
    if family.len() > CALLS {
        Ok(family)
    } else {
        Err(format!(
            "{CALLS} parked calls have {} processes",
            family.len()
        ))
    }
}

fn pss_mib(pids: &[u32]) -> Result<f64> {
    let mut kib = 0;
    for pid in pids {
        let path = format!("/proc/{pid}/smaps_rollup");
        let text = fs::read_to_string(&path)
            .map_err(|err| crate::run::cannot("read", Path::new(&path), &err))?;
        kib += pss_in(&text).ok_or_else(|| format!("{path} is not as proc(5) says"))?;
    }
    Ok(f64::from(kib) / 1024.0)
}

/// `Pss:      1234 kB`
fn pss_in(rollup: &str) -> Option<u32> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_read_from_the_rollup() {
        let text = "00400000-7ffd000 ---p 00000000 00:00 0 [rollup]\nRss:   900 kB\nPss:   512 kB\nPss_Dirty: 4 kB\n";
        assert_eq!(pss_in(text), Some(512));
        assert_eq!(pss_in("Rss: 900 kB\n"), None);
    }
}
