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
        .with_env_filter(filter);
    Ok(match log.format {
        LogFormat::Text => Box::new(builder.with_ansi(ansi).finish()),
        LogFormat::Json => Box::new(builder.json().flatten_event(true).finish()),
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
