//! Where things are: the repository, the target folder, and what is kept in it.
//!
//! This is the only file that asks the environment anything.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_owned()
}

/// The target folder, found from where this program itself was built, so that it is the
/// right one however cargo was told about it.
pub(crate) fn target() -> PathBuf {
    let built = env::current_exe().ok();
    let target = built
        .as_deref()
        .and_then(Path::parent)
        .and_then(Path::parent);
    target.map_or_else(|| root().join("target"), Path::to_owned)
}

/// Where what the tests need is kept.
pub(crate) fn fetched() -> PathBuf {
    target().join("fetch")
}

/// Where cargo's helpers are kept.
pub(crate) fn tools() -> PathBuf {
    target().join("tools")
}

/// The manifests that say what is fetched.
pub(crate) fn manifests() -> PathBuf {
    root().join("proxy/tests/fetch")
}

/// `PATH` with one more folder in front.
pub(crate) fn path_with(first: &Path) -> OsString {
    let inherited = env::var_os("PATH").unwrap_or_default();
    let folders = [first.to_owned()]
        .into_iter()
        .chain(env::split_paths(&inherited));
    // Joining fails only for a folder with a colon in its name; then the program is looked
    // up without it, and the message says that it is missing.
    env::join_paths(folders).unwrap_or(inherited)
}
