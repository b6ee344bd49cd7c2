//! What is run no longer: old versions of a package are removed when a newer one was installed.
//!
//! A version is in use while anybody holds a lease on it, which is a shared `flock` on its folder:
//! every proxy that runs it has one, and the system gives it back when the proxy dies. Of the others
//! the ones used last are kept. Pruning is done by whoever has just installed the package, under the
//! package's lock, so that no two do it at once and nobody installs meanwhile.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustix::fs::{FlockOperation, flock};

use super::store::{COMPLETE, Store, files, random};

/// The length of the random part of an environment's name, with the dash before it.
const ID_LENGTH: usize = 17;

/// Says that a version is in use, until the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Lease(#[expect(dead_code, reason = "held for its lock")] Arc<File>);

#[cfg(test)]
impl Lease {
    /// On nothing.
    pub(super) fn none() -> Self {
        Self(Arc::new(File::open("/").unwrap()))
    }
}

/// A lease says nothing of what is leased.
impl PartialEq for Lease {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Lease {}

impl Store {
    /// Says that the version in this folder is in use, from now on. `None` if it is gone, or about to
    /// be.
    pub(super) fn lease(&self, folder: &str) -> Option<Lease> {
        let path = self.home().join(folder);
        let file = File::open(&path).ok()?;
        flock(&file, FlockOperation::NonBlockingLockShared).ok()?;
        // It may have been moved away between the two lines above.
        if !is_at(&file, &path) {
            return None;
        }
        // When it was used last. In a cache that is not ours to write nobody prunes either.
        let _for_pruning = file.set_modified(SystemTime::now());
        Some(Lease(Arc::new(file)))
    }

    /// Whether it is that of npm, and not of Python.
    pub(super) fn is_npm(&self) -> bool {
        self.registry == "npm"
    }

    /// Removes the versions of the package in `newest` that nobody uses, but for the `keep` used last.
    /// The caller holds the package's lock. What cannot be removed stays.
    pub(super) fn prune(&self, newest: &str, keep: usize) {
        let Some(package) = self.package_of(newest) else {
            return;
        };
        let mut versions: Vec<(SystemTime, String)> = files(&self.home())
            .filter_map(|path| {
                let name = path.file_name()?.to_str()?.to_owned();
                let same = self.package_of(&name) == Some(package);
                let whole = self.is_npm() || path.join(COMPLETE).exists();
                let used = fs::symlink_metadata(&path).ok()?.modified().ok()?;
                (same && whole && name != newest).then_some((used, name))
            })
            .collect();
        versions.sort();
        let many = versions.len().saturating_sub(keep.saturating_sub(1));
        for (_, folder) in versions.into_iter().take(many) {
            match self.remove(&folder) {
                Ok(true) => tracing::info!("{folder} was removed from the cache: an old version"),
                Ok(false) => tracing::debug!("{folder} is old, and in use"),
                Err(error) => tracing::debug!(%error, "{folder} could not be removed"),
            }
        }
    }

    /// Removes a version, unless it is in use.
    fn remove(&self, folder: &str) -> io::Result<bool> {
        let path = self.home().join(folder);
        let file = File::open(&path)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(false);
        }
        for entry in files(&self.home().join("index")) {
            if names(&entry, folder) {
                fs::remove_file(&entry)?;
            }
        }
        // In one step for whoever looks; a removal that was cut short is finished by the sweep.
        let aside = self.home().join("staging").join(random()?);
        fs::rename(&path, &aside)?;
        fs::remove_dir_all(&aside)?;
        Ok(true)
    }

    /// The part of a folder's name that all versions of its package have in common.
    fn package_of<'a>(&self, folder: &'a str) -> Option<&'a str> {
        if self.is_npm() {
            let (package, _version) = folder.rsplit_once('@')?;
            return Some(package).filter(|package| !package.is_empty());
        }
        let at = folder.len().checked_sub(ID_LENGTH)?;
        let (package, id) = folder.split_at_checked(at)?;
        let plain = id.bytes().skip(1).all(|byte| byte.is_ascii_hexdigit());
        (id.starts_with('-') && plain).then_some(package)
    }
}

/// Whether an entry of the index names this folder. One that cannot be read names nothing.
fn names(entry: &PathBuf, folder: &str) -> bool {
    let text = fs::read(entry).unwrap_or_default();
    let entry: Option<serde_json::Value> = serde_json::from_slice(&text).ok();
    entry.is_some_and(|entry| entry["folder"] == folder)
}

/// Whether an open folder is the one at a path.
fn is_at(file: &File, path: &Path) -> bool {
    let same = |file: &fs::Metadata, there: &fs::Metadata| {
        (file.dev(), file.ino()) == (there.dev(), there.ino())
    };
    matches!((file.metadata(), fs::metadata(path)), (Ok(file), Ok(there)) if same(&file, &there))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A store of its own with these folders, each used an hour after the one before.
    fn store(name: &str, registry: &'static str, folders: &[&str]) -> (Store, PathBuf) {
        let cache = std::env::temp_dir().join(format!("mcp-prune-{}-{name}", std::process::id()));
        let store = Store::new(&cache, registry);
        store.prepare().unwrap();
        let first = SystemTime::now() - Duration::from_secs(1_000_000);
        for (hour, folder) in (0..).zip(folders) {
            let path = store.home().join(folder);
            fs::create_dir_all(path.join("node_modules")).unwrap();
            fs::write(path.join(COMPLETE), b"").unwrap();
            let index = store.home().join("index").join(format!("{hour}.json"));
            fs::write(index, format!(r#"{{"folder":"{folder}"}}"#)).unwrap();
            let used = first + Duration::from_secs(hour * 3600);
            File::open(&path).unwrap().set_modified(used).unwrap();
        }
        (store, cache)
    }

    fn left(store: &Store) -> Vec<String> {
        let mut left: Vec<String> = files(&store.home())
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .filter(|name| !matches!(name.as_str(), "index" | "staging"))
            .collect();
        left.sort();
        left
    }

    #[test]
    fn the_versions_used_last_stay_and_so_do_those_in_use() {
        let folders = [
            "x@1.0.0",
            "x@1.1.0",
            "x@1.2.0",
            "x@1.3.0",
            "y@1.0.0",
            "@s%2Fx@1.0.0",
        ];
        let (store, cache) = store("used", "npm", &folders);
        let lease = store.lease("x@1.0.0").unwrap();
        // Used now, whatever its number.
        drop(store.lease("x@1.1.0").unwrap());
        store.prune("x@1.3.0", 2);
        let kept = ["@s%2Fx@1.0.0", "x@1.0.0", "x@1.1.0", "x@1.3.0", "y@1.0.0"];
        assert_eq!(left(&store), kept);
        assert!(
            !store.home().join("index/2.json").exists(),
            "nobody finds it any more"
        );
        assert!(store.home().join("index/0.json").exists());
        drop(lease);
        // The lease was its last use.
        store.prune("x@1.3.0", 1);
        assert_eq!(left(&store), ["@s%2Fx@1.0.0", "x@1.3.0", "y@1.0.0"]);
        assert_eq!(files(&store.home().join("staging")).count(), 0);
        fs::remove_dir_all(cache).unwrap();
    }

    #[test]
    fn an_environment_that_is_being_built_is_left_alone() {
        let [one, two, three] = [
            "a-b-00000000000000aa",
            "a-b-00000000000000bb",
            "a-00000000000000cc",
        ];
        let (store, cache) = store("built", "pypi", &[one, two, three]);
        fs::remove_file(store.home().join(one).join(COMPLETE)).unwrap();
        store.prune(two, 1);
        assert_eq!(left(&store), [three, one, two]);
        fs::write(store.home().join(one).join(COMPLETE), b"").unwrap();
        store.prune(two, 1);
        assert_eq!(left(&store), [three, two]);
        fs::remove_dir_all(cache).unwrap();
    }

    #[test]
    fn what_is_gone_cannot_be_leased() {
        let (store, cache) = store("gone", "npm", &["x@1", "x@2"]);
        store.prune("x@2", 1);
        assert!(store.lease("x@1").is_none());
        assert!(store.lease("x@2").is_some());
        fs::remove_dir_all(cache).unwrap();
    }
}
