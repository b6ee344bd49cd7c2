//! Several servers behind one proxy: `several.rs` is what each is on its own, `reload.rs` is the set
//! that changes while they run.

mod reload;
mod several;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::proxy::{Proxy, toy_path};

/// A file of named servers in a folder of its own, which goes with it.
pub(super) struct File {
    pub(super) folder: PathBuf,
    pub(super) path: PathBuf,
}

impl File {
    /// A file with these members of `mcpServers`.
    pub(super) fn new(servers: &Value) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("named-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = Self {
            path: folder.join("servers.json"),
            folder,
        };
        file.write(servers);
        file
    }

    /// Writes other members in place.
    pub(super) fn write(&self, servers: &Value) {
        fs::write(&self.path, document(servers)).unwrap();
    }

    /// The flag that names it.
    pub(super) fn flag(&self) -> String {
        format!("--named-server-config={}", self.path.display())
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // What is left is in the build's own folder for temporary files.
        let _left = fs::remove_dir_all(&self.folder);
    }
}

fn document(servers: &Value) -> String {
    json!({ "mcpServers": servers }).to_string()
}

/// A toy with these arguments, as the file has it.
fn toy(args: &[&str]) -> Value {
    json!({ "command": toy_path(), "args": args })
}

/// A proxy of this file alone.
async fn serving(file: &File, flags: &[&str]) -> Proxy {
    let flag = file.flag();
    let line = [&["--port", "0", &flag], flags].concat();
    Proxy::typed(&[], &line).await
}
