//! Servers with names: `--named-server NAME 'CMD'`, and the file of `--named-server-config`.
//!
//! The file is the `mcpServers` document that desktop clients keep, so people have one already.
//! `file.rs` reads it and finds everything that is wrong with it, `expand.rs` fills in `${VAR}`,
//! `members.rs` keeps what a map would lose. This file makes servers of what they say. It is read
//! again while the proxy runs, by [`NamedFile::read`]; what was typed stays what it was.
//!
//! A named server whose program is missing is not a fault: it would keep the others from running.
//! It is served as broken, and a later reading may find its program.

mod expand;
mod file;
mod members;

use std::fmt;
use std::path::{Path, PathBuf};

use self::file::Entry;
use super::child_env::child_env;
use super::cli::Typed;
use super::env::Strings;
use super::faults::{Faults, Notes, Stop};
use super::install::Said;
use super::machine::Machine;
use super::meaning::Server;
use super::pick::Picker;
use super::server::{self, Around, Surroundings};

/// The longest name, in bytes: it stands in paths, logs and clients' configurations.
const LONGEST_NAME: usize = 64;

/// Every server below `/servers/NAME/`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// The servers of this moment, sorted as they were written: the typed ones first.
    pub servers: Vec<NamedServer>,
    /// The file that can be read again, if there is one.
    pub file: Option<NamedFile>,
}

impl Named {
    /// Whether a server of this name was typed, rather than written into the file.
    #[must_use]
    pub fn is_typed(&self, name: &str) -> bool {
        match &self.file {
            None => true,
            Some(file) => file.typed.iter().any(|typed| typed.name == name),
        }
    }
}

/// One server below `/servers/NAME/`.
#[derive(Clone, PartialEq, Eq)]
pub struct NamedServer {
    /// Its name: up to 64 letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// The command as a person would type it, with control characters escaped.
    pub display: String,
    /// How it is started, or one sentence on why it cannot be.
    pub server: Result<Server, String>,
}

/// Its arguments are shown as they were written: variables were filled into the others.
impl fmt::Debug for NamedServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamedServer")
            .field("name", &self.name)
            .field("display", &self.display)
            .field("broken", &self.server.as_ref().err())
            .finish_non_exhaustive()
    }
}

/// The file of `--named-server-config`, and what is needed to read it again.
#[derive(Clone, PartialEq, Eq)]
pub struct NamedFile {
    /// Where it is, from the root on.
    pub path: PathBuf,
    /// Servers that were typed: they are there beside those of the file.
    typed: Vec<NamedServer>,
    /// Whether servers get the least environment.
    clean: bool,
    /// Whether packages are installed.
    installs: bool,
    /// What was read last, to tell a file that was only touched. It may hold credentials.
    text: String,
}

/// The text of the file is not shown: people write credentials into it.
impl fmt::Debug for NamedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamedFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// What reading the file again gave.
#[derive(Debug)]
pub struct Reading {
    /// Every named server there is to be, the typed ones included.
    pub servers: Vec<NamedServer>,
    /// What a person should know, one sentence each.
    pub warnings: Vec<String>,
    /// Whether the file says anything else than the time before.
    pub is_new: bool,
}

impl NamedFile {
    /// Reads the file again.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, one sentence each; what was read before still stands.
    pub fn read(&mut self, env: &dyn Strings, machine: &dyn Machine) -> Result<Reading, Faults> {
        let mut notes = Notes::default();
        let read = self.servers(env, machine, &mut notes);
        match notes.settle() {
            Err(Stop::Faults(faults)) => Err(faults),
            Err(Stop::Told(_) | Stop::Errand(_)) => {
                unreachable!("notes hold faults and warnings, and no text")
            }
            Ok(warnings) => {
                let (servers, text) = read.unwrap_or_default();
                let is_new = text != self.text;
                self.text = text;
                Ok(Reading {
                    servers,
                    warnings,
                    is_new,
                })
            }
        }
    }

    /// All named servers and the text they were read from; `None` where there is no text.
    fn servers(
        &self,
        env: &dyn Strings,
        machine: &dyn Machine,
        notes: &mut Notes,
    ) -> Option<(Vec<NamedServer>, String)> {
        let text = machine
            .read_text(&self.path)
            .map_err(|error| format!("{} cannot be read: {error}", self.path.display()));
        let text = notes.keep(text)?;
        let source = self.path.display().to_string();
        let mut servers = self.typed.clone();
        for entry in file::entries(&text, &source, env, notes) {
            if self.typed.iter().any(|typed| typed.name == entry.name) {
                notes.fault(format!(
                    "{source}: /mcpServers/{} is the name of a --named-server too; rename one",
                    entry.name
                ));
                continue;
            }
            servers.push(self.server(entry, env, machine, notes));
        }
        Some((servers, text))
    }

    fn server(
        &self,
        entry: Entry,
        env: &dyn Strings,
        machine: &dyn Machine,
        notes: &mut Notes,
    ) -> NamedServer {
        let mut broken = entry.broken;
        let cwd = entry.cwd.and_then(|folder| {
            let path = machine.absolute(Path::new(&folder)).ok();
            let folder = path.filter(|path| machine.is_folder(path));
            if folder.is_none() {
                broken.push("its cwd is not a folder".to_owned());
            }
            folder
        });
        let env = child_env(&env.all(), &entry.env, self.clean);
        let words = [vec![entry.command], entry.args].concat();
        let around = Around {
            env,
            clean: self.clean,
            installs: self.installs,
        };
        let mut server = made(&entry.name, &words, cwd, around, machine);
        server.display = server::display(&entry.shown);
        if !broken.is_empty() {
            server.server = Err(broken.join("; "));
        }
        if let Ok(made) = &mut server.server {
            made.display.clone_from(&server.display);
        }
        if let Err(reason) = &server.server {
            notes.warn(format!(
                "the server {} cannot be started: {reason}; the others are served",
                entry.name
            ));
        }
        server
    }
}

/// Reads the named servers. `alone` says that there is no other server beside them.
pub(super) fn read(
    pick: &mut Picker<'_>,
    typed: &Typed,
    surroundings: &Surroundings,
    alone: bool,
    machine: &dyn Machine,
) -> Named {
    let file = pick.text("named-server-config", typed.named_server_config.as_ref());
    let one_typed = alone && file.is_none() && typed.named_server.len() == 1;
    let servers = typed_servers(pick, typed, surroundings, one_typed, machine);
    let Some(picked) = file else {
        return Named {
            servers,
            file: None,
        };
    };
    let path = Path::new(&picked.text);
    let mut file = NamedFile {
        path: machine.absolute(path).unwrap_or_else(|_| path.into()),
        typed: servers,
        clean: surroundings.clean,
        installs: surroundings.installs,
        text: String::new(),
    };
    match file.servers(pick.env, machine, &mut pick.notes) {
        Some((servers, text)) => {
            file.text = text;
            if servers.is_empty() && alone {
                pick.notes.warn(format!(
                    "{} names no server to run, so there is none until it does",
                    file.path.display()
                ));
            }
            Named {
                servers,
                file: Some(file),
            }
        }
        None => Named::default(),
    }
}

/// Whether anything names a server.
pub(super) fn is_asked_for(pick: &Picker<'_>, typed: &Typed) -> bool {
    let file = pick.text("named-server-config", typed.named_server_config.as_ref());
    file.is_some() || !typed.named_server.is_empty()
}

/// There is no server at the plain paths: what was said for it alone has no effect.
pub(super) fn without_default(pick: &mut Picker<'_>, typed: &Typed, surroundings: &Surroundings) {
    let folder = pick.text("cwd", typed.cwd.as_ref());
    let args = pick.variable("MCP_ARGS");
    let given = (!surroundings.given.is_empty()).then_some("-e");
    let unused = [
        given.map(str::to_owned),
        folder.map(|picked| picked.source),
        args.map(|picked| picked.source),
    ];
    for source in unused.into_iter().flatten() {
        pick.notes.warn(format!(
            "{source} is for the server without a name, and there is none; a named server has its env, \
             cwd and args in the file of --named-server-config"
        ));
    }
}

/// The servers of `--named-server`. `one` says that there is only one server at all: then a program
/// that is missing is a fault, as it is for a command that was typed.
fn typed_servers(
    pick: &mut Picker<'_>,
    typed: &Typed,
    surroundings: &Surroundings,
    one: bool,
    machine: &dyn Machine,
) -> Vec<NamedServer> {
    let mut servers: Vec<NamedServer> = Vec::new();
    for pair in &typed.named_server {
        let Some((name, command)) = pair.split_once('=') else {
            pick.notes.fault(
                "--named-server: it takes NAME 'COMMAND' or NAME='COMMAND', and one of the two is missing",
            );
            continue;
        };
        if let Err(fault) = check_name(name) {
            pick.notes
                .fault(format!("--named-server: {name:?} {fault}"));
            continue;
        }
        if servers.iter().any(|known| known.name == name) {
            pick.notes.fault(format!(
                "--named-server: the name {name} was given twice; rename one"
            ));
            continue;
        }
        let source = format!("--named-server {name}");
        let Some(words) = server::one_word(pick, command.to_owned(), &source) else {
            continue;
        };
        if words.first().is_some_and(|word| is_url(word)) {
            pick.notes.fault(format!(
                "{source}: the command is a URL, and remote servers are not served yet"
            ));
            continue;
        }
        let around = surroundings.of(surroundings.env(&[]));
        let server = made(name, &words, None, around, machine);
        match &server.server {
            Err(reason) if one => pick.notes.fault(format!("{source}: {reason}")),
            Err(reason) => pick.notes.warn(format!(
                "the server {name} cannot be started: {reason}; the others are served"
            )),
            Ok(_) => {}
        }
        servers.push(server);
    }
    servers
}

fn made(
    name: &str,
    words: &[String],
    cwd: Option<PathBuf>,
    around: Around,
    machine: &dyn Machine,
) -> NamedServer {
    let found = server::made(name, Said::command(words.to_vec()), cwd, around, machine);
    NamedServer {
        name: name.to_owned(),
        display: server::display(words),
        server: found.map_err(|error| error.to_string()),
    }
}

/// A name is one plain segment of a path, which every client writes the same way.
fn check_name(name: &str) -> Result<(), &'static str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(plain) {
        return Err("is not a name: up to 64 letters, digits, `.`, `_` and `-`");
    }
    if matches!(name, "." | "..") {
        return Err("is not a name: in a path it would mean another place");
    }
    Ok(())
}

/// Whether a word is an address rather than a program.
fn is_url(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    word.starts_with("http://") || word.starts_with("https://")
}
