//! Load: much of one thing at a time, from real processes, with the proxy's memory read from outside.
//!
//! Every story has two ends: what the proxy holds stays within what `docs/operations.md` says, and
//! somebody else is served meanwhile. Budgets are for the growth over a proxy that has served one
//! call, and include what the allocator keeps.

mod floods;
mod half_sent;
mod idle_streams;
mod sessions;
mod unread;

use std::fs;

use serde_json::json;
use tokio::time::{Duration, Instant};

use super::proxy::Proxy;
use super::session::{LATEST, Session};

/// How long one small call may take while something big goes on, on a machine that is busy with it.
const SOON: Duration = Duration::from_secs(5);

const MIB: u64 = 1 << 20;

/// What a proxy may hold.
struct Memory {
    pid: u32,
    /// In bytes, before the load.
    before: u64,
}

impl Memory {
    /// From what it holds now.
    fn of(proxy: &Proxy) -> Self {
        let pid = proxy.pid;
        Self {
            pid,
            before: held(pid, "VmRSS:"),
        }
    }

    /// By how much it has grown at the most so far, in bytes.
    fn growth(&self) -> u64 {
        held(self.pid, "VmHWM:").saturating_sub(self.before)
    }

    /// It has never grown by more.
    #[track_caller]
    fn has_grown_at_most(&self, bytes: u64) {
        let growth = self.growth();
        assert!(growth <= bytes, "grown by {growth} bytes, not {bytes}");
    }
}

/// What a process holds, or held at most, in bytes.
fn held(pid: u32, what: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    let kib: u64 = line
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    kib << 10
}

/// Somebody else, who is served all the time.
struct Bystander {
    session: Session,
    calls: u64,
}

impl Bystander {
    /// With a session of its own that has made a call.
    async fn at(proxy: &Proxy) -> Self {
        let session = Session::open(&proxy.client(), LATEST).await;
        let mut bystander = Self { session, calls: 0 };
        bystander.is_served().await;
        bystander
    }

    /// Calls, and is answered soon.
    async fn is_served(&mut self) {
        let before = Instant::now();
        let answer = self.session.call("echo", json!({ "text": "hello" })).await;
        assert_eq!(answer, "hello");
        assert!(before.elapsed() < SOON, "after {:?}", before.elapsed());
        self.calls += 1;
    }
}

/// One counter of `/metrics`, zero if it is not there.
async fn counted(proxy: &Proxy, name: &str) -> u64 {
    let page = proxy.client().get("/metrics").await.text().await;
    let line = page.lines().find_map(|line| line.strip_prefix(name));
    line.map_or(0, |value| value.trim().parse().unwrap())
}
