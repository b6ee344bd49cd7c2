//! The cache on disk: where packages are, how they get there, and who may write.
//!
//! ```text
//! CACHE/npm/@scope%2Fname@1.2.3/     a prefix of npm's, complete, never changed
//! CACHE/pypi/name-5f0c…/             a virtual environment, complete once an index names it
//! CACHE/npm/index/SPEC.json          which of them a package means, and its program
//! CACHE/npm/staging/5f0c…/           an installation in progress, and 5f0c….lock beside it
//! CACHE/locks/npm-@scope%2Fname      held by whoever installs that package
//! ```
//!
//! A package appears by one `rename`: of its folder for npm, and of the index file for Python, whose
//! environments hold their own absolute path and cannot be moved. A reader therefore needs no lock.
//! Locks are `flock`: the system gives them back when their holder dies.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::InstallError;

/// Counted up when the index changes; files of another format are as good as absent.
const FORMAT: u32 = 1;

/// File systems take names of 255 bytes; half of it leaves room for suffixes.
const MAX_FILE_NAME: usize = 128;

/// Leftovers of killed installations are kept this long: none takes an hour.
const LEFTOVER: Duration = Duration::from_secs(60 * 60);

/// Between two looks at a lock: `flock` has no way to wait that could be given up.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What the index says of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    format: u32,
    /// The whole key: file names are shortened.
    key: String,
    /// The installed version.
    pub(super) version: String,
    /// The folder's name, beside the index.
    pub(super) folder: String,
    /// What is run.
    pub(super) program: Program,
    /// Requirements that were added because it did not start without them.
    pub(super) added: Vec<String>,
    /// When the registry was last asked, in seconds since 1970.
    pub(super) asked: u64,
}

/// What is run; paths are from the package's folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Program {
    /// A script for Node.js, with the flags its first line asks for.
    Node { flags: Vec<String>, file: String },
    /// A script for the environment's own Python.
    Python { file: String },
    /// A program of its own.
    Own { file: String },
}

impl Program {
    /// Its file, from the package's folder.
    pub(super) fn file(&self) -> &str {
        match self {
            Self::Node { file, .. } | Self::Python { file } | Self::Own { file } => file,
        }
    }
}

impl Entry {
    pub(super) fn new(key: String, version: String, folder: String, program: Program) -> Self {
        Self {
            format: FORMAT,
            key,
            version,
            folder,
            program,
            added: Vec::new(),
            asked: super::date::now(),
        }
    }
}

/// The part of the cache that belongs to one registry.
#[derive(Clone, Debug)]
pub(super) struct Store {
    cache: PathBuf,
    pub(super) registry: &'static str,
}

impl Store {
    pub(super) fn new(cache: &Path, registry: &'static str) -> Self {
        Self {
            cache: cache.to_owned(),
            registry,
        }
    }

    /// Makes the folders there must be.
    pub(super) fn prepare(&self) -> Result<(), InstallError> {
        for folder in [
            self.home().join("index"),
            self.home().join("staging"),
            self.cache.join("locks"),
        ] {
            fs::create_dir_all(&folder).map_err(|cause| InstallError::cache(&folder, &cause))?;
        }
        Ok(())
    }

    /// The folder of the registry's packages.
    pub(super) fn home(&self) -> PathBuf {
        self.cache.join(self.registry)
    }

    fn index(&self, key: &str) -> PathBuf {
        self.home()
            .join("index")
            .join(format!("{}.json", encode(key)))
    }

    /// What the index says, if all that it names is there. A damaged file or folder is as good as
    /// none, and is replaced by the next installation.
    pub(super) fn read(&self, key: &str) -> Option<Entry> {
        let text = fs::read(self.index(key)).ok()?;
        let entry: Entry = serde_json::from_slice(&text).ok()?;
        let folder = self.home().join(&entry.folder);
        let plain = entry.format == FORMAT && entry.key == key && !entry.folder.contains('/');
        let python = match &entry.program {
            // A link to the system's Python, which may have been removed since.
            Program::Python { .. } => folder.join("bin/python").exists(),
            Program::Node { .. } | Program::Own { .. } => true,
        };
        (plain && python && folder.join(entry.program.file()).is_file()).then_some(entry)
    }

    /// Puts an entry into the index, in one step for whoever reads.
    pub(super) fn write(&self, entry: &Entry) -> Result<(), InstallError> {
        let path = self.index(&entry.key);
        let fault = |cause: io::Error| InstallError::cache(&path, &cause);
        let text = serde_json::to_vec_pretty(entry).map_err(|cause| fault(cause.into()))?;
        let draft = path.with_extension(format!("{}.draft", random().map_err(fault)?));
        let written = fs::write(&draft, text).and_then(|()| fs::rename(&draft, &path));
        written.map_err(|cause| {
            let _already_failed = fs::remove_file(&draft);
            fault(cause)
        })
    }

    /// Waits for the right to install a package.
    ///
    /// # Errors
    ///
    /// `None` when somebody else still had it at the deadline.
    ///
    /// # Cancel safety
    ///
    /// Nothing is held when this is dropped.
    pub(super) async fn lock(
        &self,
        name: &str,
        deadline: Instant,
    ) -> Result<Option<File>, InstallError> {
        let name = format!("{}-{}", self.registry, encode(name));
        let path = self.cache.join("locks").join(name);
        let file = open(&path).map_err(|cause| InstallError::cache(&path, &cause))?;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Some(file)),
                Err(Errno::WOULDBLOCK | Errno::INTR) if Instant::now() < deadline => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                Err(Errno::WOULDBLOCK | Errno::INTR) => return Ok(None),
                Err(cause) => return Err(InstallError::cache(&path, &cause.into())),
            }
        }
    }

    /// A folder to install into, removed again unless it is kept.
    pub(super) fn staging(&self) -> Result<Building, InstallError> {
        let folder = self.home().join("staging");
        let id = random().map_err(|cause| InstallError::cache(&folder, &cause))?;
        self.building(folder.join(&id), &id)
    }

    /// A folder to install into that stays where it is.
    pub(super) fn in_place(&self, name: &str) -> Result<Building, InstallError> {
        let id = random().map_err(|cause| InstallError::cache(&self.home(), &cause))?;
        self.building(self.home().join(format!("{}-{id}", encode(name))), &id)
    }

    fn building(&self, path: PathBuf, id: &str) -> Result<Building, InstallError> {
        let lock_path = self.home().join("staging").join(format!("{id}.lock"));
        let fault = |cause: io::Error| InstallError::cache(&path, &cause);
        let lock = open(&lock_path).map_err(fault)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|cause| fault(cause.into()))?;
        fs::create_dir(&path).map_err(fault)?;
        Ok(Building {
            path,
            lock_path,
            _lock: lock,
            kept: false,
        })
    }

    /// Moves a finished folder to its name. What stands there already is broken, or it would have
    /// been found.
    pub(super) fn publish(&self, mut done: Building, folder: &str) -> Result<(), InstallError> {
        let place = self.home().join(folder);
        let fault = |cause: io::Error| InstallError::cache(&place, &cause);
        if place.exists() {
            let aside = random().map_err(fault)?;
            let aside = self.home().join("staging").join(aside);
            fs::rename(&place, &aside).map_err(fault)?;
            let _swept_later = fs::remove_dir_all(&aside);
        }
        fs::rename(&done.path, &place).map_err(fault)?;
        done.kept = true;
        Ok(())
    }

    /// Removes what killed installations left behind: folders that no index names, older than an
    /// hour, whose builder is gone. What cannot be removed is tried again next time.
    pub(super) fn sweep(&self) {
        let staging = self.home().join("staging");
        for path in files(&staging).filter(|path| is_old(path)) {
            if path.extension().is_none() && !self.is_building(&path) {
                let _again = fs::remove_dir_all(&path);
                let _again = fs::remove_file(path.with_extension("lock"));
            }
        }
        // Only Python's environments are built in place, and `complete` marks those that are.
        if !self.is_npm() {
            for path in files(&self.home()).filter(|path| is_old(path)) {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let built = matches!(&*name, "index" | "staging") || path.join(COMPLETE).exists();
                let id = name.rsplit('-').next().unwrap_or_default();
                if !built && !self.is_building(&staging.join(id)) {
                    let _again = fs::remove_dir_all(&path);
                    let _again = fs::remove_file(staging.join(id).with_extension("lock"));
                }
            }
        }
    }

    /// Whether the builder of a folder lives.
    fn is_building(&self, staging: &Path) -> bool {
        let Ok(lock) = File::open(staging.with_extension("lock")) else {
            return false;
        };
        flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err()
    }
}

/// A file in an environment that was built to its end.
pub(super) const COMPLETE: &str = "mcp-proxy-complete";

/// A folder in which something is being installed.
pub(super) struct Building {
    pub(super) path: PathBuf,
    lock_path: PathBuf,
    /// Says that its builder lives.
    _lock: File,
    kept: bool,
}

impl Building {
    /// It is finished, and stays.
    pub(super) fn keep(mut self) -> Result<(), InstallError> {
        let mark = self.path.join(COMPLETE);
        fs::write(&mark, b"").map_err(|cause| InstallError::cache(&mark, &cause))?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        if !self.kept {
            let _swept_later = fs::remove_dir_all(&self.path);
        }
        let _swept_later = fs::remove_file(&self.lock_path);
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

pub(super) fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).ok().into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path()))
}

fn is_old(path: &Path) -> bool {
    let modified = fs::symlink_metadata(path).and_then(|data| data.modified());
    modified
        .ok()
        .and_then(|modified| modified.elapsed().ok())
        .is_some_and(|age| age > LEFTOVER)
}

/// 64 random bits in hexadecimal.
pub(super) fn random() -> io::Result<String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(format!("{:016x}", u64::from_le_bytes(bytes)))
}

/// A text as the name of a file: what may not stand in one is written `%2F`, and a long name is cut
/// and told from others by a checksum (FNV-1a, 64 bits).
pub(super) fn encode(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'.' if name.is_empty() => name.push_str("%2E"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'@' | b'.' | b'_' | b'-' | b'+' | b'=' => {
                name.push(char::from(byte));
            }
            _ => name.push_str(&format!("%{byte:02X}")),
        }
    }
    if name.len() > MAX_FILE_NAME {
        let sum = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
            (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        name.truncate(MAX_FILE_NAME);
        name.push_str(&format!("~{sum:016x}"));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(name: &str) -> Store {
        let cache = std::env::temp_dir().join(format!("mcp-store-{}-{name}", std::process::id()));
        let store = Store::new(&cache, "pypi");
        store.prepare().unwrap();
        store
    }

    fn entry(store: &Store) -> Entry {
        let folder = store.home().join("name-1");
        fs::create_dir_all(folder.join("bin")).unwrap();
        for file in ["bin/python", "bin/name"] {
            fs::write(folder.join(file), b"").unwrap();
        }
        let file = "bin/name".into();
        Entry::new(
            "name with mcp<2".into(),
            "1.0".into(),
            "name-1".into(),
            Program::Python { file },
        )
    }

    #[test]
    fn names_of_files_are_plain_bounded_and_different() {
        assert_eq!(encode("@scope/name@1.2.3"), "@scope%2Fname@1.2.3");
        assert_eq!(encode(".."), "%2E.");
        assert_eq!(encode("name with mcp<2"), "name%20with%20mcp%3C2");
        let (long, other) = ("x".repeat(300), "x".repeat(301));
        assert!(encode(&long).len() < 200);
        assert_ne!(encode(&long), encode(&other));
    }

    #[test]
    fn an_entry_is_found_until_a_file_of_it_is_gone() {
        let store = store("entry");
        let entry = entry(&store);
        assert_eq!(store.read("name with mcp<2"), None);
        store.write(&entry).unwrap();
        assert_eq!(store.read("name with mcp<2"), Some(entry));
        assert_eq!(store.read("name"), None);
        fs::remove_file(store.home().join("name-1/bin/python")).unwrap();
        assert_eq!(store.read("name with mcp<2"), None);
        fs::remove_dir_all(&store.cache).unwrap();
    }

    #[test]
    fn a_damaged_index_is_as_good_as_none() {
        let store = store("damaged");
        let mut entry = entry(&store);
        for damage in [
            &b"{"[..],
            b"",
            br#"{"format":1,"key":"name with mcp<2","version":"1","folder":"../x","program":{"own":{"file":"y"}},"added":[],"asked":0}"#,
        ] {
            fs::write(store.index("name with mcp<2"), damage).unwrap();
            assert_eq!(store.read("name with mcp<2"), None);
        }
        entry.format = FORMAT + 1;
        store.write(&entry).unwrap();
        assert_eq!(store.read("name with mcp<2"), None);
        fs::remove_dir_all(&store.cache).unwrap();
    }

    #[tokio::test]
    async fn a_package_is_installed_by_one_at_a_time() {
        let store = store("lock");
        let soon = Instant::now() + Duration::from_millis(120);
        let first = store.lock("name", soon).await.unwrap().unwrap();
        assert!(store.lock("name", soon).await.unwrap().is_none());
        assert!(store.lock("other", soon).await.unwrap().is_some());
        drop(first);
        assert!(store.lock("name", soon).await.unwrap().is_some());
        fs::remove_dir_all(&store.cache).unwrap();
    }

    #[test]
    fn leftovers_go_and_what_is_being_built_stays() {
        let store = store("sweep");
        let entry = entry(&store);
        fs::write(store.home().join("name-1").join(COMPLETE), b"").unwrap();
        let long_ago = std::time::SystemTime::now() - 2 * LEFTOVER;
        let age = |path: &Path| File::open(path).unwrap().set_modified(long_ago).unwrap();
        let building = store.in_place("busy").unwrap();
        let recent = store.home().join("recent-2");
        let left = store.home().join("left-3");
        let staged = store.home().join("staging/4");
        for folder in [&recent, &left, &staged] {
            fs::create_dir(folder).unwrap();
        }
        for folder in [
            &building.path,
            &left,
            &staged,
            &store.home().join(&entry.folder),
            &store.home().join("index"),
        ] {
            age(folder);
        }
        store.sweep();
        assert!(building.path.exists() && recent.exists());
        assert!(store.home().join("name-1").exists() && store.home().join("index").exists());
        assert!(!left.exists() && !staged.exists());
        fs::remove_dir_all(&store.cache).unwrap();
    }
}
