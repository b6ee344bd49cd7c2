//! Who may come in: the token policy of rule 11, and the names a request may carry.

use std::path::Path;

use axum::http::HeaderName;

use super::access;
use super::authority::{Authority, Origin, normal_host};
use super::certificate::{Certificate, Pair};
use super::cli::Typed;
use super::machine::Machine;
use super::meaning::{Door, Listen, TokenPolicy};
use super::network::{Network, Rate};
use super::paths;
use super::pick::{Picked, Picker};
use super::roster::{Roster, UNNAMED};
use super::secret::{SHORT_SECRET_BYTES, Secret};

/// Reads the door of a proxy that will listen there. `None` when no token policy could be settled.
pub(super) fn read(
    pick: &mut Picker<'_>,
    typed: &Typed,
    listen: &Listen,
    machine: &dyn Machine,
) -> Option<Door> {
    let allow_hosts = hosts(pick, typed);
    let allow_origins = origins(pick, typed);
    let cors_headers = names(pick, "cors-header", &typed.cors_header);
    let expose_headers = names(pick, "expose-header", &typed.expose_header);
    if allow_origins.is_empty() && !(cors_headers.is_empty() && expose_headers.is_empty()) {
        pick.notes.warn(
            "--cors-header and --expose-header are for the pages that --allow-origin names, and it \
             names none",
        );
    }
    let health_paths = paths::health(pick, typed, &listen.mcp_path);
    let rate = rate(pick, typed);
    let max_in_flight = typed.max_in_flight.as_ref();
    let is_capped = pick.text("max-in-flight", max_in_flight).is_some();
    let max_in_flight = is_capped.then(|| pick.count("max-in-flight", max_in_flight, 1));
    let trusted_proxies = networks(pick, typed);
    let require_https = pick.switch("require-https", typed.require_https);
    let before = pick.notes.count();
    let tls = tls(pick, typed, machine);
    let is_plain = tls.is_none() && pick.notes.count() == before;
    if require_https && is_plain && trusted_proxies.is_empty() {
        pick.notes.fault(
            "--require-https would refuse everything: nothing comes by https without --tls-cert, or \
             a proxy before this one that --trusted-proxies names",
        );
    }
    let issuer = access::issuer(pick, &typed.access, listen);
    let tokens = tokens(pick, typed, listen, machine)?;
    Some(Door {
        tokens,
        allow_hosts,
        allow_origins,
        health_paths,
        cors_headers,
        expose_headers,
        rate,
        max_in_flight,
        trusted_proxies,
        require_https,
        tls,
        issuer,
    })
}

fn tokens(
    pick: &mut Picker<'_>,
    typed: &Typed,
    listen: &Listen,
    machine: &dyn Machine,
) -> Option<TokenPolicy> {
    if typed.auth_token.is_some() {
        pick.notes.fault(
            "--auth-token is not taken, because every user of this machine can read a command line; \
             set MCP_PROXY_AUTH_TOKEN, or name a file with --auth-token-file",
        );
        return None;
    }
    let open = pick.switch("allow-unauthenticated", typed.allow_unauthenticated);
    let places = [
        pick.variable("MCP_PROXY_AUTH_TOKEN"),
        pick.variable("MCP_PROXY_AUTH_TOKENS"),
        pick.text("auth-token-file", typed.auth_token_file.as_ref()),
    ];
    let set: Vec<&str> = places
        .iter()
        .flatten()
        .map(|picked| picked.source.as_str())
        .collect();
    let source = match *set.as_slice() {
        [] => return without_token(pick, typed, listen, open, machine),
        [source] => source.to_owned(),
        [one, .., other] => {
            let sentence = format!("{one} and {other} are both set; leave one out");
            pick.notes.fault(sentence);
            return None;
        }
    };
    let roster = match places {
        [Some(token), ..] => Secret::new(&token.text)
            .map(Roster::of)
            .map_err(|fault| format!("the token is not usable: {fault}")),
        [_, Some(tokens), _] => Roster::parse_list(&tokens.text).map_err(|fault| fault.to_string()),
        [.., file] => {
            let path = Path::new(&file?.text).to_owned();
            machine
                .read_text(&path)
                .map_err(|error| format!("{path:?} cannot be read: {error}"))
                .and_then(|text| Roster::parse_file(&text, path).map_err(|fault| fault.to_string()))
        }
    };
    let roster = roster.map_err(|fault| format!("{source}: {fault}"));
    let roster = pick.notes.keep(roster)?;
    if open {
        pick.notes.fault(format!(
            "--allow-unauthenticated contradicts {source}, which sets a token; leave one out"
        ));
        return None;
    }
    for name in roster.short() {
        let whose = if name == UNNAMED {
            String::new()
        } else {
            format!(" for {name}")
        };
        pick.notes.warn(format!(
            "the token of {source}{whose} is shorter than {SHORT_SECRET_BYTES} characters and may be guessed"
        ));
    }
    Some(TokenPolicy::Given(roster))
}

/// Rule 11.
fn without_token(
    pick: &mut Picker<'_>,
    typed: &Typed,
    listen: &Listen,
    open: bool,
    machine: &dyn Machine,
) -> Option<TokenPolicy> {
    let issuer = pick.text("auth-issuer", typed.access.auth_issuer.as_ref());
    if let Some(issuer) = issuer {
        if open {
            pick.notes.fault(format!(
                "--allow-unauthenticated contradicts {}, whose tokens are asked for; leave one out",
                issuer.source
            ));
        }
        return Some(TokenPolicy::Issued);
    }
    if listen.is_loopback() {
        return Some(TokenPolicy::Open);
    }
    if open {
        pick.notes.warn(format!(
            "anyone who can reach {} can use the server, because --allow-unauthenticated is set",
            listen.host
        ));
        return Some(TokenPolicy::OpenDeclared);
    }
    let random = machine.random().map_err(|error| {
        format!("no token could be made ({error}); set MCP_PROXY_AUTH_TOKEN, because {} is beyond loopback", listen.host)
    });
    pick.notes
        .keep(random)
        .map(|random| TokenPolicy::Generated(Secret::from_random(random)))
}

fn hosts(pick: &mut Picker<'_>, typed: &Typed) -> Vec<String> {
    let mut hosts = Vec::new();
    for picked in pick.list("allow-host", &typed.allow_host) {
        let bare = || normal_host(&picked.text).map(|host| Authority { host, port: None });
        if picked.text == "*" {
            hosts.push(picked.text);
        } else if let Some(authority) = Authority::parse(&picked.text).or_else(bare) {
            hosts.push(authority.to_string());
        } else {
            pick.wrong(
                &picked,
                "not a host (app.example, app.example:8443, or * for every one)",
            );
        }
    }
    hosts
}

fn origins(pick: &mut Picker<'_>, typed: &Typed) -> Vec<String> {
    let mut origins = Vec::new();
    for picked in pick.list("allow-origin", &typed.allow_origin) {
        if picked.text == "*" {
            pick.notes.warn(format!(
                "{}: any web page may call this server from a browser",
                picked.source
            ));
            origins.push(picked.text);
        } else if picked.text == "null" {
            pick.wrong(
                &picked,
                "sent by any sandboxed page, so it cannot be allowed",
            );
        } else if let Some(origin) = Origin::parse(picked.text.trim_end_matches('/')) {
            origins.push(origin.to_string());
        } else {
            pick.wrong(
                &picked,
                "not an origin (https://app.example; if it is the command, put -- before it)",
            );
        }
    }
    origins
}

/// Names of headers (RFC 9110, section 5.1), in lower case, as all comparisons are.
fn names(pick: &mut Picker<'_>, flag: &str, typed: &[String]) -> Vec<String> {
    let mut names = Vec::new();
    for picked in pick.list(flag, typed) {
        match HeaderName::try_from(&picked.text) {
            // It reads as a name, but to a browser it is every name (Fetch standard, section 3.3.3).
            Ok(name) if name == "*" => pick.wrong(&picked, "not the name of one header"),
            Ok(name) if names.iter().any(|known| known == name.as_str()) => {}
            Ok(name) => names.push(name.as_str().to_owned()),
            Err(_) => pick.wrong(&picked, "not the name of a header"),
        }
    }
    names
}

fn rate(pick: &mut Picker<'_>, typed: &Typed) -> Option<Rate> {
    let picked = pick.text("rate-limit", typed.rate_limit.as_ref())?;
    match Rate::parse(&picked.text) {
        Ok(rate) => Some(rate),
        Err(fragment) => {
            pick.wrong(&picked, &fragment);
            None
        }
    }
}

fn networks(pick: &mut Picker<'_>, typed: &Typed) -> Vec<Network> {
    let mut networks = Vec::new();
    for picked in pick.list("trusted-proxies", &typed.trusted_proxies) {
        match Network::parse(&picked.text) {
            Ok(network) => networks.push(network),
            Err(fragment) => pick.wrong(&picked, &fragment),
        }
    }
    networks
}

/// The certificate and its key, looked at so that what is wrong is told with everything else.
fn tls(pick: &mut Picker<'_>, typed: &Typed, machine: &dyn Machine) -> Option<Certificate> {
    let cert = pick.text("tls-cert", typed.tls_cert.as_ref());
    let key = pick.text("tls-key", typed.tls_key.as_ref());
    let (cert, key) = match (cert, key) {
        (None, None) => return None,
        (Some(cert), Some(key)) => (cert, key),
        (Some(one), None) | (None, Some(one)) => {
            let other = if one.source.to_ascii_lowercase().contains("cert") {
                "--tls-key"
            } else {
                "--tls-cert"
            };
            let sentence = format!("{} is of no use without {other}", one.source);
            pick.notes.fault(sentence);
            return None;
        }
    };
    let mut read = |file: &Picked| {
        let text = machine.read_text(Path::new(&file.text));
        let text = text
            .map_err(|error| format!("{}: {:?} cannot be read: {error}", file.source, file.text));
        pick.notes.keep(text)
    };
    let (cert_text, key_text) = (read(&cert), read(&key));
    match Pair::read(&cert_text?, &key_text?) {
        Ok(pair) => Some(Certificate {
            cert: cert.text.into(),
            key: key.text.into(),
            pair,
        }),
        Err(fault) => {
            let file = if fault.is_of_certificate() {
                &cert
            } else {
                &key
            };
            let sentence = format!("{}: {:?}: {fault}", file.source, file.text);
            pick.notes.fault(sentence);
            None
        }
    }
}
