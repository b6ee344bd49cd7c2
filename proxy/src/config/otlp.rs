//! Where spans go: the variables of OpenTelemetry ("OpenTelemetry Protocol Exporter" and "SDK
//! environment variables"), as far as they concern this exporter. They are not taken from the server,
//! which may have spans of its own.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};

use crate::observe::otlp::OtlpSettings;

use super::pick::{Picked, Picker};

/// What the collector is called where none is named.
const DEFAULT_PORT: u16 = 4318;

/// Reads where spans go; `None` where no collector is named. `service` is the name on the log's labels.
pub(super) fn read(
    pick: &mut Picker<'_>,
    labels: &[(&'static str, String)],
) -> Option<OtlpSettings> {
    if pick
        .variable("OTEL_SDK_DISABLED")
        .is_some_and(|picked| picked.text.eq_ignore_ascii_case("true"))
    {
        return None;
    }
    let traces = pick.variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    // The common one is a base; that of the traces is used as it is.
    let is_base = traces.is_none();
    let endpoint = traces.or_else(|| pick.variable("OTEL_EXPORTER_OTLP_ENDPOINT"))?;
    let place = place(&endpoint.text, is_base);
    let headers = [
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
        "OTEL_EXPORTER_OTLP_HEADERS",
    ];
    let headers = headers.into_iter().find_map(|name| pick.variable(name));
    let headers = headers.map_or_else(|| Some(HeaderMap::new()), |picked| all(pick, &picked));
    let resource = resource(pick, labels);
    match place {
        Ok((authority, path)) => Some(OtlpSettings {
            authority,
            path,
            headers: headers?,
            resource,
        }),
        Err(why) => {
            pick.wrong(&endpoint, why);
            None
        }
    }
}

fn place(text: &str, is_base: bool) -> Result<(String, String), &'static str> {
    let uri: Uri = text.parse().map_err(|_| "not a URL")?;
    let plain = uri.scheme_str() == Some("http");
    let (true, Some(authority)) = (plain, uri.authority()) else {
        return Err(
            "not an http:// URL; spans are sent unencrypted, to a collector on this machine or in \
             this network, which sends them on",
        );
    };
    let port = authority.port_u16().unwrap_or(DEFAULT_PORT);
    let path = match is_base {
        true => format!("{}/v1/traces", uri.path().trim_end_matches('/')),
        false => uri.path().to_owned(),
    };
    Ok((format!("{}:{port}", authority.host()), path))
}

/// `key=value,key=value`, values percent-encoded. Faults name no value: these are credentials.
fn all(pick: &mut Picker<'_>, picked: &Picked) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (key, value) in pairs(&picked.text) {
        let name = HeaderName::try_from(key.as_str());
        let value = HeaderValue::try_from(value.as_str());
        let (Ok(name), Ok(mut value)) = (name, value) else {
            pick.notes.fault(format!(
                "{}: not a list like name=value,name=value of headers",
                picked.source
            ));
            return None;
        };
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Some(headers)
}

fn resource(pick: &mut Picker<'_>, labels: &[(&'static str, String)]) -> Vec<(String, String)> {
    let given = pick.variable("OTEL_RESOURCE_ATTRIBUTES");
    let mut resource: Vec<(String, String)> =
        given.map_or_else(Vec::new, |picked| pairs(&picked.text).collect());
    let mut put = |key: &str, value: &str| {
        resource.retain(|(known, _)| known != key);
        resource.push((key.to_owned(), value.to_owned()));
    };
    for (label, value) in labels {
        match *label {
            "service" => put("service.name", value),
            "version" => put("service.version", value),
            _ => put("deployment.environment.name", value),
        }
    }
    if let Some(name) = pick.variable("OTEL_SERVICE_NAME") {
        put("service.name", &name.text);
    }
    if !resource.iter().any(|(key, _)| key == "service.name") {
        resource.push(("service.name".to_owned(), "mcp-proxy".to_owned()));
    }
    resource
}

/// The entries of a list in the form of W3C Baggage, percent-decoded.
fn pairs(text: &str) -> impl Iterator<Item = (String, String)> {
    let entries = text.split(',').filter(|entry| !entry.trim().is_empty());
    entries.map(|entry| {
        let (key, value) = entry.split_once('=').unwrap_or((entry, ""));
        (key.trim().to_owned(), decoded(value.trim()))
    })
}

/// `%41` is `A`; what is no such escape stays.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let escape = behind.get(..2).filter(|_| *first == b'%');
        let byte = escape
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        match byte {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_gets_the_path_and_an_endpoint_of_its_own_is_used_as_it_is() {
        for (text, base, expected) in [
            (
                "http://localhost:4318",
                true,
                Some(("localhost:4318", "/v1/traces")),
            ),
            (
                "http://collector/otlp/",
                true,
                Some(("collector:4318", "/otlp/v1/traces")),
            ),
            ("http://[::1]:9/", false, Some(("[::1]:9", "/"))),
            ("http://collector:9/x", false, Some(("collector:9", "/x"))),
            ("https://collector", true, None),
            ("localhost:4318", true, None),
            ("", true, None),
        ] {
            let found = place(text, base).ok();
            let found = found
                .as_ref()
                .map(|(host, path)| (host.as_str(), path.as_str()));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn lists_are_decoded() {
        let list: Vec<_> = pairs("a=b%20c, d = e=f ,,g=%zz%4").collect();
        let list: Vec<_> = list
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        assert_eq!(list, [("a", "b c"), ("d", "e=f"), ("g", "%zz%4")]);
    }
}
