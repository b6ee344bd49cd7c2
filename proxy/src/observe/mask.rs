//! What must not be shown of what others write: values that were handed to a server in confidence,
//! and that it repeats in its log.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use memchr::memmem::Finder;

/// What stands in place of a value.
const MASK: &[u8] = b"***";

/// The shortest value that is hidden. A shorter one stands in every other line by chance, and no
/// credential is that short.
const MIN_BYTES: usize = 4;

/// Values that are not shown. Cheap to clone.
///
/// A value of several lines is hidden line by line. What a server changes before it writes it, for
/// instance by encoding it, is not known again.
#[derive(Clone, Default)]
pub struct Masks(Arc<[Value]>);

struct Value {
    finder: Finder<'static>,
}

impl Masks {
    /// Hides these values.
    pub fn of<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let mut lines: Vec<&str> = values
            .into_iter()
            .flat_map(str::lines)
            .map(str::trim)
            .filter(|line| line.len() >= MIN_BYTES)
            .collect();
        // The longest first: one value may be a part of another.
        lines.sort_by_key(|line| (std::cmp::Reverse(line.len()), *line));
        lines.dedup();
        Self(
            lines
                .into_iter()
                .map(|line| Value {
                    finder: Finder::new(line).into_owned(),
                })
                .collect(),
        )
    }

    /// Hides these values, too.
    #[must_use]
    pub fn and<'a>(&'a self, values: impl IntoIterator<Item = &'a str>) -> Self {
        let mut values = values.into_iter().peekable();
        if values.peek().is_none() {
            return self.clone();
        }
        let known = self.0.iter();
        let known = known.filter_map(|value| std::str::from_utf8(value.finder.needle()).ok());
        Self::of(known.chain(values))
    }

    /// The text without the values. `cut` when more of it follows that is not here: then the beginning
    /// of a value at its end is hidden, too.
    #[must_use]
    pub fn hide<'a>(&self, text: &'a [u8], cut: bool) -> Cow<'a, [u8]> {
        let mut hidden = Cow::Borrowed(text);
        for value in self.0.iter() {
            if let Some(first) = value.finder.find(&hidden) {
                hidden = Cow::Owned(value.replace(&hidden, first));
            }
        }
        if cut && let Some(length) = self.begun(&hidden) {
            let kept = hidden.len() - length;
            let mut shown = hidden.into_owned();
            shown.truncate(kept);
            shown.extend_from_slice(MASK);
            return Cow::Owned(shown);
        }
        hidden
    }

    /// How much of a value stands at the end of the text, if some does.
    fn begun(&self, text: &[u8]) -> Option<usize> {
        let ends = |value: &Value| {
            let needle = value.finder.needle();
            (MIN_BYTES..needle.len()).rev().find(|length| {
                needle
                    .get(..*length)
                    .is_some_and(|begun| text.ends_with(begun))
            })
        };
        self.0.iter().filter_map(ends).max()
    }
}

impl Value {
    fn replace(&self, text: &[u8], first: usize) -> Vec<u8> {
        let length = self.finder.needle().len();
        let mut shown = Vec::with_capacity(text.len());
        let mut rest = text;
        let mut found = Some(first);
        while let Some(at) = found {
            shown.extend_from_slice(rest.get(..at).unwrap_or_default());
            shown.extend_from_slice(MASK);
            rest = rest.get(at + length..).unwrap_or_default();
            found = self.finder.find(rest);
        }
        shown.extend_from_slice(rest);
        shown
    }
}

impl PartialEq for Masks {
    fn eq(&self, other: &Self) -> bool {
        let needles = |masks: &Self| -> Vec<Vec<u8>> {
            let values = masks.0.iter();
            values.map(|value| value.finder.needle().to_vec()).collect()
        };
        needles(self) == needles(other)
    }
}

impl Eq for Masks {}

impl fmt::Debug for Masks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Masks({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: &[&str], text: &str, cut: bool, shown: &str) {
        let masks = Masks::of(values.iter().copied());
        let hidden = masks.hide(text.as_bytes(), cut);
        assert_eq!(String::from_utf8_lossy(&hidden), shown);
    }

    #[test]
    fn values_are_hidden_wherever_they_stand() {
        check(&["hunter2"], "nothing", false, "nothing");
        check(&["hunter2"], "hunter2", false, "***");
        check(
            &["hunter2"],
            "a hunter2 and \"hunter2\"hunter2.",
            false,
            "a *** and \"***\"***.",
        );
        check(
            &["hunter2", "hunter2-and-more"],
            "hunter2-and-more",
            false,
            "***",
        );
        check(
            &["a\nlong key\r\nin lines"],
            "long key, in lines",
            false,
            "***, ***",
        );
        check(
            &["", "yes", " "],
            "yes, in one line",
            false,
            "yes, in one line",
        );
    }

    #[test]
    fn a_value_that_is_cut_is_hidden_as_far_as_it_goes() {
        check(&["hunter2"], "key hunt", true, "key ***");
        check(&["hunter2"], "key hun", true, "key hun");
        check(&["hunter2"], "key hunt", false, "key hunt");
        check(&["hunter2"], "key hunter2", true, "key ***");
    }

    #[test]
    fn nothing_is_shown_of_what_is_hidden() {
        assert_eq!(format!("{:?}", Masks::of(["hunter2"])), "Masks(1)");
    }
}
