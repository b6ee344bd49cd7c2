//! What can be typed about who clients are and what is theirs: the authorization server, scopes, and
//! variables of one principal's own server.
//!
//! They are flags like those of `cli`, in a struct of their own because that file is long.

use std::path::{Path, PathBuf};

use axum::http::HeaderName;
use clap::{ArgAction, Args};
use reqwest::Url;

use super::authority::is_loopback_host;
use super::child_env::is_protected;
use super::credentials::{self, CredentialsFile, HeaderVariable};
use super::machine::Machine;
use super::meaning::{ChildMode, Listen};
use super::pick::{Picked, Picker};
use super::scope::{Scope, ToolScope};

/// The flags as they were typed.
#[derive(Args, Default)]
pub(super) struct Access {
    /// The authorization server (OAuth 2.1, OpenID Connect) whose access tokens are taken, by its
    /// issuer URL
    #[arg(long, value_name = "URL", help_heading = "Who may come in")]
    pub(super) auth_issuer: Option<String>,
    /// An audience whose tokens are taken beside those for this server's own address; repeatable, or a
    /// comma list
    #[arg(long, value_name = "AUDIENCE", help_heading = "Who may come in", action = ArgAction::Append)]
    pub(super) auth_audience: Vec<String>,
    /// Where the authorization server's keys are, if its metadata does not say
    #[arg(long, value_name = "URL", help_heading = "Who may come in")]
    pub(super) auth_jwks_url: Option<String>,
    /// A scope every token must have, or `one|other` for either; repeatable, or a comma list
    #[arg(long, value_name = "SCOPE", help_heading = "Who may come in", action = ArgAction::Append)]
    pub(super) auth_scope: Vec<String>,
    /// The authorization server may be at a private address
    #[arg(long, help_heading = "Who may come in")]
    pub(super) auth_allow_private: bool,
    /// The address clients know this proxy by, as `https://mcp.example`; tokens are for it
    #[arg(long, value_name = "URL", help_heading = "Who may come in")]
    pub(super) public_url: Option<String>,
    /// A scope that calling such tools takes, as `delete_*=admin` or `get_*=read|admin`; repeatable,
    /// or a comma list
    #[arg(long, value_name = "GLOB=SCOPE", help_heading = "Who may come in", action = ArgAction::Append)]
    pub(super) tool_scope: Vec<String>,
    /// A JSON file of variables for each principal's own servers, `{"alice": {"NAME": "value"}}`; read
    /// again when it changes
    #[arg(long, value_name = "FILE", help_heading = "Who may come in")]
    pub(super) principal_env: Option<String>,
    /// A request header that becomes a variable of its client's own server, as `X-Api-Key=API_KEY`;
    /// repeatable, or a comma list
    #[arg(long, value_name = "HEADER=NAME", help_heading = "Who may come in", action = ArgAction::Append)]
    pub(super) header_env: Vec<String>,
}

/// The authorization server whose tokens are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// Its issuer identifier, letter by letter as its tokens name it.
    pub url: Url,
    /// The same as it was written: a URL may be printed with a slash that its tokens lack.
    pub name: String,
    /// Where its keys are; `None` where its metadata is to be asked.
    pub jwks_url: Option<Url>,
    /// Audiences that mean this server, beside its own addresses.
    pub audiences: Vec<String>,
    /// What every token must have.
    pub scopes: Vec<Scope>,
    /// Whether it may be at a private address.
    pub allow_private: bool,
    /// The address clients know this proxy by, without a slash at its end; `None` where it is the one
    /// that is listened on.
    pub public_url: Option<String>,
}

/// Reads the authorization server; `None` where there is none, or a fault was noted.
pub(super) fn issuer(pick: &mut Picker<'_>, typed: &Access, listen: &Listen) -> Option<Issuer> {
    let audiences = pick.list("auth-audience", &typed.auth_audience);
    let scopes = scopes(pick, typed);
    let allow_private = pick.switch("auth-allow-private", typed.auth_allow_private);
    let jwks = pick.text("auth-jwks-url", typed.auth_jwks_url.as_ref());
    let jwks_url = jwks.as_ref().and_then(|jwks| server_url(pick, jwks));
    let public = pick.text("public-url", typed.public_url.as_ref());
    let public_url = public.as_ref().and_then(|public| public_url(pick, public));
    let Some(picked) = pick.text("auth-issuer", typed.auth_issuer.as_ref()) else {
        let unused = [
            ("--auth-audience", !audiences.is_empty()),
            ("--auth-scope", !scopes.is_empty()),
            ("--auth-jwks-url", jwks.is_some()),
            ("--auth-allow-private", allow_private),
        ];
        for (flag, _) in unused.iter().filter(|(_, given)| *given) {
            pick.notes.fault(format!(
                "{flag} is of no use without --auth-issuer, which names the authorization server"
            ));
        }
        return None;
    };
    let url = server_url(pick, &picked);
    if public.is_none() && !listen.is_loopback() {
        pick.notes.fault(format!(
            "{} needs --public-url, the address clients know this proxy by: tokens are for it, and \
             {} is not one",
            picked.source, listen.host
        ));
    }
    let url = url?;
    if url.query().is_some() {
        pick.wrong(&picked, "not an issuer: it has no query (RFC 8414)");
        return None;
    }
    Some(Issuer {
        name: picked.text,
        url,
        jwks_url,
        audiences: audiences.into_iter().map(|picked| picked.text).collect(),
        scopes,
        allow_private,
        public_url,
    })
}

fn scopes(pick: &mut Picker<'_>, typed: &Access) -> Vec<Scope> {
    let mut scopes = Vec::new();
    for picked in pick.list("auth-scope", &typed.auth_scope) {
        match Scope::parse(&picked.text) {
            Some(scope) => scopes.push(scope),
            None => pick.wrong(&picked, "not a scope (mcp:use, or read|admin for either)"),
        }
    }
    scopes
}

/// The address of an authorization server, or of its keys: https, or http on this machine.
fn server_url(pick: &mut Picker<'_>, picked: &Picked) -> Option<Url> {
    let url = Url::parse(&picked.text).ok().filter(is_plain);
    let Some(url) = url else {
        pick.wrong(picked, "not an address (https://login.example)");
        return None;
    };
    let host = url.host_str().unwrap_or_default();
    match url.scheme() {
        "https" => Some(url),
        "http" if is_loopback_host(host.trim_matches(['[', ']'])) => Some(url),
        _ => {
            pick.wrong(
                picked,
                "not https: whoever sits on the way could make keys of its own",
            );
            None
        }
    }
}

/// The address of this proxy, as a prefix of those of its endpoints.
fn public_url(pick: &mut Picker<'_>, picked: &Picked) -> Option<String> {
    let url = Url::parse(&picked.text).ok().filter(is_plain);
    let url = url.filter(|url| url.query().is_none() && matches!(url.scheme(), "http" | "https"));
    match url {
        Some(url) => Some(url.as_str().trim_end_matches('/').to_owned()),
        None => {
            pick.wrong(picked, "not an address (https://mcp.example)");
            None
        }
    }
}

fn is_plain(url: &Url) -> bool {
    let nobody = url.username().is_empty() && url.password().is_none();
    nobody && url.has_host() && url.fragment().is_none()
}

/// Which tools take which scope.
pub(super) fn tool_scopes(
    pick: &mut Picker<'_>,
    typed: &Access,
    issuer: Option<&Issuer>,
) -> Vec<ToolScope> {
    let mut scopes = Vec::new();
    for picked in pick.list("tool-scope", &typed.tool_scope) {
        let pair = picked.text.split_once('=');
        let read = pair.and_then(|(glob, scope)| {
            let glob = glob.trim();
            let scope = Scope::parse(scope.trim())?;
            (!glob.is_empty()).then(|| ToolScope {
                glob: glob.to_owned(),
                scope,
            })
        });
        match read {
            Some(scope) => scopes.push(scope),
            None => pick.wrong(&picked, "not GLOB=SCOPE (delete_*=admin)"),
        }
    }
    if issuer.is_none() && !scopes.is_empty() && typed.auth_issuer.is_none() {
        pick.notes.fault(
            "--tool-scope is of no use without --auth-issuer: only an authorization server gives \
             scopes; --deny-tool takes a tool from everybody",
        );
    }
    scopes
}

/// Variables of one principal's, or one client's, own servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// What each principal's servers are given.
    pub credentials: Option<CredentialsFile>,
    /// What a client's own server is given of its request headers.
    pub headers: Vec<HeaderVariable>,
}

/// Reads what servers are given that are one principal's own.
pub(super) fn own(
    pick: &mut Picker<'_>,
    typed: &Access,
    child_mode: ChildMode,
    machine: &dyn Machine,
) -> Own {
    let file = pick.text("principal-env", typed.principal_env.as_ref());
    let headers = headers(pick, typed);
    let flags = [
        ("--principal-env", file.is_some()),
        ("--header-env", !headers.is_empty()),
    ];
    if child_mode == ChildMode::Shared {
        for (flag, _) in flags.iter().filter(|(_, given)| *given) {
            pick.notes.fault(format!(
                "{flag} needs servers that are one principal's own, and --child-mode shared has one \
                 for all; leave one out"
            ));
        }
    }
    let credentials = file.and_then(|file| {
        let path: PathBuf = Path::new(&file.text).to_owned();
        let text = machine
            .read_text(&path)
            .map_err(|error| format!("{}: {path:?} cannot be read: {error}", file.source));
        let text = pick.notes.keep(text)?;
        let read = credentials::parse(&text).map_err(|faults| {
            let sentences = faults.iter();
            let sentences = sentences.map(|fault| format!("{}: {path:?}: {fault}", file.source));
            sentences.collect::<Vec<_>>()
        });
        match read {
            Ok(entries) => Some(CredentialsFile { path, entries }),
            Err(faults) => {
                for fault in faults {
                    pick.notes.fault(fault);
                }
                None
            }
        }
    });
    Own {
        credentials,
        headers,
    }
}

/// Headers whose values are never a server's: what authenticates a client to the proxy (MCP
/// authorization, "Token Handling"), and what belongs to the connection or the protocol.
const KEPT_HEADERS: [&str; 13] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "host",
    "origin",
    "content-type",
    "content-length",
    "transfer-encoding",
    "connection",
    "upgrade",
    "te",
    "accept",
    "last-event-id",
];

fn headers(pick: &mut Picker<'_>, typed: &Access) -> Vec<HeaderVariable> {
    let mut headers: Vec<HeaderVariable> = Vec::new();
    for picked in pick.list("header-env", &typed.header_env) {
        let pair = picked.text.split_once('=');
        let pair = pair.and_then(|(header, name)| {
            let header = HeaderName::try_from(header.trim()).ok()?;
            Some((header, name.trim()))
        });
        let Some((header, name)) = pair else {
            pick.wrong(&picked, "not HEADER=NAME (X-Api-Key=API_KEY)");
            continue;
        };
        let kept = KEPT_HEADERS.contains(&header.as_str()) || header.as_str().starts_with("mcp-");
        let fragment = if kept {
            format!(
                "refused: the header {header} is between the client and the proxy, and no server's"
            )
        } else if !credentials::is_variable(name) {
            "without a variable's name (letters, digits and _, not beginning with a digit)".into()
        } else if is_protected(name) {
            format!(
                "refused: {name} decides what runs and how, so no client may set it; give it with -e"
            )
        } else if headers
            .iter()
            .any(|known| known.header == header || known.name == name)
        {
            "there twice: one header makes one variable".into()
        } else {
            headers.push(HeaderVariable {
                header,
                name: name.to_owned(),
            });
            continue;
        };
        pick.wrong(&picked, &fragment);
    }
    headers
}
