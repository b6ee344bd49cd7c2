//! Members that are replaced, inserted and removed: examples for reading, and a model for the rest.

use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::select;

use super::oracle::Fields;
use super::strategies::{object, space};
use super::{message, parse, written};
use crate::{Member, Message, Span, object as walk};

/// A request with these `params`.
fn call(params: &str) -> Message {
    message(&format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":{params}}}"
    ))
}

/// Does something to a request with `params`, and tells what its `params` are then.
fn after(params: &str, edit: impl FnOnce(&mut Message)) -> String {
    let mut call = call(params);
    edit(&mut call);
    let changed = message(&written(&call));
    String::from_utf8(changed.params().unwrap().to_vec()).unwrap()
}

#[test]
fn located_members_are_read_and_replaced() {
    let params = r#"{"name":"a\u0062","_meta":{"progressToken":"t","io.modelcontextprotocol/logLevel":"info"}}"#;
    let read = call(params);
    assert_eq!(read.member(Member::Name), Some(&br#""a\u0062""#[..]));
    assert_eq!(read.string(Member::Name).as_deref(), Some("ab"));
    assert_eq!(read.string(Member::Meta), None);
    assert_eq!(read.member(Member::MetaLogLevel), Some(&b"\"info\""[..]));
    let replaced = after(params, |call| {
        assert!(call.replace(Member::ProgressToken, 42));
        assert!(call.replace(Member::Name, "\"c\""));
        assert!(call.replace(Member::Name, "\"d\""));
        assert!(!call.replace(Member::Uri, 1));
    });
    assert_eq!(
        replaced,
        r#"{"name":"d","_meta":{"progressToken":42,"io.modelcontextprotocol/logLevel":"info"}}"#
    );
}

#[test]
fn commas_go_with_what_is_removed() {
    let params = r#"{"_meta":{ "a":1 , "b":2 , "c":3 }}"#;
    let without = |keys: &[&str]| {
        after(params, |call| {
            assert!(keys.iter().all(|key| call.remove_meta(key)))
        })
    };
    assert_eq!(without(&["a"]), r#"{"_meta":{ "b":2 , "c":3 }}"#);
    assert_eq!(without(&["b"]), r#"{"_meta":{ "a":1 , "c":3 }}"#);
    assert_eq!(without(&["c"]), r#"{"_meta":{ "a":1 , "b":2 }}"#);
    for keys in [["a", "b"], ["b", "a"]] {
        assert_eq!(without(&keys), r#"{"_meta":{ "c":3 }}"#);
    }
    for keys in [["b", "c"], ["c", "b"]] {
        assert_eq!(without(&keys), r#"{"_meta":{ "a":1 }}"#);
    }
    for keys in [["a", "c"], ["c", "a"]] {
        assert_eq!(without(&keys), r#"{"_meta":{ "b":2 }}"#);
    }
    assert_eq!(without(&["b", "c", "a"]), r#"{"_meta":{  }}"#);
    assert_eq!(
        after(params, |call| assert!(!call.remove_meta("d"))),
        params
    );
}

#[test]
fn meta_and_params_are_created() {
    assert_eq!(
        after(r#"{"_meta":{}}"#, |call| assert!(call.insert_meta("k", 1))),
        r#"{"_meta":{"k":1}}"#
    );
    assert_eq!(
        after(r#"{"_meta":{"a":1}}"#, |call| assert!(
            call.insert_meta("k", 1)
        )),
        r#"{"_meta":{"a":1,"k":1}}"#
    );
    assert_eq!(
        after(r#"{"_meta": null}"#, |call| assert!(
            call.insert_meta("k", 1)
        )),
        r#"{"_meta": {"k":1}}"#
    );
    assert_eq!(
        after("{}", |call| assert!(call.insert_meta("k", 1))),
        r#"{"_meta":{"k":1}}"#
    );
    assert_eq!(
        after(r#"{"a":1}"#, |call| assert!(call.insert_meta("k", 1))),
        r#"{"a":1,"_meta":{"k":1}}"#
    );
    let mut bare = message(r#"{"jsonrpc":"2.0","method":"m"}"#);
    assert!(bare.insert_meta("k", 1));
    assert!(bare.insert_meta("l", "{}"));
    assert!(bare.insert_meta("k", 2));
    assert_eq!(
        written(&bare),
        r#"{"jsonrpc":"2.0","method":"m","params":{"_meta":{"l":{},"k":2}}}"#
    );
    assert!(bare.remove_meta("l"));
    assert!(!bare.remove_meta("l"));
    assert_eq!(
        written(&bare),
        r#"{"jsonrpc":"2.0","method":"m","params":{"_meta":{"k":2}}}"#
    );
}

#[test]
fn what_has_no_place_for_meta() {
    let insert = |text: &str| {
        let mut message = message(text);
        assert!(!message.insert_meta("k", 1), "{text}");
        assert!(!message.remove_meta("k"), "{text}");
        assert_eq!(written(&message), text);
    };
    insert(r#"{"jsonrpc":"2.0","method":"m","params":[]}"#);
    insert(r#"{"jsonrpc":"2.0","method":"m","params":{"_meta":1}}"#);
    insert(r#"{"jsonrpc":"2.0","id":1,"result":{"_meta":{}}}"#);
}

#[test]
fn results_are_stamped_and_stripped() {
    let mut result = message(
        r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","tools":[],"ttlMs":1}}"#,
    );
    let span = result.result_span().unwrap();
    assert!(result.remove_member(span, "resultType"));
    assert!(result.remove_member(span, "ttlMs"));
    assert!(result.insert_member(span, "a\"b", "\"x\""));
    assert!(result.set_id(7));
    assert_eq!(
        written(&result),
        r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[],"a\"b":"x"}}"#
    );
}

#[test]
fn objects_inside_of_objects_keep_their_own_commas() {
    let mut result = message(r#"{"jsonrpc":"2.0","id":1,"result":{"_meta":{"a":1,"b":2},"c":3}}"#);
    let outer = result.result_span().unwrap();
    let meta = walk::find(result.result().unwrap(), "_meta")
        .unwrap()
        .span
        .shift(outer.start);
    assert!(result.remove_member(meta, "a"));
    assert!(result.insert_member(meta, "d", 4));
    assert!(result.remove_member(outer, "c"));
    assert!(result.remove_member(meta, "b"));
    assert_eq!(
        written(&result),
        r#"{"jsonrpc":"2.0","id":1,"result":{"_meta":{"d":4}}}"#
    );
    assert!(result.remove_member(outer, "_meta"));
    assert!(!result.insert_member(meta, "e", 5));
    assert_eq!(written(&result), r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
}

#[test]
fn what_was_removed_cannot_be_replaced() {
    let mut call = call(r#"{"_meta":{"progressToken":1,"x":2}}"#);
    assert!(call.replace(Member::ProgressToken, 9));
    assert!(call.remove_meta("progressToken"));
    assert!(!call.replace(Member::ProgressToken, 9));
    let relayed = message(&written(&call));
    assert_eq!(relayed.params(), Some(&br#"{"_meta":{"x":2}}"#[..]));
}

#[test]
fn spans_outside_of_the_source_are_refused() {
    let mut call = call("{}");
    let length = call.source().len() as u32;
    assert!(!call.replace_span(
        Span {
            start: length,
            end: length + 1
        },
        1
    ));
    assert!(!call.replace_span(Span { start: 2, end: 1 }, 1));
    assert!(!call.insert_member(
        Span {
            start: 1,
            end: length + 9
        },
        "a",
        1
    ));
    assert!(!call.is_edited());
}

#[test]
fn an_error_without_an_id_gets_one() {
    for unread in ["\"id\": null,\"error\":{}", "\"error\":{}"] {
        let mut error = message(&format!("{{\"jsonrpc\":\"2.0\",{unread}}}"));
        assert!(error.set_id(5));
        assert!(error.set_id(6));
        assert_eq!(message(&written(&error)).id_text(), Some(&b"6"[..]));
    }
}

#[test]
fn a_clone_is_edited_by_itself() {
    let mut first = call("{}");
    first.set_id(2);
    let mut second = first.clone();
    second.set_id(3);
    assert_eq!(message(&written(&first)).id_text(), Some(&b"2"[..]));
    assert_eq!(message(&written(&second)).id_text(), Some(&b"3"[..]));
    assert_eq!(first.source().as_ptr(), second.source().as_ptr());
}

#[test]
fn a_big_broken_message_is_copied_in_parts() {
    let text = format!(
        "{{\"jsonrpc\":\"2.0\",\n\"id\":1,\"result\":\"{}\"\r\n}}",
        "x".repeat(1 << 20)
    );
    let result = message(&text);
    assert_eq!(written(&result), text);
    assert!(result.line_pieces().all(|piece| piece.len() <= 64 * 1024));
}

#[derive(Clone, Debug)]
enum Step {
    Insert(&'static str, u64),
    Remove(&'static str),
}

/// Names that are long enough to be different and short enough to collide.
const NAMES: [&str; 5] = ["a", "b", "c", "\u{e9}\"", "progressToken"];

fn quoted(name: &str) -> String {
    serde_json::to_string(name).unwrap()
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let name = || select(NAMES.to_vec());
    let step = prop_oneof![
        (name(), any::<u64>()).prop_map(|(name, value)| Step::Insert(name, value)),
        name().prop_map(Step::Remove),
    ];
    proptest::collection::vec(step, 1..8)
}

proptest! {
    #[test]
    fn any_order_of_insertions_and_removals(
        names in proptest::option::of(proptest::collection::vec(select(vec!["a", "b", "c", "d", "\u{e9}\""]), 0..5)),
        others in 0usize..3,
        space in space(),
        steps in steps(),
    ) {
        let member = |(at, name): (usize, &&str)| (quoted(name), format!("[{at}]"));
        let mut params: Vec<(String, String)> = (0..others).map(|at| (format!("\"x{at}\""), "{}".to_owned())).collect();
        let mut model: Vec<(String, String)> =
            names.iter().flatten().enumerate().map(member).collect();
        if names.is_some() {
            params.insert(others / 2, ("\"_meta\"".to_owned(), object(&model, space)));
        }
        let mut call = call(&object(&params, space));
        for step in steps {
            let (name, value) = match &step {
                Step::Insert(name, value) => (quoted(name), Some(value.to_string())),
                Step::Remove(name) => (quoted(name), None),
            };
            let was_there = model.iter().any(|(known, _)| *known == name);
            model.retain(|(known, _)| *known != name);
            match (step, value) {
                (Step::Insert(key, number), Some(value)) => {
                    prop_assert!(call.insert_meta(key, number));
                    model.push((name, value));
                }
                (Step::Remove(key) | Step::Insert(key, _), _) => prop_assert_eq!(call.remove_meta(key), was_there),
            }
            let text = written(&call);
            let relayed = parse(&text).unwrap();
            let meta = relayed.member(Member::Meta).map(|meta| String::from_utf8(meta.to_vec()).unwrap());
            let fields = meta.as_deref().map_or_else(Vec::new, |meta| Fields::of(meta).unwrap().0);
            let model: Vec<(&str, &str)> = model.iter().map(|(name, value)| (&**name, &**value)).collect();
            prop_assert_eq!(fields, model, "{}", text);
            let rest = Fields::of(std::str::from_utf8(relayed.params().unwrap()).unwrap()).unwrap().0;
            prop_assert_eq!(rest.iter().filter(|(name, _)| name.starts_with("\"x")).count(), others);
        }
    }

    #[test]
    fn any_ranges_are_replaced_as_in_a_string(
        cuts in proptest::collection::vec(0u32..40, 2..8),
        text in "[a-z]{0,3}",
    ) {
        let source = call("{\"arguments\":{}}");
        let mut cuts: Vec<u32> = cuts.into_iter().map(|cut| cut.min(source.source().len() as u32)).collect();
        cuts.sort_unstable();
        let mut edited = source.clone();
        let mut expected = String::from_utf8(source.source().to_vec()).unwrap();
        // From the back, so that a string's earlier places stay where they are; apart, so that none covers another.
        for pair in cuts.chunks_exact(2).rev() {
            let span = Span { start: pair[0], end: pair[1] };
            prop_assert!(edited.replace_span(span, Bytes::from(text.clone())));
            expected.replace_range(span.range(), &text);
        }
        let distinct = cuts.windows(2).all(|pair| pair[0] != pair[1]);
        if distinct {
            prop_assert_eq!(written(&edited), expected);
        }
    }
}

#[test]
fn a_member_of_meta_is_read_as_it_will_be_written() {
    for params in [
        r#"{"_meta":{"a":1,"k":0}}"#,
        r#"{"_meta":{"\u006b":0}}"#,
        r#"{"_meta":null}"#,
        r#"{"x":1}"#,
    ] {
        let mut call = call(params);
        let arrived = params.contains('0').then(|| Bytes::from_static(b"0"));
        assert_eq!(call.meta("k"), arrived, "{params}");
        assert_eq!(call.meta("b"), None);
        assert!(call.insert_meta("b", Bytes::from_static(b"[2]")));
        assert_eq!(call.meta("b").as_deref(), Some(&b"[2]"[..]));
        assert_eq!(call.meta("k"), arrived, "{params}");
        assert_eq!(call.remove_meta("k"), arrived.is_some());
        assert_eq!(call.meta("k"), None, "{params}");
        assert!(call.insert_meta("k", Bytes::from_static(b"3")));
        assert_eq!(call.meta("k").as_deref(), Some(&b"3"[..]));
    }
    assert_eq!(
        message(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#).meta("k"),
        None
    );
}
