//! The process itself: started in a group of its own, signalled as a group, collected. The only place that
//! spawns, but for the guardian.
//!
//! A group is signalled only while it is known to have a member, so its number cannot have passed to somebody else:
//! before the leader is collected it holds the number, and after that whoever is left in the group does.

use std::{
    io,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitOptions, kill_process_group, test_kill_process_group, waitpgid},
};
use thiserror::Error;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};

use super::{Command, Guardian, zombies::only_zombies};

/// Why a server could not be started. Each reads as a fragment that names the program.
#[derive(Debug, Error)]
pub enum StartError {
    /// No program of this name exists.
    #[error("start the server: program {program:?} was not found{}", if program.contains('/') { "" } else { " in PATH" })]
    NotFound {
        /// The program as the command names it.
        program: String,
    },
    /// The program exists, but may not be run by us.
    #[error("start the server: program {program:?} is not executable")]
    NotExecutable {
        /// The program as the command names it.
        program: String,
    },
    /// The folder to start in is not there.
    #[error("start the server: its folder {} does not exist", folder.display())]
    NoFolder {
        /// The folder as the command names it.
        folder: PathBuf,
    },
    /// The system refused for another reason, such as too many processes or arguments too long.
    #[error("start the server: program {program:?}: {cause}")]
    Other {
        /// The program as the command names it.
        program: String,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
}

/// Our ends of a child's three pipes.
pub(super) struct Pipes {
    pub(super) stdin: ChildStdin,
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
}

/// A started process and its group.
///
/// Dropped before [`Process::group_empty`] has said so, for instance because the runtime ends, it takes its whole
/// group with it by SIGKILL.
pub(super) struct Process {
    child: Child,
    group: Pid,
    guardian: Option<Guardian>,
    collected: bool,
    group_empty: bool,
}

/// Starts a process as the leader of a new group, and tells the guardian of it.
pub(super) fn spawn(
    command: &Command,
    guardian: Option<&Guardian>,
) -> Result<(Process, Pipes), StartError> {
    if let Some(guardian) = guardian {
        guardian.at_post();
    }
    let program = || command.program.clone();
    let mut child = builder(command)
        .spawn()
        .map_err(|cause| explain(command, cause))?;
    let pipes = match (child.stdin.take(), child.stdout.take(), child.stderr.take()) {
        (Some(stdin), Some(stdout), Some(stderr)) => Pipes {
            stdin,
            stdout,
            stderr,
        },
        _ => {
            return Err(StartError::Other {
                program: program(),
                cause: io::Error::other("it has no pipes"),
            });
        }
    };
    let group = child
        .id()
        .and_then(|pid| i32::try_from(pid).ok())
        .and_then(Pid::from_raw);
    let Some(group) = group else {
        return Err(StartError::Other {
            program: program(),
            cause: io::Error::other("it has no process id"),
        });
    };
    if let Some(guardian) = guardian {
        guardian.began(group);
    }
    Ok((
        Process {
            child,
            group,
            guardian: guardian.cloned(),
            collected: false,
            group_empty: false,
        },
        pipes,
    ))
}

fn builder(command: &Command) -> tokio::process::Command {
    let mut builder = tokio::process::Command::new(&command.program);
    builder
        .args(&command.args)
        .env_clear()
        .envs(command.env.iter())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    if let Some(folder) = &command.cwd {
        builder.current_dir(folder);
    }
    builder
}

/// The system says "no such file" for a missing program and for a missing folder alike; a person needs to know which.
fn explain(command: &Command, cause: io::Error) -> StartError {
    let program = command.program.clone();
    if let Some(folder) = command.cwd.as_deref().filter(|folder| !folder.is_dir()) {
        return StartError::NoFolder {
            folder: folder.to_owned(),
        };
    }
    match cause.kind() {
        // A path that exists and is still "not found" is a script whose interpreter is missing: then the system's
        // own words stand beside the program's name.
        io::ErrorKind::NotFound if program.contains('/') && Path::new(&program).exists() => {
            StartError::Other {
                program,
                cause: io::Error::new(
                    io::ErrorKind::NotFound,
                    "the interpreter it names does not exist",
                ),
            }
        }
        io::ErrorKind::NotFound => StartError::NotFound { program },
        io::ErrorKind::PermissionDenied => StartError::NotExecutable { program },
        _ => StartError::Other { program, cause },
    }
}

impl Process {
    pub(super) fn pid(&self) -> u32 {
        self.group.as_raw_nonzero().get().unsigned_abs()
    }

    /// Waits for the leader to end and collects it.
    ///
    /// # Cancel safety
    /// May be dropped and called again; an end is never lost.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await;
        self.collected = true;
        status
    }

    /// SIGTERM to everybody in the group.
    pub(super) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// SIGKILL to everybody in the group.
    pub(super) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        if self.group_empty {
            return;
        }
        match kill_process_group(self.group, signal) {
            // Nobody there is what we want, and not being allowed means that the member changed its user.
            Ok(()) | Err(Errno::SRCH) => {}
            Err(cause) => {
                tracing::warn!(target: "child", group = self.pid(), ?signal, %cause, "could not signal the process group");
            }
        }
    }

    /// Whether nobody is left in the group, or, when `closely` is set, only zombies are, which costs more to see. Never
    /// true before the leader was collected.
    pub(super) fn group_empty(&mut self, closely: bool) -> bool {
        if !self.collected {
            return false;
        }
        if !self.group_empty {
            // As process 1 of a container we inherit the orphans of this group, and a zombie counts as a member
            // until it is collected. The leader is not among them any more, so tokio does not miss it.
            while let Ok(Some(_)) = waitpgid(self.group, WaitOptions::NOHANG) {}
            self.group_empty = test_kill_process_group(self.group) == Err(Errno::SRCH)
                || closely && only_zombies(self.group);
            if self.group_empty
                && let Some(guardian) = &self.guardian
            {
                guardian.ended(self.group);
            }
        }
        self.group_empty
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.group_empty(false) {
            self.kill();
        }
    }
}

/// The two halves of an exit status, of which one is set.
pub(super) fn code_and_signal(status: ExitStatus) -> (Option<i32>, Option<i32>) {
    (status.code(), status.signal())
}
