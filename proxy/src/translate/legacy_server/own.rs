//! The proxy's own requests to a server it was put before: their answers go to nobody else.

use std::sync::Arc;
use std::time::Duration;

use mcp_wire::Message;
use tokio::time::Instant;

use super::LegacyServer;
use crate::exchange::{Call, Event, ExchangeId, FeedId, Item, Outcome, Outlet, Tagged, Tools};

/// Pages of tools that are read. A server that has more goes round in circles.
const MAX_PAGES: usize = 64;

/// One request of our own. `None` if it ends without an answer.
///
/// # Cancel safety
///
/// The request goes on; its answer is nobody's.
pub(super) async fn ask(
    server: &Arc<dyn LegacyServer>,
    feed: FeedId,
    message: Message,
    limit: Duration,
) -> Option<Outcome> {
    // Unbounded but for the longest line: what is read here is one answer.
    let (outlet, mut tap) = Outlet::new(usize::MAX);
    let call = Call {
        message,
        exchange: ExchangeId::STANDING,
        outlet,
        deadline: Instant::now() + limit,
    };
    server.call(feed, call).ok()?;
    loop {
        match tap.next().await? {
            Item::Event(Tagged {
                event: Event::Done(outcome),
                ..
            }) => return Some(outcome),
            Item::Event(_) => {}
            Item::Overflow => return None,
        }
    }
}

/// One request whose answer nobody reads.
pub(super) fn tell(server: &dyn LegacyServer, feed: FeedId, message: Message, limit: Duration) {
    let (outlet, _unread) = Outlet::new(0);
    let call = Call {
        message,
        exchange: ExchangeId::STANDING,
        outlet,
        deadline: Instant::now() + limit,
    };
    // A server that takes nothing has its own end.
    let _unheard = server.call(feed, call);
}

/// The server's list of tools, as far as anything in it matters here.
pub(super) async fn tools(
    server: &Arc<dyn LegacyServer>,
    feed: FeedId,
    limit: Duration,
) -> Option<Tools> {
    let mut tools = Tools::default();
    let mut params = None;
    for _ in 0..MAX_PAGES {
        let request = mcp_wire::request(
            &mcp_wire::Id::number(0),
            mcp_wire::method::TOOLS_LIST,
            params.as_deref(),
        );
        let Outcome::Result(page) = ask(server, feed, request, limit).await? else {
            return None;
        };
        match tools.add(page.result()?) {
            Some(cursor) => params = Some(format!(r#"{{"cursor":{cursor}}}"#).into_bytes()),
            None => break,
        }
    }
    Some(tools)
}
