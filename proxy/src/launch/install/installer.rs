//! From a recipe to a program: the cache first, then the registry, one installer at a time.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

use super::error::InstallError;
use super::recipe::{Recipe, Settings};
use super::store::{Entry, Program, Store};
use super::{Lease, Wanted, date, npm, pypi};

/// How long a start with a cached version may spend on asking for a newer one.
const ASK_LIMIT: Duration = Duration::from_secs(20);

/// A package that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// What was asked for.
    pub spec: String,
    /// The package's name.
    pub name: String,
    /// The version that is there.
    pub version: String,
    /// The program and its first words; the server's own follow.
    pub command: Vec<String>,
    /// The file that must be there for it to run.
    pub file: PathBuf,
    /// The folder of programs that go with it, for its `PATH`.
    pub programs: PathBuf,
    /// Requirements added because it could not be imported without them.
    pub added: Vec<String>,
    /// Whether no installer ran.
    pub cached: bool,
    /// Keeps it in the cache.
    pub lease: Lease,
}

/// Gives the program of a package, installing it where the cache does not have it.
///
/// # Errors
///
/// See [`InstallError`]. A cached version that could not be compared with the registry's is no error
/// but a warning in the log.
///
/// # Cancel safety
///
/// Dropping the future kills the installer and leaves nothing in the index.
pub async fn provide(settings: &Settings, recipe: &Recipe) -> Result<Installed, InstallError> {
    let wanted = &recipe.wanted;
    let store = Store::new(&settings.cache, registry(wanted));
    let key = wanted.key(settings);
    let deadline = Instant::now() + settings.timeout;
    // Leased before it is used, so that nobody removes it between the two.
    let known = store.read(&key).and_then(|entry| {
        let lease = store.lease(&entry.folder)?;
        Some((entry, lease))
    });
    if let Some((entry, _lease)) = known {
        if is_fresh(&entry, settings, wanted) {
            return installed(&store, recipe, &entry, true);
        }
        return match renew(&store, settings, recipe, &entry).await {
            Ok(Some(entry)) => installed(&store, recipe, &entry, false),
            Ok(None) => installed(&store, recipe, &entry, true),
            Err(error) => {
                tracing::warn!(
                    "{} {} is used as it is in the cache; looking for a newer one failed: {error}",
                    wanted.name(),
                    entry.version
                );
                installed(&store, recipe, &entry, true)
            }
        };
    }
    store.prepare()?;
    let _one = lock(&store, settings, wanted, deadline).await?;
    if let Some(entry) = store.read(&key) {
        // Whoever had the lock before has done it.
        return installed(&store, recipe, &entry, true);
    }
    let swept = store.clone();
    tokio::task::spawn_blocking(move || swept.sweep());
    let entry = install(&store, settings, recipe, wanted, deadline).await?;
    installed(&store, recipe, &entry, false)
}

/// Removes old versions of what was installed just now.
async fn prune(store: &Store, settings: &Settings, newest: &Entry) {
    let (store, keep, newest) = (store.clone(), settings.keep, newest.folder.clone());
    let pruned = tokio::task::spawn_blocking(move || store.prune(&newest, keep));
    // It could only fail by a panic, which is reported where it happens.
    let _pruned = pruned.await;
}

/// Installs a Python package again with the SDK it was made for, and remembers that.
///
/// # Errors
///
/// As [`provide`].
///
/// # Cancel safety
///
/// As [`provide`].
pub(super) async fn with_older_sdk(
    settings: &Settings,
    recipe: &Recipe,
) -> Result<Installed, InstallError> {
    let wanted = &recipe.wanted;
    let store = Store::new(&settings.cache, registry(wanted));
    let key = wanted.key(settings);
    let deadline = Instant::now() + settings.timeout;
    store.prepare()?;
    let _one = lock(&store, settings, wanted, deadline).await?;
    let known = store.read(&key);
    if let Some(entry) = known.as_ref().filter(|entry| !entry.added.is_empty()) {
        return installed(&store, recipe, entry, true);
    }
    let same = known.map_or_else(|| wanted.clone(), |entry| wanted.pinned(&entry.version));
    let older = same.and(pypi::OLDER_SDK);
    let mut entry = pypi::install(&store, settings, recipe, &older, key, deadline).await?;
    entry.added.push(pypi::OLDER_SDK.to_owned());
    store.write(&entry)?;
    installed(&store, recipe, &entry, false)
}

/// The newer release of a cached package, if there is one.
async fn renew(
    store: &Store,
    settings: &Settings,
    recipe: &Recipe,
    entry: &Entry,
) -> Result<Option<Entry>, InstallError> {
    let wanted = &recipe.wanted;
    let now = Instant::now();
    let deadline = now + settings.timeout;
    store.prepare()?;
    let _one = lock(store, settings, wanted, deadline).await?;
    let ask = now + settings.timeout.min(ASK_LIMIT);
    let newest = if wanted.is_npm() && settings.min_release_age.is_some() {
        // `npm view` knows no `--before`, so the version is only known once it is installed.
        None
    } else if wanted.is_npm() {
        Some(npm::newest(store, settings, recipe, ask).await?)
    } else {
        Some(pypi::newest(store, settings, recipe, entry, ask).await?)
    };
    match newest {
        Some(version) if version == entry.version => {
            let mut entry = entry.clone();
            entry.asked = date::now();
            store.write(&entry)?;
            Ok(None)
        }
        Some(version) => {
            let pinned = wanted.pinned(&version);
            let entry = install(store, settings, recipe, &pinned, deadline).await?;
            Ok(Some(entry))
        }
        None => {
            let entry = install(store, settings, recipe, wanted, deadline).await?;
            Ok(Some(entry))
        }
    }
}

/// Installs, and writes it down under the name it was asked for by.
async fn install(
    store: &Store,
    settings: &Settings,
    recipe: &Recipe,
    wanted: &Wanted,
    deadline: Instant,
) -> Result<Entry, InstallError> {
    let key = recipe.wanted.key(settings);
    let entry = if wanted.is_npm() {
        npm::install(store, settings, recipe, wanted, key, deadline).await?
    } else {
        pypi::install(store, settings, recipe, wanted, key, deadline).await?
    };
    store.write(&entry)?;
    prune(store, settings, &entry).await;
    Ok(entry)
}

async fn lock(
    store: &Store,
    settings: &Settings,
    wanted: &Wanted,
    deadline: Instant,
) -> Result<std::fs::File, InstallError> {
    let lock = store.lock(wanted.name(), deadline).await?;
    lock.ok_or_else(|| InstallError::Late {
        spec: wanted.spec(),
        limit: settings.timeout,
    })
}

fn registry(wanted: &Wanted) -> &'static str {
    if wanted.is_npm() { "npm" } else { "pypi" }
}

/// Whether the registry need not be asked what the package means today.
fn is_fresh(entry: &Entry, settings: &Settings, wanted: &Wanted) -> bool {
    // A clock that was set back makes an entry old rather than young for ever.
    let age = date::now().checked_sub(entry.asked);
    wanted.is_pinned() || age.is_some_and(|age| age < settings.refresh.as_secs())
}

fn installed(
    store: &Store,
    recipe: &Recipe,
    entry: &Entry,
    cached: bool,
) -> Result<Installed, InstallError> {
    let folder = store.home().join(&entry.folder);
    let gone = || InstallError::cache(&folder, &std::io::ErrorKind::NotFound.into());
    let lease = store.lease(&entry.folder).ok_or_else(gone)?;
    let file = folder.join(entry.program.file());
    let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
    let (command, programs) = match &entry.program {
        Program::Node { flags, .. } => {
            let node = recipe.tools.node.as_deref().ok_or(InstallError::NoTool {
                what: "node",
                remedy: "install Node.js 20 or newer",
            })?;
            let mut command = vec![text(node)];
            command.extend(flags.iter().cloned());
            command.push(text(&file));
            (command, folder.join("node_modules/.bin"))
        }
        // The script's own first line is not used: a shebang has a bounded length, and a path with
        // spaces breaks it.
        Program::Python { .. } => (
            vec![text(&folder.join("bin/python")), text(&file)],
            folder.join("bin"),
        ),
        Program::Own { .. } if recipe.wanted.is_npm() => {
            (vec![text(&file)], folder.join("node_modules/.bin"))
        }
        Program::Own { .. } => (vec![text(&file)], folder.join("bin")),
    };
    Ok(Installed {
        spec: recipe.wanted.spec(),
        name: recipe.wanted.name().to_owned(),
        version: entry.version.clone(),
        command,
        file,
        programs,
        added: entry.added.clone(),
        cached,
        lease,
    })
}
