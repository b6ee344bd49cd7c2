//! A GET: the standing stream of a session, or any stream a client comes back to.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Response};

use super::super::Fault;
use super::super::headers::{self, Claim};
use super::Sessions;
use super::stream::{self, EventStream};
use crate::exchange::Principal;
use crate::session::{StreamId, Unresumable};

impl Sessions {
    pub(super) fn get(
        &self,
        headers: &HeaderMap,
        principal: &Principal,
    ) -> Result<Response<Body>, Fault> {
        self.take_work()?;
        headers::check_get(headers)?;
        match headers::version(headers) {
            // 2026-07-28 has no GET.
            Claim::Modern(_) => return Err(Fault::WrongMethod { allowed: "POST" }),
            Claim::Newer(_) | Claim::Unknown => {
                return Err(Fault::VersionUnknown);
            }
            Claim::Absent | Claim::Legacy => {}
        }
        let session = self.find(headers, principal)?;
        let keep_alive = self.settings.keep_alive;
        let longest = self.settings.max_stream_idle;
        let stream = match headers::last_event_id(headers).transpose()? {
            None => {
                let tap = session.take_standing(false).ok_or(Fault::StreamTaken)?;
                EventStream::new(Arc::clone(&session), StreamId::STANDING, tap, keep_alive).primed()
            }
            // A stream is taken up from whoever reads it: this client proves by the event id that
            // it read the same stream, over a connection we may not know to be dead.
            Some((number, sequence)) => match session.resume(StreamId(number), sequence) {
                Ok(taken) => {
                    EventStream::new(Arc::clone(&session), taken.stream, taken.tap, keep_alive)
                        .replaying(taken.replay, taken.over)
                }
                // The end of the broken stream was visible; what the session says from now on
                // starts afresh. A call's stream cannot: its answer may be what is gone.
                Err(Unresumable::Gap) if StreamId(number) == StreamId::STANDING => {
                    let tap = session.take_standing(true).ok_or(Fault::SessionUnknown)?;
                    EventStream::new(Arc::clone(&session), StreamId::STANDING, tap, keep_alive)
                        .primed()
                }
                Err(Unresumable::Gap | Unresumable::Unknown) => return Err(Fault::NotResumable),
            },
        };
        Ok(stream::response(stream.at_most_silent_for(longest)))
    }
}
