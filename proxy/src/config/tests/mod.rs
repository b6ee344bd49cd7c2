//! The whole conversion, from a command line and an environment to a `Config` or a list of faults.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use crate::launch::find::Seen;

use super::{Config, Machine, Stop};

mod access;
mod family;
mod faults;
mod install;
mod named;
mod print;
mod server;
mod settings;
mod stdio;

/// A machine with a few programs, one folder, one token file, and known random bits.
struct Toy;

impl Machine for Toy {
    fn look(&self, path: &Path) -> Seen {
        match path.to_str().unwrap() {
            "/bin/npx" | "/bin/uvx" | "/bin/node" | "/bin/tool" | "/srv/./run" => Seen::Program,
            _ => Seen::Nothing,
        }
    }

    fn is_folder(&self, path: &Path) -> bool {
        path == Path::new("/srv")
    }

    fn absolute(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(Path::new("/").join(path))
    }

    fn read_text(&self, path: &Path) -> io::Result<String> {
        match path.to_str().unwrap() {
            "/run/token" => Ok("token-from-a-file\n".into()),
            "/run/tokens" => Ok("alice:correct-horse-01\nbob:correct-horse-02\n".into()),
            "/run/empty" => Ok("\n".into()),
            "/etc/good.json" => Ok(include_str!("testdata/good.json").into()),
            "/etc/bad.json" => Ok(include_str!("testdata/bad.json").into()),
            "/etc/broken.json" => Ok("{\"mcpServers\": {".into()),
            "/etc/other.json" => Ok("{\"servers\": {}}".into()),
            "/etc/list.json" => Ok("{\"mcpServers\": []}".into()),
            "/etc/empty.json" => Ok("{\"mcpServers\": {}}".into()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn random(&self) -> io::Result<[u8; 32]> {
        Ok([0xab; 32])
    }
}

/// `line` is cut at spaces; the environment gets a `PATH` beside `vars`.
fn read(line: &str, vars: &[(&str, &str)]) -> Result<Config, Stop> {
    read_words(&line.split_whitespace().collect::<Vec<_>>(), vars)
}

/// As [`read`], for words that hold spaces.
fn read_words(words: &[&str], vars: &[(&str, &str)]) -> Result<Config, Stop> {
    let argv = ["mcp-proxy"].into_iter().chain(words.iter().copied());
    let mut env: BTreeMap<String, String> = vars
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()))
        .collect();
    env.entry("PATH".into()).or_insert_with(|| "/bin".into());
    Config::read_on(argv.map(OsString::from).collect(), &env, &Toy)
}

fn good(line: &str, vars: &[(&str, &str)]) -> Config {
    read(line, vars).unwrap_or_else(|stop| panic!("{line} {vars:?}: {stop:?}"))
}

fn faults(line: &str, vars: &[(&str, &str)]) -> Vec<String> {
    match read(line, vars) {
        Err(Stop::Faults(faults)) => faults.sentences().to_vec(),
        other => panic!("{line} {vars:?}: {other:?}"),
    }
}

/// The program and its arguments as one line.
fn command(config: &Config) -> String {
    let launch = &config.server.as_ref().unwrap().launch;
    let words = std::iter::once(&launch.program).chain(&launch.args);
    words.map(String::as_str).collect::<Vec<_>>().join(" ")
}
