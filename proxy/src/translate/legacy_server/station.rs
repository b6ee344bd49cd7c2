//! One running server, and what its clients share of it.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use mcp_wire::{ErrorCode, Id, Message, method};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::desk::Desk;
use super::own;
use super::question::refusal;
use super::round::Round;
use super::task::Tasks;
use super::welcome::Welcome;
use super::{LegacyServer, Settings};
use crate::exchange::{
    AskId, Crash, Event, ExchangeId, FeedId, Outlet, Profile, Push, Sink, ToolList, level,
};

/// Between two looks whether a server has calmed down after a call was given up.
const CALMING: Duration = Duration::from_millis(100);

/// A server that was greeted with what its clients can be asked.
pub struct Station {
    pub(super) server: Arc<dyn LegacyServer>,
    /// Our only seat at it.
    pub(super) feed: FeedId,
    pub(super) desk: Arc<Desk>,
    pub(super) profile: Profile,
    pub(super) welcome: Welcome,
    pub(super) tools: ToolList,
    pub(super) tasks: Tasks,
    /// Told whenever a lease may be had, or a server is over.
    changed: Arc<Notify>,
    leased: AtomicBool,
    /// Calls in progress, and those among them that may lead to questions.
    in_flight: AtomicUsize,
    asking: AtomicUsize,
    logs: Mutex<Logs>,
    /// A question for roots that belongs to no call.
    outside: Mutex<Option<AskId>>,
    /// What its leased call waits for, in words.
    waits_for: Mutex<Option<String>>,
}

/// What is wanted of the server's log.
#[derive(Default)]
struct Logs {
    /// The level the server was told last.
    told: Option<usize>,
    wanting: Vec<Weak<Round>>,
}

impl fmt::Debug for Station {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Station")
            .field("profile", &self.profile)
            .field("in_flight", &self.in_flight)
            .finish_non_exhaustive()
    }
}

/// Where the server's standing events go before its station is there, and afterwards.
#[derive(Debug, Default)]
pub struct Doorbell {
    station: Mutex<Answering>,
}

/// Who answers.
#[derive(Debug, Default)]
enum Answering {
    #[default]
    Nobody,
    /// Some servers ask for roots as soon as they were greeted.
    Early(Vec<Event>),
    Station(Arc<Station>),
    Over,
}

/// Events kept for a station that is about to be there.
const MAX_EARLY: usize = 64;

impl Doorbell {
    /// What a seat is taken with before its server is greeted.
    #[must_use]
    pub fn outlet(self: &Arc<Self>) -> Outlet {
        let sink: Arc<dyn Sink> = Arc::<Self>::clone(self);
        Outlet::through(sink)
    }

    fn answered_by(&self, station: &Arc<Station>) {
        let mut answering = self.station.lock();
        let early = match &mut *answering {
            Answering::Over => return,
            Answering::Early(events) => std::mem::take(events),
            Answering::Nobody | Answering::Station(_) => Vec::new(),
        };
        for event in early {
            station.heard(event);
        }
        *answering = Answering::Station(Arc::clone(station));
    }
}

impl Sink for Doorbell {
    fn push(&self, _exchange: ExchangeId, event: Event) -> Push {
        let mut answering = self.station.lock();
        let over = matches!(event, Event::Done(_));
        match &mut *answering {
            Answering::Station(station) => station.heard(event),
            Answering::Over => return Push::Closed,
            _ if over => {}
            Answering::Early(events) => {
                if events.len() < MAX_EARLY {
                    events.push(event);
                }
            }
            Answering::Nobody => *answering = Answering::Early(vec![event]),
        }
        if over {
            // It holds its server, which holds this.
            *answering = Answering::Over;
        }
        Push::Taken
    }

    fn is_attended(&self) -> bool {
        true
    }
}

impl Station {
    /// A station at a server that was just greeted, whose seat was taken with `doorbell` and whose
    /// `InitializeResult` is `welcomed`. `changed` is told when its lease may be had again.
    #[must_use]
    pub fn open(
        server: Arc<dyn LegacyServer>,
        (feed, doorbell): (FeedId, &Doorbell),
        desk: &Arc<Desk>,
        profile: Profile,
        welcomed: &[u8],
        changed: Arc<Notify>,
    ) -> Arc<Self> {
        let station = Arc::new(Self {
            server,
            feed,
            desk: Arc::clone(desk),
            profile,
            welcome: Welcome::of(welcomed),
            tools: ToolList::default(),
            tasks: Tasks::default(),
            changed,
            leased: AtomicBool::new(false),
            in_flight: AtomicUsize::new(0),
            asking: AtomicUsize::new(0),
            logs: Mutex::default(),
            outside: Mutex::default(),
            waits_for: Mutex::default(),
        });
        if station.welcome.tools {
            station.tools.is_to_be_read();
            let reader = Arc::clone(&station);
            tokio::spawn(async move { reader.read_tools().await });
        }
        doorbell.answered_by(&station);
        desk.opened(&station);
        station
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.desk.settings
    }

    /// Whether the server is gone.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.server.is_gone()
    }

    /// As [`Server::crash`](crate::exchange::Server::crash).
    #[must_use]
    pub fn crash(&self) -> Crash {
        self.server.crash()
    }

    /// What the call that has this server to itself waits for a client to answer, in words; `None` if
    /// there is none or if it waits for nobody.
    #[must_use]
    pub fn waits_for(&self) -> Option<String> {
        self.waits_for.lock().clone()
    }

    pub(super) fn set_waiting(&self, words: Option<String>) {
        *self.waits_for.lock() = words;
        self.changed.notify_waiters();
    }

    /// The server's time for one call that may lead to questions; `None` while another has it, or may
    /// still ask.
    #[must_use]
    pub fn lease(self: &Arc<Self>) -> Option<Lease> {
        if self.is_gone() || self.asking.load(Ordering::Acquire) > 0 || self.is_restless() {
            return None;
        }
        let free = self
            .leased
            .compare_exchange(false, true, Ordering::AcqRel, Ordering::Acquire);
        free.ok()?;
        Some(Lease {
            station: Arc::clone(self),
        })
    }

    fn is_restless(&self) -> bool {
        let until = self.server.restless_until();
        until.is_some_and(|until| Instant::now() < until)
    }

    /// Reads the server's list of tools.
    pub async fn read_tools(&self) {
        let limit = self.settings().request;
        self.tools
            .read(|| own::tools(&self.server, self.feed, limit))
            .await;
    }

    /// Makes sure that the list of tools was read.
    pub async fn know_tools(&self) {
        let limit = self.settings().request;
        self.tools
            .know(|| own::tools(&self.server, self.feed, limit))
            .await;
    }
}

/// The calls of a station.
impl Station {
    /// A call goes to the server.
    pub(super) fn begun(&self, round: &Arc<Round>) {
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        if round.may_ask {
            self.asking.fetch_add(1, Ordering::AcqRel);
        }
        if round.level.is_some() && self.welcome.logging {
            self.want_logs(round);
        }
    }

    /// A call is over.
    pub(super) fn over(&self, round: &Round) {
        self.in_flight.fetch_sub(1, Ordering::AcqRel);
        if round.may_ask {
            self.asking.fetch_sub(1, Ordering::AcqRel);
            self.changed.notify_waiters();
        }
        if round.level.is_some() {
            let mut logs = self.logs.lock();
            logs.wanting
                .retain(|wanting| !std::ptr::eq(wanting.as_ptr(), round));
        }
    }

    /// The server is told the lowest level anybody wants now.
    fn want_logs(&self, round: &Arc<Round>) {
        let wanted = {
            let mut logs = self.logs.lock();
            logs.wanting.push(Arc::downgrade(round));
            let lowest = logs
                .wanting
                .iter()
                .filter_map(|wanting| wanting.upgrade()?.level)
                .min();
            let new = lowest.filter(|_| lowest != logs.told);
            logs.told = lowest;
            new.and_then(level::name)
        };
        if let Some(name) = wanted {
            let params = format!(r#"{{"level":"{name}"}}"#);
            let request =
                mcp_wire::request(&Id::number(0), method::SET_LEVEL, Some(params.as_bytes()));
            own::tell(&*self.server, self.feed, request, self.settings().request);
        }
    }

    /// A log record names no call. It goes to the only one in progress, if that wants records of its
    /// severity; otherwise it reaches nobody: on another's stream it would be a leak.
    fn logged(&self, record: &Message) {
        let only = self.in_flight.load(Ordering::Acquire) == 1;
        let round = {
            let logs = self.logs.lock();
            logs.wanting
                .first()
                .filter(|_| only)
                .and_then(Weak::upgrade)
        };
        let severity = level::severity(record);
        match round.filter(|round| round.level.is_some_and(|level| severity >= level)) {
            Some(round) => round.log(record.clone()),
            None => tracing::debug!(target: "translate", "dropped a log record of no single call"),
        }
    }
}

/// What the server says of its own accord. Called under its lock.
impl Station {
    fn heard(self: &Arc<Self>, event: Event) {
        match event {
            Event::Notify(message) => match message.method().unwrap_or_default() {
                method::LOG_MESSAGE => self.logged(&message),
                name => {
                    if name == method::TOOLS_LIST_CHANGED {
                        self.tools.is_to_be_read();
                        let reader = Arc::clone(self);
                        tokio::spawn(async move { reader.read_tools().await });
                    }
                    self.desk.changed(&message);
                }
            },
            Event::Ask { ask, question } => self.asked(ask, &question),
            Event::Withdraw { ask, .. } => {
                self.outside.lock().take_if(|outside| *outside == ask);
            }
            Event::Done(_) => {
                self.desk.closed(self);
                self.changed.notify_waiters();
            }
        }
    }

    /// A question that belongs to no call. Only roots may be asked for so: they are kept for the next
    /// client that can tell, unless it is known what to say.
    fn asked(self: &Arc<Self>, ask: AskId, question: &Message) {
        let roots = question.method() == Some(method::ROOTS_LIST);
        if roots && let Some(known) = self.desk.roots(self.profile) {
            self.answer_later(ask, mcp_wire::result_message(&Id::number(0), &known));
        } else if roots && self.desk.is_of_one() && self.profile.has(Profile::ROOTS) {
            let before = self.outside.lock().replace(ask);
            if let Some(before) = before {
                self.answer_later(before, refusal("this was asked again"));
            }
        } else {
            let error = mcp_wire::error_message(
                Some(&Id::number(0)),
                ErrorCode::INTERNAL_ERROR,
                "nobody can be asked outside a call",
                None,
            );
            self.answer_later(ask, error);
        }
    }

    /// The question for roots that belongs to no call, for whoever is asked it now.
    pub(super) fn take_outside(&self) -> Option<AskId> {
        self.outside.lock().take()
    }

    /// Answers from a task of its own: whoever calls this holds the server's lock.
    pub(super) fn answer_later(self: &Arc<Self>, ask: AskId, reply: Message) {
        let station = Arc::clone(self);
        tokio::spawn(async move {
            let _late = station.server.answer(station.feed, ask, reply);
        });
    }

    /// What a client has said of its roots is good for the next server, too.
    pub(super) fn remember_roots(&self, answer: Bytes) {
        if self.desk.is_of_one() {
            self.desk.remember_roots(self.profile, answer);
        }
    }
}

/// A server's time: one call that may lead to questions, so that a question is that call's. Given
/// back when it is dropped, once the server has calmed down.
pub struct Lease {
    station: Arc<Station>,
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lease")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let station = Arc::clone(&self.station);
        // From a task of its own: whoever drops this may hold the server's lock.
        tokio::spawn(async move {
            while station.is_restless() && !station.is_gone() {
                tokio::time::sleep(CALMING).await;
            }
            station.leased.store(false, Ordering::Release);
            station.changed.notify_waiters();
        });
    }
}
