//! The folder of `--state-dir`: a file for each session.
//!
//! A file is written beside its place and renamed into it, so whoever reads it after a crash at any
//! moment finds it whole, as it was or as it is. A file for each, and not one for all, because then
//! a damaged one costs one session, and a session that changes costs one small write. Nothing is
//! forced to the disk: what a failure of power may take is what was written in the last seconds,
//! and a file it left in pieces is found to be damaged and set aside.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::kept::{Kept, Key, Unreadable};

/// In bytes. A session whose client said more than this, in `initialize` and its subscriptions, is
/// kept in memory only: nobody does, and a thousand of them fit on any disk.
const LONGEST_FILE: usize = 256 * 1024;

/// The folder where sessions are kept, held for this process alone.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    _lock: File,
}

/// Why a folder cannot keep sessions.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be made, read or written.
    #[error("use {} for --state-dir: {source}", folder.display())]
    Unusable {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another proxy has it: each would take the other's sessions for ended ones.
    #[error("use {} for --state-dir: another mcp-proxy uses it; give each its own", folder.display())]
    Taken {
        /// The folder.
        folder: PathBuf,
    },
}

impl Store {
    /// Opens the folder, and makes it where there is none, readable by its owner only.
    ///
    /// # Errors
    ///
    /// It cannot be used, or another proxy uses it.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let unusable = |source| StoreError::Unusable {
            folder: folder.to_owned(),
            source,
        };
        let sessions = folder.join("sessions");
        let mut builder = DirBuilder::new();
        let builder = builder.recursive(true).mode(0o700);
        builder.create(&sessions).map_err(unusable)?;
        let lock = private()
            .create(true)
            .truncate(false)
            .open(folder.join("lock"))
            .map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                folder: sessions,
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Taken {
                folder: folder.to_owned(),
            }),
            Err(TryLockError::Error(source)) => Err(unusable(source)),
        }
    }

    /// Every session that can be read. A damaged file is set aside under another name, one of another
    /// version is left alone, and what a crash left unfinished is removed.
    pub(super) fn load(&self) -> Vec<(Key, Kept)> {
        let files = match fs::read_dir(&self.folder) {
            Ok(files) => files,
            Err(error) => {
                tracing::warn!(%error, folder = %self.folder.display(), "cannot read kept sessions");
                return Vec::new();
            }
        };
        files
            .flatten()
            .filter_map(|file| self.read(&file.path()))
            .collect()
    }

    fn read(&self, path: &Path) -> Option<(Key, Kept)> {
        let key = Key::parse(path.file_stem()?.to_str()?)?;
        match path.extension()?.to_str()? {
            "json" => {}
            "draft" => {
                let _gone = fs::remove_file(path);
                return None;
            }
            _ => return None,
        }
        let kept = fs::read(path)
            .map_err(|error| Unreadable::Damaged(error.to_string()))
            .and_then(|bytes| Kept::parse(&bytes));
        match kept {
            Ok(kept) => Some((key, kept)),
            Err(Unreadable::Format(format)) => {
                tracing::warn!(format, file = %path.display(), "ignored a session kept by another version");
                None
            }
            Err(fault) => {
                let aside = path.with_extension("damaged");
                let moved = fs::rename(path, &aside).is_ok();
                tracing::warn!(%fault, file = %path.display(), moved, "set a damaged session aside");
                None
            }
        }
    }

    /// Writes a session down, whole or not at all.
    ///
    /// # Errors
    ///
    /// What the system said; the file is as it was.
    pub(super) fn write(&self, key: Key, kept: &Kept) -> io::Result<()> {
        let bytes = kept.to_bytes();
        if bytes.len() > LONGEST_FILE {
            tracing::debug!(bytes = bytes.len(), "a session is too long to be kept");
            return self.remove(key);
        }
        let path = self.path(key);
        let draft = path.with_extension("draft");
        let mut file = private().create(true).truncate(true).open(&draft)?;
        file.write_all(&bytes)?;
        drop(file);
        fs::rename(draft, path)
    }

    /// Removes a session that has ended.
    ///
    /// # Errors
    ///
    /// What the system said, unless the file was gone already.
    pub(super) fn remove(&self, key: Key) -> io::Result<()> {
        match fs::remove_file(self.path(key)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn path(&self, key: Key) -> PathBuf {
        self.folder.join(key.to_hex()).with_extension("json")
    }
}

/// For files nobody but their owner reads.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}
