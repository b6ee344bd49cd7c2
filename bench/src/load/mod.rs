//! `load`: clients that call and verify every answer.
//!
//! Each client is one keep-alive connection with one call in flight. Clients share sessions in
//! turn: sixteen clients of one session, or one of each of sixteen. All run on one thread, so
//! that on a small machine the load takes at most one core from what it measures.

mod client;
mod http;
mod process;

use std::io;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::client::{Client, Session};
use self::process::Process;

/// Calls before the measurement begins, of each client: connections are open by then, buffers
/// have grown, and no first-time cost is left.
const WARM_UP_CALLS: u64 = 8;

/// What a run does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    authority: String,
    pid: u32,
    sessions: usize,
    in_flight: usize,
    pub(crate) size: usize,
    pub(crate) progress: usize,
    /// Clients of 2026-07-28, which have no sessions.
    pub(crate) stateless: bool,
    seconds: u64,
}

impl Plan {
    /// Reads a command line.
    ///
    /// # Errors
    /// A sentence about what is wrong with it.
    pub(crate) fn read(arguments: &[&str]) -> Result<Self, String> {
        let mut plan = Self {
            authority: String::new(),
            pid: 0,
            sessions: 1,
            in_flight: 1,
            size: 16,
            progress: 0,
            stateless: false,
            seconds: 2,
        };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            if let Some(url) = argument.strip_prefix("http://") {
                let authority = url.strip_suffix("/mcp").ok_or("the URL must end in /mcp")?;
                authority.clone_into(&mut plan.authority);
                continue;
            }
            let value = rest.next().and_then(|value| value.parse::<u64>().ok());
            let value = value.ok_or_else(|| format!("{argument} wants a number"))?;
            let small = || usize::try_from(value).map_err(|_| format!("{argument} is too large"));
            match *argument {
                "--pid" => plan.pid = u32::try_from(value).map_err(|_| "--pid is too large")?,
                "--sessions" => plan.sessions = small()?.max(1),
                "--in-flight" => plan.in_flight = small()?.max(1),
                "--size" => plan.size = small()?,
                "--progress" => plan.progress = small()?,
                "--stateless" => plan.stateless = value != 0,
                "--seconds" => plan.seconds = value,
                _ => return Err(format!("there is no {argument}")),
            }
        }
        if plan.authority.is_empty() || plan.pid == 0 {
            return Err("a URL and --pid are needed".to_owned());
        }
        Ok(plan)
    }
}

/// Calls for as long as the plan says, and tells what it saw.
///
/// # Errors
/// When an answer is wrong or missing, or the process cannot be measured.
pub(crate) fn run(plan: &Plan) -> io::Result<Value> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, measure(plan))
}

async fn measure(plan: &Plan) -> io::Result<Value> {
    let process = Process::of(plan.pid)?;
    let mut sessions = Vec::new();
    for _ in 0..plan.sessions {
        let session = if plan.stateless {
            Session::none()
        } else {
            Session::open(&plan.authority).await?
        };
        sessions.push(Rc::new(session));
    }
    let mut clients = Vec::new();
    for number in 0..plan.in_flight {
        let session = Rc::clone(&sessions[number % sessions.len()]);
        let mut client = Client::connect(&plan.authority, session, number as u64 + 1).await?;
        client.call(plan, WARM_UP_CALLS, None).await?;
        clients.push(client);
    }

    let before = process.cpu()?;
    let started = Instant::now();
    let until = started + Duration::from_secs(plan.seconds);
    let mut calling = JoinSet::new();
    for mut client in clients {
        let plan = Plan {
            authority: plan.authority.clone(),
            ..*plan
        };
        calling.spawn_local(async move { client.call(&plan, u64::MAX, Some(until)).await });
    }
    let mut micros = Vec::new();
    while let Some(done) = calling.join_next().await {
        micros.extend(done.map_err(io::Error::other)??);
    }
    let elapsed = started.elapsed();
    let cpu = process.cpu()?.saturating_sub(before);

    micros.sort_unstable();
    let calls = micros.len().max(1);
    #[expect(
        clippy::cast_precision_loss,
        reason = "a count of calls is far below 2^52"
    )]
    let per_call = |whole: Duration| whole.as_secs_f64() * 1e6 / calls as f64;
    Ok(json!({
        "calls": calls,
        "per_second": 1e6 / per_call(elapsed),
        "p50_us": micros.get(calls / 2),
        "p99_us": micros.get(calls - 1 - calls / 100),
        "cpu_us": per_call(cpu),
        "cpu_total_ms": u64::try_from(cpu.as_millis()).unwrap_or(u64::MAX),
        "peak_kib": process.peak_kib()?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read() {
        let plan = Plan::read(&["http://127.0.0.1:80/mcp", "--pid", "7", "--in-flight", "16"]);
        let plan = plan.unwrap();
        assert_eq!(plan.authority, "127.0.0.1:80");
        assert_eq!((plan.pid, plan.in_flight, plan.sessions), (7, 16, 1));
    }

    #[test]
    fn what_cannot_be_measured_is_refused() {
        for wrong in [
            &[][..],
            &["http://127.0.0.1:80/mcp"],
            &["http://127.0.0.1:80", "--pid", "7"],
            &["http://127.0.0.1:80/mcp", "--pid"],
            &["http://127.0.0.1:80/mcp", "--pid", "7", "--speed", "9"],
        ] {
            assert!(Plan::read(wrong).is_err(), "{wrong:?}");
        }
    }
}
