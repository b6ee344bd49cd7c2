//! A folder of a test's own.

use std::path::PathBuf;

/// Gone with the test.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// `name` is the test's own.
    pub(super) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mcp-proxy-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Where a file of it is.
    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}
