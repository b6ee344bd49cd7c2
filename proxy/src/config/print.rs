//! What the flags and variables mean, setting by setting, and where each came from: the table of
//! `--print-config`, and the list of `/config`.
//!
//! It is made after everything was read and nothing was wrong, so the values are known to be good,
//! and are shown as they were written. Secrets are not shown, nor are values of the server's
//! variables, which often are.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use clap::Arg;

use crate::observe::escape::escape;

use super::cli;
use super::meaning::{Config, LogFormat, TokenPolicy};
use super::pick::Picker;
use super::server::Origin;

/// How much of a value is shown, in bytes: a line of a table.
const MAX_VALUE_BYTES: usize = 500;

/// What stands for a value that is a secret, or may be one.
const HIDDEN: &str = "(hidden)";

/// One setting, as it may be shown to whoever may see the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name: that of its flag, or of its variable where there is no flag.
    pub name: String,
    /// Its value as it was written, or what stands for one that is a secret.
    pub value: String,
    /// Where it came from.
    pub source: String,
}

/// What the configuration was made of, to be shown. Cheap to clone. `Debug` says how much of it there is:
/// two configurations are the same wherever their settings come from.
#[derive(Clone, Default)]
pub struct Settings(Arc<[Setting]>);

impl Settings {
    /// One after the other, those of flags first.
    pub fn iter(&self) -> std::slice::Iter<'_, Setting> {
        self.0.iter()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Settings({})", self.0.len())
    }
}

/// Every setting, but for those of named servers, which change while the proxy runs.
pub(super) fn settings(
    command: &clap::Command,
    pick: &Picker<'_>,
    origin: Option<Origin>,
    config: &Config,
) -> Settings {
    let mut settings = vec![server(pick, origin, config), token(pick, config)];
    let shown = command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set() && !is_about(arg));
    settings.extend(shown.map(|arg| match arg.get_long() {
        Some("env") => environment(pick),
        _ => flag(pick, arg, config),
    }));
    for name in ["MCP_PROXY_LOG", "MCP_PROXY_MACHINE", "MCP_PROXY_FLY_SOCKET"] {
        let picked = pick.variable(name);
        settings.push(Setting {
            name: name.into(),
            source: from(picked.as_ref().map(|_| format!("variable {name}"))),
            value: picked.map_or_else(none, |picked| picked.text),
        });
    }
    Settings(settings.into())
}

/// The table, ending with a line end.
pub(super) fn told(pick: &Picker<'_>, config: &Config) -> String {
    let of_variable = |setting: &&Setting| setting.name.starts_with("MCP_");
    let settings = config.settings.iter();
    let flags = settings.clone().filter(|setting| !of_variable(setting));
    let variables = settings.filter(of_variable);
    let rows = flags
        .cloned()
        .chain(named(pick, config))
        .chain(variables.cloned());
    table(&rows.collect::<Vec<_>>(), &config.warnings)
}

/// Whether a flag asks for a text rather than setting something.
fn is_about(arg: &Arg) -> bool {
    matches!(arg.get_long(), Some("help" | "version" | "print-config"))
}

fn table(settings: &[Setting], warnings: &[String]) -> String {
    let escaped = |text: &str| escape(text.as_bytes(), MAX_VALUE_BYTES);
    let rows = settings
        .iter()
        .map(|setting| (&setting.name, escaped(&setting.value), &setting.source));
    let rows: Vec<_> = rows.collect();
    let names = rows.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    let values = rows
        .iter()
        .map(|(_, value, _)| value.chars().count())
        .max()
        .unwrap_or(0);
    // A long command must not push the sources of everything else off the screen.
    let values = values.min(40);
    let mut text = String::new();
    for (name, value, source) in rows {
        // Writing to a String cannot fail.
        let _written = writeln!(text, "{name:names$}  {value:values$}  {source}");
    }
    for warning in warnings {
        let _written = writeln!(text, "warning: {}", escaped(warning));
    }
    text
}

fn server(pick: &Picker<'_>, origin: Option<Origin>, config: &Config) -> Setting {
    let arguments = pick.variable("MCP_ARGS").is_some();
    let source = match origin {
        Some(Origin::Line) | None => "the command line".to_owned(),
        Some(Origin::Stdio) => "flag --stdio".to_owned(),
        Some(Origin::Variable(name)) if arguments => format!("variables {name}, MCP_ARGS"),
        Some(Origin::Variable(name)) => format!("variable {name}"),
    };
    Setting {
        name: "server".into(),
        value: match &config.server {
            Some(server) => server.display.clone(),
            None => none(),
        },
        source: match &config.server {
            Some(_) => source,
            None => from(None),
        },
    }
}

/// One line for each named server: its command, and the names of what its own variables are beside
/// those every server gets.
fn named<'a>(pick: &'a Picker<'_>, config: &'a Config) -> impl Iterator<Item = Setting> + 'a {
    let inherited = pick.env.all();
    config.named.servers.iter().map(move |named| {
        let env = named.server.iter().flat_map(|server| &server.launch.env);
        let own = env.filter(|(name, value)| {
            let same = |(known, text): &&(String, String)| known == name && text == value;
            let renamed = format!("MCP_ENV_{name}");
            inherited.iter().find(same).is_none()
                && !inherited.iter().any(|(known, _)| *known == renamed)
        });
        let hidden = own.map(|(name, _)| format!("{name}={HIDDEN} "));
        let source = match &named.server {
            Err(reason) => format!("cannot be started: {reason}"),
            Ok(_) if config.named.is_typed(&named.name) => "flag --named-server".to_owned(),
            Ok(_) => "the file of named-server-config".to_owned(),
        };
        Setting {
            name: format!("servers/{}", named.name),
            value: format!("{}{}", hidden.collect::<String>(), named.display),
            source,
        }
    })
}

fn token(pick: &Picker<'_>, config: &Config) -> Setting {
    let (value, source) = match &config.door.tokens {
        TokenPolicy::Given(_) => {
            let variable = pick.variable("MCP_PROXY_AUTH_TOKEN");
            let variable = variable.or_else(|| pick.variable("MCP_PROXY_AUTH_TOKENS"));
            let source = variable.map_or_else(
                || "the file of auth-token-file".to_owned(),
                |variable| format!("variable {}", variable.source),
            );
            (HIDDEN, Some(source))
        }
        TokenPolicy::Generated(_) => ("(made at every start)", None),
        TokenPolicy::Issued => ("(of the authorization server)", None),
        TokenPolicy::Open | TokenPolicy::OpenDeclared => ("(none is asked for)", None),
    };
    Setting {
        name: "token".into(),
        value: value.into(),
        source: from(source),
    }
}

/// The server's own variables: their names only.
fn environment(pick: &Picker<'_>) -> Setting {
    let name = |pair: &str| pair.split_once('=').map(|(name, _)| name.to_owned());
    let flags = pick.translated.flags.iter();
    let typed = flags.filter_map(|flag| {
        let pair = flag.strip_prefix("--env=").or_else(|| {
            let pair = flag.strip_prefix("-e")?;
            Some(pair.strip_prefix('=').unwrap_or(pair))
        });
        pair.and_then(name)
    });
    let typed: Vec<String> = typed.collect();
    let all = pick.env.all().into_iter();
    let set: Vec<String> = all
        .filter_map(|(name, _)| Some(name.strip_prefix("MCP_ENV_")?.to_owned()))
        .filter(|name| !name.is_empty())
        .collect();
    let sources = [("flag -e", &typed), ("variable MCP_ENV_*", &set)];
    let sources = sources.iter().filter(|(_, names)| !names.is_empty());
    let source = sources
        .map(|(source, _)| *source)
        .collect::<Vec<_>>()
        .join(", ");
    let mut names = [typed, set].concat();
    names.sort();
    names.dedup();
    let hidden = names.iter().map(|name| format!("{name}={HIDDEN}"));
    let value = hidden.collect::<Vec<_>>().join(" ");
    Setting {
        name: "env".into(),
        value: if value.is_empty() { none() } else { value },
        source: from(Some(source).filter(|source| !source.is_empty())),
    }
}

/// A flag, its variable, or its default: the order in which [`Picker`] looks.
fn flag(pick: &Picker<'_>, arg: &Arg, config: &Config) -> Setting {
    let name = arg.get_long().unwrap_or_default();
    let prefix = format!("--{name}=");
    let values = pick
        .translated
        .flags
        .iter()
        .filter_map(|flag| flag.strip_prefix(&prefix));
    // A command may hold credentials; each has a row, or a place on the page, where they are hidden.
    let values: Vec<&str> = values
        .map(|value| match name {
            "named-server" => value.split('=').next().unwrap_or_default(),
            _ => value,
        })
        .collect();
    let on = pick
        .translated
        .flags
        .iter()
        .any(|flag| *flag == prefix[..prefix.len() - 1]);
    let spelled = || format!("flag {}", pick.translated.spelling(name));
    let repeats = matches!(arg.get_action(), clap::ArgAction::Append);
    let variable = pick.variable(&cli::variable(name));
    let fallback = match name {
        "port" => pick.variable("PORT"),
        "host" => pick.variable("HOST"),
        _ => None,
    };
    let (value, source) = match (values.last(), variable.or(fallback)) {
        (Some(_), _) if repeats => (values.join(","), Some(spelled())),
        (Some(last), _) => ((*last).to_owned(), Some(spelled())),
        (None, _) if on => ("true".into(), Some(spelled())),
        (None, variable) => match (pick.translated.turned_off(name), variable) {
            (Some(theirs), _) => ("false".into(), Some(format!("flag {theirs}"))),
            (None, Some(picked)) => (picked.text, Some(format!("variable {}", picked.source))),
            (None, None) => (default(arg, name, config), None),
        },
    };
    Setting {
        name: name.into(),
        value,
        source: from(source),
    }
}

/// What the help says the default is, which a test holds to be true.
fn default(arg: &Arg, name: &str, config: &Config) -> String {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let stated = help.split_once("[default: ");
    let stated = stated.and_then(|(_, rest)| rest.split_once(']'));
    match stated {
        Some(_) if name == "log-format" && config.log.format == LogFormat::Json => "json".into(),
        Some((default, _)) => default.to_owned(),
        None if arg.get_action().takes_values() => none(),
        // The one switch that is on unless something else says otherwise.
        None if name == "pass-environment" => (!is_clean(config)).to_string(),
        None => "false".into(),
    }
}

fn is_clean(config: &Config) -> bool {
    let named = config.named.servers.iter();
    let named = named.filter_map(|named| named.server.as_ref().ok());
    config
        .server
        .iter()
        .chain(named)
        .any(|server| server.clean_env)
}

fn none() -> String {
    "(none)".into()
}

fn from(source: Option<String>) -> String {
    source.unwrap_or_else(|| "default".into())
}
