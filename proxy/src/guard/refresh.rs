//! Files that are read again when they change: tokens, certificates.
//!
//! They are a few KiB and looked at once a second, whole. Modification times would save nothing, and
//! miss a file that is written twice within a tick of its file system's clock or put in place by a
//! link, as orchestrators do.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether there is something else than a file: a pipe (a shell's `<(command)`) gave all it had when
/// the proxy started, and whoever opens it again waits for ever.
#[must_use]
pub fn is_read_once(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| !found.is_file())
}

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

    /// Looks at every file, on a thread of its own where that may take its time; to be called about
    /// once a second. Nobody waits for that thread, so that a file system that hangs does not keep the
    /// proxy from ending.
    pub fn tick(self: &Arc<Self>) {
        if self.jobs.is_empty() || self.busy.swap(true, Ordering::AcqRel) {
            return;
        }
        let all = Arc::clone(self);
        let thread = std::thread::Builder::new().name("refresh".to_owned());
        let started = thread.spawn(move || {
            for job in &all.jobs {
                job.reload();
            }
            all.busy.store(false, Ordering::Release);
        });
        if started.is_err() {
            // The system has no thread left just now. The next second may.
            self.busy.store(false, Ordering::Release);
        }
    }
}
