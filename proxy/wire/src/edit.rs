//! The changes that a message has collected, in the order of their places.
//!
//! All places are offsets in the source, so one edit never moves another. Two edits are either apart or one inside
//! the other; the outer one wins.

use smallvec::SmallVec;

use crate::span::Span;
use crate::text::Text;

/// What an edit is for. Insertions and removals remember the object they belong to (the offset of its brace), because
/// its commas depend on all of them together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Takes the place of a value, or of whatever a caller pointed at.
    Value,
    /// A member that is new in an object; the text is `,"name":value`, without the comma for the first one.
    Insert {
        /// Offset of the object's opening brace.
        object: u32,
    },
    /// Members that leave an object, with the comma on the right side.
    Remove {
        /// Offset of the object's opening brace.
        object: u32,
    },
}

/// One change.
#[derive(Clone, Debug)]
pub(crate) struct Edit {
    pub(crate) span: Span,
    pub(crate) with: Text,
    pub(crate) role: Role,
}

/// Changes ordered by place and never overlapping. Two fit without allocation: an id and a progress token are what a
/// call needs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edits {
    list: SmallVec<[Edit; 2]>,
}

impl Edits {
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Edit> {
        self.list.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> std::slice::IterMut<'_, Edit> {
        self.list.iter_mut()
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&Edit) -> bool) {
        self.list.retain(|edit| keep(edit));
    }

    pub(crate) fn replace(&mut self, span: Span, with: Text) -> bool {
        self.put(Edit {
            span,
            with,
            role: Role::Value,
        })
    }

    /// Whether an edit of `span` can be added: every earlier one is either inside it or apart from it.
    pub(crate) fn admits(&self, span: Span) -> bool {
        self.iter().all(|other| {
            covers(span, other.span) || other.span.end <= span.start || span.end <= other.span.start
        })
    }

    /// Adds an edit. Edits that it covers are dropped; insertions at one place stand in the order of calls. False,
    /// and nothing changes, when an earlier edit covers it or crosses its border.
    pub(crate) fn put(&mut self, edit: Edit) -> bool {
        if !self.admits(edit.span) {
            return false;
        }
        self.list.retain(|other| !covers(edit.span, other.span));
        let place = self.list.partition_point(|other| other.span <= edit.span);
        self.list.insert(place, edit);
        true
    }
}

/// Whether `inner` is inside `outer`. What is inserted at the border of a range is not in it.
fn covers(outer: Span, inner: Span) -> bool {
    let inside = outer.start <= inner.start && inner.end <= outer.end;
    let border = inner.is_empty() && (inner.start == outer.start || inner.end == outer.end);
    inside && !border
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: u32, end: u32) -> Span {
        Span { start, end }
    }

    fn spans(edits: &Edits) -> Vec<(u32, u32)> {
        edits
            .iter()
            .map(|edit| (edit.span.start, edit.span.end))
            .collect()
    }

    #[test]
    fn the_outer_edit_wins_in_either_order() {
        let mut edits = Edits::default();
        assert!(edits.replace(span(4, 6), Text::Number(1)));
        assert!(edits.replace(span(2, 8), Text::Number(2)));
        assert_eq!(spans(&edits), [(2, 8)]);
        assert!(!edits.replace(span(4, 6), Text::Number(3)));
        assert!(!edits.replace(span(5, 5), Text::Number(3)));
        assert!(!edits.replace(span(7, 9), Text::Number(3)));
        assert_eq!(spans(&edits), [(2, 8)]);
    }

    #[test]
    fn insertions_stay_at_borders_and_in_order() {
        let mut edits = Edits::default();
        for number in [1, 2] {
            assert!(edits.replace(span(4, 4), Text::Number(number)));
        }
        assert!(edits.replace(span(8, 8), Text::Number(3)));
        assert!(edits.replace(span(4, 8), Text::Number(4)));
        assert!(edits.replace(span(4, 8), Text::Number(5)));
        assert_eq!(spans(&edits), [(4, 4), (4, 4), (4, 8), (8, 8)]);
        let numbers: Vec<_> = edits
            .iter()
            .map(|edit| edit.with.clone().to_bytes())
            .collect();
        assert_eq!(numbers, ["1", "2", "5", "3"]);
    }
}
