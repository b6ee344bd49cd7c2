//! Flags of the other bridges people come from, in our own words.
//!
//! Three programs taught people their command lines: sparfenyuk's `mcp-proxy` (Python),
//! supergateway, and punkpeye's `mcp-proxy` (npm). A spelling of theirs that is not one of ours
//! stands in one table, [`ROWS`], with how many words it takes and what becomes of it, and is
//! translated before clap sees the line. It does what it says, or it is refused with a sentence that
//! names our flag or says that it is not there: silence would be a promise. A plain number keeps
//! their unit.

use super::cli::{self, Takes};
use super::faults::Notes;

/// One spelling.
struct Row {
    /// As their manual writes it. Where that is `--camelCase`, `--kebab-case` is read too, because
    /// theirs (yargs) does.
    spelling: &'static str,
    takes: Takes,
    becomes: Becomes,
}

/// What becomes of a flag, or of one of its values.
#[derive(Clone, Copy)]
enum Becomes {
    /// Our flag of this name, with the same value.
    Same(&'static str),
    /// Our flag of this name. Where no value was typed it is this one.
    SameOr(&'static str, &'static str),
    /// Our flag of this name. The value is a number of milliseconds.
    Millis(&'static str),
    /// Our flag of this name, with this value; a switch has none.
    Is(&'static str, Option<&'static str>),
    /// Our switch of this name is off, whatever its variable says.
    Off(&'static str),
    /// The value is the whole command of the server.
    Command,
    /// It depends on the value, and no other is taken.
    OneOf(&'static [(&'static str, Self)]),
    /// It is so already.
    Already,
    /// Why it is not taken. Their value is never repeated: some are credentials.
    Refused(&'static str),
}

use Becomes::{Already, Command, Is, Millis, Off, OneOf, Refused, Same, SameOr};
use Takes::{Nothing, One, Pair, Several};

/// Flags that choose or shape HTTP+SSE, which is always served, beside Streamable HTTP.
const HTTP_SSE: Becomes = Already;
const CLIENT: Becomes =
    Refused("it belongs to offering a remote server to a local client, which is not there yet");
const CLIENT_TLS: Becomes =
    Refused("certificates of clients are not asked for; tokens say who somebody is");
const TUNNEL: Becomes = Refused("there is no tunnel; point one of your own at --port");
const KEY: Becomes = Refused(
    "a key is not taken from a command line, which every user of this machine can read; set \
     MCP_PROXY_AUTH_TOKEN, and clients send it as Authorization: Bearer",
);
const MODERN: Becomes =
    Refused("the revision 2026-07-28 is not there yet; leave it out to speak the earlier ones");
const RESPONSE_HEADERS: Becomes = Refused(
    "headers cannot be added to answers; a variable for the server is -e KEY=VALUE, and the token of \
     clients is MCP_PROXY_AUTH_TOKEN",
);

const fn row(spelling: &'static str, takes: Takes, becomes: Becomes) -> Row {
    Row {
        spelling,
        takes,
        becomes,
    }
}

/// Every spelling, program by program. What a program shares with us is not here.
const ROWS: &[Row] = &[
    // sparfenyuk/mcp-proxy.
    row("--sse-port", One, Same("port")),
    row("--sse-host", One, Same("host")),
    row("--no-pass-environment", Nothing, Is("clean-env", None)),
    row("--no-stateless", Nothing, Off("stateless")),
    row("--no-debug", Nothing, Off("debug")),
    row("-H", Pair, CLIENT),
    row("--headers", Pair, CLIENT),
    row("--transport", One, CLIENT),
    row("--verify-ssl", Nothing, CLIENT),
    row("--no-verify-ssl", Nothing, CLIENT),
    row("--client-id", One, CLIENT),
    row("--client-secret", One, CLIENT),
    row("--token-url", One, CLIENT),
    row("--username", One, CLIENT),
    row("--password", One, CLIENT),
    row("--digest", Nothing, CLIENT),
    // supergateway.
    row("--stdio", One, Command),
    row("--sse", One, CLIENT),
    row("--streamableHttp", One, CLIENT),
    row(
        "--outputTransport",
        One,
        OneOf(&[
            ("streamableHttp", Already),
            ("sse", HTTP_SSE),
            (
                "ws",
                Refused(
                    "WebSocket is not there, because no revision of the protocol has it; --outputTransport streamableHttp is",
                ),
            ),
            ("stdio", CLIENT),
        ]),
    ),
    row("--streamableHttpPath", One, Same("mcp-path")),
    row("--ssePath", One, OneOf(&[("/sse", HTTP_SSE)])),
    // Where the stream tells its client to post to; the client asks nobody else.
    row("--messagePath", One, HTTP_SSE),
    // What the stream puts before that path. Ours is relative to the address the client used.
    row("--baseUrl", One, Already),
    row("--stateful", Nothing, Off("stateless")),
    row("--sessionTimeout", One, Millis("session-idle-timeout")),
    row("--healthEndpoint", One, Same("health-path")),
    row(
        "--logLevel",
        One,
        OneOf(&[
            ("debug", Is("log-level", Some("debug"))),
            ("info", Is("log-level", Some("info"))),
            ("none", Is("log-level", Some("off"))),
        ]),
    ),
    // Alone it means every page.
    row("--cors", Several, SameOr("allow-origin", "*")),
    row("--header", One, RESPONSE_HEADERS),
    row("--oauth2Bearer", One, RESPONSE_HEADERS),
    row(
        "--protocolVersion",
        One,
        Refused(
            "the version is agreed on by the client and the server, so none is set here; leave it out",
        ),
    ),
    // punkpeye/mcp-proxy.
    row(
        "--server",
        One,
        OneOf(&[("stream", Already), ("sse", HTTP_SSE)]),
    ),
    row("--endpoint", One, Same("mcp-path")),
    row("--streamEndpoint", One, Same("mcp-path")),
    row("--sseEndpoint", One, OneOf(&[("/sse", HTTP_SSE)])),
    row("--apiKey", One, KEY),
    row("--modern", Nothing, MODERN),
    row("--no-modern", Nothing, Already),
    row(
        "--upstreamProtocol",
        One,
        OneOf(&[("legacy", Already), ("auto", MODERN), ("modern", MODERN)]),
    ),
    row("--connectionTimeout", One, Millis("start-timeout")),
    row("--requestTimeout", One, Millis("request-timeout")),
    row("--sessionIdleTimeout", One, Millis("session-idle-timeout")),
    row("--gracefulShutdownTimeout", One, Millis("drain-timeout")),
    row(
        "--keepAliveTimeout",
        One,
        Refused(
            "how long an idle connection is kept is not a setting; --keep-alive is the time between comments on a silent stream",
        ),
    ),
    row("--eventStore", Nothing, Already),
    row("--no-eventStore", Nothing, Is("replay-bytes", Some("0"))),
    row(
        "--eventStoreMaxEvents",
        One,
        Refused(
            "events kept for a client that comes back are bounded in bytes: --replay-bytes SIZE",
        ),
    ),
    row("--maxBodySize", One, Same("max-body-size")),
    row(
        "--shell",
        Nothing,
        Refused("no shell is run; leave it out, or make the command sh -c '…' if it needs one"),
    ),
    row("--sslCert", One, Same("tls-cert")),
    row("--sslKey", One, Same("tls-key")),
    row("--sslCa", One, CLIENT_TLS),
    row("--corsAddAllowedHeader", Several, Same("cors-header")),
    row("--tunnel", Nothing, TUNNEL),
    row("--tunnelSubdomain", One, TUNNEL),
];

/// Variables of theirs that must not be passed over in silence, and why they are not read: without
/// the first, who set it would have a server that anyone may call.
const VARIABLES: [(&str, &str); 1] = [(
    "MCP_PROXY_API_KEY",
    "keys in an X-API-Key header are not there; set MCP_PROXY_AUTH_TOKEN, and clients send it as \
     Authorization: Bearer",
)];

/// Why a variable of another program is not read, if it must not be passed over.
pub(super) fn refused_variable(name: &str) -> Option<&'static str> {
    let known = VARIABLES.iter().find(|(known, _)| *known == name)?;
    Some(known.1)
}

/// How many words a spelling of theirs takes; `None` when it is none.
pub(super) fn takes(flag: &str) -> Option<Takes> {
    find(flag).map(|row| row.takes)
}

fn find(flag: &str) -> Option<&'static Row> {
    ROWS.iter()
        .find(|row| row.spelling == flag || kebab(row.spelling) == flag)
}

/// `--sessionTimeout` as `--session-timeout`.
fn kebab(spelling: &str) -> String {
    let mut kebab = String::with_capacity(spelling.len() + 2);
    for letter in spelling.chars() {
        // `-H` is a letter of its own.
        if letter.is_ascii_uppercase() && spelling.starts_with("--") {
            kebab.push('-');
        }
        kebab.push(if spelling.starts_with("--") {
            letter.to_ascii_lowercase()
        } else {
            letter
        });
    }
    kebab
}

/// What their flags said, in our words.
#[derive(Default)]
pub(super) struct Translated {
    /// All flags, ours and theirs, each one word, as clap reads them.
    pub(super) flags: Vec<String>,
    /// What `--stdio` said.
    pub(super) command: Option<String>,
    /// How each of our flags that came from one of theirs was really typed.
    pub(super) spelled: Vec<(&'static str, &'static str)>,
    /// Switches that were turned off, and how that was typed.
    pub(super) off: Vec<(&'static str, &'static str)>,
    /// Flags whose sentence was said; a flag with several values needs it once.
    refused: Vec<&'static str>,
}

impl Translated {
    /// How a flag of ours was typed, with its dashes.
    pub(super) fn spelling(&self, flag: &str) -> String {
        let theirs = self.spelled.iter().rev().find(|(ours, _)| *ours == flag);
        theirs.map_or_else(|| format!("--{flag}"), |(_, theirs)| (*theirs).to_owned())
    }

    /// How a switch of ours was turned off, if it was.
    pub(super) fn turned_off(&self, flag: &str) -> Option<&'static str> {
        let off = self.off.iter().find(|(ours, _)| *ours == flag)?;
        Some(off.1)
    }

    fn take(
        &mut self,
        becomes: Becomes,
        theirs: &'static str,
        value: Option<&str>,
        notes: &mut Notes,
    ) {
        match (becomes, value) {
            (Refused(_), _) if self.refused.contains(&theirs) => {}
            (Refused(why), _) => {
                self.refused.push(theirs);
                notes.fault(format!("{theirs}: {why}"));
            }
            (Already, _) => {}
            (Is(ours, fixed), _) => self.push(ours, theirs, fixed),
            (Off(ours), _) => {
                let on = format!("--{ours}");
                self.flags.retain(|flag| *flag != on);
                self.off.push((ours, theirs));
            }
            (Same(_) | Millis(_) | Command | OneOf(_), None) => {
                notes.fault(format!("{theirs} needs a value"));
            }
            (Same(ours), value) => self.push(ours, theirs, value),
            (SameOr(ours, fallback), value) => {
                self.push(ours, theirs, Some(value.unwrap_or(fallback)));
            }
            (Millis(ours), Some(value)) => {
                let number = value.trim();
                if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
                    self.push(ours, theirs, Some(&format!("{number}ms")));
                } else {
                    notes.fault(format!(
                        "{theirs}: {value:?} is not a number of milliseconds (--{ours} takes units)"
                    ));
                }
            }
            (Command, Some(value)) => self.command = Some(value.to_owned()),
            (OneOf(choices), Some(value)) => {
                match choices.iter().find(|(word, _)| *word == value) {
                    Some((_, becomes)) => self.take(*becomes, theirs, Some(value), notes),
                    None => {
                        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
                        notes.fault(format!(
                            "{theirs}: {value:?} is not one of {}",
                            words.join(", ")
                        ));
                    }
                }
            }
        }
    }

    fn push(&mut self, ours: &'static str, theirs: &'static str, value: Option<&str>) {
        self.spelled.push((ours, theirs));
        self.flags.push(match value {
            Some(value) => format!("--{ours}={value}"),
            None => format!("--{ours}"),
        });
    }
}

/// Translates flags that `argv` has cut. What is not theirs passes.
pub(super) fn translate(
    command: &clap::Command,
    flags: Vec<String>,
    notes: &mut Notes,
) -> Translated {
    let mut translated = Translated::default();
    for flag in flags {
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (flag.as_str(), None),
        };
        let ours = cli::takes(command, name).is_some();
        // Alone it is ours, and with a command in the same word it is theirs.
        let shared = |row: &Row| matches!(row.becomes, Command) && value.is_some();
        match find(name).filter(|row| !ours || shared(row)) {
            None => {
                // Typed last, ours wins over theirs.
                let on = name.strip_prefix("--").unwrap_or_default();
                translated.off.retain(|(off, _)| *off != on);
                translated.spelled.retain(|(spelled, _)| *spelled != on);
                translated.flags.push(flag);
            }
            Some(row) => match (row.takes, row.becomes, value) {
                // Their parser takes `--stateful=true`; a switch with any other value is a slip.
                (Nothing, Is(..) | Off(_) | Already, Some(value)) if value != "true" => {
                    notes.fault(format!("{} is a switch and takes no value", row.spelling));
                }
                (_, becomes, value) => translated.take(becomes, row.spelling, value, notes),
            },
        }
    }
    translated
}

#[cfg(test)]
mod tests;
