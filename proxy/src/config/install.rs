//! Installing packages: where to, within which bounds, and what `mcp-proxy install` was told.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::launch::find::{self, DEFAULT_PATH};
use crate::launch::install::{Order, Recipe, Settings, Tools, Wanted, installer_env};
use crate::launch::package::Package;
use crate::launch::{Installable, Kind};

use super::bounds;
use super::cli::Typed;
use super::faults::{Errand, Stop};
use super::machine::Machine;
use super::meaning::Log;
use super::pick::Picker;

/// An installation of no length would be over before it began.
const SHORTEST: Duration = Duration::from_secs(1);

/// Where things are kept, if anywhere; and how packages are installed, `None` where they are not,
/// because it was switched off or there is nowhere to put them.
pub(super) fn settings(
    pick: &mut Picker<'_>,
    typed: &Typed,
    machine: &dyn Machine,
) -> (Option<PathBuf>, Option<Settings>) {
    // All are read in any case, so that a fault in one is told whatever another says.
    let off = pick.switch("no-install", typed.no_install);
    let cache = cache(pick, typed, machine);
    // A large server with native parts compiles for minutes.
    let timeout = pick.duration(
        "install-timeout",
        typed.install_timeout.as_ref(),
        Duration::from_secs(300),
        SHORTEST,
    );
    // Whoever restarts several times a day wants the start and not the news.
    let refresh = pick.duration(
        "install-refresh",
        typed.install_refresh.as_ref(),
        Duration::from_secs(24 * 60 * 60),
        Duration::ZERO,
    );
    let ignore_scripts = pick.switch("ignore-scripts", typed.ignore_scripts);
    let age = pick.duration(
        "min-release-age",
        typed.min_release_age.as_ref(),
        Duration::ZERO,
        Duration::ZERO,
    );
    let keep = bounds::keep_versions(pick, &typed.bounds);
    if off && (ignore_scripts || !age.is_zero()) {
        pick.notes.fault(
            "--no-install leaves installing to npx and uvx, which --ignore-scripts and \
             --min-release-age do not reach; leave one out",
        );
    }
    let install = cache.clone().filter(|_| !off).map(|cache| Settings {
        cache,
        timeout,
        refresh,
        ignore_scripts,
        min_release_age: Some(age).filter(|age| !age.is_zero()),
        keep,
        guardian: None,
    });
    (cache, install)
}

/// `--cache-dir`, else the folder the XDG base directory specification gives.
fn cache(pick: &mut Picker<'_>, typed: &Typed, machine: &dyn Machine) -> Option<PathBuf> {
    if let Some(picked) = pick.text("cache-dir", typed.cache_dir.as_ref()) {
        let path = machine.absolute(Path::new(&picked.text)).ok();
        if path.is_none() {
            pick.wrong(&picked, "not a folder");
        }
        return path;
    }
    let folder = |name: &str| {
        let picked = pick.variable(name)?;
        // The specification has relative paths ignored.
        Some(PathBuf::from(picked.text)).filter(|path| path.is_absolute())
    };
    let cache = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")))?;
    Some(cache.join("mcp-proxy"))
}

/// `MCP_PACKAGE_WITH`: requirements beside a Python package, cut at spaces.
pub(super) fn with(pick: &mut Picker<'_>) -> Vec<String> {
    let Some(picked) = pick.variable("MCP_PACKAGE_WITH") else {
        return Vec::new();
    };
    let words: Vec<String> = picked.text.split_whitespace().map(Into::into).collect();
    if let Some(word) = words.iter().find(|word| !is_requirement(word)) {
        pick.notes.fault(format!(
            "MCP_PACKAGE_WITH: {word:?} is not a requirement; write names with versions like mcp<2 or \
             httpx==0.27, with spaces between them and none inside"
        ));
        return Vec::new();
    }
    words
}

/// A name, perhaps extras, perhaps comparisons (PEP 508), and no address: a word that begins with a
/// dash would be a flag of the installer.
fn is_requirement(word: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[],<>=!~*+".contains(&byte);
    word.starts_with(|first: char| first.is_ascii_alphanumeric()) && word.bytes().all(known)
}

/// The programs that install and run packages, in the folders of this search path.
pub(super) fn tools(path: Option<&str>, machine: &dyn Machine) -> Tools {
    let look = |path: &Path| machine.look(path);
    let find = |name| find::find(name, path.unwrap_or(DEFAULT_PATH), None, &look).ok();
    Tools {
        node: find("node"),
        npm: find("npm"),
        uv: find("uv"),
        python: find("python3"),
    }
}

/// What is to be run.
pub(super) struct Said {
    pub(super) kind: Kind,
    /// The whole command; for a package, that of `npx` or `uvx`.
    pub(super) words: Vec<String>,
    /// Requirements beside a Python package.
    pub(super) with: Vec<String>,
    /// The package, and how many of the words are the server's own arguments.
    pub(super) package: Option<(Package, usize)>,
}

impl Said {
    /// A command that was written out.
    pub(super) fn command(words: Vec<String>) -> Self {
        Self {
            kind: Kind::Command,
            words,
            with: Vec::new(),
            package: None,
        }
    }
}

/// A typed `npx -y PKG …` or `uvx PKG …` as the package it runs. With any other flag of theirs, or with
/// a package that the project around has installed, it stays the command it is.
pub(super) fn recognised(said: Said, cwd: Option<&Path>, machine: &dyn Machine) -> Said {
    let words: Vec<&str> = said.words.iter().map(String::as_str).collect();
    let (package, own) = match words.as_slice() {
        ["npx", "-y" | "--yes", package, own @ ..] => (format!("npm:{package}"), own.len()),
        ["uvx", package, own @ ..] => (format!("pypi:{package}"), own.len()),
        _ => return said,
    };
    let Ok(package) = Package::parse(&package) else {
        return said;
    };
    let here = machine.absolute(cwd.unwrap_or_else(|| Path::new(".")));
    // npx runs what the project has, whatever the registry has.
    let is_in_project = |name: &str| {
        let mut above = here.iter().flat_map(|here| here.ancestors());
        above.any(|folder| machine.is_folder(&folder.join("node_modules").join(name)))
    };
    match &package {
        Package::Npm { name, .. } if is_in_project(name) => said,
        _ => Said {
            kind: package.kind(),
            package: Some((package, own)),
            ..said
        },
    }
}

/// How a package is installed, unless this machine has nothing that could run it. `env` is the server's,
/// and `args` are its own arguments.
pub(super) fn installable(
    package: Package,
    with: Vec<String>,
    env: &[(String, String)],
    args: Vec<String>,
    has_fallback: bool,
    machine: &dyn Machine,
) -> Option<Box<Installable>> {
    let wanted = Wanted::new(package, with)?;
    let path = env.iter().find(|(name, _)| name == "PATH");
    let tools = tools(path.map(|(_, path)| path.as_str()), machine);
    let can_run = if wanted.is_npm() {
        tools.node.is_some()
    } else {
        tools.uv.is_some() || tools.python.is_some()
    };
    can_run.then(|| {
        Box::new(Installable {
            recipe: Recipe {
                wanted,
                tools,
                env: installer_env(env),
            },
            args,
            has_fallback,
        })
    })
}

/// `uvx` with requirements beside the package (uv guide "Using tools", `--with`).
pub(super) fn with_more(mut words: Vec<String>, with: &[String]) -> Vec<String> {
    if words.first().is_some_and(|program| program == "uvx") {
        let flags = with.iter().flat_map(|more| ["--with".into(), more.clone()]);
        words.splice(1..1, flags);
    }
    words
}

/// What `--prewarm` installs beside the server's own package.
pub(super) fn prewarm(
    pick: &mut Picker<'_>,
    typed: &Typed,
    settings: Option<&Settings>,
    machine: &dyn Machine,
) -> Option<Order> {
    let listed = pick.list("prewarm", &typed.prewarm);
    if listed.is_empty() {
        return None;
    }
    let source = listed[0].source.clone();
    let names = listed.into_iter().map(|picked| picked.text).collect();
    let recipes = recipes(pick, &source, names, machine);
    let Some(settings) = settings else {
        pick.notes.warn(format!(
            "{source} has no effect, because nothing is installed"
        ));
        return None;
    };
    Some(Order {
        settings: settings.clone(),
        recipes,
    })
}

/// `mcp-proxy install PKG…`: an errand in place of a configuration, or what is wrong with it.
pub(super) fn errand(
    pick: &mut Picker<'_>,
    typed: &Typed,
    packages: Vec<String>,
    log: Log,
    machine: &dyn Machine,
) -> Stop {
    if packages.is_empty() {
        pick.notes.fault(
            "install: no package was named; type mcp-proxy install @modelcontextprotocol/server-everything, \
             or put -- before a server's program of that name",
        );
    }
    if packages
        .iter()
        .any(|word| word.len() > 1 && word.starts_with('-'))
    {
        pick.notes
            .fault("install: flags go before the first package");
    }
    let recipes = recipes(pick, "install", packages, machine);
    let (_, settings) = settings(pick, typed, machine);
    if settings.is_none() {
        pick.notes.fault(
            "install: there is nowhere to install to; name a folder with --cache-dir, and leave \
             --no-install out",
        );
    }
    match (std::mem::take(&mut pick.notes).settle(), settings) {
        (Err(stop), _) => stop,
        (Ok(warnings), Some(settings)) => Stop::Errand(Box::new(Errand {
            order: Order { settings, recipes },
            log,
            warnings,
        })),
        (Ok(_), None) => unreachable!("missing settings are a fault, and there was none"),
    }
}

fn recipes(
    pick: &mut Picker<'_>,
    source: &str,
    names: Vec<String>,
    machine: &dyn Machine,
) -> Vec<Recipe> {
    let with = with(pick);
    let path = pick.variable("PATH").map(|picked| picked.text);
    let tools = tools(path.as_deref(), machine);
    let env = installer_env(&pick.env.all());
    let mut recipes = Vec::new();
    for name in names {
        let package = Package::parse(&name).map_err(|fault| format!("{source}: {fault}"));
        let Some(package) = pick.notes.keep(package) else {
            continue;
        };
        match Wanted::new(package, with.clone()) {
            Some(wanted) => recipes.push(Recipe {
                wanted,
                tools: tools.clone(),
                env: env.clone(),
            }),
            None => pick.notes.fault(format!(
                "{source}: {name} is a program that is there already; there is nothing to install"
            )),
        }
    }
    recipes
}
