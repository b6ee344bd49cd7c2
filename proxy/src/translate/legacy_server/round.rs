//! One call at a server, heard in the place of its client.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use mcp_wire::{ErrorCode, Id, Member, Message, method};
use parking_lot::Mutex;
use smallvec::{SmallVec, smallvec};
use tokio::time::Instant;

use super::long::{self, Long};
use super::question::{Question, refusal, required};
use super::stamp;
use super::state::{Answered, ParkId};
use super::station::{Lease, Station};
use super::task;
use crate::exchange::{
    AskId, Call, Event, ExchangeId, Key, Outcome, Outlet, Principal, Profile, Push, Sink,
};

/// Questions one call may have open. Each is a person's attention or a model's.
const MAX_OPEN: usize = 32;

/// How long a server has to end a call whose questions were answered for its client.
const ENDING: Duration = Duration::from_millis(500);

/// Between two looks whether it has.
const LOOK: Duration = Duration::from_millis(20);

/// The largest answer that is kept for a client that sends its retry twice, in bytes.
const MAX_KEPT: usize = 256 << 10;

/// A call, from the client's request to the answer, over all its rounds.
pub(super) struct Round {
    pub(super) me: Weak<Self>,
    pub(super) station: Arc<Station>,
    pub(super) principal: Principal,
    /// The client's request; kept where its digest may be needed.
    pub(super) request: Option<Message>,
    pub(super) may_ask: bool,
    /// The tool is one that runs as a task; how long it may take.
    pub(super) task: Option<Duration>,
    /// Its client knows tasks.
    pub(super) knows_tasks: bool,
    /// The method is one of the specification's.
    known: bool,
    cacheable: bool,
    /// Severity from which the client wants log records about this call.
    pub(super) level: Option<usize>,
    /// By which the server's conversation knows the call.
    pub(super) key: OnceLock<Key>,
    /// The call went to the server, or is on its way.
    pub(super) sent: AtomicBool,
    /// The server is done with the call.
    served: AtomicBool,
    pub(super) inner: Mutex<Inner>,
}

pub(super) struct Inner {
    pub(super) phase: Phase,
    /// Who waits for what comes next. A client that sends its retry twice waits twice.
    pub(super) clients: SmallVec<[(Outlet, ExchangeId); 1]>,
    pub(super) token: Token,
    pub(super) lease: Option<Lease>,
    /// Absent as long as nothing was asked.
    pub(super) asked: Option<Box<Asked>>,
    /// The task it has become.
    pub(super) long: Option<Box<Long>>,
}

/// Where a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The server works.
    Running,
    /// The server has asked, and may ask more at once.
    Gathering,
    /// The client has been asked.
    Parked,
    /// The client has a task to ask after.
    Long,
    Over,
}

/// By which the client knows progress.
#[derive(Debug)]
pub(super) enum Token {
    /// As in the request that went to the server.
    AsSent,
    /// As in the retry the client waits for; it need not have one.
    Now(Option<Bytes>),
}

/// What was asked in a call.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) park: Option<ParkId>,
    /// Rounds the client was given.
    pub(super) round: u32,
    /// Questions so far.
    pub(super) number: u32,
    pub(super) open: Vec<Question>,
    /// Answers the client gave before anything was asked, the text of an object. They are for
    /// questions whose key it can know.
    pub(super) given: Option<Bytes>,
    /// Answers of the same call's former life.
    pub(super) script: Vec<Answered>,
    /// Answers of this one.
    pub(super) record: Vec<Answered>,
    /// The last round that was answered, and the digest of the answers.
    pub(super) consumed: Option<(u32, String)>,
    /// What that led to.
    pub(super) outcome: Option<Message>,
    /// A call that was not sent yet: the server wants to know something first.
    pub(super) held: Option<Call>,
}

impl std::fmt::Debug for Round {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Round")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl Round {
    pub(super) fn new(
        station: &Arc<Station>,
        principal: &Principal,
        call: &Call,
        lease: Option<Lease>,
        asked: Option<Box<Asked>>,
    ) -> Arc<Self> {
        let message = &call.message;
        let properties = method::properties(message.method().unwrap_or_default());
        let may_ask = properties.may_ask;
        let task = needs_task(station, message)
            .then(|| call.deadline.saturating_duration_since(Instant::now()));
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            station: Arc::clone(station),
            principal: principal.clone(),
            request: (may_ask && !station.profile.is_none()).then(|| message.clone()),
            may_ask,
            knows_tasks: task.is_some() && long::declares(message),
            task,
            known: method::is_known(message.method().unwrap_or_default()),
            cacheable: properties.cacheable,
            level: message
                .string(Member::MetaLogLevel)
                .and_then(|name| crate::exchange::level::position(&name)),
            key: OnceLock::new(),
            sent: AtomicBool::new(false),
            served: AtomicBool::new(false),
            inner: Mutex::new(Inner {
                phase: Phase::Running,
                clients: smallvec![(call.outlet.clone(), call.exchange)],
                token: Token::AsSent,
                lease,
                asked,
                long: None,
            }),
        })
    }

    /// A log record about this call.
    pub(super) fn log(&self, record: Message) {
        self.tell(record);
    }

    fn tell(&self, message: Message) {
        let clients = self.inner.lock().clients.clone();
        for (outlet, exchange) in clients {
            outlet.push(exchange, Event::Notify(message.clone()));
        }
    }

    /// After the first round the client knows progress by the token of its retry.
    fn progressed(&self, mut message: Message) {
        match &self.inner.lock().token {
            Token::AsSent => {}
            Token::Now(None) => return,
            Token::Now(Some(token)) => {
                message.replace(Member::ProgressedToken, token.clone());
            }
        }
        self.tell(message);
    }

    fn asked(&self, ask: AskId, message: &Message) {
        let mut inner = self.inner.lock();
        if inner.phase == Phase::Over {
            drop(inner);
            self.station.answer_later(ask, refusal("the call is over"));
            return;
        }
        let phase = inner.phase;
        let asked = inner.asked.get_or_insert_default();
        asked.number += 1;
        let question = match Question::read(ask, message, self.station.profile, asked.number) {
            Ok(question) => question,
            Err(kind) => {
                drop(inner);
                self.refuse(ask, kind);
                return;
            }
        };
        if let Some(reply) = known_answer(asked, &question, self) {
            drop(inner);
            self.station.answer_later(ask, reply);
            return;
        }
        if asked.open.len() >= MAX_OPEN {
            drop(inner);
            self.station
                .answer_later(ask, refusal("too many questions are open"));
            return;
        }
        asked.open.push(question);
        if phase == Phase::Running {
            inner.phase = Phase::Gathering;
            drop(inner);
            self.gather();
        } else if phase == Phase::Long {
            drop(inner);
            self.asked_as_task(ask);
        }
    }

    /// The server asks what its client did not say it can be asked (rule 4): the call cannot be
    /// finished.
    fn refuse(&self, ask: AskId, kind: Option<Profile>) {
        let Some(kind) = kind else {
            let error = mcp_wire::error_message(
                Some(&Id::number(0)),
                ErrorCode::METHOD_NOT_FOUND,
                "there is no such question",
                None,
            );
            self.station.answer_later(ask, error);
            return;
        };
        let error = mcp_wire::error_message(
            Some(&Id::number(0)),
            ErrorCode::MISSING_REQUIRED_CLIENT_CAPABILITY,
            "the MCP server asked for something this request did not declare",
            Some(required(kind).as_bytes()),
        );
        let lease = self.finish(Outcome::Error(error));
        self.give_up(
            vec![(ask, refusal("the client cannot be asked this"))],
            lease,
        );
    }

    /// Tells the server that the call is given up, from a task of its own: whoever calls this may
    /// hold the server's lock. The lease is kept until then.
    ///
    /// First its questions are answered, by which most calls end; only one that goes on is cancelled.
    /// Both at once is more than some servers survive: the Python SDK 1.x ends when a request it has
    /// just answered is cancelled.
    pub(super) fn give_up(&self, replies: Vec<(AskId, Message)>, lease: Option<Lease>) {
        let Some(round) = self.me.upgrade() else {
            return;
        };
        tokio::spawn(async move {
            let Station { server, feed, .. } = &*round.station;
            for (ask, reply) in replies {
                let _late = server.answer(*feed, ask, reply);
            }
            let key = if round.sent.load(Ordering::Acquire) {
                round.known_key(&round.station).await
            } else {
                None
            };
            let patience = Instant::now() + ENDING;
            while !round.served.load(Ordering::Acquire) && Instant::now() < patience {
                tokio::time::sleep(LOOK).await;
            }
            if let Some(key) = key {
                round.station.end_task(key);
                server.cancel(key, None);
            }
            drop(lease);
        });
    }

    fn withdrawn(&self, ask: AskId) {
        if let Some(asked) = &mut self.inner.lock().asked {
            asked.open.retain(|question| question.ask != ask);
        }
    }

    fn done(&self, outcome: Outcome) {
        if let (Some(left), Outcome::Result(result)) = (self.task, &outcome)
            && let Some(id) = task::made(result)
        {
            self.wait_for(id, left);
            return;
        }
        self.served.store(true, Ordering::Release);
        let outcome = match outcome {
            Outcome::Result(mut message) => {
                let welcome = &self.station.welcome;
                stamp::complete(&mut message, &welcome.info, &welcome.stamps, self.cacheable);
                Outcome::Result(message)
            }
            Outcome::Error(message) => {
                if stamp::code(&message) == Some(ErrorCode::URL_ELICITATION_REQUIRED) {
                    self.send_elsewhere(&message)
                } else {
                    Outcome::Error(stamp::error(message, self.known))
                }
            }
            ended => ended,
        };
        if let (Some(_), Some(key)) = (self.task, self.key.get()) {
            self.station.forget_task(*key);
        }
        drop(self.finish(outcome));
    }

    /// Ends the call towards its client. Whoever is given the lease drops it when the server is done
    /// with the call, too.
    #[must_use]
    pub(super) fn finish(&self, outcome: Outcome) -> Option<Lease> {
        let (clients, lease, park, long) = {
            let mut inner = self.inner.lock();
            if inner.phase == Phase::Over {
                return None;
            }
            let unheard = inner.phase == Phase::Parked;
            inner.phase = Phase::Over;
            let mut park = None;
            let long = inner.long.as_mut().map(|long| {
                long.end(&outcome);
                long.id
            });
            if let Some(asked) = &mut inner.asked {
                asked.open.clear();
                asked.held = None;
                park = asked.park.map(|park| (park, unheard));
                asked.outcome = kept(&outcome);
            }
            let clients = std::mem::take(&mut inner.clients);
            (clients, inner.lease.take(), park, long)
        };
        self.station.over(self);
        if let Some(id) = long {
            self.station.desk.long_ended(id);
        }
        if let Some((park, unheard)) = park {
            self.station.set_waiting(None);
            // Nobody was there to hear how it ended: who comes back finds no call.
            self.station.desk.ended(park, unheard);
        }
        let mut outcomes = copies(outcome, clients.len()).into_iter();
        for ((outlet, exchange), outcome) in clients.into_iter().zip(&mut outcomes) {
            outlet.push(exchange, Event::Done(outcome));
        }
        lease
    }
}

/// Whether a call is of a tool that runs as a task or not at all.
fn needs_task(station: &Station, message: &Message) -> bool {
    station.welcome.tasks
        && message.method() == Some(method::TOOLS_CALL)
        && message
            .string(Member::Name)
            .is_some_and(|name| station.tools.now().needs_task(&name))
}

/// The answer to a question that need not be asked: it was answered in the call's former life, or
/// before it was asked.
fn known_answer(asked: &mut Asked, question: &Question, round: &Round) -> Option<Message> {
    let version = round.station.welcome.version;
    let scripted = asked
        .script
        .iter()
        .position(|answer| answer.digest == question.digest);
    if let Some(at) = scripted {
        let answer = asked.script.remove(at);
        let reply = question.reply(answer.text.get().as_bytes(), version)?;
        asked.record.push(answer);
        return Some(reply);
    }
    if !question.hinted {
        return None;
    }
    let given = asked.given.as_ref()?;
    let answer = mcp_wire::object::get(given, &question.key)?;
    let reply = question.reply(answer, version)?;
    let text = serde_json::from_slice(answer).ok()?;
    asked.record.push(Answered {
        digest: question.digest.clone(),
        text,
    });
    Some(reply)
}

/// What is kept of an answer, for a client that asks for it again.
fn kept(outcome: &Outcome) -> Option<Message> {
    match outcome {
        Outcome::Result(message) | Outcome::Error(message) if message.len() <= MAX_KEPT => {
            Message::parse(Bytes::copy_from_slice(&message.to_bytes())).ok()
        }
        _ => None,
    }
}

/// The same outcome for each of several clients; there is nearly always one.
fn copies(outcome: Outcome, count: usize) -> Vec<Outcome> {
    let copy = |outcome: &Outcome| match outcome {
        Outcome::Result(message) => Outcome::Result(message.clone()),
        Outcome::Error(message) => Outcome::Error(message.clone()),
        Outcome::Lost(loss) => Outcome::Lost(loss.clone()),
        Outcome::Cancelled => Outcome::Cancelled,
    };
    let mut outcomes: Vec<Outcome> = (1..count).map(|_| copy(&outcome)).collect();
    outcomes.push(outcome);
    outcomes
}

impl Sink for Round {
    fn push(&self, _exchange: ExchangeId, event: Event) -> Push {
        match event {
            Event::Notify(message) if message.method() == Some(method::PROGRESS) => {
                self.progressed(message);
            }
            Event::Notify(message) => self.tell(message),
            Event::Ask { ask, question } => self.asked(ask, &question),
            Event::Withdraw { ask, .. } => self.withdrawn(ask),
            Event::Done(outcome) => {
                self.done(outcome);
            }
        }
        Push::Taken
    }

    fn is_attended(&self) -> bool {
        let inner = self.inner.lock();
        inner.clients.iter().any(|(outlet, _)| outlet.is_attended())
    }
}
