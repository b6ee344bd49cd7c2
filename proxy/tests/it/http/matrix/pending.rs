//! What nobody has built yet. A pending row must fail, and quickly; one that passes fails its test, so that this list
//! says the truth.

use std::{any::Any, time::Duration};

use super::{script::Step, speaker::Client, table::Server};

/// The rows of the table that are to come, by composition.
const ROWS: &[(Client, Server, &[Step])] = &[];

/// How long a row may take: less than the runner allows a test, so that the row is named.
const PATIENCE: Duration = Duration::from_secs(30);

/// A row that is to come may fail by waiting, but not for long.
const BRIEFLY: Duration = Duration::from_secs(4);

/// Whether a row is to come.
pub(super) fn row(client: Client, server: Server, step: Step) -> bool {
    let mut rows = ROWS.iter();
    rows.any(|(one, other, steps)| (*one, *other) == (client, server) && steps.contains(&step))
}

/// Does what may fail in a task of its own, and gives its outcome or what it said when it failed.
pub(super) async fn attempt<T: Send + 'static>(
    is_pending: bool,
    deed: impl Future<Output = T> + Send + 'static,
) -> Result<T, String> {
    let mut task = tokio::spawn(deed);
    let patience = if is_pending { BRIEFLY } else { PATIENCE };
    match tokio::time::timeout(patience, &mut task).await {
        Ok(outcome) => outcome.map_err(|err| said(err.into_panic().as_ref())),
        Err(_) => {
            task.abort();
            Err("it waited for something that did not come".to_owned())
        }
    }
}

fn said(cause: &(dyn Any + Send)) -> String {
    let text = cause.downcast_ref::<String>().cloned();
    let text = text.or_else(|| cause.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    text.unwrap_or_else(|| "a panic without a word".to_owned())
}
