//! Files that are read again when they change: tokens, certificates.
//!
//! They are a few KiB and looked at once a second, whole. Modification times would save nothing, and
//! miss a file that is written twice within a tick of its file system's clock or put in place by a
//! link, as orchestrators do.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Something that follows a file.
pub trait Reload: fmt::Debug + Send + Sync {
    /// Looks at the file, and takes on what it says now. It may block.
    fn reload(&self);
}

/// All of them.
#[derive(Debug)]
pub struct Refresh {
    jobs: Vec<Arc<dyn Reload>>,
    /// A look is under way. On a file system that hangs, one thread hangs and no second one.
    busy: AtomicBool,
}

impl Refresh {
    /// These.
    #[must_use]
    pub fn new(jobs: Vec<Arc<dyn Reload>>) -> Arc<Self> {
        Arc::new(Self {
            jobs,
            busy: AtomicBool::new(false),
        })
    }

    /// Looks at every file, on a thread where that may take its time; to be called about once a
    /// second from within the runtime.
    pub fn tick(self: &Arc<Self>) {
        if self.jobs.is_empty() || self.busy.swap(true, Ordering::AcqRel) {
            return;
        }
        let all = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            for job in &all.jobs {
                job.reload();
            }
            all.busy.store(false, Ordering::Release);
        });
    }
}
