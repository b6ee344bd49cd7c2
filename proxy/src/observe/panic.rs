//! What is said of a panic: one line, where it happened, and nothing of what it was about.
//!
//! A panic's message is often made of values (`unwrap` prints the error it met), and a value may be a
//! client's or a secret. So only a message that was written into the program is repeated.

use std::panic::{self, PanicHookInfo};

use super::metrics;

/// From now on every panic of this process is one record of the log, and counted. The task it happened
/// in ends; what that means is the task's owner's to say.
pub fn report() {
    panic::set_hook(Box::new(|panic| {
        metrics::panicked();
        let place = panic.location().map(ToString::to_string);
        let thread = std::thread::current();
        tracing::error!(
            target: "panic",
            place = place.unwrap_or_else(|| "unknown".to_owned()),
            thread = thread.name().unwrap_or("unnamed"),
            "{}; this is a bug of mcp-proxy, please report it with this line",
            written(panic).unwrap_or("a part of the proxy panicked"),
        );
    }));
}

/// The message, if it was written into the program as it is.
fn written<'a>(panic: &'a PanicHookInfo<'_>) -> Option<&'a str> {
    // A message with values in it is a `String`.
    panic.payload().downcast_ref::<&'static str>().copied()
}

#[cfg(test)]
mod tests {
    use super::super::log::tests::Sink;
    use super::*;

    /// Nextest runs each test in a process of its own, so the hook is nobody else's.
    #[test]
    fn a_panic_is_one_line_with_its_place_and_without_its_values() {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            report();
            let secret = "hunter2\nand more";
            let _first = panic::catch_unwind(|| panic!("met {secret}"));
            let _second = panic::catch_unwind(|| panic!("a sentence of the program"));
            let _default = panic::take_hook();
        });
        let said = String::from_utf8(sink.0.lock().clone()).unwrap();
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.len(), 2, "{said}");
        assert!(!said.contains("hunter2"), "{said}");
        assert!(
            lines.iter().all(|line| line.contains("observe/panic.rs:")),
            "{said}"
        );
        assert!(lines[1].contains("a sentence of the program"), "{said}");
    }
}
