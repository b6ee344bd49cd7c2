//! What is refused, one test each, and beside it what is almost the same and passes.

use bytes::Bytes;

use super::{message, parse, written};
use crate::{ErrorCode, Fault, Id, Kind, MAX_DEPTH, MAX_ID_BYTES, Member, Message, ParseError};

fn fault(text: &str) -> Fault {
    parse(text).unwrap_err().kind
}

/// A request with these members besides its version.
fn with(members: &str) -> String {
    format!("{{\"jsonrpc\":\"2.0\",{members}}}")
}

#[test]
fn invalid_utf8() {
    let error = Message::parse(Bytes::from_static(b"{\"id\":7,\"result\":\"\xFF\"}")).unwrap_err();
    assert_eq!(
        error,
        ParseError {
            kind: Fault::NotUtf8,
            id: Some(Id::number(7)),
            response: true
        }
    );
    assert_eq!(error.code(), ErrorCode::PARSE_ERROR);
}

#[test]
fn a_byte_order_mark() {
    assert_eq!(
        fault("\u{feff}{\"jsonrpc\":\"2.0\",\"method\":\"m\"}"),
        Fault::Bom
    );
    assert_eq!(fault(" \u{feff}{}"), Fault::Bom);
    assert_eq!(fault("{\u{feff}}"), Fault::Syntax { at: 1 });
}

#[test]
fn nothing() {
    assert_eq!(fault(""), Fault::Empty);
    assert_eq!(fault(" \r\n\t"), Fault::Empty);
}

#[test]
fn what_is_not_json() {
    assert_eq!(
        fault("Server started on port 3000"),
        Fault::Syntax { at: 0 }
    );
    assert_eq!(
        fault("{\"jsonrpc\":\"2.0\",\"method\":\"m\"}}"),
        Fault::Syntax { at: 30 }
    );
    assert_eq!(
        fault("{\"jsonrpc\":\"2.0\",\"method\":\"m\""),
        Fault::Truncated
    );
    assert_eq!(
        fault("{\"jsonrpc\":\"2.0\",\"method\":\"a\nb\"}"),
        Fault::Syntax { at: 28 }
    );
    assert_eq!(parse("x").unwrap_err().code(), ErrorCode::PARSE_ERROR);
}

#[test]
fn json_that_is_no_object() {
    assert_eq!(fault("1"), Fault::NotObject);
    assert_eq!(fault("null"), Fault::NotObject);
    assert_eq!(fault("[]"), Fault::Array);
    assert_eq!(
        fault("[{\"jsonrpc\":\"2.0\",\"method\":\"m\"}]"),
        Fault::Array
    );
    assert_eq!(fault("[1"), Fault::Truncated);
    assert_eq!(parse("1").unwrap_err().code(), ErrorCode::INVALID_REQUEST);
}

#[test]
fn two_thousand_deep_passes() {
    let (open, close) = ("[{\"a\":".repeat(1000), "}]".repeat(1000));
    let text = with(&format!("\"id\":1,\"result\":{open}1{close}"));
    assert_eq!(written(&message(&text)), text);
}

#[test]
fn depth_is_bounded_and_the_id_is_told() {
    let nested = |depth: usize| {
        with(&format!(
            "\"id\":9,\"result\":{}{}",
            "[".repeat(depth),
            "]".repeat(depth)
        ))
    };
    assert!(parse(&nested(MAX_DEPTH - 1)).is_ok());
    let error = parse(&nested(MAX_DEPTH)).unwrap_err();
    assert_eq!(
        error,
        ParseError {
            kind: Fault::TooDeep,
            id: Some(Id::number(9)),
            response: true
        }
    );
}

#[test]
fn two_hundred_thousand_brackets_are_refused_on_a_small_stack() {
    let brackets = "[".repeat(200_000);
    let texts = [
        brackets.clone(),
        "{\"a\":".repeat(200_000),
        with(&format!("\"id\":1,\"params\":{brackets}")),
    ];
    // Recursion of any kind would not fit 64 KiB.
    let refused = std::thread::Builder::new()
        .stack_size(64 * 1024)
        .spawn(move || texts.map(|text| fault(&text)));
    assert_eq!(refused.unwrap().join().unwrap(), [Fault::TooDeep; 3]);
}

#[test]
fn a_missing_or_wrong_version() {
    assert_eq!(fault("{}"), Fault::NoVersion);
    assert_eq!(fault("{\"id\":1,\"method\":\"m\"}"), Fault::NoVersion);
    for version in ["2.0", "\"1.0\"", "\"2.0 \"", "null", "\"\\u0032.0\""] {
        assert_eq!(
            fault(&format!("{{\"jsonrpc\":{version},\"method\":\"m\"}}")),
            Fault::WrongVersion,
            "{version}"
        );
    }
}

#[test]
fn an_id_of_another_type() {
    for id in ["true", "{}", "[1]"] {
        let error = parse(&with(&format!("\"id\":{id},\"method\":\"m\""))).unwrap_err();
        assert_eq!((error.kind, error.id), (Fault::IdType, None), "{id}");
        assert_eq!(
            fault(&with(&format!("\"id\":{id},\"error\":{{}}"))),
            Fault::IdType,
            "{id}"
        );
    }
}

#[test]
fn an_id_that_is_too_long() {
    let id = |length: usize| {
        with(&format!(
            "\"id\":\"{}\",\"method\":\"m\"",
            "x".repeat(length - 2)
        ))
    };
    assert!(parse(&id(MAX_ID_BYTES)).is_ok());
    assert_eq!(
        parse(&id(MAX_ID_BYTES + 1)).unwrap_err(),
        Fault::IdTooLong.into()
    );
}

#[test]
fn null_and_absent_ids_are_told_apart() {
    assert_eq!(fault(&with("\"id\":null,\"method\":\"m\"")), Fault::NullId);
    assert_eq!(
        message(&with("\"method\":\"m\"")).kind(),
        Kind::Notification
    );
    assert_eq!(fault(&with("\"id\":null,\"result\":1")), Fault::NullId);
    assert_eq!(fault(&with("\"result\":1")), Fault::NoId);
    for unread in ["\"id\":null,\"error\":{}", "\"error\":{}"] {
        let error = message(&with(unread));
        assert_eq!((error.kind(), error.id()), (Kind::Error, None), "{unread}");
    }
}

#[test]
fn null_results_are_results() {
    let result = message(&with("\"id\":1,\"result\":null"));
    assert_eq!(
        (result.kind(), result.result()),
        (Kind::Result, Some(&b"null"[..]))
    );
}

#[test]
fn a_method_that_is_no_plain_string() {
    assert_eq!(fault(&with("\"method\":1")), Fault::MethodType);
    assert_eq!(
        fault(&with("\"method\":null,\"id\":1,\"result\":1")),
        Fault::MethodType
    );
    assert_eq!(
        fault(&with("\"method\":\"tools\\/call\"")),
        Fault::MethodEscaped
    );
    assert_eq!(message(&with("\"method\":\"\"")).method(), Some(""));
}

#[test]
fn neither_a_method_nor_a_response() {
    let error = parse(&with("\"id\":1")).unwrap_err();
    assert_eq!(
        error,
        ParseError {
            kind: Fault::NoMethod,
            id: Some(Id::number(1)),
            response: false
        }
    );
}

#[test]
fn a_result_and_an_error() {
    assert_eq!(
        fault(&with("\"id\":1,\"result\":1,\"error\":{}")),
        Fault::ResultAndError
    );
    assert_eq!(
        fault(&with("\"id\":1,\"result\":1,\"error\":null")),
        Fault::ResultAndError
    );
}

#[test]
fn a_method_and_a_response() {
    let error = parse(&with("\"id\":1,\"result\":1,\"method\":\"m\"")).unwrap_err();
    assert_eq!(
        error,
        ParseError {
            kind: Fault::MethodAndResponse,
            id: Some(Id::number(1)),
            response: false
        }
    );
    assert_eq!(
        fault(&with("\"method\":\"m\",\"error\":{}")),
        Fault::MethodAndResponse
    );
}

#[test]
fn duplicates_of_what_is_read() {
    for (name, value) in [
        ("jsonrpc", "\"2.0\""),
        ("method", "\"m\""),
        ("params", "{}"),
        ("id", "1"),
        ("result", "1"),
        ("error", "1"),
    ] {
        let rest = if name == "method" {
            ""
        } else {
            "\"method\":\"m\","
        };
        let text = format!("{{{rest}\"{name}\":{value},\"x\":1,\"{name}\":{value}}}");
        assert_eq!(fault(&text), Fault::Duplicate(name));
    }
    let error = parse(&with("\"id\":1,\"method\":\"m\",\"id\":2")).unwrap_err();
    assert_eq!(error.id, None, "two ids are none");
    for (name, _) in Member::OF_PARAMS {
        let params = format!("\"method\":\"m\",\"params\":{{\"{name}\":1,\"{name}\":1}}");
        assert_eq!(fault(&with(&params)), Fault::Duplicate(name));
    }
    for (name, _) in Member::OF_META {
        let params =
            format!("\"method\":\"m\",\"params\":{{\"_meta\":{{\"{name}\":1,\"{name}\":1}}}}");
        assert_eq!(fault(&with(&params)), Fault::Duplicate(name));
    }
}

#[test]
fn escaped_names_of_what_is_read() {
    assert_eq!(
        fault(&with("\"\\u0069d\":1,\"method\":\"m\"")),
        Fault::EscapedName("id")
    );
    let name = "\"id\":1,\"method\":\"m\",\"params\":{\"n\\u0061me\":\"x\"}";
    let error = parse(&with(name)).unwrap_err();
    assert_eq!(
        (error.kind, error.id),
        (Fault::EscapedName("name"), Some(Id::number(1)))
    );
    let slash =
        "\"method\":\"m\",\"params\":{\"_meta\":{\"io.modelcontextprotocol\\/logLevel\":1}}";
    assert_eq!(
        fault(&with(slash)),
        Fault::EscapedName("io.modelcontextprotocol/logLevel")
    );
}

#[test]
fn other_duplicates_and_aliases_pass() {
    for text in [
        with("\"method\":\"m\",\"x\":1,\"x\":2,\"\\u0078\":3"),
        with("\"method\":\"m\",\"params\":{\"a\":1,\"a\":2,\"_meta\":{\"v\":1,\"v\":1}}"),
        with(
            "\"method\":\"m\",\"params\":{\"arguments\":{\"name\":1,\"name\":2,\"\\u0069d\":1,\"id\":2}}",
        ),
        with("\"id\":1,\"result\":{\"name\":1,\"name\":2},\"params\":{\"name\":1,\"name\":2}"),
        with("\"id\":1,\"result\":1,\"params\":null"),
    ] {
        assert_eq!(written(&message(&text)), text);
    }
}

#[test]
fn params_that_are_neither_object_nor_array() {
    for params in ["null", "1", "\"{}\"", "true"] {
        assert_eq!(
            fault(&with(&format!("\"method\":\"m\",\"params\":{params}"))),
            Fault::ParamsType,
            "{params}"
        );
    }
    let array = message(&with("\"method\":\"m\",\"params\":[{\"name\":1}]"));
    assert_eq!(array.params(), Some(&b"[{\"name\":1}]"[..]));
    assert_eq!(array.member(Member::Name), None);
}

#[test]
fn json_that_is_broken_later_is_no_invalid_request() {
    assert_eq!(
        fault("{\"jsonrpc\":1,\"id\":1,\"id\":2,\"method\":\"m\",}"),
        Fault::Syntax { at: 40 }
    );
}

#[test]
fn sentences_fit_behind_a_colon() {
    for text in ["", "x", "{", "[]", "1", "{}", &with("\"id\":1,\"id\":1")] {
        let sentence = parse(text).unwrap_err().to_string();
        assert!(
            !sentence.ends_with('.') && !sentence.starts_with(' '),
            "{sentence}"
        );
    }
    assert_eq!(
        Fault::TooDeep.to_string(),
        "JSON is nested deeper than 4096"
    );
}

#[test]
fn debug_output_tells_no_content() {
    let text = with("\"id\":\"a\",\"method\":\"tools/call\",\"params\":{\"name\":\"secret\"}");
    let shown = format!("{:?}", message(&text));
    assert_eq!(
        shown,
        "Message { kind: Request, method: \"tools/call\", id: Id(\"a\"), length: 75, .. }"
    );
}
