//! Who has a token: names and their bearer tokens, from a variable or a file.
//!
//! A name becomes the principal of whoever presents its token, and sessions, streams and children
//! are kept apart by it. So a name must mean one holder and a token one name; anything else is a
//! fault. No fault repeats a token: entries are named by their name or their place in the list.

use std::fmt;
use std::path::PathBuf;

use super::secret::{SHORT_SECRET_BYTES, Secret};

/// The name of the one holder that was not given any.
pub const UNNAMED: &str = "token";

/// The longest name, in bytes: an address of mail fits.
const MAX_NAME_BYTES: usize = 64;

/// Holders in one roster. All of them are compared with what each request presents.
const MAX_HOLDERS: usize = 1000;

/// A name, and the token that whoever has it presents.
#[derive(Clone, Debug)]
pub struct Holder {
    /// Up to 64 of `A-Z a-z 0-9 . _ @ -`.
    pub name: String,
    /// The token.
    pub token: Secret,
}

/// Everyone who has a token. It is never empty; `Debug` shows the names only.
#[derive(Clone)]
pub struct Roster {
    holders: Vec<Holder>,
    /// Where it was read and is read again when it changes.
    file: Option<PathBuf>,
}

impl fmt::Debug for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.holders.iter().map(|holder| &holder.name);
        f.debug_list().entries(names).finish()
    }
}

/// What is wrong with a roster: a sentence without a token in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RosterFault(String);

impl Roster {
    /// One token without a name.
    #[must_use]
    pub fn of(token: Secret) -> Self {
        let name = UNNAMED.to_owned();
        Self {
            holders: vec![Holder { name, token }],
            file: None,
        }
    }

    /// `alice:token,bob:token`, as a variable holds it.
    ///
    /// # Errors
    ///
    /// An entry that is not a name and a token, or that repeats one.
    pub fn parse_list(text: &str) -> Result<Self, RosterFault> {
        let entries = text
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty());
        Self::collect(entries.map(read), "entry")
    }

    /// A line for each holder, `name:token`; or one line with a token and no name. Lines that are
    /// empty, or begin with `#` and a space, say nothing: no token holds a space.
    ///
    /// # Errors
    ///
    /// A line that is not a name and a token, or that repeats one.
    pub fn parse_file(text: &str, file: PathBuf) -> Result<Self, RosterFault> {
        let lines = text.lines().map(str::trim);
        let lines =
            lines.filter(|line| !line.is_empty() && *line != "#" && !line.starts_with("# "));
        let lines: Vec<&str> = lines.collect();
        let roster = match lines.as_slice() {
            [] => Self::collect([(None, "")].into_iter(), "line"),
            // A token may hold a colon; it is one with a name only where that can be one.
            [only] => Self::collect([read(only)].into_iter(), "line"),
            _ => Self::collect(lines.iter().map(|line| read(line)), "line"),
        };
        roster.map(|roster| Self {
            file: Some(file),
            ..roster
        })
    }

    fn collect<'a>(
        entries: impl Iterator<Item = (Option<&'a str>, &'a str)>,
        what: &str,
    ) -> Result<Self, RosterFault> {
        let mut holders: Vec<Holder> = Vec::new();
        let entries: Vec<_> = entries.collect();
        let single = entries.len() == 1 && what == "line";
        for (place, (name, token)) in (1..).zip(entries) {
            let name = match name {
                Some(name) => name,
                None if single => UNNAMED,
                None => {
                    return Err(RosterFault(format!(
                        "{what} {place} is not NAME:TOKEN, with a name of up to {MAX_NAME_BYTES} \
                         letters, digits, `.`, `_`, `@` and `-`"
                    )));
                }
            };
            let fault =
                |sentence: &str| RosterFault(format!("{what} {place} ({name}): {sentence}"));
            // It is the name of whoever comes without a token, where none is asked for.
            if name == "anonymous" {
                return Err(fault("the name is taken by whoever comes without a token"));
            }
            let token = Secret::new(token).map_err(|why| match single {
                true if name == UNNAMED => RosterFault(format!("the token is not usable: {why}")),
                _ => fault(&format!("the token is not usable: {why}")),
            })?;
            if holders.iter().any(|other| other.name == name) {
                return Err(fault("the name stands there twice"));
            }
            if let Some(other) = holders
                .iter()
                .find(|other| other.token.expose() == token.expose())
            {
                let other = &other.name;
                return Err(fault(&format!("the token is that of {other}, too")));
            }
            if holders.len() == MAX_HOLDERS {
                return Err(RosterFault(format!("there are more than {MAX_HOLDERS}")));
            }
            holders.push(Holder {
                name: name.to_owned(),
                token,
            });
        }
        if holders.is_empty() {
            return Err(RosterFault("it names nobody".to_owned()));
        }
        Ok(Self {
            holders,
            file: None,
        })
    }

    /// Everyone in it.
    #[must_use]
    pub fn holders(&self) -> &[Holder] {
        &self.holders
    }

    /// The file it was read from, which may change.
    #[must_use]
    pub const fn file(&self) -> Option<&PathBuf> {
        self.file.as_ref()
    }

    /// The names of those whose tokens may be guessed.
    pub(super) fn short(&self) -> impl Iterator<Item = &str> {
        let short = |holder: &&Holder| holder.token.expose().len() < SHORT_SECRET_BYTES;
        let short = self.holders.iter().filter(short);
        short.map(|holder| holder.name.as_str())
    }
}

/// An entry as a name and a token; without a name where what stands before the colon cannot be one.
fn read(entry: &str) -> (Option<&str>, &str) {
    match entry.split_once(':') {
        Some((name, token)) if is_name(name.trim()) => (Some(name.trim()), token.trim()),
        _ => (None, entry),
    }
}

fn is_name(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte);
    (1..=MAX_NAME_BYTES).contains(&text.len()) && text.bytes().all(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Result<Vec<(String, String)>, String> {
        shown(Roster::parse_list(text))
    }

    fn file(text: &str) -> Result<Vec<(String, String)>, String> {
        shown(Roster::parse_file(text, "/run/tokens".into()))
    }

    fn shown(roster: Result<Roster, RosterFault>) -> Result<Vec<(String, String)>, String> {
        let pair = |holder: &Holder| (holder.name.clone(), holder.token.expose().to_owned());
        let roster = roster.map_err(|fault| fault.to_string())?;
        Ok(roster.holders().iter().map(pair).collect())
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let own = |(name, token): &(&str, &str)| ((*name).to_owned(), (*token).to_owned());
        pairs.iter().map(own).collect()
    }

    #[test]
    fn names_and_tokens() {
        let two = pairs(&[("alice", "a-token"), ("bob@b.example", "b:token")]);
        assert_eq!(
            list(" alice:a-token , bob@b.example:b:token,"),
            Ok(two.clone())
        );
        let text = "# who\r\n\nalice:a-token\r\n  bob@b.example:b:token\n#\n";
        assert_eq!(file(text), Ok(two));
        // One line stays what it was, whatever it holds.
        assert_eq!(file("secret\n"), Ok(pairs(&[("token", "secret")])));
        assert_eq!(file("a/b:secret"), Ok(pairs(&[("token", "a/b:secret")])));
        assert_eq!(file("#secret"), Ok(pairs(&[("token", "#secret")])));
        assert_eq!(file("alice:secret"), Ok(pairs(&[("alice", "secret")])));
    }

    #[test]
    fn what_is_ambiguous_is_a_fault_that_repeats_no_token() {
        let long = format!("{}:hunter2", "a".repeat(MAX_NAME_BYTES + 1));
        let many: String = (0..=MAX_HOLDERS)
            .map(|n| format!("n{n}:hunter2-{n},"))
            .collect();
        for (text, part) in [
            ("", "it names nobody"),
            ("hunter2", "entry 1 is not NAME:TOKEN"),
            ("alice:hunter2,hunter3", "entry 2 is not NAME:TOKEN"),
            (":hunter2", "entry 1 is not NAME:TOKEN"),
            ("a b:hunter2", "entry 1 is not NAME:TOKEN"),
            (&long, "entry 1 is not NAME:TOKEN"),
            (
                "alice:",
                "entry 1 (alice): the token is not usable: it is empty",
            ),
            (
                "alice:hunter 2",
                "entry 1 (alice): the token is not usable: it holds",
            ),
            (
                "alice:hunter2,alice:hunter3",
                "entry 2 (alice): the name stands there twice",
            ),
            (
                "alice:hunter2,bob:hunter2",
                "entry 2 (bob): the token is that of alice, too",
            ),
            ("anonymous:hunter2", "the name is taken"),
            (&many, "there are more than 1000"),
        ] {
            let fault = list(text).unwrap_err();
            assert!(fault.contains(part), "{fault}");
            assert!(!fault.contains("hunter"), "{fault}");
        }
        assert!(
            file("alice:a\nhunter2")
                .unwrap_err()
                .starts_with("line 2 is not NAME:TOKEN")
        );
        assert_eq!(
            file("\n").unwrap_err(),
            "the token is not usable: it is empty"
        );
    }

    #[test]
    fn nothing_of_it_is_printed_but_names() {
        let roster = Roster::parse_list("alice:hunter2,bob:hunter3").unwrap();
        assert_eq!(format!("{roster:?}"), r#"["alice", "bob"]"#);
        let printed = format!("{:?}", roster.holders());
        assert!(!printed.contains("hunter"), "{printed}");
    }
}
