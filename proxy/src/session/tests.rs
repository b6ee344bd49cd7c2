//! A session between a server that died and its successor, and what it keeps for absent clients.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Session, SessionId, SessionLimits, StreamId, Unresumable};
use crate::exchange::{
    Event, ExchangeId, Item, Outlet, Principal, Refusal, Seat, Seated, Servers, Tagged,
};
use crate::flows::stage::{Stage, message};

fn session() -> Arc<Session> {
    Session::new(
        SessionId::random(None).unwrap(),
        Principal::anonymous(),
        &message(r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#),
        SessionLimits {
            replay: 1 << 16,
            outlet: 64 << 20,
            ends_with_child: false,
        },
    )
}

/// Servers that take a second for a seat, and then have one or refuse.
#[derive(Default)]
struct Slow {
    stage: Option<Arc<Mutex<Stage>>>,
    asked: Mutex<usize>,
}

const A_SECOND: Duration = Duration::from_secs(1);

impl Servers for Slow {
    fn pause(&self) -> Option<Duration> {
        None
    }

    fn seat<'a>(
        &'a self,
        seat: Seat,
    ) -> Pin<Box<dyn Future<Output = Result<Seated, Refusal>> + Send + 'a>> {
        Box::pin(async move {
            *self.asked.lock() += 1;
            let Some(stage) = &self.stage else {
                tokio::time::sleep(A_SECOND).await;
                return Err(Refusal::Full { cap: 1 });
            };
            let seated = stage.lock().seat(seat.standing);
            let _first = seat.early.set(seated.clone());
            tokio::time::sleep(A_SECOND).await;
            Ok(seated)
        })
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_given_while_a_successor_is_told_things_finds_it() {
    let stage = Arc::new(Mutex::new(Stage::of_one()));
    let servers = Slow {
        stage: Some(Arc::clone(&stage)),
        ..Slow::default()
    };
    let session = session();
    let mut standing = session.take_standing(false).unwrap();
    let taking = session.seated(&servers);
    let answering = async {
        tokio::time::sleep(A_SECOND / 2).await;
        stage.lock().asks("\"r\"", "roots/list");
        let Some(Item::Event(Tagged {
            event: Event::Ask { ask, question },
            ..
        })) = standing.next().await
        else {
            panic!("the question arrives before the seat is taken");
        };
        let reply = mcp_wire::result_message(&question.id().unwrap(), br#"{"roots":[]}"#);
        assert!(session.answer(ask, reply));
        assert!(stage.lock().hears().result().is_some());
    };
    let (seated, ()) = tokio::join!(taking, answering);
    seated.unwrap();
}

#[tokio::test(start_paused = true)]
async fn requests_that_wait_for_one_server_share_its_failure() {
    let servers = Slow::default();
    let session = session();
    let began = Instant::now();
    let wait = || session.seated(&servers);
    let outcomes = tokio::join!(wait(), wait(), wait(), wait());
    for outcome in [outcomes.0, outcomes.1, outcomes.2, outcomes.3] {
        assert!(matches!(outcome, Err(Refusal::Full { .. })));
    }
    assert_eq!(began.elapsed(), A_SECOND);
    assert_eq!(*servers.asked.lock(), 1);
    // Whoever comes later may try again.
    assert!(session.seated(&servers).await.is_err());
    assert_eq!(*servers.asked.lock(), 2);
}

#[tokio::test(start_paused = true)]
async fn only_a_session_nobody_came_back_to_is_put_to_sleep() {
    let servers = Slow {
        stage: Some(Arc::new(Mutex::new(Stage::of_one()))),
        ..Slow::default()
    };
    let session = session();
    session.seated(&servers).await.unwrap();
    let before = Instant::now();
    session.touch();
    tokio::time::sleep(A_SECOND).await;
    // A request came between the look and the deed.
    session.touch();
    assert!(!session.sleep(before));
    assert!(session.is_awake());
    let now = Instant::now();
    assert!(session.sleep(now));
    assert!(!session.is_awake());
    // Its next request has a server again.
    session.seated(&servers).await.unwrap();
    assert_eq!(*servers.asked.lock(), 2);
}

#[test]
fn what_waits_for_absent_clients_is_bounded_for_all_streams_together() {
    let session = session();
    let big = message(&format!(
        r#"{{"jsonrpc":"2.0","method":"n","params":{{"text":"{}"}}}}"#,
        "x".repeat(2 << 20)
    ));
    let streams: Vec<StreamId> = (0..20)
        .map(|n| {
            let (outlet, unread) = Outlet::new(64 << 20);
            drop(unread);
            let exchange = ExchangeId(n + 1);
            outlet.push(exchange, Event::Notify(big.clone()));
            session.open_stream(outlet, vec![exchange])
        })
        .collect();
    session.trim();
    let kept = streams
        .iter()
        .filter(|stream| session.resume(**stream, 0).is_ok())
        .count();
    assert_eq!(
        kept, 7,
        "seven of two mebibytes and a little fit into sixteen"
    );
    assert_eq!(
        session.resume(streams[0], 0).unwrap_err(),
        Unresumable::Unknown,
        "the oldest are given up first"
    );
}
