//! `MCP_PACKAGE`: the name of a package, and the command that runs it.
//!
//! The value comes from whoever deploys a server, sometimes through a form on a web page, and ends
//! up on a command line. No shell ever sees it, but a name that begins with a dash would still be a
//! flag to `npx`, and one with a slash or a colon a folder or an address to install from. So names are
//! held to the registries' own rules, and everything else is refused with a sentence.

use super::plan::Kind;

/// The longest name npm takes, scope included (npm `validate-npm-package-name`).
const MAX_NPM_NAME: usize = 214;

/// The longest Python name, version or program name accepted. Neither has a limit of its own; this
/// one is far beyond every package there is.
const MAX_NAME: usize = 214;

/// A package whose name is sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Package {
    /// A package of the npm registry.
    Npm {
        /// `name` or `@scope/name`.
        name: String,
        /// An exact version or a tag; the registry's `latest` when absent.
        version: Option<String>,
    },
    /// A package of the Python index.
    PyPi {
        /// The distribution's name.
        name: String,
        /// Optional features, as in `name[a,b]`.
        extras: Vec<String>,
        /// An exact version; the newest when absent.
        version: Option<String>,
    },
    /// A program found in `PATH`.
    Binary {
        /// Its name, without a folder.
        name: String,
    },
}

/// Why a package cannot be run. Each reads after "MCP_PACKAGE: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackageFault {
    /// The prefix before the colon is none of ours.
    #[error("{0:?} is not a kind of package; use npm:, pypi:, uvx: or bin:, or no prefix for npm")]
    Prefix(String),
    /// Not a name in the npm registry.
    #[error("{name:?} is not the name of an npm package: {rule}")]
    Npm {
        /// What was given.
        name: String,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// Not a version or tag of an npm package.
    #[error("{0:?} is not a version or tag of an npm package; write one like 1.2.3 or latest")]
    NpmVersion(String),
    /// Not a requirement we can run.
    #[error("{0:?} is not a Python package; write name, name[extra] or name==1.2.3")]
    PyPi(String),
    /// Not an exact version of a Python package.
    #[error("{0:?} is not an exact version of a Python package; write one like 1.2.3")]
    PyPiVersion(String),
    /// Not the name of a program.
    #[error(
        "{0:?} is not the name of a program; write it without a folder (bin:my-server), or use MCP_COMMAND"
    )]
    Binary(String),
}

impl Package {
    /// Reads `@scope/name[@version]`, `npm:…`, `pypi:name[==version]`, `uvx:…` or `bin:name`.
    ///
    /// # Errors
    ///
    /// When the name is not sound; see [`PackageFault`].
    pub fn parse(text: &str) -> Result<Self, PackageFault> {
        match text.split_once(':') {
            None => npm(text),
            Some(("npm", rest)) => npm(rest),
            Some(("pypi" | "uvx", rest)) => pypi(rest),
            Some(("bin", rest)) => binary(rest),
            Some((prefix, _)) => Err(PackageFault::Prefix(prefix.into())),
        }
    }

    /// The command that runs it: the program and its first arguments. The server's own follow.
    #[must_use]
    pub fn command(&self) -> Vec<String> {
        match self {
            // `-y`: nobody is there to confirm the installation.
            Self::Npm {
                name,
                version: None,
            } => vec!["npx".into(), "-y".into(), name.clone()],
            Self::Npm {
                name,
                version: Some(version),
            } => {
                vec!["npx".into(), "-y".into(), format!("{name}@{version}")]
            }
            // `uvx name` and `uvx name@1.2` run the command named like the package; with extras the
            // requirement goes to `--from` and the command is named after it (uv guide "Using tools").
            Self::PyPi {
                name,
                extras,
                version,
            } if extras.is_empty() => {
                let at = version
                    .as_ref()
                    .map_or_else(String::new, |version| format!("@{version}"));
                vec!["uvx".into(), format!("{name}{at}")]
            }
            Self::PyPi {
                name,
                extras,
                version,
            } => {
                let exact = version
                    .as_ref()
                    .map_or_else(String::new, |version| format!("=={version}"));
                let requirement = format!("{name}[{}]{exact}", extras.join(","));
                vec!["uvx".into(), "--from".into(), requirement, name.clone()]
            }
            Self::Binary { name } => vec![name.clone()],
        }
    }

    /// What the launch is called.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Npm { .. } => Kind::Npm,
            Self::PyPi { .. } => Kind::PyPi,
            Self::Binary { .. } => Kind::Binary,
        }
    }
}

fn npm(text: &str) -> Result<Package, PackageFault> {
    // The first letter may be the scope's `@`; a later one begins the version.
    let at = text
        .char_indices()
        .skip(1)
        .find(|(_, letter)| *letter == '@');
    let (name, version) = match at {
        Some((at, _)) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let fault = |rule| {
        Err(PackageFault::Npm {
            name: name.into(),
            rule,
        })
    };
    let parts: Vec<&str> = match name.strip_prefix('@') {
        Some(scoped) => match scoped.split_once('/') {
            Some((scope, bare)) => vec![scope, bare],
            None => return fault("a scope is followed by / and a name (@scope/name)"),
        },
        None => vec![name],
    };
    if name.len() > MAX_NPM_NAME {
        return fault("it is longer than 214 characters");
    }
    for part in parts {
        if part.is_empty() {
            return fault("it is empty, or its scope is");
        }
        if part.starts_with(['.', '-', '_']) {
            return fault("it may not begin with a dot, a dash or an underscore");
        }
        if part.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return fault("it is written in lower case");
        }
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if !part.bytes().all(known) {
            return fault("only letters, digits, dots, dashes and underscores are in it");
        }
    }
    if let Some(version) = version {
        // Versions are semver with an optional build part; tags are words of the same letters.
        let known =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'+');
        let begins = version.starts_with(|first: char| first.is_ascii_alphanumeric());
        if !begins || version.len() > MAX_NAME || !version.bytes().all(known) {
            return Err(PackageFault::NpmVersion(version.into()));
        }
    }
    Ok(Package::Npm {
        name: name.into(),
        version: version.map(Into::into),
    })
}

fn pypi(text: &str) -> Result<Package, PackageFault> {
    let fault = || PackageFault::PyPi(text.into());
    // `==` is the requirement's spelling; `@` is what people know from `uvx name@1.2`.
    let (requirement, version) = match text.split_once("==").or_else(|| text.split_once('@')) {
        Some((requirement, version)) => (requirement, Some(version)),
        None => (text, None),
    };
    let (name, extras) = match requirement.split_once('[') {
        Some((name, extras)) => {
            let extras = extras.strip_suffix(']').ok_or_else(fault)?;
            (name, extras.split(',').map(String::from).collect())
        }
        None => (requirement, Vec::new()),
    };
    if !is_python_name(name) || !extras.iter().all(|extra| is_python_name(extra)) {
        return Err(fault());
    }
    if let Some(version) = version {
        // PEP 440: an epoch `1!`, and a local part after `+`. `latest` is uv's own word.
        let known = |byte: u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'+' | b'!')
        };
        let begins = version.starts_with(|first: char| first.is_ascii_alphanumeric());
        if !begins || version.len() > MAX_NAME || !version.bytes().all(known) {
            return Err(PackageFault::PyPiVersion(version.into()));
        }
    }
    // `name==latest` would be a version called so; only `name@latest`, which is what is run without
    // extras, means the newest. With extras the newest is what no version says.
    let version = version.filter(|version| extras.is_empty() || *version != "latest");
    Ok(Package::PyPi {
        name: name.into(),
        extras,
        version: version.map(Into::into),
    })
}

/// PEP 508: letters, digits, `-`, `_` and `.`, with a letter or digit at both ends.
fn is_python_name(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let end = |letter: char| letter.is_ascii_alphanumeric();
    name.len() <= MAX_NAME
        && name.bytes().all(known)
        && name.starts_with(end)
        && name.ends_with(end)
}

fn binary(name: &str) -> Result<Package, PackageFault> {
    let known =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'+');
    let begins = name.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_');
    if !begins || name.len() > MAX_NAME || !name.bytes().all(known) {
        return Err(PackageFault::Binary(name.into()));
    }
    Ok(Package::Binary { name: name.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_become_commands() {
        for (text, kind, command) in [
            ("server", Kind::Npm, "npx -y server"),
            ("@scope/name", Kind::Npm, "npx -y @scope/name"),
            (
                "@scope/name@1.2.3-rc.1+b5",
                Kind::Npm,
                "npx -y @scope/name@1.2.3-rc.1+b5",
            ),
            (
                "npm:@scope/name@latest",
                Kind::Npm,
                "npx -y @scope/name@latest",
            ),
            ("npm:is-odd@3", Kind::Npm, "npx -y is-odd@3"),
            ("pypi:mcp-server-time", Kind::PyPi, "uvx mcp-server-time"),
            (
                "pypi:mcp-server-time==2025.7.1",
                Kind::PyPi,
                "uvx mcp-server-time@2025.7.1",
            ),
            (
                "uvx:Some.Name@1!2.0+cpu",
                Kind::PyPi,
                "uvx Some.Name@1!2.0+cpu",
            ),
            ("uvx:name@latest", Kind::PyPi, "uvx name@latest"),
            ("pypi:name[a,b]", Kind::PyPi, "uvx --from name[a,b] name"),
            (
                "pypi:name[a]==1.0",
                Kind::PyPi,
                "uvx --from name[a]==1.0 name",
            ),
            ("pypi:name[a]@latest", Kind::PyPi, "uvx --from name[a] name"),
            ("bin:scaleway-tool", Kind::Binary, "scaleway-tool"),
            ("bin:g++", Kind::Binary, "g++"),
        ] {
            let package = Package::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
            assert_eq!(package.kind(), kind, "{text}");
            assert_eq!(package.command().join(" "), command, "{text}");
        }
    }

    #[test]
    fn unsound_names_are_refused_with_a_reason() {
        let long = "a".repeat(215);
        for (text, reason) in [
            ("", "it is empty"),
            ("@", "a scope is followed by"),
            ("@/name", "its scope is"),
            ("@scope/", "it is empty"),
            ("@scope", "a scope is followed by"),
            ("-g", "may not begin with a dot, a dash"),
            ("@scope/-g", "may not begin"),
            (".hidden", "may not begin"),
            ("_private", "may not begin"),
            ("Upper", "lower case"),
            ("two words", "only letters"),
            ("a;b", "only letters"),
            ("$(id)", "only letters"),
            ("a`b`", "only letters"),
            ("../escape", "may not begin"),
            ("user/repo", "only letters"),
            ("@a/b/c", "only letters"),
            ("naïve", "only letters"),
            (&long, "longer than 214"),
            ("name@", "not a version or tag"),
            ("name@^1.0", "not a version or tag"),
            ("name@-g", "not a version or tag"),
            ("name@1 2", "not a version or tag"),
            ("name@1@2", "not a version or tag"),
            ("git+https://host/x", "is not a kind of package"),
            ("file:/etc", "is not a kind of package"),
            ("PYPI:name", "is not a kind of package"),
            ("npm:file:/etc", "only letters"),
            ("pypi:", "is not a Python package"),
            ("pypi:-r", "is not a Python package"),
            ("pypi:name-", "is not a Python package"),
            ("pypi:name>=1", "is not a Python package"),
            ("pypi:a b", "is not a Python package"),
            ("pypi:name[a", "is not a Python package"),
            ("pypi:name[]", "is not a Python package"),
            ("pypi:name[a]x", "is not a Python package"),
            ("pypi:git+https://h/x", "is not a Python package"),
            ("pypi:name==", "not an exact version"),
            ("pypi:name==1.*", "not an exact version"),
            ("pypi:name @ https://h/x", "is not a Python package"),
            ("pypi:name@https://h/x", "not an exact version"),
            ("bin:", "not the name of a program"),
            ("bin:-x", "not the name of a program"),
            ("bin:/bin/sh", "not the name of a program"),
            ("bin:..", "not the name of a program"),
            ("bin:a b", "not the name of a program"),
        ] {
            let fault = Package::parse(text).expect_err(text).to_string();
            assert!(fault.contains(reason), "{text}: {fault}");
        }
    }
}
