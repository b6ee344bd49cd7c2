//! Members that come into an object or leave it, without the rest of the object being copied.
//!
//! Commas are what makes this a story: which comma goes with a removed member depends on what else was removed, and
//! whether a new member needs one depends on whether any is left. So each change to an object looks at all of its
//! members once and settles its removals and insertions together.

use bytes::{Bytes, BytesMut};

use crate::edit::{Edit, Role};
use crate::member::Member;
use crate::message::Message;
use crate::object;
use crate::span::Span;
use crate::text::Text;
use crate::unescape::escape;

impl Message {
    /// Puts `"key":value` into an object of the source, in the place of any member of that name, at the end. `object`
    /// is the object's span, from brace to brace; its members are walked once. False, and nothing changes, if no
    /// object stands there or if an earlier edit covers its end.
    pub fn insert_member(&mut self, object: Span, key: &str, value: impl Into<Text>) -> bool {
        if !self.is_object(object) || !self.edits().admits(Span::at(object.end - 1)) {
            return false;
        }
        let mut text = BytesMut::new();
        text.extend_from_slice(b",");
        text.extend_from_slice(&name(key));
        value.into().write(&mut text);
        self.sweep(object, Some(key));
        let role = Role::Insert {
            object: object.start,
        };
        let put = self.edits_mut().put(Edit {
            span: Span::at(object.end - 1),
            with: text.freeze().into(),
            role,
        });
        self.sweep(object, None);
        put
    }

    /// Takes every member called `key` out of an object of the source, however the name is spelled, each with the
    /// right comma. `object` is the object's span, from brace to brace; its members are walked once. False if there
    /// was none.
    pub fn remove_member(&mut self, object: Span, key: &str) -> bool {
        self.is_object(object) && self.sweep(object, Some(key))
    }

    /// Puts `"key":value` into `params._meta`, in the place of any member of that name. `_meta` is created if it is
    /// absent or null, and so is `params` if it is absent. False, and nothing changes, for responses, and when
    /// `params` or `_meta` is something else than an object.
    pub fn insert_meta(&mut self, key: &str, value: impl Into<Text>) -> bool {
        let home = match self.meta_home() {
            Some(Home::Source(meta)) => return self.insert_member(meta, key, value),
            Some(home) => home,
            None => return false,
        };
        let mut meta = without(&self.fresh_meta(&home), key);
        meta.truncate(meta.len() - 1);
        if meta.len() > 1 {
            meta.extend_from_slice(b",");
        }
        meta.extend_from_slice(&name(key));
        value.into().write(&mut meta);
        meta.extend_from_slice(b"}");
        self.set_fresh_meta(&home, meta.freeze())
    }

    /// Takes the member called `key` out of `params._meta`. False if there was none.
    pub fn remove_meta(&mut self, key: &str) -> bool {
        let home = match self.meta_home() {
            Some(Home::Source(meta)) => return self.remove_member(meta, key),
            Some(home) => home,
            None => return false,
        };
        let meta = self.fresh_meta(&home);
        object::get(&meta, key).is_some()
            && self.set_fresh_meta(&home, without(&meta, key).freeze())
    }

    /// The value of the member of `params._meta` that is called `key`, as it will be written: what
    /// [`insert_meta`](Self::insert_meta) has put there, or else what arrived.
    pub fn meta(&self, key: &str) -> Option<Bytes> {
        let home = self.meta_home()?;
        let Home::Source(meta) = home else {
            let meta = self.fresh_meta(&home);
            return object::find(&meta, key).map(|entry| meta.slice(entry.span.range()));
        };
        self.inserted(meta, key).or_else(|| {
            let entry = object::find(&self.source()[meta.range()], key)?;
            let at = entry.key.span().shift(meta.start).start;
            let removed = Role::Remove { object: meta.start };
            let is_gone =
                |edit: &Edit| edit.role == removed && edit.span.start <= at && at < edit.span.end;
            let stays = !self.edits().iter().any(is_gone);
            stays.then(|| self.source().slice(entry.span.shift(meta.start).range()))
        })
    }

    fn is_object(&self, span: Span) -> bool {
        let text = self.source().get(span.start as usize..span.end as usize);
        text.is_some_and(|text| text.len() > 1 && text[0] == b'{' && text[text.len() - 1] == b'}')
    }

    /// Settles the removals and insertions of one object, after adding those of `key`. Returns whether `key` was
    /// there.
    fn sweep(&mut self, object: Span, key: Option<&str>) -> bool {
        let source = self.source().clone();
        let own = Role::Remove {
            object: object.start,
        };
        let mut removals: Vec<Span> = Vec::new();
        let mut found = false;
        // The end of the last member that stays, and the beginning of a run of members that go.
        let mut kept_end: Option<u32> = None;
        let mut run: Option<u32> = None;
        let mut last_end = object.start + 1;
        for entry in object::members(&source[object.range()]) {
            let start = entry.key.span().shift(object.start).start;
            let goes = key.is_some_and(|key| entry.key.is(key));
            let gone = |edit: &Edit| {
                edit.role == own && edit.span.start <= last_end.max(start) && start < edit.span.end
            };
            let was_gone = self.edits().iter().any(gone);
            found |= goes && !was_gone;
            last_end = entry.span.shift(object.start).end;
            if goes || was_gone {
                run.get_or_insert(start);
            } else {
                // A run that something follows goes up to it, and its commas are the ones behind it.
                removals.extend(run.take().map(|run| Span {
                    start: run,
                    end: start,
                }));
                kept_end = Some(last_end);
            }
        }
        // A run at the end goes from the last member that stays, and its commas are the ones in front of it.
        removals.extend(run.map(|run| Span {
            start: kept_end.unwrap_or(run),
            end: last_end,
        }));

        let inserted = Role::Insert {
            object: object.start,
        };
        let named = key.map(name);
        let prefix = |text: &Text| match (text, &named) {
            (Text::Bytes(text), Some(named)) => {
                text.strip_prefix(b",").unwrap_or(text).starts_with(named)
            }
            _ => false,
        };
        self.edits_mut().retain(|edit| {
            let leaves = edit.role == inserted && prefix(&edit.with);
            found |= leaves;
            edit.role != own && !leaves
        });
        for span in removals {
            self.edits_mut().put(Edit {
                span,
                with: Bytes::new().into(),
                role: own,
            });
        }
        if kept_end.is_none()
            && let Some(first) = self
                .edits_mut()
                .iter_mut()
                .find(|edit| edit.role == inserted)
            && let Text::Bytes(text) = &mut first.with
            && text.starts_with(b",")
        {
            *text = text.slice(1..);
        }
        found
    }

    /// Where `params._meta` is or would be.
    fn meta_home(&self) -> Option<Home> {
        if self.kind().is_response() {
            return None;
        }
        match (self.member_span(Member::Meta), self.params_span()) {
            (Some(meta), _) if self.is_object(meta) => Some(Home::Source(meta)),
            (Some(meta), _) => {
                (&self.source()[meta.range()] == b"null").then_some(Home::Null(meta))
            }
            (None, Some(params)) => self.is_object(params).then_some(Home::InParams(params)),
            (None, None) => Some(Home::InMessage(self.span())),
        }
    }

    /// The `_meta` that earlier calls have created, or an empty object.
    fn fresh_meta(&self, home: &Home) -> Bytes {
        let found = match *home {
            Home::Source(_) => None,
            Home::Null(meta) => self.edits().iter().find_map(|edit| match &edit.with {
                Text::Bytes(text) if edit.span == meta => Some(text.clone()),
                _ => None,
            }),
            Home::InParams(params) => self.inserted(params, "_meta"),
            Home::InMessage(whole) => self.inserted(whole, "params").and_then(|params| {
                object::find(&params, "_meta").map(|entry| params.slice(entry.span.range()))
            }),
        };
        found.unwrap_or(Bytes::from_static(b"{}"))
    }

    fn set_fresh_meta(&mut self, home: &Home, meta: Bytes) -> bool {
        match *home {
            Home::Source(_) => false,
            Home::Null(span) => self.replace_span(span, meta),
            Home::InParams(params) => self.insert_member(params, "_meta", meta),
            Home::InMessage(whole) => {
                let params = [b"{\"_meta\":", &meta[..], b"}"].concat();
                self.insert_member(whole, "params", Bytes::from(params))
            }
        }
    }

    /// The value of a member that an earlier call has inserted into an object.
    fn inserted(&self, object: Span, key: &str) -> Option<Bytes> {
        let role = Role::Insert {
            object: object.start,
        };
        let named = name(key);
        self.edits()
            .iter()
            .filter(|edit| edit.role == role)
            .find_map(|edit| match &edit.with {
                Text::Bytes(text) => {
                    let member = text.strip_prefix(b",").unwrap_or(text);
                    let value = member.strip_prefix(&named[..])?;
                    Some(text.slice_ref(value))
                }
                Text::Number(_) => None,
            })
    }
}

/// Where `params._meta` is or would be.
enum Home {
    /// An object of the source.
    Source(Span),
    /// A null of the source, which some serialisers write for what is absent.
    Null(Span),
    /// Absent from the `params` that stand here.
    InParams(Span),
    /// Absent together with `params` from the message that stands here.
    InMessage(Span),
}

/// `"key":`
fn name(key: &str) -> BytesMut {
    let mut name = BytesMut::new();
    escape(key, &mut name);
    name.extend_from_slice(b":");
    name
}

/// A copy of a small object of our own making, without the members called `key`.
fn without(object: &[u8], key: &str) -> BytesMut {
    let mut out = BytesMut::from(&b"{"[..]);
    for entry in object::members(object).filter(|entry| !entry.key.is(key)) {
        if out.len() > 1 {
            out.extend_from_slice(b",");
        }
        out.extend_from_slice(&object[entry.key.span().range()]);
        out.extend_from_slice(b":");
        out.extend_from_slice(entry.value);
    }
    out.extend_from_slice(b"}");
    out
}
