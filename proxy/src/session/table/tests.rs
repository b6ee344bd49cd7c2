//! What a table finds, what it has room for, and what it makes of what was kept.

use bytes::Bytes;
use mcp_wire::Message;

use super::*;
use crate::session::Note;

fn bounds(cap: usize) -> Bounds {
    Bounds {
        cap,
        idle: Duration::from_secs(60),
        child_idle: None,
        yield_after: Duration::from_secs(60),
        session: SessionLimits {
            replay: 1 << 10,
            outlet: 1 << 20,
            ends_with_child: false,
        },
    }
}

fn message(text: &'static str) -> Message {
    Message::parse(Bytes::from_static(text.as_bytes())).unwrap()
}

fn session() -> Arc<Session> {
    Session::new(
        SessionId::random(None).unwrap(),
        Principal::anonymous(),
        &message(r#"{"jsonrpc":"2.0","id":1,"method":"initialize"}"#),
        bounds(1).session,
    )
}

fn begun() -> Arc<Session> {
    let session = session();
    let result = r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25"}}"#;
    session.noted(&Note::Initialize, &message(result));
    session
}

/// What a proxy that is started again finds of this table.
fn restarted(before: &Table, cap: usize) -> Table {
    let (lasting, _) = before.lasting();
    let kept = lasting.into_iter().map(|(key, server, session)| {
        let (kept, _) = session.kept(&server, None, Duration::ZERO).unwrap();
        (key, kept)
    });
    let after = Table::new(bounds(cap));
    after.restore(kept.collect());
    after
}

#[test]
fn neighbours_share_the_bound_and_see_their_own_only() {
    let (one, me) = (Table::new(bounds(2)), Principal::anonymous());
    let other = one.neighbour("other");
    let (mine, theirs) = (session(), session());
    one.enter(Arc::clone(&mine)).unwrap();
    other.enter(Arc::clone(&theirs)).unwrap();
    assert_eq!((one.len(), other.len()), (1, 1));
    assert!(one.find(mine.id().as_str(), &me).is_some());
    assert!(one.find(theirs.id().as_str(), &me).is_none());
    assert!(!other.has(mine.id().as_str()) && other.has(theirs.id().as_str()));
    // The third is one too many for both together, as long as all are in use.
    assert!(one.enter(session()).is_err() && other.enter(session()).is_err());
    other.end_all();
    assert!(other.is_empty() && theirs.is_ended() && !mine.is_ended());
    one.enter(session()).unwrap();
    assert_eq!((one.len(), other.len()), (2, 0));
}

#[test]
fn what_was_kept_is_found_by_its_principal_at_its_server() {
    let (before, me) = (Table::new(bounds(9)), Principal::anonymous());
    let before = before.neighbour("time");
    let (kept, unfinished) = (begun(), session());
    before.enter(Arc::clone(&kept)).unwrap();
    before.enter(Arc::clone(&unfinished)).unwrap();
    let after = restarted(&before, 9);
    let (time, other) = (after.neighbour("time"), after.neighbour("other"));
    let id = kept.id().as_str();
    assert!(time.has(id) && !other.has(id));
    assert!(other.find(id, &me).is_none());
    assert!(time.find(id, &Principal::named("eve")).is_none());
    assert!(time.find(unfinished.id().as_str(), &me).is_none());
    assert!(time.is_empty(), "nobody had the right to it yet");
    let found = time.find(id, &me).unwrap();
    assert_eq!(found.version(), kept.version());
    assert!(Arc::ptr_eq(&time.find(id, &me).unwrap(), &found));
    assert_eq!(after.lasting().1, []);
    // Once ended it is gone for good.
    assert!(time.end(found.id()) && !time.has(id));
}

#[test]
fn what_was_kept_counts_and_makes_room_and_ends() {
    let before = Table::new(bounds(9)).neighbour("time");
    let first = begun();
    for session in [Arc::clone(&first), begun(), begun()] {
        before.enter(session).unwrap();
    }
    let after = restarted(&before, 2);
    assert_eq!(after.lasting().1.len(), 2, "no more than there may be");
    let time = after.neighbour("time");
    time.enter(session()).unwrap();
    assert_eq!(after.lasting().1.len(), 1);
    time.sweep(Instant::now() + Duration::from_secs(59));
    assert_eq!(after.lasting().1.len(), 1);
    time.sweep(Instant::now() + Duration::from_secs(61));
    assert_eq!(after.lasting().1.len(), 0);
    // A server that is taken out takes its own along.
    let after = restarted(&before, 9);
    after.neighbour("other").end_all();
    assert_eq!(after.lasting().1.len(), 3);
    after.neighbour("time").end_all();
    assert_eq!(after.lasting().1.len(), 0);
}
