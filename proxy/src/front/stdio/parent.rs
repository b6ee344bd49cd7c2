//! Whether the process that started this one still runs.
//!
//! A client that dies takes its end of the pipe with it, unless a grandchild holds that. An orphan is
//! given another parent, so the number changes. (PR_SET_PDEATHSIG tells of the thread that started us,
//! not of its process, and needs `unsafe`.)

use rustix::process::{Pid, getppid};

use super::LOOK;

/// The parent a process had.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parent(Option<Pid>);

impl Parent {
    /// The parent there is now.
    pub(super) fn now() -> Self {
        Self(getppid())
    }

    /// Resolves when it has ended. One outside this process namespace has no number and is not seen;
    /// neither is the end of process 1, which is everybody's.
    pub(super) async fn gone(self) {
        while getppid() == self.0 {
            tokio::time::sleep(LOOK).await;
        }
    }
}
