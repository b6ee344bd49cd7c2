//! The proxy's side: it keeps a guardian at its post, tells it of every group, and replaces one that fell.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::io::{ioctl_fionbio, write};
use rustix::process::{Pid, Signal, getpid, kill_process};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep_until};

use super::super::stat;
use super::WORD;
use super::roll::{Mark, Note, Roll};

/// This program, whatever has happened to its file since it was started.
const OURSELVES: &str = "/proc/self/exe";

/// The least time between two starts, so that whatever ends guardians at once does not make us start them for ever.
const START_PAUSE: Duration = Duration::from_secs(1);

/// The guardian of this process's children. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Guardian(Arc<Post>);

struct Post(Mutex<Watch>);

#[derive(Default)]
struct Watch {
    roll: Roll,
    standing: Option<Standing>,
    /// When one was started last.
    started: Option<Instant>,
}

/// A guardian at its post.
struct Standing {
    pid: Pid,
    /// Its end is what the guardian waits for: nobody else may have it.
    notes: OwnedFd,
}

/// Two are the same if they keep the same list.
impl PartialEq for Guardian {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Guardian {}

impl Guardian {
    /// The guardian of this process, which starts with the first child. `None` where none is needed: the end of
    /// process 1 is the end of everybody in its namespace.
    ///
    /// For this program only: a guardian is the program of this process, started again with [`WORD`] as its first
    /// argument, and has to call [`keep_watch`](super::keep_watch) then and nothing else.
    #[must_use]
    pub fn of_this_process() -> Option<Self> {
        (!getpid().is_init()).then(|| Self(Arc::new(Post(Mutex::default()))))
    }

    /// Sees to it that a guardian is at its post. Called before a child is started, inside a tokio runtime.
    pub(crate) fn at_post(&self) {
        self.0.at_post();
    }

    /// A child or an installer was started; it leads the group of its number. To be called before it is collected.
    pub(crate) fn began(&self, group: Pid) {
        // A child that was not collected has a number, unless there is no `/proc`, and then no guardian either.
        let Some(leader) = stat::of(group) else {
            return;
        };
        let mark = Mark {
            started: leader.started,
            session: leader.session,
        };
        self.0
            .0
            .lock()
            .note(Note::Began(group.as_raw_nonzero().get(), mark));
    }

    /// Nobody is left in a group.
    pub(crate) fn ended(&self, group: Pid) {
        self.0
            .0
            .lock()
            .note(Note::Ended(group.as_raw_nonzero().get()));
    }
}

impl Watch {
    fn note(&mut self, note: Note) {
        self.roll.note(note);
        self.tell(note);
    }

    /// A note of some bytes goes into the pipe as a whole or not at all.
    fn tell(&mut self, note: Note) {
        let Some(standing) = &self.standing else {
            return;
        };
        match write(&standing.notes, note.to_string().as_bytes()) {
            Ok(_) => {}
            // Thousands of notes unread: it has been stopped, and is as good as gone. Its end is seen like any other,
            // and its successor is told everything. Without this order it would end our servers when its pipe ends.
            Err(rustix::io::Errno::AGAIN) => {
                let _gone = kill_process(standing.pid, Signal::KILL);
            }
            // It fell; the task that waits for that is about to know.
            Err(_) => {}
        }
    }
}

impl Post {
    fn at_post(self: &Arc<Self>) {
        let mut watch = self.0.lock();
        let paused = watch
            .started
            .is_some_and(|started| started.elapsed() < START_PAUSE);
        if watch.standing.is_some() || paused {
            return;
        }
        watch.started = Some(Instant::now());
        match start() {
            Ok((guardian, standing)) => {
                tracing::debug!(target: "child", pid = standing.pid.as_raw_nonzero(), "a guardian is at its post");
                tokio::spawn(wait(guardian, standing.pid, Arc::downgrade(self)));
                watch.standing = Some(standing);
                let notes: Vec<Note> = watch.roll.notes().collect();
                for note in notes {
                    watch.tell(note);
                }
            }
            Err(error) => {
                tracing::warn!(target: "child", %error,
                    "no guardian could be started: if this proxy is killed, servers that ignore the end of their input stay");
            }
        }
    }
}

/// Starts a guardian.
fn start() -> io::Result<(Child, Standing)> {
    let mut guardian = Command::new(OURSELVES)
        .arg0("mcp-proxy-guardian")
        .arg(WORD)
        .env_clear()
        // A folder that is always there, so that it holds no other one.
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // What ends the proxy's group must not end its guardian.
        .process_group(0)
        .spawn()?;
    let pid = guardian
        .id()
        .and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
    let (Some(pid), Some(notes)) = (pid, guardian.stdin.take()) else {
        return Err(io::Error::other("it has no process id or no pipe"));
    };
    let notes = notes.into_owned_fd()?;
    ioctl_fionbio(&notes, true)?;
    Ok((guardian, Standing { pid, notes }))
}

/// Waits for the end of a guardian, and puts another one in its place while there are children to guard.
async fn wait(mut guardian: Child, pid: Pid, post: Weak<Post>) {
    let status = guardian.wait().await;
    let Some(post) = post.upgrade() else {
        return;
    };
    let started = {
        let mut watch = post.0.lock();
        watch.standing.take_if(|standing| standing.pid == pid);
        match status {
            Ok(status) => {
                tracing::warn!(target: "child", "the guardian ended ({status}); another one takes its place")
            }
            Err(error) => {
                tracing::warn!(target: "child", %error, "the guardian was lost; another one takes its place")
            }
        }
        watch.started.unwrap_or_else(Instant::now)
    };
    sleep_until(started + START_PAUSE).await;
    // Without children, the next one to start brings its guardian.
    if !post.0.lock().roll.is_empty() {
        post.at_post();
    }
}

impl fmt::Debug for Guardian {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let watch = self.0.0.lock();
        f.debug_struct("Guardian")
            .field("pid", &watch.standing.as_ref().map(|standing| standing.pid))
            .field("groups", &watch.roll.len())
            .finish()
    }
}
