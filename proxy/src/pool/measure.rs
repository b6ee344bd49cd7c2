//! What the children use and move, for the metrics.
//!
//! A child counts for itself (`link/child/life.rs`) and the metrics add up: at every sweep, and
//! before a page is rendered, what has been added since is added to the totals of the server. So
//! the totals go on growing when a child is gone, and no pipe knows of metrics.

use std::collections::HashMap;
use std::fmt;

use metrics::{Counter, counter, gauge};

use tokio::time::Instant;

use super::{Pool, State};
use crate::link::EndReason;
use crate::link::child::{self, Status};
use crate::observe::metrics::Share;
use crate::observe::process::{Usage, ticks_a_second};

/// The figures of one server's processes.
pub(super) struct Figures {
    pub(super) starts: Counter,
    stopped: Counter,
    died: Counter,
    read: Counter,
    written: Counter,
    garbage: Counter,
    unshown: Counter,
    starting: Share,
    running: Share,
    stopping: Share,
    rss: Share,
    cpu: Counter,
    /// Where the server is in its life: the one that is 1.
    states: [(&'static str, Share); State::WORDS.len()],
}

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Figures").finish_non_exhaustive()
    }
}

impl Figures {
    /// Those of the server of this name.
    pub(super) fn new(server: &str) -> Self {
        let name = || server.to_owned();
        let exits = |reason| counter!("mcp_proxy_child_exits_total", "server" => name(), "reason" => reason);
        let bytes = |direction| counter!("mcp_proxy_bytes_total", "server" => name(), "direction" => direction);
        let children =
            |state| Share::of(gauge!("mcp_proxy_children", "server" => name(), "state" => state));
        Self {
            starts: counter!("mcp_proxy_child_starts_total", "server" => name()),
            stopped: exits("stopped"),
            died: exits("died"),
            read: bytes("from_server"),
            written: bytes("to_server"),
            garbage: counter!("mcp_proxy_garbage_lines_total", "server" => name()),
            unshown: counter!("mcp_proxy_stderr_dropped_lines_total", "server" => name()),
            starting: children("starting"),
            running: children("running"),
            stopping: children("stopping"),
            rss: Share::of(gauge!("mcp_proxy_child_rss_bytes", "server" => name())),
            cpu: counter!("mcp_proxy_child_cpu_seconds_total", "server" => name()),
            states: State::WORDS.map(|state| {
                let gauge = gauge!("mcp_proxy_server_state", "server" => name(), "state" => state);
                (state, Share::of(gauge))
            }),
        }
    }
}

impl Figures {
    /// A process has ended.
    pub(super) fn exited(&self, status: &Status) {
        match &status.state {
            child::State::Ended(end) if end.reason == EndReason::Stopped => {
                self.stopped.increment(1)
            }
            _ => self.died.increment(1),
        }
    }
}

/// What of one child has been added to the totals.
#[derive(Debug, Default)]
pub(super) struct Added {
    read: u64,
    written: u64,
    garbage: u64,
    unshown: u64,
    cpu_ticks: u64,
    cpu_seconds: u64,
}

impl Added {
    /// Adds what the child has moved since last time.
    pub(super) fn traffic(&mut self, status: &Status, figures: &Figures) {
        for (counter, added, now) in [
            (&figures.read, &mut self.read, status.bytes_in),
            (&figures.written, &mut self.written, status.bytes_out),
            (&figures.garbage, &mut self.garbage, status.garbage),
            (&figures.unshown, &mut self.unshown, status.unshown),
        ] {
            counter.increment(now.saturating_sub(*added));
            *added = now;
        }
    }

    /// Adds the processor time since last time. A process that ended without being waited for takes
    /// its time with it, so the sum of a group can shrink; the total does not.
    fn processor(&mut self, usage: Usage, figures: &Figures) {
        self.cpu_ticks = self.cpu_ticks.max(usage.ticks);
        let seconds = self.cpu_ticks / ticks_a_second();
        figures.cpu.increment(seconds - self.cpu_seconds);
        self.cpu_seconds = seconds;
    }
}

impl Pool {
    /// Brings the metrics of this server's processes up to date. `groups` is what each process group
    /// of the machine uses.
    pub fn measure(&self, groups: &HashMap<u32, Usage>) {
        let figures = &self.figures;
        let (mut starting, mut running, mut stopping, mut rss) = (0, 0, 0, 0);
        for one in self.children.lock().values_mut() {
            let status = one.child.status();
            one.added.traffic(&status, figures);
            match status.state {
                child::State::Running if one.is_greeted() => running += 1,
                child::State::Running => starting += 1,
                child::State::Stopping => stopping += 1,
                // Its number may be another process's by now.
                child::State::Ended(_) => continue,
            }
            if let Some(usage) = groups.get(&status.pid) {
                rss += usage.rss;
                one.added.processor(*usage, figures);
            }
        }
        figures.starting.set(starting);
        figures.running.set(running);
        figures.stopping.set(stopping);
        figures.rss.set(rss);
        self.settle(Instant::now());
        let now = self.life.lock().state().word();
        for (state, share) in &figures.states {
            share.set(u64::from(*state == now));
        }
    }
}
