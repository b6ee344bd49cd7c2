//! Trace context as it travels: the grammars of W3C Trace Context and W3C Baggage.
//!
//! Values come from clients and go to servers and collectors, so they are checked and bounded. What
//! is malformed is dropped, as the recommendations ask, and never an error: a trace is no reason to
//! refuse a call.

/// Under which name a trace travels, as a header and in `_meta` (SEP-414).
pub const TRACEPARENT: &str = "traceparent";
/// What vendors add to it.
pub const TRACESTATE: &str = "tracestate";
/// What applications hand on beside it.
pub const BAGGAGE: &str = "baggage";

/// The longest `traceparent`, in bytes. That of version 00 has 55; a later version may add to it.
const MAX_PARENT: usize = 128;

/// The longest `tracestate`, in bytes, and the most members it may have (Trace Context, 3.3.1.1 and
/// 3.3.1.5: at least 512 characters should be passed on).
const MAX_STATE: usize = 512;
const MAX_STATE_MEMBERS: usize = 32;

/// The longest `baggage`, in bytes, and the most members it may have (Baggage, 3.3.2, limits).
const MAX_BAGGAGE: usize = 8192;
const MAX_BAGGAGE_MEMBERS: usize = 64;

/// What a `traceparent` says (Trace Context, 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The trace; not zero.
    pub trace: u128,
    /// The span that called; not zero.
    pub span: u64,
    /// Whether the caller records its part.
    pub sampled: bool,
}

impl Parent {
    /// Reads a value. `None` if it is malformed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_PARENT || !text.is_ascii() {
            return None;
        }
        let mut parts = text.splitn(5, '-');
        let (version, trace) = (parts.next()?, parts.next()?);
        let (span, flags) = (parts.next()?, parts.next()?);
        // A version we do not know begins like this one, and may go on.
        let goes_on = parts.next().is_some();
        if version == "ff" || (version == "00" && goes_on) {
            return None;
        }
        hex(version, 2)?;
        let parent = Self {
            trace: hex(trace, 32)?,
            span: u64::try_from(hex(span, 16)?).ok()?,
            sampled: hex(flags, 2)? & 1 == 1,
        };
        (parent.trace != 0 && parent.span != 0).then_some(parent)
    }

    /// The value, in version 00.
    #[must_use]
    pub fn text(&self) -> String {
        let flags = u8::from(self.sampled);
        format!("00-{:032x}-{:016x}-{flags:02x}", self.trace, self.span)
    }

    /// The trace, as people and collectors name it.
    #[must_use]
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace)
    }
}

/// A number of so many lower-case digits.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != digits || !text.bytes().all(lower) {
        return None;
    }
    u128::from_str_radix(text, 16).ok()
}

/// Whether a text is a `tracestate` (Trace Context, 3.3.1).
#[must_use]
pub fn is_state(text: &str) -> bool {
    let key =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(&byte);
    let value = |byte: u8| (0x20..=0x7e).contains(&byte) && byte != b',' && byte != b'=';
    let member = |member: &str| {
        // Empty members are allowed.
        member.is_empty()
            || member.split_once('=').is_some_and(|(name, text)| {
                let sound = !name.is_empty() && name.bytes().all(key) && name.len() <= 256;
                sound && !text.is_empty() && text.len() <= 256 && text.bytes().all(value)
            })
    };
    let members = || {
        text.split(',')
            .map(|member| member.trim_matches([' ', '\t']))
    };
    text.len() <= MAX_STATE
        && members().any(|member| !member.is_empty())
        && members().count() <= MAX_STATE_MEMBERS
        && members().all(member)
}

/// Whether a text is a `baggage` (Baggage, 3.3.1). Only what could break out of it is looked at: what a
/// member means is its reader's.
#[must_use]
pub fn is_baggage(text: &str) -> bool {
    // RFC 9110, 5.6.2: token.
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let value =
        |byte: u8| matches!(byte, b' ' | b'\t' | b'!' | b'#'..=b'+' | b'-'..=b'[' | b']'..=b'~');
    let member = |member: &str| {
        let Some((name, text)) = member.split_once('=') else {
            return false;
        };
        let name = name.trim_matches([' ', '\t']);
        !name.is_empty() && name.bytes().all(token) && text.bytes().all(value)
    };
    text.len() <= MAX_BAGGAGE
        && text.split(',').count() <= MAX_BAGGAGE_MEMBERS
        && text.split(',').all(member)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_parent_is_read_and_written() {
        let parent = Parent::parse(TRACE).unwrap();
        assert_eq!(parent.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!((parent.span, parent.sampled), (0x00f0_67aa_0ba9_02b7, true));
        assert_eq!(parent.text(), TRACE);
        // What a later version adds is not for us.
        let later = TRACE.replacen("00-", "01-", 1) + "-what-comes";
        assert_eq!(Parent::parse(&later), Some(parent));
        let unsampled = TRACE.replace("b7-01", "b7-02");
        assert!(!Parent::parse(&unsampled).unwrap().sampled);
    }

    #[test]
    fn what_is_no_parent_is_none() {
        for broken in [
            "",
            "00",
            &TRACE[..54],
            &TRACE.to_uppercase(),
            &TRACE.replacen("00-", "ff-", 1),
            &TRACE.replacen("00-", "0-", 1),
            &(TRACE.to_owned() + "-x"),
            &(TRACE.to_owned() + " "),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-+1",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01",
            &("01".to_owned() + &TRACE[2..] + "-" + &"x".repeat(100)),
        ] {
            assert_eq!(Parent::parse(broken), None, "{broken}");
        }
    }

    #[test]
    fn states_and_baggage_are_bounded_and_plain() {
        for state in [
            "a=1",
            "rojo=00f0,congo=t61 x",
            "a@b=\"\\",
            "a=1,,b=2",
            "a=1 , b=2",
        ] {
            assert!(is_state(state), "{state}");
        }
        let long = format!("a={}", "x".repeat(300));
        let many = ["a=1"; 33].join(",");
        for broken in [
            "", ",", "a", "A=1", "a=", "a=1=2", "a=\u{7f}", "=1", &long, &many,
        ] {
            assert!(!is_state(broken), "{broken}");
        }
        for baggage in ["user=alice", "a=1;p=2;q, b = c%20d", "k="] {
            assert!(is_baggage(baggage), "{baggage}");
        }
        let long = format!("a={}", "x".repeat(9000));
        let many = ["a=1"; 65].join(",");
        for broken in [
            "", "a", "a b=1", "a=\"", "a=\\", "a=é", "a=1,", &long, &many,
        ] {
            assert!(!is_baggage(broken), "{broken}");
        }
    }
}
