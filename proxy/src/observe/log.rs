//! The log: where it goes and which records are in it. How one looks is `record.rs`'.
//!
//! Standard output belongs to the protocol, so everything goes to standard error. Which records are
//! shown is decided once, at start.

use std::io::{self, IsTerminal as _};

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::record::{Json, Text};
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
        .with_env_filter(filter)
        // What is coloured is ours to say: fields are foreign.
        .with_ansi(false);
    Ok(match log.format {
        LogFormat::Text => Box::new(builder.event_format(Text::new(&log.labels, ansi)).finish()),
        LogFormat::Json => Box::new(
            builder
                .fmt_fields(JsonFields::new())
                .event_format(Json::new(&log.labels))
                .finish(),
        ),
    })
}

fn level(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    /// Keeps what is logged.
    #[derive(Clone, Default)]
    pub(in crate::observe) struct Sink(pub(in crate::observe) Arc<Mutex<Vec<u8>>>);

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
        labels: Vec::new(),
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
    fn labels_stand_on_every_record_and_cannot_forge_one() {
        let labels = || {
            vec![
                ("service", "a\"b\n{c}".to_owned()),
                ("environment", "test".to_owned()),
            ]
        };
        let text = written(&Log {
            format: LogFormat::Json,
            level: LogLevel::Debug,
            labels: labels(),
            ..LOG
        });
        assert_eq!(text.lines().count(), 3, "{text}");
        for line in text.lines() {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(record["service"], "a\"b\n{c}");
            assert_eq!(record["environment"], "test");
            assert!(record["message"].is_string(), "{line}");
        }
        let text = written(&Log {
            labels: labels(),
            ..LOG
        });
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(
            text.ends_with(" service=a\"b\\n{c} environment=test\n"),
            "{text}"
        );
    }

    fn in_spans(format: LogFormat, ansi: bool) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let log = Log { format, ..LOG };
        let subscriber = subscriber(&log, move || writer.clone(), ansi).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            let session = tracing::info_span!("session", session = "3f9a", principal = "alice");
            let _session = session.enter();
            let child = tracing::info_span!("child", child = tracing::field::Empty, server = "toy");
            child.record("child", 7);
            let _unseen = tracing::debug_span!("call", request = 1).entered();
            tracing::warn!(target: "child", parent: &child, count = 2, "slow");
        });
        String::from_utf8(sink.0.lock().clone()).unwrap()
    }

    #[test]
    fn a_record_says_whose_it_is() {
        let record: serde_json::Value =
            serde_json::from_str(&in_spans(LogFormat::Json, false)).unwrap();
        for (name, value) in [
            ("message", "slow".into()),
            ("level", "WARN".into()),
            ("count", 2.into()),
            ("child", 7.into()),
            ("server", "toy".into()),
            ("session", "3f9a".into()),
            ("principal", serde_json::Value::from("alice")),
        ] {
            assert_eq!(record[name], value, "{record}");
        }
        assert!(record.get("request").is_none(), "{record}");
        let text = in_spans(LogFormat::Text, false);
        let words = r#"child: slow count=2 session="3f9a" principal="alice" server="toy" child=7"#;
        assert!(text.ends_with(&format!("{words}\n")), "{text}");
        let coloured = in_spans(LogFormat::Text, true);
        assert!(coloured.contains("\x1b[33m WARN\x1b[0m"), "{coloured:?}");
    }

    #[test]
    fn no_text_forges_a_record_or_orders_a_terminal() {
        let hostile = "a\n2026-01-01T00:00:00Z  WARN child: forged\r\x1b[2J\u{9b}";
        for format in [LogFormat::Text, LogFormat::Json] {
            let sink = Sink::default();
            let writer = sink.clone();
            let log = Log { format, ..LOG };
            let subscriber = subscriber(&log, move || writer.clone(), true).unwrap();
            tracing::subscriber::with_default(subscriber, || {
                let span = tracing::info_span!("x", shown = %hostile, spelled = ?hostile);
                tracing::info!(parent: &span, plain = hostile, shown = %hostile, "{hostile}");
            });
            let text = String::from_utf8(sink.0.lock().clone()).unwrap();
            assert_eq!(text.lines().count(), 1, "{text:?}");
            let line = text.trim_end_matches('\n');
            // The colours are ours.
            assert!(
                !line.contains(['\r', '\u{9b}']) && !line.contains("\x1b[2J"),
                "{text:?}"
            );
        }
    }

    #[test]
    fn directives_are_checked() {
        assert!(valid_filter("info,child=debug").is_ok());
        assert!(valid_filter("child=loud").is_err());
    }
}
