//! How clients of one protocol era have a server of another.

use std::fmt;
use std::time::Duration;

use super::cli::Typed;
use super::meaning::Translation;
use super::pick::Picker;

/// The variable with the keys that seal what clients of 2026-07-28 are given to hand back.
const KEYS: &str = "MCP_PROXY_STATE_KEY";

/// Bytes of a key.
const KEY_BYTES: usize = 32;

/// A shorter time no client can answer in.
const SHORTEST: Duration = Duration::from_secs(1);

/// More processes that nobody uses than this are a mistake.
const MOST_WARM: usize = 64;

/// Keys by their names, the newest first. They print nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct StateKeys(Vec<(String, [u8; KEY_BYTES])>);

impl fmt::Debug for StateKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.0.iter().map(|(name, _)| name).collect();
        f.debug_tuple("StateKeys").field(&names).finish()
    }
}

impl StateKeys {
    /// Reads `name:base64` of 32 bytes each, separated by commas.
    ///
    /// # Errors
    ///
    /// A sentence about what is wrong, without the key in it.
    fn parse(text: &str) -> Result<Self, String> {
        use base64::Engine as _;
        use base64::engine::general_purpose::STANDARD;

        let mut keys: Vec<(String, [u8; KEY_BYTES])> = Vec::new();
        for (at, item) in text.split(',').map(str::trim).enumerate() {
            let nth = at + 1;
            let (name, key) = item.split_once(':').ok_or_else(|| {
                format!("key {nth} is not NAME:KEY; write it like 2026a:<32 bytes in base64>")
            })?;
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            if name.is_empty() || name.len() > 32 || !name.bytes().all(plain) {
                return Err(format!(
                    "the name of key {nth} has to be 1 to 32 letters, digits, - or _"
                ));
            }
            if keys.iter().any(|(known, _)| known == name) {
                return Err(format!("two keys are named {name}"));
            }
            let bytes = STANDARD.decode(key).ok();
            let key = bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| {
                format!(
                    "key {name} is not the base64 of 32 bytes; `openssl rand -base64 32` makes one"
                )
            })?;
            keys.push((name.to_owned(), key));
        }
        Ok(Self(keys))
    }

    /// The keys, by their names.
    #[must_use]
    pub fn expose(&self) -> &[(String, [u8; KEY_BYTES])] {
        &self.0
    }
}

pub(super) fn read(pick: &mut Picker<'_>, typed: &Typed) -> Translation {
    let keys = pick.variable(KEYS).and_then(|picked| {
        let keys = StateKeys::parse(&picked.text);
        keys.map_err(|fault| pick.notes.fault(format!("{KEYS}: {fault}")))
            .ok()
    });
    let five_minutes = Duration::from_secs(300);
    let timeout = typed.input_timeout.as_ref();
    Translation {
        keys,
        patience: pick.duration("input-timeout", timeout, five_minutes, SHORTEST),
        warm: warm(pick, typed),
        roots: roots(pick, typed),
    }
}

fn warm(pick: &mut Picker<'_>, typed: &Typed) -> Option<usize> {
    let picked = pick.text("warm-children", typed.warm_children.as_ref())?;
    let count = picked.text.trim().parse().ok();
    let count = count.filter(|count| *count <= MOST_WARM);
    if count.is_none() {
        pick.wrong(&picked, &format!("not a whole number up to {MOST_WARM}"));
    }
    count
}

/// The text of a `ListRootsResult`.
fn roots(pick: &mut Picker<'_>, typed: &Typed) -> Option<String> {
    let mut roots = Vec::new();
    for picked in pick.list("roots", &typed.roots) {
        match root(&picked.text) {
            Some(uri) => roots.push(serde_json::json!({ "uri": uri })),
            None => pick.wrong(&picked, "neither an absolute path nor a file:// URI"),
        }
    }
    (!roots.is_empty()).then(|| serde_json::json!({ "roots": roots }).to_string())
}

/// The URI of a root (2025-11-25, client/roots: `file://` only).
fn root(text: &str) -> Option<String> {
    if text.starts_with("file:///") {
        return Some(text.to_owned());
    }
    let path = text.strip_prefix('/')?;
    let mut uri = "file:///".to_owned();
    for byte in path.bytes() {
        // RFC 3986, 3.3: what a path segment may hold as it is, but for what some readers take for
        // the end of the path.
        if byte.is_ascii_alphanumeric() || b"-._~/@:+,=&$!".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            use fmt::Write as _;
            let _infallible = write!(uri, "%{byte:02X}");
        }
    }
    Some(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

    #[test]
    fn keys_have_names_and_print_nothing() {
        let keys = StateKeys::parse(&format!("2026:{KEY}, 2025:{KEY}")).unwrap();
        assert_eq!(format!("{keys:?}"), r#"StateKeys(["2026", "2025"])"#);
        assert_eq!(keys.expose()[1], ("2025".to_owned(), [1; 32]));
        for (text, part) in [
            (KEY.to_owned(), "NAME:KEY"),
            (format!("a.b:{KEY}"), "letters"),
            ("a:BwcHBw==".to_owned(), "32 bytes"),
            (format!("a:{KEY},a:{KEY}"), "two keys"),
        ] {
            let fault = StateKeys::parse(&text).unwrap_err();
            assert!(fault.contains(part), "{fault}");
            assert!(!fault.contains(KEY) && !fault.contains("BwcH"));
        }
    }

    #[test]
    fn a_root_is_a_file_uri() {
        assert_eq!(root("/srv/a b/ü").unwrap(), "file:///srv/a%20b/%C3%BC");
        assert_eq!(root("file:///x").unwrap(), "file:///x");
        assert_eq!(root("https://x"), None);
        assert_eq!(root("relative"), None);
    }
}
