//! What is to be installed, with which tools, within which bounds.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::launch::package::Package;
use crate::link::child::Guardian;

/// How installing goes, for every package alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where installed packages are kept.
    pub cache: PathBuf,
    /// The budget of one installation, waiting for another proxy's included.
    pub timeout: Duration,
    /// How long the version an unpinned package was resolved to is used without asking again; zero
    /// asks at every start.
    pub refresh: Duration,
    /// Whether npm runs no script of a package (`--ignore-scripts`).
    pub ignore_scripts: bool,
    /// How old a release must be to be installed: a supply-chain attack is usually found in days.
    pub min_release_age: Option<Duration>,
    /// How many versions of a package stay in the cache beside those in use.
    pub keep: usize,
    /// Who ends an installer if this process cannot any more. Nobody can configure it: it is filled in
    /// where the proxy is put together.
    pub guardian: Option<Guardian>,
}

/// A package of a registry, and what is installed beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The package; never a [`Package::Binary`].
    package: Package,
    /// Requirements beside it, Python only (`mcp<2`).
    with: Vec<String>,
}

impl Wanted {
    /// A package that a registry has; `None` for a program that is there already.
    #[must_use]
    pub fn new(package: Package, with: Vec<String>) -> Option<Self> {
        match package {
            Package::Npm { .. } => Some(Self {
                package,
                with: Vec::new(),
            }),
            Package::PyPi { .. } => Some(Self { package, with }),
            Package::Binary { .. } => None,
        }
    }

    /// Whether npm's registry has it, and not Python's.
    #[must_use]
    pub fn is_npm(&self) -> bool {
        matches!(self.package, Package::Npm { .. })
    }

    /// The package's name, scope included, without version or extras.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.package {
            Package::Npm { name, .. } | Package::PyPi { name, .. } | Package::Binary { name } => {
                name
            }
        }
    }

    /// Requirements beside it.
    pub(super) fn with(&self) -> &[String] {
        &self.with
    }

    /// Whether the version of Python's SDK `mcp` was chosen beside it.
    pub(super) fn names_sdk(&self) -> bool {
        self.with.iter().any(|requirement| {
            let end = requirement.find(|letter: char| "[<>=!~".contains(letter));
            requirement[..end.unwrap_or(requirement.len())].eq_ignore_ascii_case("mcp")
        })
    }

    /// The same with one requirement more.
    pub(super) fn and(&self, requirement: &str) -> Self {
        let mut more = self.clone();
        more.with.push(requirement.to_owned());
        more
    }

    /// As the registry's installer takes it: `@scope/name@1.2.3`, `name[extra]==1.2.3`.
    #[must_use]
    pub fn spec(&self) -> String {
        self.at(self.version())
    }

    /// The same package at an exact version.
    pub(super) fn pinned(&self, version: &str) -> Self {
        let mut pinned = self.clone();
        match &mut pinned.package {
            Package::Npm { version: old, .. } | Package::PyPi { version: old, .. } => {
                *old = Some(version.to_owned());
            }
            Package::Binary { .. } => {}
        }
        pinned
    }

    fn version(&self) -> Option<&str> {
        match &self.package {
            Package::Npm { version, .. } => version.as_deref(),
            // uv's own word for the newest; no release is called so.
            Package::PyPi { version, .. } => version.as_deref().filter(|word| *word != "latest"),
            Package::Binary { .. } => None,
        }
    }

    fn at(&self, version: Option<&str>) -> String {
        match (&self.package, version) {
            (Package::Npm { name, .. }, Some(version)) => format!("{name}@{version}"),
            (Package::PyPi { name, extras, .. }, version) => {
                let extras = if extras.is_empty() {
                    String::new()
                } else {
                    format!("[{}]", extras.join(","))
                };
                let exact = version.map_or_else(String::new, |version| format!("=={version}"));
                format!("{name}{extras}{exact}")
            }
            (package, _) => match package {
                Package::Npm { name, .. } | Package::Binary { name } => name.clone(),
                Package::PyPi { name, .. } => name.clone(),
            },
        }
    }

    /// Whether it can only ever mean one release, so that nobody need be asked twice. `1` and
    /// `next` are not such for npm; every version of Python's registry is.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        let Some(version) = self.version() else {
            return false;
        };
        if !self.is_npm() {
            return true;
        }
        // semver 2.0.0, 2: three numbers, then perhaps a pre-release or build part.
        let core = version.split(['-', '+']).next().unwrap_or_default();
        let numbers: Vec<&str> = core.split('.').collect();
        numbers.len() == 3
            && numbers.iter().all(|number| {
                number.bytes().all(|byte| byte.is_ascii_digit()) && !number.is_empty()
            })
    }

    /// Under which name the index keeps it. What was installed under weaker guards is another
    /// thing, and is not found under this name.
    pub(super) fn key(&self, settings: &Settings) -> String {
        let mut key = self.spec();
        for requirement in &self.with {
            key.push_str(&format!(" with {requirement}"));
        }
        if settings.ignore_scripts && self.is_npm() {
            key.push_str(NO_SCRIPTS);
        }
        if let Some(age) = settings.min_release_age.filter(|_| !self.is_pinned()) {
            key.push_str(&format!(" aged {}s", age.as_secs()));
        }
        key
    }
}

/// Marks what was installed without running scripts.
pub(super) const NO_SCRIPTS: &str = " without scripts";

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.spec())
    }
}

/// Where the programs are that install and run packages; absent when `PATH` has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tools {
    /// Node.js.
    pub node: Option<PathBuf>,
    /// Its package manager.
    pub npm: Option<PathBuf>,
    /// Python's fast installer.
    pub uv: Option<PathBuf>,
    /// Python 3, which brings `venv` and pip.
    pub python: Option<PathBuf>,
}

/// A package and what installing it takes. `Debug` shows names of variables only: credentials of
/// private registries are among their values.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipe {
    /// What is to be installed.
    pub wanted: Wanted,
    /// With what.
    pub tools: Tools,
    /// The installer's whole environment; see [`installer_env`].
    pub env: Vec<(String, String)>,
}

impl fmt::Debug for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.env.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Recipe")
            .field("wanted", &self.wanted)
            .field("tools", &self.tools)
            .field("env", &names)
            .finish()
    }
}

/// What an installer gets of an environment: what it needs to find programs, registries, proxies and
/// certificates. A package's install script sees it, so the server's own credentials are not in it.
#[must_use]
pub fn installer_env(all: &[(String, String)]) -> Vec<(String, String)> {
    const NAMES: [&str; 29] = [
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "TMPDIR",
        "TZ",
        "LANG",
        "LANGUAGE",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        // What a .npmrc commonly refers to as the token of a private registry.
        "NPM_TOKEN",
        "NODE_AUTH_TOKEN",
        "NETRC",
        // Version managers, whose `node` and `python3` are shims.
        "NVM_DIR",
        "VOLTA_HOME",
        "FNM_DIR",
        "ASDF_DIR",
        "ASDF_DATA_DIR",
        "PYENV_ROOT",
        "PYENV_VERSION",
        "NODE_EXTRA_CA_CERTS",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "GIT_SSL_CAINFO",
        "SYSTEM_VERSION_COMPAT",
        "SOURCE_DATE_EPOCH",
    ];
    const PROXIES: [&str; 4] = ["http_proxy", "https_proxy", "no_proxy", "all_proxy"];
    let needed = |name: &str| {
        let lower = name.to_ascii_lowercase();
        NAMES.contains(&name)
            || PROXIES.contains(&lower.as_str())
            || lower.starts_with("npm_config_")
            || ["UV_", "PIP_", "LC_"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
    };
    all.iter()
        .filter(|(name, _)| needed(name))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(text: &str) -> Wanted {
        Wanted::new(Package::parse(text).unwrap(), vec!["mcp<2".into()]).unwrap()
    }

    fn settings() -> Settings {
        Settings {
            cache: "/cache".into(),
            timeout: Duration::from_secs(300),
            refresh: Duration::from_secs(1),
            ignore_scripts: false,
            min_release_age: None,
            keep: 1,
            guardian: None,
        }
    }

    #[test]
    fn specs_are_the_installers_own_and_pins_are_known() {
        for (text, spec, pinned) in [
            ("@scope/name", "@scope/name", false),
            ("name@latest", "name@latest", false),
            ("name@1", "name@1", false),
            ("name@1.2", "name@1.2", false),
            ("name@1.2.3", "name@1.2.3", true),
            ("name@1.2.3-rc.1+5", "name@1.2.3-rc.1+5", true),
            ("pypi:name", "name", false),
            ("uvx:name@latest", "name", false),
            ("pypi:name[a,b]==1.2", "name[a,b]==1.2", true),
        ] {
            let wanted = wanted(text);
            assert_eq!(wanted.spec(), spec);
            assert_eq!(wanted.is_pinned(), pinned, "{text}");
        }
        assert_eq!(wanted("name@latest").pinned("2.0.0").spec(), "name@2.0.0");
        assert_eq!(wanted("pypi:name[a]").pinned("2.0").spec(), "name[a]==2.0");
        assert_eq!(
            Wanted::new(Package::parse("bin:tool").unwrap(), Vec::new()),
            None
        );
    }

    #[test]
    fn what_was_installed_under_weaker_guards_has_another_name() {
        let strict = Settings {
            ignore_scripts: true,
            min_release_age: Some(Duration::from_secs(60)),
            ..settings()
        };
        for (text, loose_key, strict_key) in [
            ("name", "name", "name without scripts aged 60s"),
            ("name@1.2.3", "name@1.2.3", "name@1.2.3 without scripts"),
            ("pypi:name", "name with mcp<2", "name with mcp<2 aged 60s"),
        ] {
            assert_eq!(wanted(text).key(&settings()), loose_key);
            assert_eq!(wanted(text).key(&strict), strict_key);
        }
    }

    #[test]
    fn installers_get_no_credentials_of_servers() {
        let kept = [
            "PATH",
            "npm_config_registry",
            "NPM_CONFIG_CACHE",
            "UV_INDEX_URL",
            "PIP_CERT",
            "HTTPS_PROXY",
            "no_proxy",
            "LC_ALL",
            "NPM_TOKEN",
        ];
        let dropped = [
            "API_KEY",
            "MCP_PROXY_AUTH_TOKEN",
            "NODE_OPTIONS",
            "PIPELINE_KEY",
            "GITHUB_TOKEN",
            "UVICORN_KEY",
        ];
        let all: Vec<_> = kept
            .iter()
            .chain(&dropped)
            .map(|name| ((*name).to_owned(), "hunter2".to_owned()))
            .collect();
        let env = installer_env(&all);
        let names: Vec<_> = env.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, kept);
        let recipe = Recipe {
            wanted: wanted("name"),
            tools: Tools::default(),
            env,
        };
        assert!(!format!("{recipe:?}").contains("hunter2"));
    }
}
