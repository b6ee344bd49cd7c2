//! Order, bounds, and whoever takes a stream over.

use bytes::Bytes;
use mcp_wire::Message;

use super::*;

fn note(n: usize) -> Event {
    let text = format!(r#"{{"jsonrpc":"2.0","method":"n","params":{{"n":{n}}}}}"#);
    Event::Notify(Message::parse(Bytes::from(text)).unwrap())
}

fn number(item: Option<Item>) -> Option<usize> {
    let Some(Item::Event(Tagged {
        event: Event::Notify(message),
        ..
    })) = item
    else {
        return None;
    };
    let text = String::from_utf8(message.source().to_vec()).unwrap();
    text.rsplit(':').next()?.trim_end_matches('}').parse().ok()
}

#[tokio::test]
async fn order_is_kept_across_exchanges() {
    let (outlet, mut tap) = Outlet::new(1 << 20);
    for n in 0..10 {
        outlet.push(ExchangeId(n % 3), note(n as usize));
    }
    for n in 0..10 {
        assert_eq!(number(tap.next().await), Some(n));
    }
}

#[tokio::test]
async fn over_budget_the_whole_stream_ends_and_says_so() {
    let (outlet, mut tap) = Outlet::new(2 * note(1).weight());
    assert_eq!(outlet.push(ExchangeId(1), note(1)), Push::Taken);
    assert_eq!(outlet.push(ExchangeId(1), note(2)), Push::Taken);
    assert_eq!(outlet.push(ExchangeId(1), note(3)), Push::Overflow);
    assert_eq!(outlet.push(ExchangeId(1), note(4)), Push::Closed);
    assert!(matches!(tap.next().await, Some(Item::Overflow)));
    assert!(tap.next().await.is_none());
}

#[tokio::test]
async fn one_event_larger_than_the_budget_passes() {
    let (outlet, mut tap) = Outlet::new(1);
    assert_eq!(outlet.push(ExchangeId(1), note(1)), Push::Taken);
    assert_eq!(number(tap.next().await), Some(1));
    assert_eq!(outlet.push(ExchangeId(1), note(2)), Push::Taken);
}

#[tokio::test]
async fn a_large_answer_passes_behind_a_little_progress() {
    let (outlet, mut tap) = Outlet::new(note(1).weight() + 1);
    assert_eq!(outlet.push(ExchangeId(1), note(1)), Push::Taken);
    assert_eq!(outlet.push(ExchangeId(1), note(2)), Push::Taken);
    assert_eq!(number(tap.next().await), Some(1));
    assert_eq!(number(tap.next().await), Some(2));
}

#[tokio::test]
async fn less_waits_for_a_client_that_is_not_there() {
    let (outlet, tap) = Outlet::new(usize::MAX);
    drop(tap);
    let pushes = (0..1_000_000)
        .take_while(|n| outlet.push(ExchangeId(1), note(*n)) == Push::Taken)
        .count();
    assert!(pushes * note(1).weight() <= UNATTENDED_BYTES + note(1 << 30).weight());
}

#[tokio::test]
async fn a_new_tap_takes_over_and_nothing_is_lost() {
    let (outlet, mut first) = Outlet::new(1 << 20);
    outlet.push(ExchangeId(1), note(1));
    outlet.push(ExchangeId(1), note(2));
    assert_eq!(number(first.next().await), Some(1));
    let mut second = outlet.tap();
    assert!(first.next().await.is_none());
    drop(first);
    assert!(
        outlet.is_attended(),
        "the older tap's end is not the stream's"
    );
    assert_eq!(number(second.next().await), Some(2));
    drop(second);
    assert!(!outlet.is_attended());
}

#[tokio::test]
async fn a_stream_that_overflowed_under_its_reader_opens_again() {
    let (outlet, mut tap) = Outlet::new(1);
    outlet.push(ExchangeId(1), note(1));
    outlet.push(ExchangeId(1), note(2));
    assert!(matches!(tap.next().await, Some(Item::Overflow)));
    assert!(tap.next().await.is_none());
    outlet.reopen();
    let mut tap = outlet.tap();
    outlet.push(ExchangeId(1), note(3));
    assert_eq!(number(tap.next().await), Some(3));
}

#[tokio::test]
async fn closing_delivers_what_is_queued() {
    let (outlet, mut tap) = Outlet::new(1 << 20);
    outlet.push(ExchangeId(1), note(1));
    outlet.close();
    assert_eq!(outlet.push(ExchangeId(1), note(2)), Push::Closed);
    assert_eq!(number(tap.next().await), Some(1));
    assert!(tap.next().await.is_none());
}

#[tokio::test]
async fn the_fullest_stream_ends_when_all_together_hold_too_much() {
    let all: &'static Budget = Box::leak(Box::new(Budget::new(8 * GRAIN)));
    let weight = note(1).weight();
    let (full, mut of_full) = Outlet::within(all, usize::MAX);
    let (little, mut of_little) = Outlet::within(all, usize::MAX);
    let fill = |outlet: &Outlet, bytes: usize| {
        for n in 0..bytes / weight {
            assert_eq!(outlet.push(ExchangeId(1), note(n % 10)), Push::Taken);
        }
    };
    fill(&full, 6 * GRAIN + GRAIN / 2);
    fill(&little, GRAIN + GRAIN / 2);
    assert!(!full.has_overflowed());
    fill(&little, 2 * GRAIN);
    assert!(full.has_overflowed() && !little.has_overflowed());
    assert!(matches!(of_full.next().await, Some(Item::Overflow)));
    assert!(all.held() <= 4 * GRAIN);
    while little.queued() > 0 {
        assert!(of_little.next().await.is_some());
    }
    assert_eq!(all.held(), 0);
}
