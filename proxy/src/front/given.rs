//! What of a request's headers goes into the environment of its client's own server: `--header-env`.

use std::sync::Arc;

use axum::http::HeaderMap;

use super::Fault;
use crate::config::HeaderVariable;
use crate::exchange::{Principal, Variables, Whom};

/// The headers the owner has named. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Given(Arc<[HeaderVariable]>);

impl Given {
    /// These.
    #[must_use]
    pub fn new(headers: &[HeaderVariable]) -> Self {
        Self(headers.into())
    }

    /// What these headers say. One that is absent or empty is no variable.
    ///
    /// # Errors
    ///
    /// One stands there twice, or is no text.
    pub(super) fn of(&self, headers: &HeaderMap) -> Result<Variables, Fault> {
        let mut pairs = Vec::new();
        for HeaderVariable { header, name } in &*self.0 {
            let mut values = headers.get_all(header).iter();
            let Some(value) = values.next() else {
                continue;
            };
            let text = std::str::from_utf8(value.as_bytes()).ok();
            let text = text.filter(|_| values.next().is_none());
            let text = text.ok_or_else(|| Fault::Garbled {
                header: header.clone(),
            })?;
            if !text.is_empty() {
                pairs.push((name.clone(), text.to_owned()));
            }
        }
        Ok(Variables::of(pairs))
    }

    /// The principal with what its client brought along.
    pub(super) fn whom(&self, headers: &HeaderMap, principal: &Principal) -> Result<Whom, Fault> {
        Ok(Whom {
            principal: principal.clone(),
            variables: self.of(headers)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_headers_and_no_others() {
        let given = Given::new(&[
            HeaderVariable {
                header: "x-key".parse().unwrap(),
                name: "KEY".into(),
            },
            HeaderVariable {
                header: "x-place".parse().unwrap(),
                name: "PLACE".into(),
            },
        ]);
        let read = |pairs: &[(&'static str, &[u8])]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, (*value).try_into().unwrap());
            }
            given.of(&headers)
        };
        let found = read(&[("x-key", b"k"), ("x-place", b""), ("x-other", b"o")]).unwrap();
        assert_eq!(found.iter().collect::<Vec<_>>(), [("KEY", "k")]);
        assert!(read(&[]).unwrap().is_empty());
        for bad in [
            &[("x-key", &b"k"[..]), ("x-key", b"k")][..],
            &[("x-place", b"\xff")],
        ] {
            assert!(matches!(read(bad), Err(Fault::Garbled { .. })), "{bad:?}");
        }
    }
}
