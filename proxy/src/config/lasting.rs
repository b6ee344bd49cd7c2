//! What outlives what: sessions their servers, and the proxy.

use std::path::PathBuf;
use std::time::Duration;

use super::cli::Typed;
use super::meaning::OnChildExit;
use super::pick::Picker;

/// What becomes of sessions when their server ends, and when the proxy does.
pub(super) fn read(pick: &mut Picker<'_>, typed: &Typed) -> (OnChildExit, Option<PathBuf>) {
    let choices = [("revive", OnChildExit::Revive), ("end", OnChildExit::End)];
    let typed_exit = typed.on_child_exit.as_ref();
    let on_child_exit = pick.choice("on-child-exit", typed_exit, OnChildExit::Revive, &choices);
    let state_dir = pick.text("state-dir", typed.state_dir.as_ref());
    if state_dir.is_some() && on_child_exit == OnChildExit::End {
        pick.notes.fault(
            "--state-dir keeps sessions for another server process, and --on-child-exit end says that \
             they have none; use one of the two",
        );
    }
    let state_dir = state_dir.map(|picked| PathBuf::from(picked.text));
    (on_child_exit, state_dir)
}

/// How long the server of an unused session is kept. Longer than most pauses of a person, and a
/// third of the memory of those who left.
pub(super) fn child_idle(pick: &mut Picker<'_>, typed: &Typed) -> Option<Duration> {
    let ten_minutes = Duration::from_secs(10 * 60);
    let typed = typed.child_idle_timeout.as_ref();
    let idle = pick.duration("child-idle-timeout", typed, ten_minutes, Duration::ZERO);
    Some(idle).filter(|idle| !idle.is_zero())
}
