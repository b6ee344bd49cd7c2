//! What is known of the eras a server speaks, kept over restarts of the proxy.
//!
//! It is kept by program, arguments, and size and age of every file they name: another version of
//! the server is another server. What a command fetches for itself (`npx` without a version) cannot
//! be seen from here, so knowledge is good for a day; and a server that is believed to be modern is
//! asked again whenever it starts.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use mcp_wire::Era;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::back::verdict::Eras;
use crate::link::child::Command;

/// How long what was found is believed.
const BELIEVED: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a server that may only have had bad luck is not asked again.
const DOUBTED: Duration = Duration::from_secs(30);

/// The eras of one server.
#[derive(Debug)]
pub(super) struct Remembered {
    found: Mutex<Found>,
    /// It was said by the configuration, and nothing is learnt.
    said: bool,
    folder: Option<PathBuf>,
}

/// What was found out, and of which command.
#[derive(Debug)]
struct Found {
    eras: Eras,
    asks: bool,
    /// The name of its file.
    name: Option<String>,
    /// Until when it is taken to speak nothing newer than the session eras, though it only failed
    /// to say otherwise.
    doubted: Option<Instant>,
}

/// What is in the file.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// Seconds since 1970.
    at: u64,
    eras: Eras,
    /// A server of the session eras has been seen to ask its client something.
    #[serde(default)]
    asks: bool,
}

impl Remembered {
    /// What `said` says, if the configuration says anything; otherwise nothing, until
    /// [`Remembered::of`]. `folder` is where knowledge is kept.
    pub(super) fn new(said: Option<Eras>, folder: Option<PathBuf>) -> Self {
        Self {
            found: Mutex::new(Found {
                eras: said.unwrap_or(Eras::UNKNOWN),
                asks: false,
                name: None,
                doubted: None,
            }),
            said: said.is_some(),
            folder: folder.map(|folder| folder.join("eras")),
        }
    }

    /// What is known of the server this command starts. Another command than the last time (a
    /// package that was installed anew) is another server.
    pub(super) fn of(&self, command: &Command) -> Eras {
        if !self.said {
            let name = name(command);
            let mut found = self.found.lock();
            if found.name.as_ref() != Some(&name) {
                let kept = self.folder.as_deref().and_then(|folder| {
                    let file = folder.join(&name);
                    read(&file, SystemTime::now())
                });
                *found = Found {
                    asks: kept.as_ref().is_some_and(|kept| kept.asks),
                    eras: kept.map_or(Eras::UNKNOWN, |kept| kept.eras),
                    name: Some(name),
                    doubted: None,
                };
            }
        }
        let mut eras = self.known();
        let doubted = self.found.lock().doubted;
        if doubted.is_some_and(|until| Instant::now() < until) {
            eras.modern = Some(false);
        }
        eras
    }

    /// Whether nothing newer than the session eras is to be expected of the server as it was started
    /// last.
    pub(super) fn are_known_to_be_old(&self, now: Instant) -> bool {
        let found = self.found.lock();
        found.eras.modern == Some(false) || found.doubted.is_some_and(|until| now < until)
    }

    /// The server did not say that it speaks the modern era, in a way that may be bad luck: it
    /// died, was silent, or wrote garbage, and then answered in the old way. That is believed for a
    /// while, so that not every request costs two processes, and never written down.
    pub(super) fn doubt(&self, now: Instant) {
        if !self.said {
            self.found.lock().doubted = Some(now + DOUBTED);
        }
    }

    /// What is known now.
    pub(super) fn known(&self) -> Eras {
        self.found.lock().eras
    }

    /// Something was found out.
    pub(super) fn note(&self, era: Era, speaks: bool) {
        if self.said {
            return;
        }
        let mut found = self.found.lock();
        if !found.eras.note(era, speaks) {
            return;
        }
        tracing::debug!(?era, speaks, "the server's era is known");
        self.keep(&found);
    }

    /// Whether the server has been seen to ask.
    pub(super) fn asks(&self) -> bool {
        self.found.lock().asks
    }

    /// The server has asked.
    pub(super) fn note_asks(&self) {
        let mut found = self.found.lock();
        if !found.asks {
            found.asks = true;
            self.keep(&found);
        }
    }

    fn keep(&self, found: &Found) {
        if let Some((folder, name)) = self.folder.as_deref().zip(found.name.as_deref())
            && let Err(error) = write(&folder.join(name), found.eras, found.asks)
        {
            // It is found out again next time, which costs one start of the server.
            tracing::debug!(%error, folder = %folder.display(), "cannot keep the server's eras");
        }
    }
}

/// The file's name: a digest of everything that makes this server another one.
fn name(command: &Command) -> String {
    use std::fmt::Write as _;

    let mut digest = Sha256::new();
    let mut add = |text: &[u8]| {
        digest.update(text.len().to_le_bytes());
        digest.update(text);
    };
    let cwd = command.cwd.as_deref().unwrap_or_else(|| Path::new("."));
    add(cwd.as_os_str().as_encoded_bytes());
    for word in std::iter::once(&command.program).chain(&command.args) {
        add(word.as_bytes());
        if let Ok(metadata) = fs::metadata(cwd.join(word))
            && metadata.is_file()
        {
            add(&metadata.len().to_le_bytes());
            add(&metadata.mtime().to_le_bytes());
        }
    }
    let mut name = String::new();
    for byte in digest.finalize() {
        let _infallible = write!(name, "{byte:02x}");
    }
    name + ".json"
}

fn read(file: &Path, now: SystemTime) -> Option<Kept> {
    let kept: Kept = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
    let age = now
        .duration_since(SystemTime::UNIX_EPOCH + Duration::from_secs(kept.at))
        .ok()?;
    (age < BELIEVED).then_some(kept)
}

/// Whole or not at all: a reader never sees half of it.
fn write(file: &Path, eras: Eras, asks: bool) -> std::io::Result<()> {
    let at = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let folder = file.parent().unwrap_or_else(|| Path::new("."));
    fs::create_dir_all(folder)?;
    let draft = file.with_extension(format!("{}.draft", std::process::id()));
    let mut out = fs::File::create(&draft)?;
    out.write_all(&serde_json::to_vec(&Kept { at, eras, asks })?)?;
    drop(out);
    fs::rename(draft, file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::child::Environment;

    fn command(program: &str, args: &[&str]) -> Command {
        Command {
            program: program.to_owned(),
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            cwd: None,
            env: Environment::empty(),
        }
    }

    /// A folder that goes when the test ends.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("mcp-eras-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _gone = fs::remove_dir_all(&self.0);
        }
    }

    fn kept_in(folder: &Folder) -> Remembered {
        Remembered::new(None, Some(folder.0.clone()))
    }

    #[test]
    fn what_was_found_is_known_after_a_restart() {
        let folder = Folder::new("restart");
        let server = command("/bin/server", &["--flag"]);
        let remembered = kept_in(&folder);
        assert_eq!(remembered.of(&server), Eras::UNKNOWN);
        remembered.note(Era::Modern, false);
        remembered.note(Era::Legacy, true);
        assert_eq!(kept_in(&folder).of(&server), remembered.known());
        assert_eq!(remembered.of(&server).modern, Some(false));
        let other = command("/bin/server", &[]);
        assert_eq!(kept_in(&folder).of(&other), Eras::UNKNOWN);
        // A package that was installed anew, in the life of one proxy.
        assert_eq!(remembered.of(&other), Eras::UNKNOWN);
        assert_eq!(remembered.of(&server).legacy, Some(true));
    }

    #[test]
    fn a_newer_file_is_another_server() {
        let folder = Folder::new("newer");
        let script = folder.0.join("server.js");
        fs::write(&script, "1").unwrap();
        let server = command("node", &[script.to_str().unwrap()]);
        let remembered = kept_in(&folder);
        remembered.of(&server);
        remembered.note(Era::Modern, true);
        fs::write(&script, "22").unwrap();
        assert_eq!(kept_in(&folder).of(&server), Eras::UNKNOWN);
    }

    #[test]
    fn old_and_broken_knowledge_is_none() {
        let folder = Folder::new("old");
        let server = command("/bin/server", &[]);
        let file = folder.0.join("eras").join(name(&server));
        let remembered = kept_in(&folder);
        remembered.of(&server);
        remembered.note(Era::Modern, true);
        let later = SystemTime::now() + BELIEVED + Duration::from_secs(1);
        assert!(read(&file, SystemTime::now()).is_some());
        assert!(read(&file, later).is_none());
        fs::write(&file, "{").unwrap();
        assert!(read(&file, SystemTime::now()).is_none());
    }

    #[test]
    fn what_is_said_is_not_learnt_away() {
        let dual = Eras {
            legacy: Some(true),
            modern: Some(true),
        };
        let remembered = Remembered::new(Some(dual), None);
        remembered.note(Era::Modern, false);
        assert_eq!(remembered.of(&command("x", &[])), dual);
    }
}
