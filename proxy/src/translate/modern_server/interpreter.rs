//! The interpreter itself: the machine's lock, and the server behind it.

use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use mcp_wire::Message;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::calls;
use super::machine::{Machine, Sending, Work, Works};
use crate::exchange::{
    AskId, Call, Crash, Event, ExchangeId, FeedId, Key, Loss, Mirrored, Outlet, Push, Refusal,
    Revival, Seated, Server, Sink,
};

/// Before a server that ended a subscription by itself is asked for another one.
const LISTEN_PAUSE: Duration = Duration::from_secs(1);

/// The only place at an interpreter: its client's.
const PLACE: FeedId = FeedId(0);

/// A server of 2026-07-28 as one client of the session eras sees it.
pub struct Interpreter {
    /// Itself, for what the server will say.
    me: Weak<Self>,
    server: Seated,
    machine: Mutex<Machine>,
}

impl fmt::Debug for Interpreter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interpreter")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl Interpreter {
    /// For a session, whose standing events go to `standing`. `discovered` is the text of the
    /// server's `DiscoverResult`.
    #[must_use]
    pub fn of_session(server: Seated, discovered: Bytes, standing: Outlet) -> Arc<Self> {
        Self::with(server, Machine::new(discovered, standing, true))
    }

    /// For requests that belong to no session: nobody can be asked, and nobody hears what belongs to
    /// no call.
    #[must_use]
    pub fn of_requests(server: Seated, discovered: Bytes) -> Arc<Self> {
        let (unheard, _tap) = Outlet::new(0);
        unheard.close();
        Self::with(server, Machine::new(discovered, unheard, false))
    }

    fn with(server: Seated, machine: Machine) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            server,
            machine: Mutex::new(machine),
        })
    }

    /// The client's place.
    #[must_use]
    pub fn seat(self: &Arc<Self>) -> Seated {
        Seated {
            server: Arc::<Self>::clone(self),
            feed: PLACE,
        }
    }

    /// Tells the server what the client had told its predecessor, when it next hears of the client.
    /// Subscriptions are opened at once; nobody waits for them.
    pub fn revive(&self, revival: &Revival) {
        let works = self.machine.lock().revive(revival);
        self.work(works);
    }

    /// Ends what waits in vain: for answers to the questions of a server that has ended, and for
    /// subscriptions whose time is over. To be called about once a second.
    pub fn sweep(&self, now: Instant) {
        let gone = self.server.server.is_gone();
        self.machine.lock().expire(now, gone);
    }

    /// Does at the server what has come up. Not to be called with the machine's lock held, nor by the
    /// server.
    fn work(&self, works: Works) {
        let mut works = works;
        while !works.is_empty() {
            let mut more = Works::new();
            for work in works {
                more.extend(self.one(work));
            }
            works = more;
        }
    }

    fn one(&self, work: Work) -> Works {
        let Seated { server, feed } = &self.server;
        match work {
            Work::Send(sending) => {
                let key = sending.key;
                if let Err(refusal) = self.send(sending) {
                    let loss = match refusal {
                        Refusal::Gone => calls::ended(),
                        other => Loss {
                            sentence: other.to_string(),
                            ..calls::ended()
                        },
                    };
                    self.machine.lock().lost(key, loss);
                }
            }
            Work::Cancel(key, notice) => server.cancel(key, notice),
            Work::Listen(number, message) => {
                let call = Call {
                    message,
                    exchange: ExchangeId(number),
                    outlet: self.ear(About::News(number)),
                    // A subscription has all the time in the world.
                    deadline: Instant::now(),
                };
                match server.call(*feed, call) {
                    Ok(key) if self.machine.lock().listening.taken(number, key) => {}
                    Ok(key) => server.cancel(key, None),
                    Err(_) => return self.machine.lock().unheard(number),
                }
            }
            Work::Rest => {
                let me = Weak::clone(&self.me);
                tokio::spawn(async move {
                    tokio::time::sleep(LISTEN_PAUSE).await;
                    if let Some(me) = me.upgrade() {
                        let works = me.machine.lock().again();
                        me.work(works);
                    }
                });
            }
            Work::Look => self.sweep(Instant::now()),
            Work::Tell(notification) => {
                // A server that takes nothing has its own end.
                let _unheard = server.tell(*feed, notification);
            }
        }
        Works::new()
    }

    fn send(&self, sending: Sending) -> Result<(), Refusal> {
        let Sending {
            key,
            round,
            message,
            deadline,
        } = sending;
        let call = Call {
            message,
            exchange: ExchangeId(key),
            outlet: self.ear(About::Call(key)),
            deadline,
        };
        let inner = self.server.server.call(self.server.feed, call)?;
        let wanted = self.machine.lock().sent(key, round, inner);
        if !wanted {
            // Given up meanwhile, or over already, which is no matter then.
            self.server.server.cancel(inner, None);
        }
        Ok(())
    }

    fn ear(&self, about: About) -> Outlet {
        Outlet::through(Arc::new(Ear {
            interpreter: Weak::clone(&self.me),
            about,
        }))
    }
}

impl Server for Interpreter {
    fn call(&self, _feed: FeedId, call: Call) -> Result<Key, Refusal> {
        if self.is_gone() {
            return Err(Refusal::Gone);
        }
        let (key, works) = self.machine.lock().call(call);
        for work in works {
            match work {
                Work::Send(sending) => {
                    if let Err(refusal) = self.send(sending) {
                        self.machine.lock().unsent(key);
                        return Err(refusal);
                    }
                }
                other => self.work(Works::from_iter([other])),
            }
        }
        Ok(key)
    }

    fn tell(&self, _feed: FeedId, notification: Message) -> Result<(), Refusal> {
        if self.is_gone() {
            return Err(Refusal::Gone);
        }
        let works = self.machine.lock().tell(notification);
        self.work(works);
        Ok(())
    }

    fn answer(&self, _feed: FeedId, ask: AskId, reply: Message) -> bool {
        let works = self.machine.lock().answer(ask, &reply, Instant::now());
        works.map(|works| self.work(works)).is_some()
    }

    fn cancel(&self, key: Key, notice: Option<Message>) {
        let works = self.machine.lock().cancel(key, notice);
        self.work(works);
    }

    fn attach(&self, key: Key, outlet: Outlet) {
        if let Some(call) = self.machine.lock().calls.get_mut(&key) {
            call.outlet = outlet.instead_of(&call.outlet);
        }
    }

    /// The subscription is not counted: it is there for as long as the client is.
    fn in_flight(&self, _feed: FeedId) -> usize {
        let machine = self.machine.lock();
        let calls = machine.calls.values();
        calls.filter(|call| call.is_worked_on()).count()
    }

    /// The server has others to serve, so it is not left: it is told what nobody waits for.
    fn leave(&self, _feed: FeedId, loss: &Loss) {
        let works = self.machine.lock().leave(loss);
        self.work(works);
    }

    fn is_gone(&self) -> bool {
        self.server.server.is_gone()
    }

    fn crash(&self) -> Crash {
        self.server.server.crash()
    }

    /// Nothing is repeated in headers in these eras.
    fn mirrored(&self, _tool: &str) -> Option<Arc<[Mirrored]>> {
        None
    }

    fn tools_are_known(&self) -> bool {
        true
    }

    fn read_tools_again(self: Arc<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(ready(()))
    }
}

/// Hears the server in the client's place.
struct Ear {
    interpreter: Weak<Interpreter>,
    about: About,
}

/// What an ear hears of.
#[derive(Clone, Copy, Debug)]
enum About {
    /// The call of this key.
    Call(Key),
    /// The subscription of this number.
    News(u64),
}

impl fmt::Debug for Ear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ear({:?})", self.about)
    }
}

impl Sink for Ear {
    fn push(&self, _exchange: ExchangeId, event: Event) -> Push {
        let Some(interpreter) = self.interpreter.upgrade() else {
            return Push::Closed;
        };
        let works = {
            let mut machine = interpreter.machine.lock();
            match self.about {
                About::Call(key) => machine.heard(key, event, Instant::now()),
                About::News(number) => machine.news(number, event),
            }
        };
        if !works.is_empty() {
            // The server is calling us, so it cannot be called from here.
            tokio::spawn(async move { interpreter.work(works) });
        }
        Push::Taken
    }

    fn is_attended(&self) -> bool {
        let Some(interpreter) = self.interpreter.upgrade() else {
            return false;
        };
        let machine = interpreter.machine.lock();
        match self.about {
            About::Call(key) => {
                let call = machine.calls.get(&key);
                call.is_some_and(|call| call.outlet.is_attended())
            }
            About::News(_) => machine.standing.is_attended(),
        }
    }
}
