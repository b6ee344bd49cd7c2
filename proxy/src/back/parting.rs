//! What every back says when a call ends otherwise than by its answer: to the server that nobody
//! waits any more, to the client why nothing came.

use mcp_wire::{Id, Member, Message, method};

use crate::exchange::{Blame, Key, Loss, Refusal, Retry};
use crate::link::{End, Link, SendError};

/// Our own word that an answer is no longer waited for, or a question no longer stands.
pub(super) fn cancelled(id: &Id) -> Message {
    let mut params = b"{\"requestId\":".to_vec();
    params.extend_from_slice(id.text());
    params.push(b'}');
    mcp_wire::notification(method::CANCELLED, Some(&params))
}

/// Tells the server that nobody waits for the answer; in the client's words where it had any.
pub(super) fn send_cancel(key: Key, notice: Option<Message>, link: &dyn Link) {
    let notice = notice
        .and_then(|mut notice| notice.replace(Member::RequestId, key).then_some(notice))
        .unwrap_or_else(|| cancelled(&Id::number(key)));
    // A server that cannot be told is gone or deaf, and both have their own end.
    let _unheard = link.send(&notice);
}

/// What a front is told when the link takes nothing.
pub(super) fn refusal(error: SendError) -> Refusal {
    match error {
        SendError::Gone => Refusal::Gone,
        SendError::Full { queued, .. } => Refusal::Deaf { queued },
    }
}

/// The server took too long.
pub(super) fn late() -> Loss {
    by_child(
        Retry::Unsafe,
        "the MCP server did not answer in time; --request-timeout gives it longer".to_owned(),
    )
}

/// The server answered with something that is no message.
pub(super) fn unreadable(fault: &str) -> Loss {
    by_child(
        Retry::Useless,
        format!("the MCP server's answer could not be read: {fault}"),
    )
}

/// The server ended.
pub(super) fn ended(end: &End) -> Loss {
    by_child(
        Retry::Unsafe,
        format!("{} before it answered", end.sentence()),
    )
}

/// A loss that is the server's doing.
pub(super) fn by_child(retry: Retry, sentence: String) -> Loss {
    Loss {
        blame: Blame::Child,
        retry,
        sentence,
    }
}
