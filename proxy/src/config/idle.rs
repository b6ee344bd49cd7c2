//! What is done when nobody uses the proxy.

use std::path::PathBuf;
use std::time::Duration;

use super::cli::Typed;
use super::meaning::{FlyMachine, Idle, IdleAction};
use super::pick::Picker;

/// Where Fly's Machines API listens inside a machine.
const FLY_SOCKET: &str = "/.fly/api";

/// A shorter period would be over between two calls of one conversation.
const SHORTEST: Duration = Duration::from_secs(1);

/// What was typed for `--idle-action`.
#[derive(Clone, Copy)]
enum Action {
    Nothing,
    Exit,
    PutAway(&'static str),
}

pub(super) fn read(pick: &mut Picker<'_>, typed: &Typed) -> Idle {
    let actions = [
        ("none", Action::Nothing),
        ("exit", Action::Exit),
        ("suspend", Action::PutAway("suspend")),
        ("stop", Action::PutAway("stop")),
    ];
    let typed_action = typed.idle_action.as_ref();
    let action = match pick.choice("idle-action", typed_action, Action::Nothing, &actions) {
        Action::Nothing => IdleAction::Nothing,
        Action::Exit => IdleAction::Exit,
        Action::PutAway(verb) => {
            machine(pick, verb).map_or(IdleAction::Nothing, IdleAction::PutAway)
        }
    };
    // Longer than a person thinks between two questions; what waking costs is seconds.
    let five_minutes = Duration::from_secs(5 * 60);
    let after = typed.idle_timeout.as_ref();
    let longest = typed.max_stream_idle.as_ref();
    let longest = pick.duration("max-stream-idle", longest, Duration::ZERO, Duration::ZERO);
    Idle {
        after: pick.duration("idle-timeout", after, five_minutes, SHORTEST),
        action,
        max_stream: Some(longest).filter(|longest| !longest.is_zero()),
    }
}

/// The machine this runs on, as Fly names it in the environment.
fn machine(pick: &mut Picker<'_>, verb: &'static str) -> Option<FlyMachine> {
    let mut names = ["FLY_APP_NAME", "FLY_MACHINE_ID"].into_iter().map(|name| {
        let picked = pick.variable(name).map(|picked| picked.text);
        // They stand in a path.
        let plain = |text: &String| {
            text.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        picked.filter(plain)
    });
    let (Some(Some(app)), Some(Some(id))) = (names.next(), names.next()) else {
        pick.notes.fault(format!(
            "--idle-action {verb} needs FLY_APP_NAME and FLY_MACHINE_ID, which Fly sets on its machines; elsewhere there is --idle-action exit"
        ));
        return None;
    };
    let socket = pick.variable("MCP_PROXY_FLY_SOCKET");
    Some(FlyMachine {
        verb,
        app,
        id,
        socket: socket.map_or_else(|| FLY_SOCKET.into(), |picked| PathBuf::from(picked.text)),
    })
}
