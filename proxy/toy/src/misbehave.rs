//! The other half: what servers in the wild do to whoever started them.

use std::{
    env, fs,
    os::unix::process::CommandExt,
    process::{self, Command, ExitCode},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use crate::{
    flags::TERM_IS_IGNORED,
    message::quote,
    tools::{Call, MAX_BYTES, Outcome, to_stderr},
    toy::{Toy, leave},
};

const INVALID_PARAMS: i32 = -32602;

/// How often, and how many times, we look whether a grandchild is ready: ten seconds in all.
const GRANDCHILD_LOOK: Duration = Duration::from_millis(2);
const GRANDCHILD_LOOKS: u32 = 5_000;

/// Starts this program again with SIGTERM ignored. A process keeps an ignored signal when it becomes another program,
/// so the shell's `trap` reaches us without a line of unsafe code here.
pub(crate) fn restart_ignoring_term() -> ExitCode {
    let Ok(program) = env::current_exe() else {
        return ExitCode::from(2);
    };
    let cause = Command::new("/bin/sh")
        .arg("-c")
        .arg(r#"trap "" TERM; exec "$0" "$@""#)
        .arg(program)
        .args(env::args_os().skip(1))
        .arg(TERM_IS_IGNORED)
        .exec();
    to_stderr(format!("mcp-toy: start again through /bin/sh: {cause}\n").as_bytes());
    ExitCode::from(2)
}

/// What the flags want before the first line is read.
pub(crate) fn before_reading(toy: &Toy) {
    if let Some(code) = toy.flags.exit_at_start {
        to_stderr(b"mcp-toy: exits at start, as it was told to\n");
        leave(code.into());
    }
    if toy.flags.banner {
        toy.bytes(b"Toy server v1.0 \x1b[32mready\x1b[0m\nlistening on stdio\n");
    }
    thread::sleep(toy.flags.start_delay);
}

/// What the flags want after the input has ended.
pub(crate) fn after_reading(toy: &Toy) {
    thread::sleep(toy.flags.linger);
    if toy.flags.ignore_eof {
        stay();
    }
}

fn stay() -> ! {
    loop {
        thread::park();
    }
}

pub(crate) fn crash(call: &Call) -> Outcome {
    for step in 1..=call.number("lines", 0) {
        let params = format!(r#"{{"level":"info","data":"before the crash","step":{step}}}"#);
        call.toy.notify("notifications/message", &params);
    }
    if let Some(words) = call.arguments.text("stderr") {
        to_stderr(format!("{words}\n").as_bytes());
    }
    if call.arguments.flag("answer") {
        call.answer(&quote("farewell"), false);
    }
    if call.arguments.flag("half") {
        let half = format!(
            r#"{{"jsonrpc":"2.0","id":{},"result":{{"content":[{{"ty"#,
            call.id
        );
        call.toy.bytes(half.as_bytes());
    }
    if let Some(signal) = call.arguments.number("signal") {
        // The shell's own `kill`, because the environment may have no PATH to find another one.
        let kill = format!("kill -{signal} {}", process::id());
        let killed = Command::new("/bin/sh").arg("-c").arg(kill).status();
        if !killed.is_ok_and(|status| status.success()) {
            return Outcome::Failed(format!("could not send signal {signal}"));
        }
        // The signal is on its way to us.
        stay();
    }
    leave(i32::try_from(call.number("code", 1)).unwrap_or(1))
}

pub(crate) fn garbage(call: &Call) -> Outcome {
    const KINDS: [(&str, &[u8]); 9] = [
        ("banner", b"  _____ Welcome to \x1b[1mToy\x1b[0m! \x07\n"),
        ("blank", b"\n \r\n"),
        (
            "half",
            b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/mess\n",
        ),
        ("nul", b"\0\0{}\0\n"),
        ("utf8", b"{\"jsonrpc\":\"2.0\",\"method\":\"\xff\xfe\"}\n"),
        (
            "unknown_id",
            b"{\"jsonrpc\":\"2.0\",\"id\":\"nobody-asked\",\"result\":{}}\n",
        ),
        ("array", b"[1,2,3]\n"),
        ("bare", b"42\n"),
        ("damaged", b""),
    ];
    let kind = call.text("kind", "all");
    if kind != "all" && !KINDS.iter().any(|(known, _)| *known == kind) {
        return Outcome::Error(INVALID_PARAMS, format!("unknown kind {kind:?}"));
    }
    if kind == "damaged" {
        // An answer to this very call that is no JSON; the only kind that takes the answer's place.
        call.toy.line(&format!(
            r#"{{"jsonrpc":"2.0","id":{},"result":{{"content":[}}}}"#,
            call.id
        ));
        return Outcome::Nothing;
    }
    for _ in 0..call.number("n", 1) {
        for (known, bytes) in KINDS {
            if kind == "all" || kind == known {
                call.toy.bytes(bytes);
            }
        }
    }
    Outcome::Text("that was garbage".to_owned())
}

pub(crate) fn long_line(call: &Call) -> Outcome {
    let bytes = call.number("bytes", 1_000_000);
    let Some(length) = usize::try_from(bytes).ok().filter(|_| bytes <= MAX_BYTES) else {
        return Outcome::Error(INVALID_PARAMS, format!("at most {MAX_BYTES} bytes"));
    };
    let as_answer = call.arguments.flag("id");
    let mut line = if as_answer {
        format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{"text":""#, call.id)
    } else {
        String::new()
    };
    line.push_str(&"x".repeat(length.saturating_sub(line.len())));
    if call.arguments.raw("newline") != Some("false") {
        line.push('\n');
    }
    call.toy.bytes(line.as_bytes());
    if as_answer {
        Outcome::Nothing
    } else {
        Outcome::Text("that was long".to_owned())
    }
}

pub(crate) fn stderr(call: &Call) -> Outcome {
    let length = usize::try_from(call.number("bytes", 20).min(MAX_BYTES)).unwrap_or(0);
    let padding = vec![b'e'; length];
    for line in 1..=call.number("lines", 1) {
        let own = call.arguments.text("text");
        let length = if own.is_some() { 0 } else { length };
        let mut text = own.unwrap_or_else(|| format!("{line} ")).into_bytes();
        if call.arguments.flag("control") {
            text.extend_from_slice(b"\x1b[31mred\x1b[0m\x07\0\xff\r");
        }
        text.extend_from_slice(
            padding
                .get(..length.saturating_sub(text.len()))
                .unwrap_or_default(),
        );
        text.push(b'\n');
        to_stderr(&text);
    }
    Outcome::Text("written".to_owned())
}

pub(crate) fn grandchild(call: &Call) -> Outcome {
    let seconds = call.number("seconds", 3_600).to_string();
    let trap = if call.arguments.flag("ignore_term") {
        r#"trap "" TERM; "#
    } else {
        ""
    };
    // It says that it is what it was to become, by a file, because its pipes are ours and not for our use.
    static GRANDCHILDREN: AtomicU64 = AtomicU64::new(0);
    let number = GRANDCHILDREN.fetch_add(1, Ordering::Relaxed);
    let ready = env::temp_dir().join(format!("mcp-toy-{}-{number}", process::id()));
    let script = format!(r#"{trap}: > "$1"; exec sleep "$0""#);
    let mut command = if call.arguments.flag("setsid") {
        let mut command = Command::new("setsid");
        command.arg("/bin/sh");
        command
    } else {
        Command::new("/bin/sh")
    };
    let pid = match command
        .arg("-c")
        .arg(script)
        .arg(seconds)
        .arg(&ready)
        .spawn()
    {
        Ok(mut grandchild) => {
            let pid = grandchild.id();
            // Collected when it ends, so that a test which looks for it does not find a zombie of ours.
            thread::spawn(move || grandchild.wait());
            pid
        }
        Err(cause) => return Outcome::Failed(format!("could not start a grandchild: {cause}")),
    };
    for _ in 0..GRANDCHILD_LOOKS {
        if fs::remove_file(&ready).is_ok() {
            return Outcome::Text(pid.to_string());
        }
        thread::sleep(GRANDCHILD_LOOK);
    }
    Outcome::Failed(format!("grandchild {pid} did not get ready"))
}

pub(crate) fn deaf(call: &Call) -> Outcome {
    call.toy.become_deaf();
    Outcome::Text("I hear nothing".to_owned())
}
