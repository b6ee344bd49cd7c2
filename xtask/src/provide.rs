//! Making a folder once: complete or not at all.
//!
//! A folder is made in a staging folder beside it and renamed when it is complete, with the
//! text of the manifests it was made from in it as its stamp. So a run that is interrupted
//! leaves nothing that looks finished, and a changed manifest makes the folder again.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, test_kill_process};

use crate::run::{Result, cannot};

/// The file whose text says what a fetched folder was made from.
const STAMP: &str = ".fetched-from";

/// Makes `home` from `manifests` unless it was made from the same ones before.
///
/// # Errors
/// When `make` fails, or the file system does.
pub(crate) fn provide(
    home: &Path,
    manifests: &[PathBuf],
    make: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let mut wanted = String::new();
    for manifest in manifests {
        wanted.push_str(&read_text(manifest)?);
    }
    if fs::read_to_string(home.join(STAMP)).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    let name = home.file_name().unwrap_or_default().display().to_string();
    println!("fetching {name}");
    remove_abandoned(home)?;
    // The process id keeps two runs at once out of each other's staging folder.
    let staging = home.with_file_name(format!("{name}.staging-{}", std::process::id()));
    fs::create_dir_all(&staging).map_err(|err| cannot("create", &staging, &err))?;
    let made = make(&staging).and_then(|()| {
        let stamp = staging.join(STAMP);
        fs::write(&stamp, &wanted).map_err(|err| cannot("write", &stamp, &err))?;
        if home.exists() {
            fs::remove_dir_all(home).map_err(|err| cannot("remove", home, &err))?;
        }
        fs::rename(&staging, home).map_err(|err| cannot("rename", &staging, &err))
    });
    if made.is_err() {
        // Best effort: what is left is only in the way, and the error is the news.
        let _ = fs::remove_dir_all(&staging);
    }
    made
}

/// Removes the staging folders of runs that were interrupted.
fn remove_abandoned(home: &Path) -> Result<()> {
    let (Some(folder), Some(name)) = (home.parent(), home.file_name()) else {
        return Ok(());
    };
    let prefix = format!("{}.staging-", name.display());
    // No folder yet means nothing to remove.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let file = entry.file_name().display().to_string();
        let owner = file
            .strip_prefix(&prefix)
            .and_then(|id| Pid::from_raw(id.parse().ok()?));
        if owner.is_some_and(|pid| test_kill_process(pid).is_err()) {
            let path = entry.path();
            fs::remove_dir_all(&path).map_err(|err| cannot("remove", &path, &err))?;
        }
    }
    Ok(())
}

/// The text of a file.
pub(crate) fn read_text(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|err| cannot("read", path, &err))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_fetch_happens_once_and_again_when_the_manifest_changes() {
        let folder = folder("once");
        let manifest = folder.join("manifest");
        let home = folder.join("home");
        let mut times = 0;
        for (text, expected) in [("one", 1), ("one", 1), ("two", 2), ("two", 2)] {
            fs::write(&manifest, text).unwrap();
            let manifests = [manifest.clone()];
            provide(&home, &manifests, |staging| {
                times += 1;
                fs::write(staging.join("made"), text).map_err(|err| err.to_string())
            })
            .unwrap();
            assert_eq!(times, expected);
            assert_eq!(fs::read_to_string(home.join("made")).unwrap(), text);
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_failed_fetch_leaves_nothing_that_looks_finished() {
        let folder = folder("failed");
        let manifest = folder.join("manifest");
        fs::write(&manifest, "one").unwrap();
        let home = folder.join("home");
        let manifests = [manifest];
        let half = |staging: &Path| {
            fs::write(staging.join("half"), "").map_err(|err| err.to_string())?;
            Err("the registry is away".to_owned())
        };
        assert_eq!(
            provide(&home, &manifests, half).unwrap_err(),
            "the registry is away"
        );
        let left: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["manifest"]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_an_interrupted_run_left_is_removed() {
        let folder = folder("abandoned");
        // No process has the largest id that Linux can be told to allow.
        let abandoned = folder.join("home.staging-4194304");
        let busy = folder.join(format!("home.staging-{}", std::process::id()));
        for path in [&abandoned, &busy] {
            fs::create_dir_all(path).unwrap();
        }
        remove_abandoned(&folder.join("home")).unwrap();
        assert!(!abandoned.exists() && busy.exists());
        fs::remove_dir_all(folder).unwrap();
    }
}
