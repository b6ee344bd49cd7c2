//! Where the toy child is, and how to wait for facts about processes.

use std::{env, fs, future::Future, path::PathBuf, time::Duration};

use tokio::time::{Instant, sleep, timeout};

/// How long any fact may take to come true: long, because a loaded machine is no reason to fail, and a fact that never
/// comes is found all the same.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// How often a fact is looked at that nothing announces.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The toy's executable, beside the test's own profile folder.
pub(crate) fn program() -> PathBuf {
    let test = env::current_exe().expect("a test knows its own path");
    // target/<profile>/deps/it-<hash>
    let profile = test
        .parent()
        .and_then(|deps| deps.parent())
        .expect("tests are built into a deps folder");
    let program = profile.join("mcp-toy");
    assert!(
        program.is_file(),
        "{} is missing; run `cargo build -p mcp-toy` first",
        program.display()
    );
    program
}

/// Waits for something to come, and fails with its name when it does not.
#[track_caller]
pub(crate) fn within<F: Future>(what: &str, future: F) -> impl Future<Output = F::Output> {
    let caller = std::panic::Location::caller();
    async move {
        match timeout(DEADLINE, future).await {
            Ok(output) => output,
            Err(_) => panic!("{what} did not come within {DEADLINE:?}, asked at {caller}"),
        }
    }
}

/// Waits until something is true, and fails with its name when it does not become true.
#[track_caller]
pub(crate) fn eventually(what: &str, mut fact: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let deadline = Instant::now() + DEADLINE;
        while !fact() {
            assert!(
                Instant::now() < deadline,
                "{what} within {DEADLINE:?}, asked at {caller}"
            );
            sleep(LOOK_AGAIN).await;
        }
    }
}

/// Whether a process runs. A zombie does not: it holds nothing but its number.
pub(crate) fn runs(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    // The state follows the name, which stands in parentheses and may contain some itself.
    let state = stat
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.chars().next());
    !matches!(state, Some('Z' | 'X'))
}
