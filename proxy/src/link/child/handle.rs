//! The handle of a running child: send, stop, status.

use std::{fmt, sync::Arc};

use mcp_wire::Message;
use tracing::Instrument as _;

use super::{
    Command, SendError, Settings, StartError, State, Status, life::Shared, process, supervisor,
};
use crate::link::Inbound;

/// A child process that speaks lines of JSON-RPC. Cheap to clone; all clones are the same child.
///
/// When the last clone is dropped the child is stopped as by [`Child::stop`], and its [`Inbound`] still hears
/// everything up to [`Inbound::closed`]. When the runtime ends first, the whole process group gets SIGKILL and nobody
/// hears anything.
#[derive(Clone)]
pub struct Child(Arc<Handle>);

/// Owned by the handles alone, so that its drop is the drop of the last handle; the tasks share what is inside.
struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Child {
    /// Starts a server in a process group of its own, and the tasks that serve it. Must be called inside a tokio
    /// runtime with I/O and time enabled; it blocks for the fork alone.
    ///
    /// # Errors
    /// When the system cannot start the program; `inbound` is then dropped without having been called.
    pub fn start(
        command: &Command,
        settings: &Settings,
        inbound: Box<dyn Inbound>,
    ) -> Result<Self, StartError> {
        let (process, pipes) = process::spawn(command, settings.guardian.as_ref())?;
        // Within that of whoever starts it, so that what is logged says whose child it was about.
        let span = tracing::info_span!("process", server = %settings.name, pid = process.pid());
        let shared = Arc::new(Shared::new(settings, process.pid()));
        let supervised =
            supervisor::supervise(process, pipes, settings.clone(), shared.clone(), inbound);
        tokio::spawn(supervised.instrument(span));
        Ok(Self(Arc::new(Handle(shared))))
    }

    /// Queues a message for the child. Never waits. Messages leave in the order of calls.
    ///
    /// Accepted means queued, not read: when the child ends first, the message is lost and [`Inbound::closed`] says
    /// so for all of them.
    ///
    /// # Errors
    /// [`SendError::Full`] when the child does not read and the bound is reached, [`SendError::Gone`] once it ended,
    /// is being stopped, or closed its input.
    pub fn send(&self, message: &Message) -> Result<(), SendError> {
        self.0.0.outbox.send(message)
    }

    /// Asks the child to stop: what is queued is still written, then its input is closed, then signals follow as
    /// [`super::StopLadder`] says. Returns at once; while the child is stopping, or after that, it does nothing.
    pub fn stop(&self) {
        self.0.0.stop();
    }

    /// Waits until the child has ended, whoever ended it: the process is collected, its group is empty, and
    /// [`Inbound::closed`] has returned. A process that even SIGKILL does not end is given up after a bounded time.
    ///
    /// # Cancel safety
    /// May be dropped and called again.
    pub async fn stopped(&self) {
        // An error means that the sender is gone, and we hold it.
        let _state = self
            .0
            .0
            .watch()
            .wait_for(|state| matches!(state, State::Ended(_)))
            .await
            .is_ok();
    }

    /// What it last wrote to standard error, oldest line first, escaped and cut. Costs more than the status.
    pub fn last_words(&self) -> Vec<String> {
        self.0.0.last_words()
    }

    /// The child at this moment.
    pub fn status(&self) -> Status {
        self.0.0.status()
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status();
        f.debug_struct("Child")
            .field("pid", &status.pid)
            .field("state", &status.state)
            .finish_non_exhaustive()
    }
}
