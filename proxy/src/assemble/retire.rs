//! How a server leaves a proxy that goes on.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::front::routes::Switchboard;
use crate::front::served::Served;

/// How often a server on its way out is asked whether its calls have ended.
pub(super) const ASK_AGAIN: Duration = Duration::from_millis(20);

/// Sees a server out: its calls may end, its sessions and its children do.
pub(super) async fn retire(
    switchboard: Arc<Switchboard>,
    name: String,
    served: Arc<Served>,
    limit: Duration,
) {
    served.drain();
    let deadline = Instant::now() + limit;
    while served.load().1 > 0 && Instant::now() < deadline {
        tokio::time::sleep(ASK_AGAIN).await;
    }
    let left = served.load().1;
    if left > 0 {
        tracing::warn!(
            server = name,
            calls = left,
            "cut off; --drain-timeout gives them longer"
        );
    }
    served.stop().await;
    switchboard.change(|routes| {
        routes
            .retiring
            .retain(|(_, retiring)| !Arc::ptr_eq(retiring, &served));
    });
    tracing::info!(server = name, "stopped");
}
