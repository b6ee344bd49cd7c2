//! How one record of the log looks: one line, whatever is in it.
//!
//! A record says what happened, and to whom: the fields of the spans it happened in (`server`,
//! `child`, `session`, `principal`, `request`) stand on it beside its own, so that one search finds
//! everything about one of them. In JSON they are members of one flat object, an inner span's before an
//! outer one's; in text they follow the record's own words.
//!
//! Foreign text is escaped where it is logged. Should that ever be forgotten, it is escaped here: no
//! text can end a line early, begin a record of its own, or give a terminal orders.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use super::escape::escape;
use super::timestamp;

/// How much of a label is shown in text, in bytes.
const MAX_LABEL: usize = 200;

/// What stands on every record: `service`, `version` and `environment`, as far as they are known.
type Labels = [(&'static str, String)];

/// One readable line a record.
pub(super) struct Text {
    coloured: bool,
    /// The labels as they are written, each with a space before it.
    labels: String,
}

impl Text {
    pub(super) fn new(labels: &Labels, coloured: bool) -> Self {
        let labels = labels
            .iter()
            .map(|(name, value)| format!(" {name}={}", escape(value.as_bytes(), MAX_LABEL)))
            .collect();
        Self { coloured, labels }
    }
}

impl<S, N> FormatEvent<S, N> for Text
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let mut said = String::new();
        context.format_fields(Writer::new(&mut said), event)?;
        for span in context
            .event_scope()
            .into_iter()
            .flat_map(|scope| scope.from_root())
        {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<N>>();
            if let Some(fields) = fields.filter(|fields| !fields.is_empty()) {
                write!(said, " {}", fields.fields)?;
            }
        }
        let time = timestamp();
        let level = metadata.level();
        let (dim, colour, plain) = match (self.coloured, *level) {
            (false, _) => ("", "", ""),
            (_, Level::ERROR) => ("\x1b[2m", "\x1b[31m", "\x1b[0m"),
            (_, Level::WARN) => ("\x1b[2m", "\x1b[33m", "\x1b[0m"),
            (_, Level::INFO) => ("\x1b[2m", "\x1b[32m", "\x1b[0m"),
            (_, Level::DEBUG) => ("\x1b[2m", "\x1b[34m", "\x1b[0m"),
            (_, Level::TRACE) => ("\x1b[2m", "\x1b[35m", "\x1b[0m"),
        };
        writeln!(
            writer,
            "{dim}{time}{plain} {colour}{level:>5}{plain} {dim}{}:{plain} {}{}",
            metadata.target(),
            one_line(&said),
            self.labels,
        )
    }
}

/// One JSON object a line.
pub(super) struct Json {
    labels: Vec<(&'static str, Value)>,
}

impl Json {
    pub(super) fn new(labels: &Labels) -> Self {
        let labels = labels.iter();
        Self {
            labels: labels
                .map(|(name, value)| (*name, value.as_str().into()))
                .collect(),
        }
    }
}

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut members = Members::default();
        for span in context
            .event_scope()
            .into_iter()
            .flat_map(|scope| scope.from_root())
        {
            let extensions = span.extensions();
            if let Some(fields) = extensions.get::<FormattedFields<N>>()
                && let Ok(Value::Object(fields)) = serde_json::from_str(&fields.fields)
            {
                members.0.extend(fields);
            }
        }
        event.record(&mut members);
        let time = timestamp();
        let metadata = event.metadata();
        for (name, value) in [
            ("timestamp", time.into()),
            ("level", metadata.level().as_str().into()),
            ("target", metadata.target().into()),
        ] {
            members.0.insert(name.to_owned(), value);
        }
        for (name, value) in &self.labels {
            members.0.insert((*name).to_owned(), value.clone());
        }
        for c in Value::Object(members.0).to_string().chars() {
            // JSON leaves these as they are, and a terminal may not (ECMA-48, C1 controls).
            match c.is_control() {
                true => write!(writer, "\\u{:04x}", u32::from(c))?,
                false => writer.write_char(c)?,
            }
        }
        writer.write_char('\n')
    }
}

/// The members of a record.
#[derive(Default)]
struct Members(Map<String, Value>);

impl Members {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Members {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}

/// The text without what would end its line or reach a terminal as an order.
fn one_line(text: &str) -> Cow<'_, str> {
    if text.contains(char::is_control) {
        Cow::Owned(escape(text.as_bytes(), text.len()))
    } else {
        Cow::Borrowed(text)
    }
}
