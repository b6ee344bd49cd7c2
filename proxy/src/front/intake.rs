//! Taking a request's body in: bounded in bytes, in time, and by what all may hold together.

use std::pin::pin;
use std::time::Duration;

use axum::http::{header, request::Parts};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;

use super::Fault;
use crate::budget;

/// How much of a body is taken in, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Intake {
    /// The longest body, in bytes.
    pub max_body: usize,
    /// From the headers to its end.
    pub limit: Duration,
}

impl Intake {
    /// The whole body.
    ///
    /// # Errors
    ///
    /// It is too long, did not come whole or in time, or there is no room for it.
    pub(super) async fn read<B>(self, head: &Parts, body: B) -> Result<Bytes, Fault>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let announced: Option<usize> = head
            .headers
            .get(header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length| length > self.max_body) {
            // Refused before a byte of it is read.
            return Err(self.too_large());
        }
        if budget::PROCESS.is_over() {
            return Err(Fault::NoMemory);
        }
        let whole = self.gather(body);
        match tokio::time::timeout(self.limit, whole).await {
            Ok(whole) => Ok(budget::PROCESS.counted(whole?)),
            Err(_) => Err(Fault::Late),
        }
    }

    /// What was announced is not counted, only what has come: a promise costs its maker nothing.
    async fn gather<B>(self, body: B) -> Result<Bytes, Fault>
    where
        B: http_body::Body<Data = Bytes>,
    {
        let mut body = pin!(body);
        let account = budget::PROCESS.account();
        let mut first = Bytes::new();
        let mut more = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Fault::Incomplete)?.into_data() else {
                // Trailers mean nothing here.
                continue;
            };
            let length = first.len() + more.len() + data.len();
            if length > self.max_body {
                return Err(self.too_large());
            }
            account.set(length);
            if budget::PROCESS.is_over() {
                budget::PROCESS.relieve();
                if budget::PROCESS.is_over() {
                    return Err(Fault::NoMemory);
                }
            }
            // Nearly every body is one frame, and is not copied.
            if first.is_empty() && more.is_empty() {
                first = data;
                continue;
            }
            if !first.is_empty() {
                more.extend_from_slice(&first);
                first = Bytes::new();
            }
            more.extend_from_slice(&data);
        }
        Ok(if more.is_empty() {
            first
        } else {
            more.freeze()
        })
    }

    const fn too_large(self) -> Fault {
        Fault::TooLarge {
            limit: self.max_body,
        }
    }
}
