//! Counting calls: how many, how they ended, how long they took.
//!
//! It costs a call some atomic additions. Every counter is made when its combination of method and
//! outcome is first seen and kept in a table, so a call makes no text and searches no map. The table
//! is small because methods come from a list: what is not on it is `other`.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use mcp_wire::{Era, method};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use crate::exchange::Outcome;

/// The methods that are counted by name: every request a client may send. Anything else could be
/// any text.
const METHODS: [&str; 21] = [
    method::INITIALIZE,
    method::PING,
    method::SET_LEVEL,
    method::RESOURCES_SUBSCRIBE,
    method::RESOURCES_UNSUBSCRIBE,
    method::RESOURCES_LIST,
    method::RESOURCE_TEMPLATES_LIST,
    method::RESOURCES_READ,
    method::TOOLS_LIST,
    method::TOOLS_CALL,
    method::PROMPTS_LIST,
    method::PROMPTS_GET,
    method::COMPLETE,
    method::TASKS_GET,
    method::TASKS_RESULT,
    method::TASKS_LIST,
    method::TASKS_CANCEL,
    method::TASKS_UPDATE,
    method::DISCOVER,
    method::LISTEN,
    "other",
];

/// How a call ended, as its label says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The server's result, one that says `isError` included.
    Result,
    /// A JSON-RPC error of the server.
    Error,
    /// No answer came.
    Lost,
    /// The client did not want it any more.
    Cancelled,
    /// A policy, or a bound, kept it from the server.
    Refused,
}

impl Ended {
    const COUNT: usize = 5;

    pub(super) const fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Result(_) => Self::Result,
            Outcome::Error(_) => Self::Error,
            Outcome::Lost(_) => Self::Lost,
            Outcome::Cancelled => Self::Cancelled,
        }
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Result => "result",
            Self::Error => "error",
            Self::Lost => "lost",
            Self::Cancelled => "cancelled",
            Self::Refused => "refused",
        }
    }
}

/// A method, by its place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Method(usize);

impl Method {
    pub(super) fn of(name: &str) -> Self {
        let known = METHODS.iter().position(|known| *known == name);
        Self(known.unwrap_or(METHODS.len() - 1))
    }

    pub(super) const fn name(self) -> &'static str {
        METHODS[self.0]
    }

    /// A subscription lasts for as long as its client likes, so its length is no latency.
    fn has_latency(self) -> bool {
        self.name() != method::LISTEN
    }
}

/// The figures of one server.
pub(super) struct Calls {
    server: String,
    in_flight: Gauge,
    restarts: Counter,
    legacy: OfEra,
    modern: OfEra,
}

struct OfEra {
    era: &'static str,
    seconds: Histogram,
    ended: [[OnceLock<Counter>; Ended::COUNT]; METHODS.len()],
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl Calls {
    /// The figures of the server of this name.
    pub(super) fn new(server: &str) -> Self {
        let of_era = |era| OfEra {
            era,
            seconds: histogram!(
                "mcp_proxy_call_seconds", "server" => server.to_owned(), "era" => era
            ),
            ended: Default::default(),
        };
        Self {
            in_flight: gauge!("mcp_proxy_calls_in_flight", "server" => server.to_owned()),
            restarts: counter!("mcp_proxy_child_restarts_total", "server" => server.to_owned()),
            legacy: of_era("legacy"),
            modern: of_era("modern"),
            server: server.to_owned(),
        }
    }

    /// The server's name.
    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// A call was taken.
    pub(super) fn began(&self) {
        self.in_flight.increment(1.0);
    }

    /// A call that had begun is over.
    pub(super) fn ended(&self, era: Era, method: Method, ended: Ended, took: Duration) {
        self.in_flight.decrement(1.0);
        if method.has_latency() {
            self.of(era).seconds.record(took.as_secs_f64());
        }
        self.count(era, method, ended);
    }

    /// A call was kept from the server.
    pub(super) fn refused(&self, era: Era, method: Method) {
        self.in_flight.decrement(1.0);
        self.count(era, method, Ended::Refused);
    }

    /// A call that was not sent and will be offered to another server, where it is counted.
    pub(super) fn taken_back(&self) {
        self.in_flight.decrement(1.0);
    }

    /// A session had to be given another server.
    pub(super) fn restarted(&self) {
        self.restarts.increment(1);
    }

    fn count(&self, era: Era, method: Method, ended: Ended) {
        let of_era = self.of(era);
        let cell = &of_era.ended[method.0][ended as usize];
        let counter = cell.get_or_init(|| {
            counter!(
                "mcp_proxy_calls_total",
                "server" => self.server.clone(),
                "method" => method.name(),
                "outcome" => ended.word(),
                "era" => of_era.era,
            )
        });
        counter.increment(1);
    }

    const fn of(&self, era: Era) -> &OfEra {
        match era {
            Era::Legacy => &self.legacy,
            Era::Modern => &self.modern,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_that_nobody_knows_is_no_label() {
        assert_eq!(Method::of("tools/call").name(), "tools/call");
        for foreign in ["", "tools/call\n", "x{y=\"z\"}", "other"] {
            assert_eq!(Method::of(foreign).name(), "other", "{foreign}");
        }
        assert!(!Method::of("subscriptions/listen").has_latency());
    }
}
