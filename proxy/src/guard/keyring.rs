//! Whose token is this? The tokens of a [`Roster`], ready to be compared, and read again when their
//! file changes.
//!
//! Tokens are compared by digest and all of them every time, so that the time it takes says neither
//! how much of a guess was right nor whose token was presented. Keys are exchanged while requests
//! run: a token that is gone is refused from the next request on, and what its principal had
//! (sessions, children) is there for whoever presents the new token of that name.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};

use sha2::{Digest as _, Sha256};

use super::Principal;
use super::refresh::{Reload, is_read_once};
use crate::config::{MAX_SECRET_BYTES, Machine as _, Roster, Secret, ThisMachine, TokenPolicy};

/// The keys of this moment.
#[derive(Debug)]
pub struct Keyring {
    keys: RwLock<Arc<[Key]>>,
    file: Option<File>,
}

struct Key {
    digest: [u8; 32],
    principal: Principal,
}

/// Shows whose it is.
impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Key").field(&self.principal).finish()
    }
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    last: Mutex<Seen>,
}

/// What the file held when it was looked at last, so that a change is told once.
#[derive(Clone, PartialEq, Eq)]
enum Seen {
    /// As at the start, which another reading of it followed.
    Nothing,
    Unreadable,
    Text([u8; 32]),
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seen")
    }
}

impl Keyring {
    /// The keys of a policy; `None` where no token is asked for.
    #[must_use]
    pub fn new(tokens: &TokenPolicy) -> Option<Arc<Self>> {
        let roster = match tokens {
            TokenPolicy::Issued | TokenPolicy::Open | TokenPolicy::OpenDeclared => return None,
            TokenPolicy::Generated(secret) => &Roster::of(secret.clone()),
            TokenPolicy::Given(roster) => roster,
        };
        Some(Arc::new(Self {
            keys: RwLock::new(keys(roster)),
            file: roster.file().map(|path| File {
                path: path.clone(),
                last: Mutex::new(Seen::Nothing),
            }),
        }))
    }

    /// Whether a change of a file changes the keys.
    #[must_use]
    pub const fn can_change(&self) -> bool {
        self.file.is_some()
    }

    /// Whose token this is.
    #[must_use]
    pub fn find(&self, presented: &[u8]) -> Option<Principal> {
        if presented.len() > MAX_SECRET_BYTES {
            return None;
        }
        let presented = digest(presented);
        let keys = Arc::clone(&self.keys.read());
        let mut found = u32::MAX;
        for (place, key) in (0..).zip(keys.iter()) {
            found.conditional_assign(&place, key.digest.ct_eq(&presented));
        }
        let key = keys.get(usize::try_from(found).ok()?)?;
        Some(key.principal.clone())
    }
}

impl Reload for Keyring {
    /// A file that cannot be read, or is wrong, changes nothing: a rotation that was seen halfway
    /// must not lock everybody out.
    fn reload(&self) {
        let Some(File { path, last }) = &self.file else {
            return;
        };
        if is_read_once(path) {
            return;
        }
        let text = ThisMachine.read_text(path);
        let now = match &text {
            Ok(text) => Seen::Text(digest(text.as_bytes())),
            Err(_) => Seen::Unreadable,
        };
        let before = std::mem::replace(&mut *last.lock(), now.clone());
        if before == now {
            return;
        }
        let roster = text.map_err(|error| error.to_string()).and_then(|text| {
            Roster::parse_file(&text, path.clone()).map_err(|fault| fault.to_string())
        });
        match roster {
            Ok(roster) => {
                let keys = keys(&roster);
                let differ = |(one, other): (&Key, &Key)| {
                    one.digest != other.digest || one.principal != other.principal
                };
                let mut now = self.keys.write();
                if now.len() != keys.len() || now.iter().zip(keys.iter()).any(differ) {
                    tracing::info!(?path, holders = ?roster, "the tokens were read again");
                    *now = keys;
                }
            }
            Err(fault) => {
                tracing::warn!(?path, "the tokens stay as they were: {fault}");
            }
        }
    }
}

fn keys(roster: &Roster) -> Arc<[Key]> {
    let key = |name: &str, token: &Secret| Key {
        digest: digest(token.expose().as_bytes()),
        principal: Principal::named(name),
    };
    let holders = roster.holders().iter();
    holders
        .map(|holder| key(&holder.name, &holder.token))
        .collect()
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(text: &str) -> Arc<Keyring> {
        let roster = Roster::parse_list(text).unwrap();
        Keyring::new(&TokenPolicy::Given(roster)).unwrap()
    }

    #[test]
    fn a_token_is_its_holders_and_nothing_near_it_is() {
        let keys = given("alice:correct-horse,bob:battery-staple");
        let named = |name| Some(Principal::named(name));
        assert_eq!(keys.find(b"correct-horse"), named("alice"));
        assert_eq!(keys.find(b"battery-staple"), named("bob"));
        let long = vec![b'a'; MAX_SECRET_BYTES + 1];
        for other in [
            &b""[..],
            b"correct-hors",
            b"correct-horsE",
            b"correct-horse ",
            b"correct-horse\0",
            b"alice:correct-horse",
            b"alice",
            &long,
        ] {
            assert_eq!(keys.find(other), None, "{other:?}");
        }
        let greatest = "a".repeat(MAX_SECRET_BYTES);
        let keys = given(&format!("alice:{greatest}"));
        assert_eq!(keys.find(greatest.as_bytes()), named("alice"));
    }

    #[test]
    fn nothing_of_it_is_printed_but_names() {
        let keys = given("alice:correct-horse");
        let printed = format!("{keys:?}");
        assert!(
            printed.contains("alice") && !printed.contains("horse"),
            "{printed}"
        );
        let hidden = format!("{:?}", digest(b"correct-horse"));
        assert!(!printed.contains(&hidden));
    }

    #[test]
    fn a_file_is_read_again_and_a_pipe_is_not() {
        let folder = std::env::temp_dir().join(format!("mcp-keyring-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (file, pipe) = (folder.join("file"), folder.join("pipe"));
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, 0o600.into()).unwrap();
        std::fs::write(&file, "alice:battery-staple").unwrap();
        let find = |path: &PathBuf| {
            let roster = Roster::parse_file("alice:correct-horse", path.clone()).unwrap();
            let keys = Keyring::new(&TokenPolicy::Given(roster)).unwrap();
            // With nobody who writes into it, opening the pipe would wait for ever.
            keys.reload();
            [&b"correct-horse"[..], b"battery-staple"].map(|token| keys.find(token).is_some())
        };
        assert_eq!(find(&file), [false, true]);
        assert_eq!(find(&pipe), [true, false]);
        assert_eq!(find(&folder.join("absent")), [true, false]);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn without_a_token_there_are_no_keys() {
        assert!(Keyring::new(&TokenPolicy::Open).is_none());
        assert!(Keyring::new(&TokenPolicy::OpenDeclared).is_none());
    }
}
