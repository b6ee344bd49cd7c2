//! Which server to run: from the command line, `MCP_COMMAND` or `MCP_PACKAGE` to a [`Server`].

use std::path::{Path, PathBuf};

use crate::launch::find::{self, DEFAULT_PATH, FindError};
use crate::launch::package::Package;
use crate::launch::{Kind, Launch};
use crate::observe::escape::escape;
use crate::observe::mask::Masks;

use super::child_env::{child_env, confidential, is_ours, shown};
use super::cli::Typed;
use super::install::{self, Said};
use super::machine::Machine;
use super::meaning::Server;
use super::pick::{Picked, Picker};

/// How much of a command is shown to people, in bytes: a line of a log, not a page of it.
const MAX_DISPLAY_BYTES: usize = 500;

/// Where the server's command comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It was typed.
    Line,
    /// It was typed as one word, the value of `--stdio`.
    Stdio,
    /// The variable of this name.
    Variable(&'static str),
}

impl Origin {
    /// Where it is to be looked for; `None` when nothing names a server. The command line wins over
    /// the environment.
    pub(super) fn of(pick: &Picker<'_>, command: &[String]) -> Option<Self> {
        if !command.is_empty() {
            return Some(Self::Line);
        }
        if pick.translated.command.is_some() {
            return Some(Self::Stdio);
        }
        let mut names = ["MCP_COMMAND", "MCP_PACKAGE"].into_iter();
        let name = names.find(|name| pick.variable(name).is_some())?;
        Some(Self::Variable(name))
    }
}

/// Reads what to run; `command` is what was typed. `None` when a fault was noted.
pub(super) fn read(
    pick: &mut Picker<'_>,
    typed: &Typed,
    surroundings: &Surroundings,
    command: Vec<String>,
    machine: &dyn Machine,
) -> Option<Server> {
    let cwd = cwd(pick, typed, machine);
    let with = install::with(pick);
    let mut said = words(pick, command, &with)?;
    said.with = with;
    let env = surroundings.env(&surroundings.given);
    let masks = Masks::of(confidential(&env, &surroundings.given));
    let around = surroundings.of(env);
    let name = short_name(&said.words);
    let found = made(&name, said, cwd, around, machine);
    let mut server = pick.notes.keep(found)?;
    let display = masks.hide(server.display.as_bytes(), false);
    server.display = String::from_utf8_lossy(&display).into_owned();
    server.masks = masks;
    Some(server)
}

/// What one server finds around it.
pub(super) struct Around {
    /// Its whole environment.
    pub(super) env: Vec<(String, String)>,
    /// Whether that was kept to the least.
    pub(super) clean: bool,
    /// Whether packages are installed.
    pub(super) installs: bool,
}

/// The server of these words, once its program is found.
pub(super) fn made(
    name: &str,
    said: Said,
    cwd: Option<PathBuf>,
    around: Around,
    machine: &dyn Machine,
) -> Result<Server, FindError> {
    let Around {
        env,
        clean: clean_env,
        installs,
    } = around;
    let said = if installs {
        install::recognised(said, cwd.as_deref(), machine)
    } else {
        said
    };
    let Said {
        kind,
        words,
        with,
        package,
    } = said;
    let (program, args) = match words.split_first() {
        Some((program, args)) => (program.as_str(), args),
        None => ("", words.as_slice()),
    };
    let path = env
        .iter()
        .find(|(name, _)| name == "PATH")
        .map(|(_, path)| path.as_str());
    let look = |path: &Path| machine.look(path);
    let found = find::find(program, path.unwrap_or(DEFAULT_PATH), cwd.as_deref(), &look);
    let install = package.filter(|_| installs).and_then(|(package, own)| {
        let own = args[args.len() - own..].to_vec();
        install::installable(package, with, &env, own, found.is_ok(), machine)
    });
    let program = match (found, &install) {
        // The program was named in UTF-8 and so was the PATH, so nothing is lost here.
        (Ok(program), _) => program.to_string_lossy().into_owned(),
        (Err(_), Some(_)) => program.to_owned(),
        (Err(fault), None) => return Err(fault),
    };
    let masks = Masks::of(confidential(&env, &[]));
    Ok(Server {
        name: name.to_owned(),
        display: display(&words),
        clean_env,
        masks,
        launch: Launch {
            program,
            args: args.to_vec(),
            cwd,
            env,
            kind,
            install,
        },
    })
}

/// A command as a person would type it, with control characters escaped and without credentials.
pub(super) fn display(words: &[String]) -> String {
    let words: Vec<String> = shown(words).collect();
    escape(words.join(" ").as_bytes(), MAX_DISPLAY_BYTES)
}

/// The words of the command, and where they came from. The command line wins over the environment.
fn words(pick: &mut Picker<'_>, command: Vec<String>, with: &[String]) -> Option<Said> {
    let command = match pick.translated.command.clone() {
        Some(_) if !command.is_empty() => {
            pick.notes.fault(
                "--stdio: a command was typed too; leave one of the two out, or begin it with `--` to \
                 serve a client at standard input and output",
            );
            return None;
        }
        Some(text) => one_word(pick, text, "--stdio")?,
        None => command,
    };
    let named = pick.variable("MCP_COMMAND");
    let package = pick.variable("MCP_PACKAGE");
    let args = pick.variable("MCP_ARGS");
    if !command.is_empty() {
        for unused in [named, package, args].into_iter().flatten() {
            pick.notes.warn(format!(
                "{} is set and not used, because a command was typed",
                unused.source
            ));
        }
        return typed_command(pick, command).map(Said::command);
    }
    let mut read_package = None;
    let (kind, mut words) = match (named, package) {
        (Some(_), Some(_)) => {
            pick.notes.fault(
                "MCP_COMMAND and MCP_PACKAGE are both set; unset MCP_COMMAND to run the package, or \
                 MCP_PACKAGE to run the command",
            );
            return None;
        }
        (Some(named), None) => {
            let words = split(pick, &named);
            if words.as_ref().is_some_and(Vec::is_empty) {
                pick.wrong(&named, "without a program");
                return None;
            }
            (Kind::Command, words)
        }
        (None, Some(package)) => {
            let read = Package::parse(&package.text);
            let read = read.map_err(|fault| format!("MCP_PACKAGE: {fault}"));
            let package = pick.notes.keep(read);
            // A package that cannot be read must not hide that its arguments cannot be either.
            let kind = package.as_ref().map_or(Kind::Npm, Package::kind);
            read_package = package.clone();
            let words = package.map(|package| package.command());
            (kind, words.map(|words| install::with_more(words, with)))
        }
        (None, None) => {
            let what = match args {
                Some(_) => "MCP_ARGS is set, but there is no server to give them to",
                None => "there is no server to run",
            };
            pick.notes.fault(format!(
                "{what}: type its command (mcp-proxy -- npx -y @modelcontextprotocol/server-everything), \
                 or set MCP_PACKAGE (MCP_PACKAGE=@modelcontextprotocol/server-everything) or MCP_COMMAND"
            ));
            return None;
        }
    };
    if !with.is_empty() && kind != Kind::PyPi {
        pick.notes
            .warn("MCP_PACKAGE_WITH has no effect, because the server is no Python package");
    }
    let mut own = 0;
    if let Some(args) = args {
        let args = split(pick, &args);
        own = args.as_ref().map_or(0, Vec::len);
        words = words.zip(args).map(|(words, args)| [words, args].concat());
    }
    Some(Said {
        kind,
        words: words?,
        with: Vec::new(),
        package: read_package.map(|package| (package, own)),
    })
}

fn typed_command(pick: &mut Picker<'_>, command: Vec<String>) -> Option<Vec<String>> {
    let first = command.first()?.to_ascii_lowercase();
    if first.starts_with("http://") || first.starts_with("https://") {
        pick.notes.fault(
            "the command is a URL: offering a remote server to a local client is not there yet; \
             type the command of a local server",
        );
        return None;
    }
    Some(command)
}

/// The words of a command that is one value, of `source`: other programs give it to a shell.
///
/// What only a shell would understand is refused, because the server would get it as an argument.
pub(super) fn one_word(pick: &mut Picker<'_>, text: String, source: &str) -> Option<Vec<String>> {
    const OPERATORS: [&str; 9] = ["&&", "||", "|", "&", ";", ">", ">>", "<", "2>&1"];
    let picked = Picked {
        text,
        source: source.into(),
    };
    let words = split(pick, &picked)?;
    let Some(first) = words.first() else {
        pick.wrong(&picked, "without a program");
        return None;
    };
    let assigns = first
        .split_once('=')
        .is_some_and(|(name, _)| !name.is_empty() && !name.contains('/'));
    let operator = words
        .iter()
        .find(|word| OPERATORS.contains(&word.as_str()) || (word.len() > 1 && word.ends_with(';')));
    if assigns {
        // The word is not repeated: it may be a credential.
        pick.notes.fault(format!(
            "{source}: it begins with a variable, and no shell is run to set it; give it with -e KEY=VALUE"
        ));
        return None;
    }
    if operator.is_some() {
        pick.notes.fault(format!(
            "{source}: it holds what only a shell understands (&&, |, ;, >), and no shell is run; \
             if it needs one, make the command sh -c '…'"
        ));
        return None;
    }
    Some(words)
}

/// Splits a text into words: a JSON array of strings, or words as a shell would cut them.
/// Nothing is expanded, because no shell runs.
fn split(pick: &mut Picker<'_>, picked: &Picked) -> Option<Vec<String>> {
    let text = picked.text.trim();
    // The text is not repeated in these faults: arguments sometimes hold credentials.
    let words = if text.starts_with('[') {
        serde_json::from_str(text).map_err(|error| {
            format!(
                "{}: it begins with [ but is not a JSON array of strings ({error})",
                picked.source
            )
        })
    } else {
        shell_words::split(text).map_err(|_| {
            format!(
                "{}: a quote is not closed; close it, or write a JSON array of strings",
                picked.source
            )
        })
    };
    let words: Vec<String> = pick.notes.keep(words)?;
    if words.iter().any(|word| word.contains('\0')) {
        pick.notes.fault(format!(
            "{}: a word holds a NUL byte, which no program can be given",
            picked.source
        ));
        return None;
    }
    Some(words)
}

fn cwd(pick: &mut Picker<'_>, typed: &Typed, machine: &dyn Machine) -> Option<PathBuf> {
    let picked = pick.text("cwd", typed.cwd.as_ref())?;
    let path = machine.absolute(Path::new(&picked.text)).ok();
    let folder = path.filter(|path| machine.is_folder(path));
    if folder.is_none() {
        pick.wrong(&picked, "not a folder");
    }
    folder
}

/// What servers find around them, one or many.
pub(super) struct Surroundings {
    /// The proxy's own variables.
    inherited: Vec<(String, String)>,
    /// What `-e` said. It is for the server without a name: whoever gives a credential to one
    /// server has not given it to all.
    pub(super) given: Vec<(String, String)>,
    /// Whether servers get the least environment.
    pub(super) clean: bool,
    /// Whether packages are installed.
    pub(super) installs: bool,
}

impl Surroundings {
    /// What a server with this environment finds around it.
    pub(super) fn of(&self, env: Vec<(String, String)>) -> Around {
        Around {
            env,
            clean: self.clean,
            installs: self.installs,
        }
    }

    /// The whole environment of a server that is given these variables.
    pub(super) fn env(&self, given: &[(String, String)]) -> Vec<(String, String)> {
        child_env(&self.inherited, given, self.clean)
    }
}

/// Reads what servers find around them.
pub(super) fn surroundings(pick: &mut Picker<'_>, typed: &Typed, installs: bool) -> Surroundings {
    let mut given = Vec::new();
    for pair in &typed.env {
        match pair.split_once('=') {
            Some((name, value)) if !name.is_empty() => given.push((name.into(), value.into())),
            // The word is not repeated: it may be a credential whose name was forgotten.
            _ => pick
                .notes
                .fault("-e: it takes KEY=VALUE or KEY VALUE, and one of the two is missing"),
        }
    }
    let clean = pick.switch("clean-env", typed.clean_env);
    let pass = pick.switch("pass-environment", typed.pass_environment);
    if clean && pass {
        pick.notes
            .fault("--clean-env and --pass-environment contradict each other; leave one out");
    }
    for name in pick.env.unreadable() {
        if is_ours(&name) {
            pick.notes
                .fault(format!("the variable {name:?} is not UTF-8"));
        } else {
            pick.notes.warn(format!(
                "the variable {name:?} is not UTF-8, so the server does not get it"
            ));
        }
    }
    Surroundings {
        inherited: pick.env.all(),
        given,
        clean,
        installs,
    }
}

/// A name for logs and snippets: the package's own, else the program's.
fn short_name(words: &[String]) -> String {
    let file = |word: &str| word.rsplit('/').next().unwrap_or_default().to_owned();
    let program = words.first().map(|word| file(word)).unwrap_or_default();
    let runs_packages = matches!(program.as_str(), "npx" | "uvx" | "bunx");
    let package = words.iter().skip(1).find(|word| !word.starts_with('-'));
    let long = match package {
        Some(package) if runs_packages => {
            // `@scope/name@1.2`, `name==1.2` and `name[extra]` are all `name`; only the first
            // letter may be an `@` that does not begin a version.
            let name = file(package);
            name.split(['@', '=', '['])
                .next()
                .unwrap_or_default()
                .to_owned()
        }
        _ => program,
    };
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() || "-_.".contains(letter) {
            letter
        } else {
            '-'
        }
    };
    let name: String = long.chars().map(plain).take(64).collect();
    if name.is_empty() {
        "server".into()
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for (command, name) in [
            (
                "npx -y @modelcontextprotocol/server-everything@1.2.3 stdio",
                "server-everything",
            ),
            ("/usr/bin/npx server", "server"),
            ("uvx mcp-server-time@1.0", "mcp-server-time"),
            ("uvx --from", "uvx"),
            ("npx", "npx"),
            ("/opt/my\\ server/run\\ it", "run-it"),
            ("node dist/index.js", "node"),
            ("dir/", "server"),
        ] {
            assert_eq!(
                short_name(&shell_words::split(command).unwrap()),
                name,
                "{command}"
            );
        }
    }
}
