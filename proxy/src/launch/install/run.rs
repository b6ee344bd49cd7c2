//! Runs an installer: in a group of its own, within a budget, its output bounded and kept for the
//! sentence that says why it failed.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::link::child::Guardian;

/// What is kept of each output, in bytes: the beginning of standard output, which is parsed, and the
/// end of standard error, where the reason stands.
const MAX_KEPT: usize = 64 * 1024;

/// How long outputs may stay open after the installer's end. A daemon it left behind holds them.
const AFTERGLOW: Duration = Duration::from_secs(2);

/// A program to run to its end.
pub(super) struct Tool<'a> {
    pub(super) program: &'a Path,
    pub(super) args: Vec<String>,
    /// The folder it runs in.
    pub(super) cwd: PathBuf,
    /// Its whole environment.
    pub(super) env: &'a [(String, String)],
    pub(super) deadline: Instant,
    /// Who ends it if this process cannot any more.
    pub(super) guardian: Option<&'a Guardian>,
}

/// How it ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) success: bool,
    /// The first [`MAX_KEPT`] bytes of standard output.
    pub(super) stdout: String,
    /// The last [`MAX_KEPT`] bytes of standard error.
    pub(super) stderr: String,
}

/// Why it did not come to its end.
#[derive(Debug)]
pub(super) enum Stopped {
    /// Its time was over; its whole group was killed.
    Late,
    /// It could not be started.
    Unstarted(std::io::Error),
}

impl Tool<'_> {
    /// Runs it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills the whole group.
    pub(super) async fn run(self) -> Result<Ended, Stopped> {
        let mut command = Command::new(self.program);
        command
            .args(&self.args)
            .current_dir(&self.cwd)
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if let Some(guardian) = self.guardian {
            guardian.at_post();
        }
        let mut child = command.spawn().map_err(Stopped::Unstarted)?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let mut group = Group::led_by(child, self.guardian);
        let out = read(out, |kept, new| {
            let room = MAX_KEPT - kept.len();
            kept.extend_from_slice(&new[..new.len().min(room)]);
        });
        let err = read(err, |kept, new| {
            kept.extend_from_slice(new);
            kept.drain(..kept.len().saturating_sub(MAX_KEPT));
        });
        let work = async {
            let outputs = async { tokio::join!(out, err) };
            tokio::pin!(outputs);
            tokio::select! {
                outputs = &mut outputs => (group.child.wait().await, Some(outputs)),
                status = group.child.wait() => {
                    let rest = tokio::time::timeout(AFTERGLOW, &mut outputs).await;
                    (status, rest.ok())
                }
            }
        };
        let (status, outputs) = tokio::time::timeout_at(self.deadline, work)
            .await
            .map_err(|_| Stopped::Late)?;
        let (stdout, stderr) = outputs.unwrap_or_default();
        Ok(Ended {
            success: status.as_ref().is_ok_and(ExitStatus::success),
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
        })
    }
}

/// Reads to the end, keeping what `keep` keeps.
async fn read(from: Option<impl AsyncRead + Unpin>, keep: impl Fn(&mut Vec<u8>, &[u8])) -> Vec<u8> {
    let mut kept = Vec::new();
    let Some(mut from) = from else {
        return kept;
    };
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        keep(&mut kept, &buffer[..count]);
    }
    kept
}

/// Kills the whole group when dropped before its leader was collected: until then its number is its
/// own. What a leader that ended by itself has left in its group ends with the proxy.
struct Group {
    child: Child,
    id: Option<Pid>,
    guardian: Option<Guardian>,
}

impl Group {
    /// The group of a process that was just started, which the guardian is told of.
    fn led_by(child: Child, guardian: Option<&Guardian>) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let id = id.and_then(Pid::from_raw);
        if let (Some(id), Some(guardian)) = (id, guardian) {
            guardian.began(id);
        }
        Self {
            child,
            id,
            guardian: guardian.cloned(),
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let Some(group) = self.id else { return };
        let ended = if self.child.id().is_some() {
            // It may have ended in this instant, which is what was wanted.
            let _ended = kill_process_group(group, Signal::KILL);
            true
        } else {
            test_kill_process_group(group).is_err()
        };
        if let (true, Some(guardian)) = (ended, &self.guardian) {
            guardian.ended(group);
        }
    }
}

/// The lines of an output that say why, as one line of bounded length.
pub(super) fn last_words(stderr: &str) -> String {
    /// Of an error sentence, in bytes.
    const MAX_WORDS: usize = 400;
    /// Lines that are about something else.
    const NOISE: [&str; 3] = ["npm warn", "npm notice", "A complete log of this run"];
    let lines = stderr.lines().map(str::trim);
    let told =
        lines.filter(|line| !line.is_empty() && !NOISE.iter().any(|noise| line.contains(noise)));
    let lines: Vec<&str> = told
        .map(|line| line.strip_prefix("npm error").unwrap_or(line).trim())
        .filter(|line| !line.is_empty())
        .take(6)
        .collect();
    if lines.is_empty() {
        return "it said nothing".to_owned();
    }
    crate::observe::escape::escape(lines.join("; ").as_bytes(), MAX_WORDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Tool<'static> {
        Tool {
            program: Path::new("/bin/sh"),
            args: vec!["-c".into(), script.into()],
            cwd: "/".into(),
            env: &[],
            deadline: Instant::now() + limit,
            guardian: None,
        }
    }

    const LONG: Duration = Duration::from_secs(50);

    #[tokio::test]
    async fn output_is_kept_within_bounds() {
        let ended = shell("printf out; printf err >&2; exit 3", LONG)
            .run()
            .await
            .unwrap();
        assert!(!ended.success);
        assert_eq!((&*ended.stdout, &*ended.stderr), ("out", "err"));
        let script =
            "printf start; head -c 200000 /dev/zero | tr '\\0' x | tee /dev/stderr; printf end >&2";
        let ended = shell(script, LONG).run().await.unwrap();
        assert!(ended.success);
        assert!(ended.stdout.starts_with("startx") && ended.stdout.len() == MAX_KEPT);
        assert!(ended.stderr.ends_with("xend") && ended.stderr.len() == MAX_KEPT);
    }

    #[tokio::test]
    async fn the_whole_group_dies_when_time_is_over() {
        let file = std::env::temp_dir().join(format!("mcp-run-{}", std::process::id()));
        let script = format!("sleep 1000 & echo $! > {}; wait", file.display());
        let run = shell(&script, Duration::from_millis(500)).run().await;
        assert!(matches!(run, Err(Stopped::Late)));
        let pid = std::fs::read_to_string(&file).unwrap();
        let stat = format!("/proc/{}/stat", pid.trim());
        let deadline = Instant::now() + LONG;
        // Killed; what is left until it is collected is a zombie.
        while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
            assert!(Instant::now() < deadline, "the grandchild lives");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        std::fs::remove_file(&file).unwrap();
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_said_to_be() {
        let mut tool = shell("", LONG);
        tool.program = Path::new("/nowhere/npm");
        assert!(matches!(tool.run().await, Err(Stopped::Unstarted(_))));
    }

    #[test]
    fn last_words_are_the_reason() {
        let said = "npm warn old\nnpm error code E404\nnpm error 404\nnpm error A complete log of this run can be found in: /x\n";
        assert_eq!(last_words(said), "code E404; 404");
        assert_eq!(last_words("\n"), "it said nothing");
    }
}
