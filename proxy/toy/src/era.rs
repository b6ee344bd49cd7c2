//! Which revisions the toy speaks, and what a client's first messages make of it.
//!
//! Servers of both eras settle on one by what they hear first, and not all in the same way: the TypeScript SDK v2 is
//! pinned by its first message that is not a probe, the Python SDK 2.x already by the probe. Servers of the legacy era
//! meet a probe with anything from an error to their own death. All of that is a flag here.

use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::json;

use crate::{
    message::Object,
    modern, server,
    toy::{Toy, leave},
};

/// The only revision of the modern era so far.
pub(crate) const MODERN: &str = "2026-07-28";

/// The member of `_meta` that makes a request one of the modern era.
pub(crate) const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";

const INVALID_REQUEST: i32 = -32600;
const METHOD_NOT_FOUND: i32 = -32601;
const INVALID_PARAMS: i32 = -32602;
const UNSUPPORTED_VERSION: i32 = -32022;

/// `--era`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Era {
    /// `initialize` first, 2024-11-05 to 2025-11-25.
    #[default]
    Legacy,
    /// 2026-07-28 and nothing else.
    Modern,
    /// Both, until the client has shown which.
    Dual,
}

/// `--on-discover`: what a probe meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnDiscover {
    /// A `DiscoverResult`.
    Answer,
    /// An error with this code.
    Error(i32),
    /// Nothing.
    Silent,
    /// The end of the process.
    Exit,
    /// A line that is no message, in the answer's place.
    Garbage,
    /// Lines that are no messages, then what would have come without this flag.
    Banner,
}

impl Era {
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "legacy" => Self::Legacy,
            "modern" => Self::Modern,
            "dual" => Self::Dual,
            _ => return None,
        })
    }
}

impl OnDiscover {
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "answer" => Self::Answer,
            "-32601" => Self::Error(METHOD_NOT_FOUND),
            "-32602" => Self::Error(INVALID_PARAMS),
            "silent" => Self::Silent,
            "exit" => Self::Exit,
            "garbage" => Self::Garbage,
            "banner" => Self::Banner,
            _ => return None,
        })
    }
}

/// What a toy of both eras has settled on; of one era, that.
#[derive(Debug, Default)]
pub(crate) struct Settled(AtomicU8);

impl Settled {
    fn get(&self) -> Era {
        match self.0.load(Ordering::Relaxed) {
            1 => Era::Legacy,
            2 => Era::Modern,
            _ => Era::Dual,
        }
    }

    fn settle(&self, era: Era) {
        let number = match era {
            Era::Legacy => 1,
            Era::Modern => 2,
            Era::Dual => 0,
        };
        self.0.store(number, Ordering::Relaxed);
    }

    pub(crate) fn new(era: Era) -> Self {
        let settled = Self::default();
        settled.settle(era);
        settled
    }
}

/// Takes a request, and hands it to the era that it belongs to.
pub(crate) fn request(toy: &Toy, id: &str, method: &str, params: Object) {
    let is_modern = params.object("_meta").raw(VERSION_KEY).is_some();
    if method == "server/discover" {
        discover(toy, id, &params);
        return;
    }
    if toy.settled.get() == Era::Dual {
        // The first message that is no probe decides, whatever it is.
        let era = if is_modern && method != "initialize" {
            Era::Modern
        } else {
            Era::Legacy
        };
        toy.settled.settle(era);
    }
    match (toy.settled.get(), method) {
        (Era::Modern, "initialize") => unsupported(
            toy,
            id,
            &params.text("protocolVersion").unwrap_or_default(),
            "this server begins with server/discover",
        ),
        (Era::Modern, _) => modern::request(toy, id, method, params),
        // Only a server that knows what the claim means minds it.
        (Era::Legacy, _) if is_modern && method != "initialize" && toy.flags.era == Era::Dual => {
            toy.fail(id, INVALID_REQUEST, "this connection began with initialize");
        }
        (Era::Legacy | Era::Dual, _) => server::request(toy, id, method, params),
    }
}

/// A probe.
fn discover(toy: &Toy, id: &str, params: &Object) {
    let by_nature = if toy.settled.get() == Era::Legacy {
        OnDiscover::Error(METHOD_NOT_FOUND)
    } else {
        OnDiscover::Answer
    };
    let mut reply = toy.flags.on_discover.unwrap_or(by_nature);
    if reply == OnDiscover::Banner {
        toy.bytes(b"Toy server v1.0 \x1b[32mready\x1b[0m\nlistening on stdio\n");
        reply = by_nature;
    }
    match reply {
        OnDiscover::Answer => {
            if toy.settled.get() == Era::Dual && toy.flags.locks_on_discover {
                toy.settled.settle(Era::Modern);
            }
            modern::discover(toy, id, params);
        }
        OnDiscover::Error(code) => toy.fail(id, code, "unknown method \"server/discover\""),
        OnDiscover::Silent => {}
        OnDiscover::Exit => leave(1),
        OnDiscover::Garbage | OnDiscover::Banner => {
            toy.line("Traceback (most recent call last): unexpected method");
        }
    }
}

/// Refuses a revision and names ours.
pub(crate) fn unsupported(toy: &Toy, id: &str, requested: &str, message: &str) {
    let data = json!({ "supported": [MODERN], "requested": requested });
    toy.fail_with(id, UNSUPPORTED_VERSION, message, &data.to_string());
}
