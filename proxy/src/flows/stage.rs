//! A server that follows a script: what it hears is kept, what it says is said by the test.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use mcp_wire::{Id, Member, Message};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::back::Conversation as _;
use crate::back::legacy::Legacy;
use crate::back::modern::{Modern, Neighbours};
use crate::exchange::{Call, ExchangeId, FeedId, Handle, Outlet, Principal, Seated, Server};
use crate::link::{End, EndReason, Inbound, Link, SendError};

/// A message from its text.
pub(crate) fn message(text: &str) -> Message {
    Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

/// What was written towards the server.
#[derive(Clone, Default)]
struct Ear {
    heard: Arc<Mutex<VecDeque<Message>>>,
    deaf: Arc<AtomicBool>,
}

impl Link for Ear {
    fn send(&self, sent: &Message) -> Result<(), SendError> {
        if self.deaf.load(Ordering::Relaxed) {
            return Err(SendError::Gone);
        }
        // As a line would arrive: parsed from what was written, not the object that was sent.
        self.heard
            .lock()
            .push_back(Message::parse(sent.to_bytes()).unwrap());
        Ok(())
    }

    fn stop(&self) {}
}

/// One scripted server.
pub(crate) struct Stage<S = Legacy> {
    pub(crate) server: Arc<S>,
    ear: Ear,
    mouth: Box<dyn Inbound>,
}

impl Stage {
    pub(crate) fn of_one() -> Self {
        Self::with(Legacy::of_one())
    }

    pub(crate) fn with(server: Arc<Legacy>) -> Self {
        let ear = Ear::default();
        server.connect(Box::new(ear.clone()));
        let mouth = server.inbound();
        Self { server, ear, mouth }
    }

    /// A client's place, with its standing stream.
    pub(crate) fn seat(&self, standing: Outlet) -> Seated {
        Seated {
            feed: self.server.seat(standing),
            server: Arc::clone(&self.server) as Arc<dyn Server>,
        }
    }
}

impl Stage<Modern> {
    pub(crate) fn modern(neighbours: Neighbours) -> Self {
        let server = Modern::new(neighbours);
        let ear = Ear::default();
        server.connect(Box::new(ear.clone()));
        let mouth = server.inbound();
        Self { server, ear, mouth }
    }

    /// A principal's place.
    pub(crate) fn seat_of(&self, name: &str) -> Seated {
        Seated {
            feed: self.server.seat(&Principal::named(name)),
            server: Arc::clone(&self.server) as Arc<dyn Server>,
        }
    }
}

impl<S> Stage<S> {
    /// The next line the server hears; there has to be one.
    #[track_caller]
    pub(crate) fn hears(&self) -> Message {
        self.ear
            .heard
            .lock()
            .pop_front()
            .expect("the server hears something")
    }

    /// The next line is a request or notification of this method.
    #[track_caller]
    pub(crate) fn hears_of(&self, method: &str) -> Message {
        let heard = self.hears();
        assert_eq!(heard.method(), Some(method), "{:?}", heard.source());
        heard
    }

    #[track_caller]
    pub(crate) fn hears_nothing(&self) {
        assert!(
            self.ear.heard.lock().is_empty(),
            "{:?}",
            self.ear.heard.lock()
        );
    }

    /// From now on it takes nothing, and says nothing of it.
    pub(crate) fn goes_deaf(&self) {
        self.ear.deaf.store(true, Ordering::Relaxed);
    }

    pub(crate) fn says(&mut self, text: &str) {
        self.mouth.message(message(text));
    }

    /// Answers a request it heard.
    pub(crate) fn answers(&mut self, request: &Message, result: &str) {
        let id = text(&request.id().unwrap());
        self.says(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#
        ));
    }

    /// Reports progress on a request it heard.
    pub(crate) fn progresses(&mut self, request: &Message, progress: u32) {
        let token = request.member(Member::ProgressToken).unwrap();
        let token = std::str::from_utf8(token).unwrap().to_owned();
        self.says(&format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":{progress}}}}}"#
        ));
    }

    /// Asks a question under an id of its own.
    pub(crate) fn asks(&mut self, id: &str, method: &str) {
        self.says(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{}}}}"#
        ));
    }

    /// It ends because it was told to.
    pub(crate) fn is_stopped(&mut self) {
        self.mouth.closed(End::new(EndReason::Stopped));
    }

    pub(crate) fn dies(&mut self) {
        self.mouth.closed(End::new(EndReason::Exited {
            code: Some(1),
            signal: None,
        }));
    }
}

/// A call of `tools/call` with this client id, and a progress token equal to it.
pub(crate) fn tools_call(id: &str, exchange: u64, outlet: &Outlet) -> Call {
    Call {
        message: message(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"t","_meta":{{"progressToken":{id}}}}}}}"#
        )),
        exchange: ExchangeId(exchange),
        outlet: outlet.clone(),
        deadline: Instant::now() + Duration::from_secs(300),
    }
}

/// Starts a call that must be taken.
#[track_caller]
pub(crate) fn start(seated: &Seated, call: Call) -> Handle {
    Handle::call(seated, call).unwrap()
}

/// An id's text.
pub(crate) fn text(id: &Id) -> String {
    String::from_utf8(id.text().to_vec()).unwrap()
}

/// The first seat of a server of one client.
pub(crate) const FIRST: FeedId = FeedId(0);
