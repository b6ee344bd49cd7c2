//! Requests under numbers of our own: no id or progress token of a client is ever seen by a server.

use bytes::Bytes;
use mcp_wire::{Member, Message};

use crate::exchange::Key;

/// Gives a request our number, and hands out the client's progress token exactly as it was written.
///
/// The number serves as token too: it is unique on this server, and one number to look up is enough.
pub(super) fn number(message: &mut Message, key: Key) -> Option<Bytes> {
    let token = message
        .member(Member::ProgressToken)
        .map(Bytes::copy_from_slice);
    if token.is_some() {
        message.replace(Member::ProgressToken, key);
    }
    message.set_id(key);
    token
}
