//! Any headers: what they say of a session, a stream, a name, an argument, of who calls and for whom.

#![no_main]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use libfuzzer_sys::fuzz_target;
use mcp_proxy::config::Config;
use mcp_proxy::front::fuzzed;
use mcp_proxy::guard::forwarded::{Forwarded, Peer};
use mcp_proxy::guard::host_origin::HostOrigin;
use mcp_wire::Message;

/// Those that are read anywhere; the first byte of a part of the input says which it is.
const NAMES: [&str; 14] = [
    "host",
    "origin",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "mcp-session-id",
    "last-event-id",
    "mcp-protocol-version",
    "mcp-name",
    "mcp-method",
    "mcp-param-x",
    "accept",
    "content-type",
];

/// Hosts that are accepted here, without ports.
const OURS: [&str; 5] = ["localhost", "127.", "[::1]", "app.example", "0.0.0.0"];

const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

static DOOR: LazyLock<(HostOrigin, Forwarded)> = LazyLock::new(|| {
    let line = "mcp-proxy --allow-host app.example --allow-origin https://app.example \
                --trusted-proxies 10.0.0.0/8 -- /bin/sh";
    let line = line.split_whitespace().map(Into::into).collect();
    let config = Config::read(line, &BTreeMap::<String, String>::new()).expect("a configuration");
    (
        HostOrigin::new(&config.listen, &config.door),
        Forwarded::new(&config.door),
    )
});

fuzz_target!(|input: (&str, Vec<(u8, &[u8])>)| {
    let (text, parts) = input;
    let mut headers = HeaderMap::new();
    for (which, value) in parts {
        let name = HeaderName::from_static(NAMES[usize::from(which) % NAMES.len()]);
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
        }
    }
    // What cannot stand in a header is carried encoded, and comes out as it was.
    let encoded = format!("=?base64?{}?=", STANDARD.encode(text));
    let argument = serde_json::json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "arguments": { "x": text } },
    });
    let message = Message::parse(Bytes::from(argument.to_string())).expect("a message");
    let mut carried = headers.clone();
    carried.insert("mcp-name", encoded.parse().expect("plain letters"));
    carried.insert("mcp-param-x", encoded.parse().expect("plain letters"));
    let read = fuzzed::read(&carried, &message);
    assert_eq!(read.name, Ok(Some(text.to_owned())));
    assert!(read.is_mirrored);

    let read = fuzzed::read(&headers, &message);
    assert_eq!(read, fuzzed::read(&headers, &message));
    if let Some(Some((stream, event))) = read.resume {
        let again = format!("{stream}-{event}").parse().expect("a header");
        headers.insert("last-event-id", again);
        assert_eq!(fuzzed::read(&headers, &message).resume, read.resume);
    }

    let (host_origin, forwarded) = &*DOOR;
    let mut request = Request::get("/mcp").body(()).expect("a request");
    *request.headers_mut() = headers.clone();
    let (head, ()) = request.into_parts();
    if host_origin.check(&head).is_ok()
        && let Some(host) = headers.get("host")
    {
        let host = host.to_str().expect("an accepted name has a text");
        let host = host.trim().to_ascii_lowercase();
        let name = host.trim_end_matches(|last: char| last.is_ascii_digit());
        let name = name.strip_suffix(':').unwrap_or(&host).trim_end_matches('.');
        // Names below localhost are this machine's, too (RFC 6761, 6.3).
        let is_ours = |ours: &&str| host.starts_with(*ours) || name.ends_with(".localhost");
        assert!(OURS.iter().any(|ours| is_ours(&ours)), "{host}");
    }

    // Nobody is believed but those who were named.
    let peer = |address| Peer {
        address,
        is_secure: false,
    };
    let stranger = forwarded.visitor(&headers, peer(STRANGER));
    assert_eq!(stranger.address, STRANGER);
    assert!(!stranger.is_secure);
    let visitor = forwarded.visitor(&headers, peer(PROXY));
    let told = ["forwarded", "x-forwarded-for"];
    if told.iter().all(|name| !headers.contains_key(*name)) {
        assert_eq!(visitor.address, PROXY);
    }
});
