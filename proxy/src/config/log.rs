//! What is written to standard error, and in which form.

use crate::observe::log::valid_filter;
use crate::policy::audit::AuditSettings;

use super::cli::Typed;
use super::meaning::{Log, LogFormat, LogLevel};
use super::pick::Picker;

/// What is logged, and how.
pub(super) fn read(pick: &mut Picker<'_>, typed: &Typed) -> Log {
    let levels = [
        ("off", LogLevel::Off),
        ("error", LogLevel::Error),
        ("warn", LogLevel::Warn),
        ("info", LogLevel::Info),
        ("debug", LogLevel::Debug),
        ("trace", LogLevel::Trace),
        // What Python programs call it.
        ("warning", LogLevel::Warn),
        ("critical", LogLevel::Error),
    ];
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    let level = pick.choice(
        "log-level",
        typed.log_level.as_ref(),
        LogLevel::Info,
        &levels,
    );
    let debug = pick.switch("debug", typed.debug);
    let filter = pick.variable("MCP_PROXY_LOG");
    if let Some(picked) = &filter
        && let Err(fault) = valid_filter(&picked.text)
    {
        pick.wrong(
            picked,
            &format!("not a list of log directives like info,child=debug ({fault})"),
        );
    }
    let environment = pick.variable("ENVIRONMENT").map(|picked| picked.text);
    // Whoever sets it so has machines that read the log.
    let format = match environment.as_deref() {
        Some("production") => LogFormat::Json,
        _ => LogFormat::Text,
    };
    let labels = [("service", "SERVICE_NAME"), ("version", "VERSION")];
    let labels = labels.map(|(label, name)| (label, pick.variable(name).map(|picked| picked.text)));
    let labels = labels.into_iter().chain([("environment", environment)]);
    Log {
        labels: labels
            .filter_map(|(label, value)| Some((label, value?)))
            .collect(),
        level: if debug {
            level.max(LogLevel::Debug)
        } else {
            level
        },
        filter: filter.map(|picked| picked.text),
        format: pick.choice("log-format", typed.log_format.as_ref(), format, &formats),
        show_child_stderr: !pick.switch("quiet-child", typed.quiet_child),
    }
}

/// Where calls are written down.
pub(super) fn audit(pick: &mut Picker<'_>, typed: &Typed) -> Option<AuditSettings> {
    let picked = pick.text("audit", typed.audit.as_ref());
    let arguments = pick.switch("audit-arguments", typed.audit_arguments);
    if arguments && picked.is_none() {
        pick.notes
            .warn("--audit-arguments has no effect without --audit");
    }
    picked.map(|picked| AuditSettings {
        file: (picked.text != "-").then(|| picked.text.into()),
        arguments,
    })
}
