//! The decorator: a place at a server, with the policies before it.
//!
//! # Theory of operation
//!
//! [`Policed`] is [`Servers`] around another one, and hands out seats whose server is a `Place`
//! around the real one. A call passes through [`Server::call`] on its way in, and on its way out
//! through its outlet, which tells a [`Watch`] how the exchange ended before the client hears of it.
//! So nothing is put between a server's line and its client but a function call, and every front is
//! served, without knowing.
//!
//! The pool writes the undecorated place into [`Seat::early`], for answers to questions that a
//! server asks while it is being revived. An answer passes through no policy, so that is the same
//! place.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mcp_wire::{Era, Message, method};
use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use super::audit::{self, Audit, Ending, Entry};
use super::deferred::{Deferred, Slot};
use super::hints::Hints;
use super::metrics::{Calls, Ended, Method};
use super::tools::ToolRules;
#[cfg(feature = "otlp")]
use super::traced::Traced;
use crate::exchange::{
    AskId, Call, Crash, Event, FeedId, Key, Loss, Mirrored, Outcome, Outlet, Principal, Refusal,
    Seat, Seated, Server, Servers, Watch,
};
use crate::observe::metrics;

/// The number of the next call.
static NEXT_REQUEST: AtomicU64 = AtomicU64::new(1);

/// The key of an exchange that was answered here. No server gives it out.
const ANSWERED: Key = 0;

/// What every call to one server goes through.
#[derive(Debug)]
pub struct Policies {
    calls: Calls,
    pub(super) tools: ToolRules,
    audit: Option<Audit>,
    /// What is known of the tools of clients that have no session.
    hints: Mutex<HashMap<(Era, Principal), Arc<Hints>>>,
}

/// Principals whose tools are remembered. Beyond that all are forgotten, and their next calls ask.
const MAX_PRINCIPALS: usize = 1000;

impl Policies {
    /// The policies of the server of this name.
    #[must_use]
    pub fn new(server: &str, tools: ToolRules, audit: Option<Audit>) -> Self {
        Self {
            calls: Calls::new(server),
            tools,
            audit,
            hints: Mutex::default(),
        }
    }

    /// Where it is kept what the tools do that this client has. A session's server is its own, and so
    /// is what it says.
    fn hints(&self, seat: &Seat) -> Arc<Hints> {
        if !self.tools.read_only || seat.session.is_some() {
            return Arc::default();
        }
        let mut hints = self.hints.lock();
        if hints.len() >= MAX_PRINCIPALS {
            hints.clear();
        }
        let whose = (seat.era, seat.principal.clone());
        Arc::clone(hints.entry(whose).or_default())
    }
}

/// Servers behind their policies.
pub struct Policed {
    servers: Arc<dyn Servers>,
    policies: Arc<Policies>,
}

impl Policed {
    /// These servers, behind these policies.
    #[must_use]
    pub fn new(servers: Arc<dyn Servers>, policies: Policies) -> Arc<Self> {
        Arc::new(Self {
            servers,
            policies: Arc::new(policies),
        })
    }
}

impl Servers for Policed {
    fn seat<'a>(
        &'a self,
        seat: Seat,
    ) -> Pin<Box<dyn Future<Output = Result<Seated, Refusal>> + Send + 'a>> {
        Box::pin(async move {
            let who = Arc::new(Who {
                policies: Arc::clone(&self.policies),
                era: seat.era,
                hints: self.policies.hints(&seat),
                principal: seat.principal.clone(),
                session: seat.session.clone(),
            });
            if seat.revival.is_some() {
                self.policies.calls.restarted();
            }
            let seated = self.servers.seat(seat).instrument(who.span());
            let seated = seated.await.inspect_err(count_budget)?;
            Ok(Seated {
                feed: seated.feed,
                server: Arc::new(Place {
                    server: seated.server,
                    who,
                    deferred: OnceLock::new(),
                }),
            })
        })
    }

    fn pause(&self) -> Option<Duration> {
        self.servers.pause()
    }
}

/// Counts what was refused because a bound was reached.
pub(super) fn count_budget(refusal: &Refusal) {
    metrics::budget(match refusal {
        Refusal::Full { .. } | Refusal::Varied { .. } => "children",
        Refusal::Queue { .. } => "starting",
        Refusal::Busy { .. } => "calls",
        Refusal::Asking { .. } => "questions",
        Refusal::Deaf { .. } => "queued",
        _ => return,
    });
}

/// One client's place at a server.
pub(super) struct Place {
    pub(super) server: Arc<dyn Server>,
    pub(super) who: Arc<Who>,
    /// Calls that wait until it is known what they would do; absent as long as there was none.
    pub(super) deferred: OnceLock<Arc<Deferred>>,
}

/// Whose place it is, and what its calls go through.
#[derive(Debug)]
pub(super) struct Who {
    pub(super) policies: Arc<Policies>,
    pub(super) era: Era,
    principal: Principal,
    session: Option<String>,
    /// What its tools do, where that matters.
    pub(super) hints: Arc<Hints>,
}

impl Who {
    /// What is logged while a place is found, and of a child that is started for it, says for whom. A
    /// session takes a place once; where every request does, that is no longer free, and the pool
    /// says for whom it starts something.
    fn span(&self) -> Span {
        match &self.session {
            Some(session) => tracing::info_span!(
                "session",
                %session,
                principal = self.principal.name().map(display),
            ),
            None => Span::none(),
        }
    }
}

impl Server for Place {
    fn call(&self, feed: FeedId, mut call: Call) -> Result<Key, Refusal> {
        let watched = Arc::new(Watched::begin(&self.who, &mut call.message));
        let watch: Arc<dyn Watch> = Arc::<Watched>::clone(&watched);
        // First counted, so that what is refused below is seen as well.
        call.outlet = call.outlet.watched(watch);
        if let Some(error) = self.who.policies.tools.refuse(&call.message) {
            watched.refused();
            metrics::refused("tool", None);
            let done = Event::Done(Outcome::Error(error));
            call.outlet.push(call.exchange, done);
            return Ok(ANSWERED);
        }
        if let Some(tool) = self.must_ask(&call.message) {
            return Ok(self.defer(feed, call, tool, &watched));
        }
        let called = watched.span.in_scope(|| self.server.call(feed, call));
        called.inspect_err(|refusal| {
            count_budget(refusal);
            match refusal {
                // Its front looks for another server; there it is a call again.
                Refusal::Gone => watched.taken_back(),
                _ => watched.refused(),
            }
        })
    }

    fn tell(&self, feed: FeedId, notification: Message) -> Result<(), Refusal> {
        self.server.tell(feed, notification)
    }

    fn answer(&self, feed: FeedId, ask: AskId, reply: Message) -> bool {
        self.server.answer(feed, ask, reply)
    }

    fn cancel(&self, key: Key, notice: Option<Message>) {
        match self.deferred.get().filter(|_| Deferred::has(key)) {
            Some(deferred) => deferred.cancel(key, notice, &*self.server),
            None => self.server.cancel(key, notice),
        }
    }

    fn attach(&self, key: Key, outlet: Outlet) {
        match self.deferred.get().filter(|_| Deferred::has(key)) {
            Some(deferred) => deferred.attach(key, outlet, &*self.server),
            None => self.server.attach(key, outlet),
        }
    }

    fn in_flight(&self, feed: FeedId) -> usize {
        let at_server = self.server.in_flight(feed);
        let deferred = self.deferred.get();
        deferred.map_or(at_server, |deferred| deferred.in_flight(at_server))
    }

    fn leave(&self, feed: FeedId, loss: &Loss) {
        if let Some(deferred) = self.deferred.get() {
            deferred.leave(loss);
        }
        self.server.leave(feed, loss);
    }

    fn is_gone(&self) -> bool {
        self.server.is_gone()
    }

    fn crash(&self) -> Crash {
        self.server.crash()
    }

    fn mirrored(&self, tool: &str) -> Option<Arc<[Mirrored]>> {
        self.server.mirrored(tool)
    }

    fn tools_are_known(&self) -> bool {
        self.server.tools_are_known()
    }

    fn read_tools_again(self: Arc<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Arc::clone(&self.server).read_tools_again()
    }
}

/// One call, from being taken until it ended.
#[derive(Debug)]
pub(super) struct Watched {
    who: Arc<Who>,
    /// Numbers the calls of this process: what is logged names a call by ours, never by its client's.
    request: u64,
    /// None but at the debug level, so that a call costs no allocation.
    span: Span,
    /// Its span for a collector.
    #[cfg(feature = "otlp")]
    traced: Option<Traced>,
    /// What the audit log will say.
    entry: Option<Entry>,
    method: Method,
    began: Instant,
    over: AtomicBool,
    /// The answer is a list of which some may have to go.
    lists_tools: bool,
    /// Where it waited before it was made, if it did.
    slot: OnceLock<Slot>,
}

impl Watched {
    fn begin(who: &Arc<Who>, message: &mut Message) -> Self {
        #[cfg(feature = "otlp")]
        let traced = Traced::begin(message);
        let name = message.method().unwrap_or_default();
        let method = Method::of(name);
        who.policies.calls.began();
        let request = NEXT_REQUEST.fetch_add(1, Ordering::Relaxed);
        let span = tracing::debug_span!(
            target: "call",
            "call",
            request,
            method = method.name(),
            server = who.policies.calls.server(),
            session = who.session.as_deref().map(display),
            principal = who.principal.name().map(display),
            child = Empty,
            trace = audit::trace(message).map(display),
        );
        let audit = who.policies.audit.as_ref();
        Self {
            who: Arc::clone(who),
            request,
            span,
            #[cfg(feature = "otlp")]
            traced,
            entry: audit.and_then(|audit| audit.entry(message)),
            method,
            lists_tools: name == method::TOOLS_LIST && !who.policies.tools.is_empty(),
            began: Instant::now(),
            over: AtomicBool::new(false),
            slot: OnceLock::new(),
        }
    }

    /// True for the first that says so: a call ends once.
    fn is_first_end(&self) -> bool {
        !self.over.swap(true, Ordering::Relaxed)
    }

    /// It waits there before it is made.
    pub(super) fn waits_at(&self, slot: Slot) {
        // A call waits once.
        let _first = self.slot.set(slot);
    }

    /// The call did not reach the server.
    pub(super) fn refused(&self) {
        if self.is_first_end() {
            let Who { policies, era, .. } = &*self.who;
            policies.calls.refused(*era, self.method);
            self.write_down(Ended::Refused);
        }
    }

    fn taken_back(&self) {
        if self.is_first_end() {
            self.who.policies.calls.taken_back();
        }
    }

    fn ended(&self, ended: Ended) {
        if self.is_first_end() {
            let Who { policies, era, .. } = &*self.who;
            let took = self.began.elapsed();
            policies.calls.ended(*era, self.method, ended, took);
            self.write_down(ended);
        }
    }

    fn write_down(&self, ended: Ended) {
        let who = &*self.who;
        #[cfg(feature = "otlp")]
        if let Some(traced) = &self.traced {
            let call = crate::observe::otlp::Ending {
                method: self.method.name(),
                server: who.policies.calls.server(),
                principal: who.principal.name(),
                session: who.session.as_deref(),
                request: self.request,
                ..Default::default()
            };
            traced.end(ended, call);
        }
        tracing::debug!(
            target: "call",
            parent: &self.span,
            outcome = ended.word(),
            took = ?self.began.elapsed(),
            "ended"
        );
        if let (Some(audit), Some(entry)) = (&who.policies.audit, &self.entry) {
            let ending = Ending {
                principal: who.principal.as_str(),
                server: who.policies.calls.server(),
                session: who.session.as_deref(),
                request: self.request,
                outcome: ended.word(),
                took: self.began.elapsed(),
            };
            audit.write(entry, &ending);
        }
    }
}

impl Watch for Watched {
    fn done(&self, mut outcome: Outcome) -> Outcome {
        self.ended(Ended::of(&outcome));
        if let Some(slot) = self.slot.get() {
            slot.over();
        }
        if let Outcome::Result(message) = &mut outcome
            && self.lists_tools
        {
            let tools = &self.who.policies.tools;
            if tools.read_only {
                let result = message.result().unwrap_or_default();
                self.who.hints.learn(result, Instant::now());
            }
            tools.thin(message);
        }
        outcome
    }
}

impl Drop for Watched {
    /// A server that was dropped with calls in flight tells nobody.
    fn drop(&mut self) {
        self.ended(Ended::Lost);
    }
}
