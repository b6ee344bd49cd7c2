//! A DELETE: the client is done with its session.

use axum::body::Body;
use axum::http::{HeaderMap, Response};

use super::super::{Fault, rescue};
use super::Sessions;
use crate::exchange::Principal;

impl Sessions {
    /// Calls in progress are answered as lost, streams close, and the child stops.
    pub(super) fn delete(
        &self,
        headers: &HeaderMap,
        principal: &Principal,
    ) -> Result<Response<Body>, Fault> {
        let session = self.find(headers, principal)?;
        if self.table.end(session.id()) {
            Ok(rescue::ended())
        } else {
            Err(Fault::SessionUnknown)
        }
    }
}
