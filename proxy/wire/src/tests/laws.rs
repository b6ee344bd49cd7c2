//! Laws of messages: what arrives is what leaves, what is accepted is what a second opinion accepts,
//! and what was changed can be changed back.

use proptest::prelude::*;

use super::strategies::{envelope, id, mutation, value};
use super::{message, oracle, parse, written};
use crate::{Body, Kind, Member, ParseError, object};
use bytes::Bytes;

proptest! {
    #[test]
    fn parse_then_write_is_identity(envelope in envelope()) {
        let message = message(&envelope.text);
        prop_assert_eq!(written(&message), &*envelope.text);
        prop_assert_eq!(message.id().map(|id| id.to_string()), envelope.id);
        prop_assert_eq!(message.method(), envelope.method.as_deref());
        let text = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
        prop_assert_eq!(text(message.params()), envelope.params);
        prop_assert_eq!(text(message.result()), envelope.result);
        prop_assert_eq!(text(message.error()), envelope.error);
        prop_assert_eq!(Some(message.kind()), oracle::judge(envelope.text.as_bytes()));
    }

    #[test]
    fn whitespace_around_a_message_is_cut_off(envelope in envelope(), before in "[ \t\r\n]{0,3}", after in "[ \t\r\n]{0,3}") {
        let message = message(&format!("{before}{}{after}", envelope.text));
        prop_assert_eq!(written(&message), &*envelope.text);
        prop_assert_eq!(message.method(), envelope.method.as_deref());
    }

    #[test]
    fn a_second_opinion_agrees(envelope in envelope(), mutations in proptest::collection::vec(mutation(), 1..4)) {
        let mut text = envelope.text.into_bytes();
        for mutation in mutations {
            mutation.apply(&mut text);
        }
        let kind = crate::Message::parse(Bytes::from(text.clone())).ok().map(|message| message.kind());
        prop_assert_eq!(kind, oracle::judge(&text), "{}", String::from_utf8_lossy(&text));
    }

    #[test]
    fn a_spliced_id_restores(envelope in envelope(), other in id()) {
        let mut message = message(&envelope.text);
        let own = Bytes::from(other.clone());
        let Some(id) = message.id() else {
            let set = message.set_id(own);
            prop_assert_eq!(set, message.kind() == Kind::Error);
            if set && other.len() <= crate::MAX_ID_BYTES {
                let told = parse(&written(&message)).unwrap().id().map(|id| id.to_string());
                prop_assert_eq!(told, Some(other));
            }
            return Ok(());
        };
        prop_assert!(message.set_id(own));
        let relayed = parse(&written(&message));
        if other.len() <= crate::MAX_ID_BYTES {
            let mut relayed = relayed.unwrap();
            prop_assert_eq!(relayed.id_text(), Some(other.as_bytes()));
            prop_assert!(relayed.set_id(&id));
            prop_assert_eq!(written(&relayed), &*envelope.text);
        }
        prop_assert!(message.set_id(id));
        prop_assert_eq!(written(&message), &*envelope.text);
    }

    #[test]
    fn a_spliced_token_restores(envelope in envelope(), own in any::<u64>()) {
        let mut message = message(&envelope.text);
        let Some(token) = message.member(Member::ProgressToken).map(Bytes::copy_from_slice) else {
            prop_assert!(!message.replace(Member::ProgressToken, own));
            return Ok(());
        };
        prop_assert!(message.replace(Member::ProgressToken, own));
        let mut relayed = parse(&written(&message)).unwrap();
        prop_assert_eq!(relayed.string(Member::ProgressToken), None);
        let digits = own.to_string();
        prop_assert_eq!(relayed.member(Member::ProgressToken), Some(digits.as_bytes()));
        prop_assert!(relayed.replace(Member::ProgressToken, token));
        prop_assert_eq!(written(&relayed), &*envelope.text);
    }

    #[test]
    fn a_batch_is_its_elements(envelopes in proptest::collection::vec(envelope(), 1..4), space in "[ \n]{0,2}") {
        let texts: Vec<&str> = envelopes.iter().map(|envelope| &*envelope.text).collect();
        let batch = format!("{space}[{space}{}{space}]{space}", texts.join(&format!("{space},{space}")));
        let Ok(Body::Batch(elements)) = Body::parse(Bytes::from(batch), 3) else {
            return Err(TestCaseError::fail("not a batch"));
        };
        prop_assert_eq!(elements.len(), texts.len());
        for (element, envelope) in elements.iter().zip(&envelopes) {
            let element = element.as_ref().unwrap();
            let alone = message(&envelope.text);
            prop_assert_eq!(written(element), &*envelope.text);
            prop_assert_eq!(element.kind(), alone.kind());
            prop_assert_eq!(element.id(), alone.id());
            prop_assert_eq!(element.method(), alone.method());
            prop_assert_eq!(element.member(Member::ProgressToken), alone.member(Member::ProgressToken));
            prop_assert_eq!(element.params_span(), alone.params_span());
        }
    }

    #[test]
    fn an_objects_members_are_what_a_second_opinion_lists(text in value()) {
        let fields = oracle::Fields::of(&text).map_or_else(Vec::new, |fields| fields.0);
        let members: Vec<(&str, &[u8])> =
            object::members(text.as_bytes()).map(|entry| (&text[entry.key.span().range()], entry.value)).collect();
        let expected: Vec<(&str, &[u8])> = fields.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        prop_assert_eq!(members, expected);
    }

    #[test]
    fn an_id_in_front_of_a_fault_is_told(id in id(), rest in "[^\\x00]{0,20}") {
        let text = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":[{rest}");
        let Err(ParseError { id: told, response, .. }) = parse(&text) else {
            return Err(TestCaseError::reject("happens to be a message"));
        };
        if id.len() <= crate::MAX_ID_BYTES {
            prop_assert_eq!(told.map(|id| id.to_string()), Some(id));
        }
        prop_assert!(response);
    }
}
