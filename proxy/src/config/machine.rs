//! The few facts about the machine that configuration depends on, as something that can be passed in.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::launch::find::Seen;

/// What configuration may ask the machine it runs on.
pub trait Machine {
    /// What there is at a path, as far as running it goes.
    fn look(&self, path: &Path) -> Seen;

    /// Whether a path is a folder.
    fn is_folder(&self, path: &Path) -> bool;

    /// A path from the root on, without resolving links.
    ///
    /// # Errors
    ///
    /// When the current folder is gone.
    fn absolute(&self, path: &Path) -> io::Result<PathBuf>;

    /// The text of a small file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is not UTF-8, or is longer than [`MAX_FILE_BYTES`].
    fn read_text(&self, path: &Path) -> io::Result<String>;

    /// 256 bits nobody can foresee.
    ///
    /// # Errors
    ///
    /// When the system has no source of randomness.
    fn random(&self) -> io::Result<[u8; 32]>;
}

/// The longest file read for configuration, in bytes: a token file is a line, and a device or a pipe
/// named by mistake must not be read for ever.
pub const MAX_FILE_BYTES: u64 = 64 * 1024;

/// The machine this process runs on.
#[derive(Clone, Copy, Debug)]
pub struct ThisMachine;

impl Machine for ThisMachine {
    fn look(&self, path: &Path) -> Seen {
        // Any of the three bits will do. Whether it is the one that counts for this user, on this
        // mount, only `execve` knows, and the child link reports what it says.
        match fs::metadata(path) {
            Ok(data) if data.is_file() && data.permissions().mode() & 0o111 != 0 => Seen::Program,
            Ok(data) if data.is_file() => Seen::NotExecutable,
            _ => Seen::Nothing,
        }
    }

    fn is_folder(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn absolute(&self, path: &Path) -> io::Result<PathBuf> {
        std::path::absolute(path)
    }

    fn read_text(&self, path: &Path) -> io::Result<String> {
        let mut text = String::new();
        // One byte more than allowed is enough to know that there is more.
        fs::File::open(path)?
            .take(MAX_FILE_BYTES + 1)
            .read_to_string(&mut text)?;
        if text.len() as u64 > MAX_FILE_BYTES {
            return Err(io::Error::other(format!(
                "it is longer than {MAX_FILE_BYTES} bytes"
            )));
        }
        Ok(text)
    }

    fn random(&self) -> io::Result<[u8; 32]> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_answers() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let manifest = folder.join("Cargo.toml");
        assert_eq!(ThisMachine.look(Path::new("/bin/sh")), Seen::Program);
        assert_eq!(ThisMachine.look(&manifest), Seen::NotExecutable);
        assert_eq!(ThisMachine.look(folder), Seen::Nothing);
        assert_eq!(ThisMachine.look(&folder.join("absent")), Seen::Nothing);
        assert!(ThisMachine.is_folder(folder) && !ThisMachine.is_folder(&manifest));
        assert!(
            ThisMachine
                .read_text(&manifest)
                .unwrap()
                .contains("[package]")
        );
        assert!(ThisMachine.read_text(Path::new("/dev/zero")).is_err());
        assert!(ThisMachine.absolute(Path::new("a")).unwrap().is_absolute());
        assert_ne!(ThisMachine.random().unwrap(), ThisMachine.random().unwrap());
    }
}
