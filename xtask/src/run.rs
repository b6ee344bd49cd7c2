//! Running programs: shown to a person, written to a log, or read; always with a deadline.
//!
//! A program is ended by its process id, never by its name, and never left behind: dropping
//! a [`Running`] ends it. Children stay in our own process group, so that Ctrl-C on the
//! terminal reaches them too.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, SystemTime};

use rustix::process::{Pid, Signal, kill_process};

/// A task either ends well or with one sentence for a person.
pub(crate) type Result<T> = std::result::Result<T, String>;

/// How often a process is asked whether it has ended. The standard library has no wait with
/// a deadline, and a thread that waited would race with us for the process id.
const GLANCE: Duration = Duration::from_millis(20);

/// How long a program may take to end when it is asked politely. The proxy drains within
/// its own ten seconds.
const STOP_GRACE: Duration = Duration::from_secs(15);

/// A file that one group of tests writes its details to.
#[derive(Clone)]
pub(crate) struct Log {
    path: PathBuf,
}

impl Log {
    /// Starts an empty log.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn start(path: PathBuf) -> Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|err| cannot("create", folder, &err))?;
        }
        File::create(&path).map_err(|err| cannot("write", &path, &err))?;
        Ok(Self { path })
    }

    /// Where the log is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The end of the log, opened for more.
    pub(crate) fn file(&self) -> Result<File> {
        let opened = OpenOptions::new().append(true).open(&self.path);
        opened.map_err(|err| cannot("write", &self.path, &err))
    }

    /// Writes one line, in one piece, because several programs write here at once.
    pub(crate) fn line(&self, text: &str) -> Result<()> {
        let written = self.file()?.write_all(format!("{text}\n").as_bytes());
        written.map_err(|err| cannot("write", &self.path, &err))
    }

    /// Everything written so far. Programs write what they like: invalid UTF-8 is replaced.
    pub(crate) fn read(&self) -> Result<String> {
        let bytes = std::fs::read(&self.path).map_err(|err| cannot("read", &self.path, &err))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// A program that was started here and is ended here.
pub(crate) struct Running {
    child: Child,
    name: String,
}

impl Running {
    /// Starts `command`.
    ///
    /// # Errors
    /// When there is no such program; the sentence names it.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let name = name_of(command);
        let child = command
            .spawn()
            .map_err(|err| format!("could not start {name}: {err}"))?;
        Ok(Self { child, name })
    }

    /// Its process id, which stays its own until it is waited for.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The standard error stream, when it was piped and not taken yet.
    pub(crate) fn stderr(&mut self) -> Option<std::process::ChildStderr> {
        self.child.stderr.take()
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// When it does not come within `limit`; the program is stopped then.
    pub(crate) fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        if let Some(status) = self.ended_within(limit)? {
            return Ok(status);
        }
        self.stop();
        Err(format!(
            "{} was stopped: it had not ended after {limit:?}",
            self.name
        ))
    }

    /// Asks the program to end, waits, and insists.
    pub(crate) fn stop(&mut self) {
        if let Ok(Some(_)) = self.child.try_wait() {
            return;
        }
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // Not reaped yet, so the id is still its own; a failure means it just ended.
            let _ = kill_process(pid, Signal::TERM);
        }
        if !matches!(self.ended_within(STOP_GRACE), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    fn ended_within(&mut self, limit: Duration) -> Result<Option<ExitStatus>> {
        let started = SystemTime::now();
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Ok(Some(status)),
                Ok(None) => {}
                Err(err) => return Err(format!("could not wait for {}: {err}", self.name)),
            }
            if started.elapsed().is_ok_and(|waited| waited > limit) {
                return Ok(None);
            }
            thread::sleep(GLANCE);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Runs a command whose output a person sees.
///
/// # Errors
/// When it fails.
pub(crate) fn show(command: &mut Command) -> Result<()> {
    println!("$ {}", typed(command));
    let name = name_of(command);
    let status = command
        .status()
        .map_err(|err| format!("could not start {name}: {err}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{name} failed ({status})"))
    }
}

/// Runs a command whose output goes to a log, and says how it ended.
///
/// # Errors
/// When it cannot start or takes longer than `limit`.
pub(crate) fn logged(command: &mut Command, log: &Log, limit: Duration) -> Result<ExitStatus> {
    log.line(&format!("$ {}", typed(command)))?;
    command
        .stdin(Stdio::null())
        .stdout(log.file()?)
        .stderr(log.file()?);
    Running::start(command)?.wait(limit)
}

/// Runs a command and reads its standard output.
///
/// # Errors
/// When it fails or takes longer than `limit`; the sentence has its last words.
pub(crate) fn read(command: &mut Command, limit: Duration) -> Result<String> {
    let name = name_of(command);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut running = Running::start(command)?;
    // Two threads, so that neither pipe can fill up while the other is read.
    let out = drain(running.child.stdout.take());
    let err = drain(running.child.stderr.take());
    let status = running.wait(limit)?;
    let out = out.join().unwrap_or_default();
    if status.success() {
        return Ok(out);
    }
    let err = err.join().unwrap_or_default();
    Err(format!(
        "{name} failed ({status}):\n{}",
        tail(&format!("{out}{err}"), 30)
    ))
}

fn drain<R: std::io::Read + Send + 'static>(from: Option<R>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            // A pipe that breaks has said all it will say.
            let _ = from.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// The last `count` lines of a text.
pub(crate) fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// A sentence about a file.
pub(crate) fn cannot(verb: &str, path: &Path, err: &std::io::Error) -> String {
    format!("could not {verb} {}: {err}", path.display())
}

fn name_of(command: &Command) -> String {
    let path = Path::new(command.get_program());
    let file = path.file_name().unwrap_or_else(|| command.get_program());
    let first = command
        .get_args()
        .next()
        .map(|arg| format!(" {}", arg.display()));
    format!("{}{}", file.display(), first.unwrap_or_default())
}

fn typed(command: &Command) -> String {
    let words = [command.get_program()]
        .into_iter()
        .chain(command.get_args());
    words
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_does_not_end_is_stopped_at_its_deadline() {
        let mut sleeper = Running::start(Command::new("sleep").arg("600")).unwrap();
        let sentence = sleeper.wait(Duration::from_millis(50)).unwrap_err();
        assert!(sentence.contains("sleep 600 was stopped"), "{sentence}");
        assert!(sleeper.child.try_wait().unwrap().is_some());
    }

    #[test]
    fn the_last_words_of_a_failure_are_kept() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo first; echo last >&2; exit 3"]);
        let sentence = read(&mut shell, Duration::from_secs(10)).unwrap_err();
        assert!(
            sentence.contains("first") && sentence.contains("last"),
            "{sentence}"
        );
    }

    #[test]
    fn a_missing_program_is_named() {
        let Err(sentence) = Running::start(&mut Command::new("no-such-program")) else {
            panic!("it started");
        };
        assert!(sentence.contains("no-such-program"), "{sentence}");
    }

    #[test]
    fn a_tail_is_at_most_what_there_is() {
        assert_eq!(tail("a\nb\nc", 2), "b\nc");
        assert_eq!(tail("a", 5), "a");
    }
}
