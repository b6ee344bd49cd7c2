//! When the file of named servers is read again.
//!
//! Not by a notification of the kernel: those tell of one inode, and the file may be replaced by a
//! rename, written in place, or be a link into a Kubernetes ConfigMap whose folder is exchanged as a
//! whole. Two numbers and a size of what the path leads to say all of that, on every file system. It
//! is looked at every two seconds, and read when two looks in a row agree on something new, so that a
//! file that is still being written is left in peace.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use crate::config::{Machine, NamedFile, NamedServer, Strings};

/// Between two looks at the file.
const LOOK: Duration = Duration::from_secs(2);

/// What the path leads to; `None` where that is nothing.
type Stamp = Option<(u64, u64, i64, i64, u64)>;

/// The file, and what was seen of it.
#[derive(Debug)]
pub struct Watch {
    file: NamedFile,
    looks: Looks,
    next: Instant,
}

impl Watch {
    /// A watch over a file that was read when the proxy started.
    #[must_use]
    pub fn new(file: NamedFile) -> Self {
        Self {
            looks: Looks::default(),
            next: Instant::now(),
            file,
        }
    }

    /// Looks whether the file has changed, if it is time to, and then reads it. `None` where nothing
    /// is to be done: nothing changed, or it has faults, which are logged, and the servers that are
    /// there go on.
    pub fn look(
        &mut self,
        now: Instant,
        env: &dyn Strings,
        machine: &dyn Machine,
    ) -> Option<Vec<NamedServer>> {
        if now < self.next {
            return None;
        }
        self.next = now + LOOK;
        if is_read_once(&self.file.path) || !self.looks.settled(stamp(&self.file.path)) {
            return None;
        }
        self.read(false, env, machine)
    }

    /// Reads the file because somebody asked for it. `None` where it has faults, which are logged.
    pub fn asked(&mut self, env: &dyn Strings, machine: &dyn Machine) -> Option<Vec<NamedServer>> {
        if is_read_once(&self.file.path) {
            let file = self.file.path.display();
            tracing::error!(%file, "it is a pipe, which cannot be read again");
            return None;
        }
        self.looks.read(stamp(&self.file.path));
        self.read(true, env, machine)
    }

    fn read(
        &mut self,
        asked: bool,
        env: &dyn Strings,
        machine: &dyn Machine,
    ) -> Option<Vec<NamedServer>> {
        let path = self.file.path.display().to_string();
        match self.file.read(env, machine) {
            Err(faults) => {
                for fault in faults.sentences() {
                    tracing::error!("{fault}");
                }
                tracing::error!(file = path, "not taken; the servers stay as they were");
                None
            }
            // It was touched, or is the one we started with.
            Ok(reading) if !reading.is_new && !asked => None,
            Ok(reading) => {
                for warning in &reading.warnings {
                    tracing::warn!("{warning}");
                }
                Some(reading.servers)
            }
        }
    }
}

/// Whether there is something else than a file: a pipe (a shell's `<(command)`) gave all it had when
/// the proxy started, and whoever opens it again waits for ever.
fn is_read_once(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| !found.is_file())
}

fn stamp(path: &Path) -> Stamp {
    let file = fs::metadata(path).ok()?;
    let (device, inode) = (file.dev(), file.ino());
    Some((device, inode, file.mtime(), file.mtime_nsec(), file.len()))
}

/// What was seen last, and what was there when the file was read.
#[derive(Debug, Default)]
struct Looks {
    /// `None` before the first reading: the start's own came before the first look, so whatever is
    /// there then is compared by its text.
    read: Option<Stamp>,
    last: Option<Stamp>,
}

impl Looks {
    /// Whether this look and the one before agree on something that was not read yet.
    fn settled(&mut self, now: Stamp) -> bool {
        let before = self.last.replace(now);
        let settled = before == Some(now) && self.read != Some(now);
        if settled {
            self.read = Some(now);
        }
        settled
    }

    /// The file is read as it is now.
    fn read(&mut self, now: Stamp) {
        self.read = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_looks_must_agree_on_something_new() {
        let (a, b, gone) = (Some((1, 1, 1, 0, 1)), Some((1, 2, 1, 0, 1)), None);
        let mut looks = Looks::default();
        for (step, (seen, settled)) in [
            // The first reading of this watch.
            (a, false),
            (a, true),
            (a, false),
            // Changing under our eyes.
            (b, false),
            (gone, false),
            (b, false),
            (b, true),
            (b, false),
            // Gone for good is news too, once.
            (gone, false),
            (gone, true),
            (gone, false),
            // Back as it was: not what was read last.
            (b, false),
            (b, true),
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(looks.settled(seen), settled, "step {step}");
        }
        looks.read(a);
        assert!(!looks.settled(a) && !looks.settled(a));
    }

    #[test]
    fn a_stamp_follows_links_and_tells_replaced_files_apart() {
        let folder = std::path::absolute(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert!(stamp(&folder.join("Cargo.toml")).is_some());
        assert_ne!(
            stamp(&folder.join("Cargo.toml")),
            stamp(&folder.join("src/lib.rs"))
        );
        assert_eq!(stamp(&folder.join("absent")), None);
        // Absent is not "something else": it may come back.
        assert!(!is_read_once(&folder.join("absent")) && !is_read_once(&folder.join("Cargo.toml")));
        assert!(is_read_once(Path::new("/dev/null")));
    }
}
