//! The log: where it goes, how it looks, and how foreign bytes become one harmless line.
//!
//! Standard output belongs to the protocol, so everything goes to standard error. Which records are
//! shown is decided once, at start.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Log, LogFormat, LogLevel};

/// The log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The directives cannot be read. Configuration has checked them, so this is for whoever builds
    /// a [`Log`] by hand.
    #[error("read log directives: {0}")]
    Filter(String),
    /// This process has a log already.
    #[error("open the log: this process has one already")]
    Twice,
}

/// Opens the log of this process, on standard error; coloured when that is a terminal.
///
/// # Errors
///
/// See [`LogError`].
pub fn init(log: &Log) -> Result<(), LogError> {
    let ansi = io::stderr().is_terminal();
    subscriber(log, io::stderr, ansi)?
        .try_init()
        .map_err(|_| LogError::Twice)
}

/// Whether a text is a list of directives (`info,child=debug`) for [`Log::filter`].
///
/// # Errors
///
/// What is wrong with it.
pub fn valid_filter(text: &str) -> Result<(), String> {
    EnvFilter::try_new(text)
        .map(drop)
        .map_err(|error| error.to_string())
}

/// Makes one line of bytes that somebody else wrote, so that they can neither break a log record
/// apart nor command a terminal.
///
/// Control characters, line separators, the marks that turn text around, and bytes that are not
/// UTF-8 are written as `\n`, `\u{1b}` or `\xff`. A backslash stays as it is: the result is for
/// reading, not for reading back. At most `max` bytes are kept, and then `…` says that there was
/// more; no more of the input than that is looked at.
#[must_use]
pub fn escape(foreign: &[u8], max: usize) -> String {
    let mut line = String::with_capacity(foreign.len().min(max) + '…'.len_utf8());
    let mut piece = String::new();
    let mut keep = |piece: &mut String| {
        let fits = line.len() + piece.len() <= max;
        line.push_str(if fits { piece } else { "…" });
        piece.clear();
        fits
    };
    for chunk in foreign.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '\n' => piece.push_str("\\n"),
                '\r' => piece.push_str("\\r"),
                '\t' => piece.push_str("\\t"),
                _ if is_unsafe(letter) => {
                    let _ = write!(piece, "\\u{{{:x}}}", u32::from(letter));
                }
                _ => piece.push(letter),
            }
            if !keep(&mut piece) {
                return line;
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(piece, "\\x{byte:02x}");
            if !keep(&mut piece) {
                return line;
            }
        }
    }
    line
}

/// Characters that act on a terminal or a viewer instead of being shown.
fn is_unsafe(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            // Line and paragraph separators, direction marks and overrides, the byte order mark.
            '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
        )
}

type AnySubscriber = Box<dyn Subscriber + Send + Sync>;

fn subscriber<W>(log: &Log, writer: W, ansi: bool) -> Result<AnySubscriber, LogError>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let filter = match &log.filter {
        Some(text) => {
            EnvFilter::try_new(text).map_err(|error| LogError::Filter(error.to_string()))?
        }
        None => EnvFilter::default().add_directive(level(log.level).into()),
    };
    let builder = tracing_subscriber::fmt()
        .with_writer(writer)
        .with_env_filter(filter);
    Ok(match log.format {
        LogFormat::Text => Box::new(builder.with_ansi(ansi).finish()),
        LogFormat::Json => Box::new(builder.json().flatten_event(true).finish()),
    })
}

fn level(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    #[test]
    fn foreign_bytes_become_one_line() {
        for (foreign, line) in [
            (&b"plain text"[..], "plain text"),
            (b"", ""),
            (b"a\nb\r\tc", "a\\nb\\r\\tc"),
            (b"\x1b[31mred\x07\0", "\\u{1b}[31mred\\u{7}\\u{0}"),
            (b"\xff\xfeab\xc3", "\\xff\\xfeab\\xc3"),
            (b"C:\\new", "C:\\new"),
            (
                "ünï \u{85}\u{2028}\u{202e}x".as_bytes(),
                "ünï \\u{85}\\u{2028}\\u{202e}x",
            ),
        ] {
            assert_eq!(escape(foreign, 100), line);
        }
    }

    #[test]
    fn a_long_line_is_cut_between_characters_and_says_so() {
        for (foreign, max, line) in [
            (&b"abc"[..], 3, "abc"),
            (b"abcd", 3, "abc…"),
            (b"ab\n", 3, "ab…"),
            ("aé".as_bytes(), 2, "a…"),
            (b"\xff", 3, "…"),
            (b"a", 0, "…"),
        ] {
            assert_eq!(escape(foreign, max), line);
        }
    }

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(log: &Log) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = subscriber(log, move || writer.clone(), false).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(target: "child", pid = 7, "started");
            tracing::debug!(target: "child", "a detail of the child");
            tracing::debug!(target: "front", "a detail of the front");
        });
        String::from_utf8(sink.0.lock().clone()).unwrap()
    }

    const LOG: Log = Log {
        level: LogLevel::Info,
        filter: None,
        format: LogFormat::Text,
        show_child_stderr: true,
    };

    #[test]
    fn the_level_and_the_directives_choose() {
        let text = written(&LOG);
        assert!(text.contains("started") && text.contains("pid=7"), "{text}");
        assert!(
            !text.contains("detail") && !text.contains('\u{1b}'),
            "{text}"
        );
        assert_eq!(
            written(&Log {
                level: LogLevel::Error,
                ..LOG
            }),
            ""
        );
        let text = written(&Log {
            level: LogLevel::Debug,
            ..LOG
        });
        assert!(
            text.contains("of the child") && text.contains("of the front"),
            "{text}"
        );
        let text = written(&Log {
            filter: Some("warn,child=debug".into()),
            ..LOG
        });
        assert!(
            text.contains("of the child") && !text.contains("of the front"),
            "{text}"
        );
    }

    #[test]
    fn json_is_one_object_a_line() {
        let text = written(&Log {
            format: LogFormat::Json,
            ..LOG
        });
        let record: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!(record["message"], "started");
        assert_eq!(record["target"], "child");
        assert_eq!(record["pid"], 7);
    }

    #[test]
    fn directives_are_checked() {
        assert!(valid_filter("info,child=debug").is_ok());
        assert!(valid_filter("child=loud").is_err());
    }
}
