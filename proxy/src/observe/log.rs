//! The log: where it goes, how it looks, and how foreign bytes become one harmless line.
//!
//! Standard output belongs to the protocol, so everything goes to standard error. Which records are
//! shown is decided once, at start.

use std::io::{self, IsTerminal as _};

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::escape::escape;
use crate::config::{Log, LogFormat, LogLevel};

/// How much of a label is shown in text, in bytes.
const MAX_LABEL: usize = 200;

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
        .with_writer(Labelled::new(log, writer))
        .with_env_filter(filter);
    Ok(match log.format {
        LogFormat::Text => Box::new(builder.with_ansi(ansi).finish()),
        LogFormat::Json => Box::new(builder.json().flatten_event(true).finish()),
    })
}

/// Puts the labels on every record: before its other members, or at the end of its line.
///
/// The formatter writes a record with one call, so a record is told by its beginning.
struct Labelled<W> {
    writer: W,
    /// What follows the brace of a record in JSON.
    members: String,
    /// What precedes the end of a line of text.
    words: String,
}

impl<W> Labelled<W> {
    fn new(log: &Log, writer: W) -> Self {
        let (mut members, mut words) = (String::new(), String::new());
        for (name, value) in &log.labels {
            match log.format {
                LogFormat::Json => {
                    members.push_str(&format!(
                        "\"{name}\":{},",
                        serde_json::Value::from(value.as_str())
                    ));
                }
                LogFormat::Text => {
                    words.push_str(&format!(" {name}={}", escape(value.as_bytes(), MAX_LABEL)));
                }
            }
        }
        Self {
            writer,
            members,
            words,
        }
    }
}

impl<'writer, W: MakeWriter<'writer>> MakeWriter<'writer> for Labelled<W> {
    type Writer = LabelledRecord<'writer, W::Writer>;

    fn make_writer(&'writer self) -> Self::Writer {
        LabelledRecord {
            writer: self.writer.make_writer(),
            members: &self.members,
            words: &self.words,
        }
    }
}

struct LabelledRecord<'a, W> {
    writer: W,
    members: &'a str,
    words: &'a str,
}

impl<W: io::Write> io::Write for LabelledRecord<'_, W> {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        if self.members.is_empty() && self.words.is_empty() {
            return self.writer.write(record);
        }
        let mut whole = Vec::with_capacity(record.len() + self.members.len() + self.words.len());
        match (record.strip_prefix(b"{"), record.strip_suffix(b"\n")) {
            (Some(rest), _) if !self.members.is_empty() => {
                whole.push(b'{');
                whole.extend_from_slice(self.members.as_bytes());
                whole.extend_from_slice(rest);
            }
            (_, Some(line)) => {
                whole.extend_from_slice(line);
                whole.extend_from_slice(self.words.as_bytes());
                whole.push(b'\n');
            }
            _ => whole.extend_from_slice(record),
        }
        self.writer.write_all(&whole)?;
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
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
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

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

    #[test]
    fn directives_are_checked() {
        assert!(valid_filter("info,child=debug").is_ok());
        assert!(valid_filter("child=loud").is_err());
    }
}
