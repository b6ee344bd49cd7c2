//! What the child's environment is made of (rule 12).
//!
//! Credentials of MCP servers come by environment, so the child inherits everything except what is
//! ours: a server must not find the proxy's token, and must not think that the proxy's port is its
//! own.

use std::borrow::Cow;
use std::collections::BTreeMap;

use shell_words::quote;

/// Variables that begin like this are the proxy's.
const OURS: &str = "MCP_PROXY_";

/// `MCP_ENV_X=v` is `X=v` for the child: a name some platform reserves (Scaleway keeps `SCW_*` to
/// itself) can still be set there.
const RENAMED: &str = "MCP_ENV_";

/// Single names that are the proxy's.
const OUR_NAMES: [&str; 5] = [
    "PORT",
    "MCP_PACKAGE",
    "MCP_PACKAGE_WITH",
    "MCP_COMMAND",
    "MCP_ARGS",
];

/// What the child inherits under `--clean-env`, because nothing starts without it.
const CLEAN_NAMES: &[&str] = &[
    // To find `node`, `python` and the helpers of both; and where npm and uv keep their caches.
    "PATH",
    "HOME",
    // Where installers unpack, and who they run as (npm looks the user up).
    "TMPDIR",
    "USER",
    "LOGNAME",
    // Without a UTF-8 locale Python may write its lines in another encoding.
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    // Moved caches and settings; without them a read-only home makes npx and uvx fail.
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    // Which registry npx and uvx install from, where they keep it, and which Python uvx uses.
    "npm_config_cache",
    "npm_config_registry",
    "npm_config_userconfig",
    "NPM_CONFIG_CACHE",
    "NPM_CONFIG_REGISTRY",
    "NPM_CONFIG_USERCONFIG",
    "UV_CACHE_DIR",
    "UV_CONFIG_FILE",
    "UV_DEFAULT_INDEX",
    "UV_INDEX_URL",
    "UV_PYTHON",
    "UV_PYTHON_DOWNLOADS",
    "UV_PYTHON_INSTALL_DIR",
    "UV_PYTHON_PREFERENCE",
    "UV_TOOL_DIR",
    // The way out of a closed network, and whom to trust there.
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "NODE_EXTRA_CA_CERTS",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
];

/// The child's whole environment, sorted by name.
///
/// `inherited` is the proxy's own, `given` what `-e` said, in order. A later source wins:
/// inherited, then `MCP_ENV_*`, then `given`. With `clean`, nothing is inherited but what `npx` and
/// `uvx` need to start.
pub(super) fn child_env(
    inherited: &[(String, String)],
    given: &[(String, String)],
    clean: bool,
) -> Vec<(String, String)> {
    let passes = |name: &str| {
        if clean {
            CLEAN_NAMES.contains(&name)
        } else {
            !is_ours(name)
        }
    };
    let kept = inherited.iter().filter(|(name, _)| passes(name));
    let renamed = inherited.iter().filter_map(|(name, value)| {
        let name = name.strip_prefix(RENAMED).filter(|name| !name.is_empty())?;
        Some((name, value))
    });
    let mut child: BTreeMap<&str, &str> = kept.map(|(name, value)| (&**name, &**value)).collect();
    child.extend(renamed.map(|(name, value)| (name, &**value)));
    child.extend(given.iter().map(|(name, value)| (&**name, &**value)));
    child
        .into_iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

/// How names of credentials look, in capitals.
const CREDENTIAL_NAMES: [&str; 9] = [
    "KEY",
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "CREDENTIAL",
    "AUTH",
    "COOKIE",
];

/// The shortest value that is taken for confidential because somebody typed it: `true` and `8080` are
/// settings.
const CONFIDENTIAL_BYTES: usize = 8;

/// What of a server's environment is not to be shown to anybody: what is named like a credential,
/// wherever it came from, and what was `typed` for this server alone.
pub(super) fn confidential<'a>(
    env: &'a [(String, String)],
    typed: &'a [(String, String)],
) -> impl Iterator<Item = &'a str> {
    let named = env
        .iter()
        .filter(|(name, _)| is_named_like_a_credential(name));
    let typed = typed
        .iter()
        .filter(|(_, value)| value.len() >= CONFIDENTIAL_BYTES);
    named.chain(typed).map(|(_, value)| value.as_str())
}

fn is_named_like_a_credential(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    // A socket of a program that holds keys is a path, and in many lines.
    name != "SSH_AUTH_SOCK" && CREDENTIAL_NAMES.iter().any(|part| name.contains(part))
}

/// What stands for a credential on a command line.
const HIDDEN: &str = "***";

/// The words of a command as a person would type them and as they may be shown: without what follows a name like that of a
/// credential (`--api-key X`, `--api-key=X`, `API_KEY=X`), and without the password of a URL.
pub(super) fn shown(words: &[String]) -> impl Iterator<Item = String> {
    let mut hides_next = false;
    words.iter().map(move |word| {
        if std::mem::take(&mut hides_next) && !word.starts_with('-') {
            return HIDDEN.to_owned();
        }
        match word.split_once('=') {
            Some((name, _)) if is_plain(name) && is_named_like_a_credential(name) => {
                format!("{name}={HIDDEN}")
            }
            None if word.starts_with('-') && is_named_like_a_credential(word) => {
                hides_next = true;
                quote(word).into_owned()
            }
            _ => quote(&without_password(word)).into_owned(),
        }
    })
}

/// Whether a text could be the name of a flag or of a variable.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    name.bytes().all(plain)
}

/// `scheme://user:password@host` without the password (RFC 3986, 3.2.1).
fn without_password(word: &str) -> Cow<'_, str> {
    let hidden = word.split_once("://").and_then(|(scheme, rest)| {
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (user, host) = authority.rsplit_once('@')?;
        let (user, _) = user.split_once(':')?;
        Some(format!("{scheme}://{user}:{HIDDEN}@{host}{path}"))
    });
    hidden.map_or(Cow::Borrowed(word), Cow::Owned)
}

/// Families of names that decide what a process loads and runs before its own code has a say: the
/// dynamic linker's, and those of the runtimes servers are written in.
const LOADER_PREFIXES: [&str; 10] = [
    "LD_", "DYLD_", "GLIBC_", "MALLOC_", "PYTHON", "UV_", "NODE_", "npm_", "NPM_", "BASH_",
];

/// The same, single names.
const LOADER_NAMES: [&str; 24] = [
    "PATH",
    "HOME",
    "SHELL",
    "IFS",
    "ENV",
    "PWD",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "SHELLOPTS",
    "PS4",
    "GCONV_PATH",
    "LOCPATH",
    "NLSPATH",
    "HOSTALIASES",
    "RES_OPTIONS",
    "PERL5LIB",
    "PERL5OPT",
    "RUBYLIB",
    "RUBYOPT",
    "JAVA_TOOL_OPTIONS",
    "_JAVA_OPTIONS",
    "CLASSPATH",
    "VIRTUAL_ENV",
];

/// Whose certificates are believed, and who may stand in between.
const TRUST_NAMES: [&str; 7] = [
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "OPENSSL_CONF",
];

/// Whether a variable is no principal's and no client's to set: it is the proxy's, or it decides which
/// code a server runs or whom it trusts, which is its owner's affair.
pub(super) fn is_protected(name: &str) -> bool {
    let same = |known: &&str| known.eq_ignore_ascii_case(name);
    is_ours(name)
        || LOADER_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
        || LOADER_NAMES.contains(&name)
        || TRUST_NAMES.iter().any(same)
}

/// Whether a variable speaks to the proxy rather than to the server behind it.
pub(super) fn is_ours(name: &str) -> bool {
    name.starts_with(OURS) || name.starts_with(RENAMED) || OUR_NAMES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_without_its_credentials() {
        for (typed, expected) in [
            ("server --verbose file", "server --verbose file"),
            ("server --api-key hunter2 file", "server --api-key *** file"),
            ("server --token --verbose", "server --token --verbose"),
            ("server --token=hunter2 -x", "server --token=*** -x"),
            ("env API_KEY=hunter2 server", "env API_KEY=*** server"),
            ("server --query=a=token", "server '--query=a=token'"),
            (
                "server postgres://me:hunter2@db/x?y=@z",
                "server 'postgres://me:***@db/x?y=@z'",
            ),
            ("server https://host/a:b@c", "server https://host/a:b@c"),
        ] {
            let words: Vec<String> = typed.split(' ').map(Into::into).collect();
            assert_eq!(shown(&words).collect::<Vec<_>>().join(" "), expected);
        }
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect()
    }

    #[test]
    fn the_child_gets_what_is_not_ours() {
        struct Case {
            inherited: &'static [(&'static str, &'static str)],
            given: &'static [(&'static str, &'static str)],
            clean: bool,
            child: &'static [(&'static str, &'static str)],
        }
        for case in [
            Case {
                inherited: &[("PATH", "/bin"), ("API_KEY", "k"), ("HOST", "h")],
                given: &[],
                clean: false,
                child: &[("API_KEY", "k"), ("HOST", "h"), ("PATH", "/bin")],
            },
            // Everything that speaks to the proxy stays with it.
            Case {
                inherited: &[
                    ("PORT", "8080"),
                    ("MCP_PACKAGE", "p"),
                    ("MCP_COMMAND", "c"),
                    ("MCP_ARGS", "a"),
                    ("MCP_PROXY_AUTH_TOKEN", "t"),
                    ("MCP_PROXY_", "x"),
                    ("MCP_ENV_", "x"),
                    ("MCP_SOMETHING", "the server's own"),
                ],
                given: &[],
                clean: false,
                child: &[("MCP_SOMETHING", "the server's own")],
            },
            // What was said more closely wins, and a name of ours can be given on purpose.
            Case {
                inherited: &[
                    ("A", "inherited"),
                    ("B", "inherited"),
                    ("MCP_ENV_A", "env"),
                    ("MCP_ENV_B", "env"),
                ],
                given: &[("A", "first"), ("A", "last")],
                clean: false,
                child: &[("A", "last"), ("B", "env")],
            },
            Case {
                inherited: &[
                    ("PORT", "8080"),
                    ("MCP_ENV_PORT", "9000"),
                    ("MCP_ENV_SCW_ACCESS_KEY", "s"),
                ],
                given: &[],
                clean: false,
                child: &[("PORT", "9000"), ("SCW_ACCESS_KEY", "s")],
            },
            Case {
                inherited: &[
                    ("PATH", "/bin"),
                    ("HOME", "/h"),
                    ("API_KEY", "k"),
                    ("MCP_ENV_X", "x"),
                    ("NODE_OPTIONS", "n"),
                ],
                given: &[("Y", "y")],
                clean: true,
                child: &[("HOME", "/h"), ("PATH", "/bin"), ("X", "x"), ("Y", "y")],
            },
        ] {
            let child = child_env(&pairs(case.inherited), &pairs(case.given), case.clean);
            assert_eq!(
                child,
                pairs(case.child),
                "{:?} {:?}",
                case.inherited,
                case.given
            );
        }
    }

    #[test]
    fn the_token_of_the_proxy_never_reaches_the_child() {
        let inherited = pairs(&[
            ("MCP_PROXY_AUTH_TOKEN", "hunter2"),
            ("MCP_PROXY_AUTH_TOKEN_FILE", "/t"),
        ]);
        for clean in [false, true] {
            assert_eq!(child_env(&inherited, &[], clean), []);
        }
    }

    #[test]
    fn what_is_named_like_a_credential_or_typed_is_confidential() {
        let env = pairs(&[
            ("PATH", "/usr/bin"),
            ("GITHUB_TOKEN", "t"),
            ("api_key", "k"),
            ("DB_PASSWORD", "p"),
            ("SSH_AUTH_SOCK", "/run/agent"),
            ("WHERE", "somewhere"),
        ]);
        let typed = pairs(&[("WHERE", "somewhere"), ("DEBUG", "true")]);
        let hidden: Vec<&str> = confidential(&env, &typed).collect();
        assert_eq!(hidden, ["t", "k", "p", "somewhere"]);
    }

    #[test]
    fn what_decides_which_code_runs_is_nobodys_to_set() {
        for name in [
            "PATH",
            "LD_PRELOAD",
            "LD_LIBRARY_PATH",
            "NODE_OPTIONS",
            "NODE_EXTRA_CA_CERTS",
            "PYTHONPATH",
            "PYTHONSTARTUP",
            "BASH_ENV",
            "npm_config_registry",
            "UV_INDEX_URL",
            "https_proxy",
            "MCP_PROXY_AUTH_TOKEN",
            "MCP_ENV_X",
            "PORT",
        ] {
            assert!(is_protected(name), "{name}");
        }
        for name in [
            "API_KEY",
            "GITHUB_TOKEN",
            "PYTHIA",
            "PATHS",
            "NODES",
            "HOMEPAGE",
        ] {
            assert!(!is_protected(name), "{name}");
        }
    }

    #[test]
    fn nothing_clean_is_ours() {
        assert!(CLEAN_NAMES.iter().all(|name| !is_ours(name)));
    }
}
