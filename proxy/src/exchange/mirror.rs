//! What a tool's clients repeat in headers.

/// One argument of a tool that a client of 2026-07-28 repeats in an `Mcp-Param-*` header, so that
/// what stands between can route without reading bodies (Streamable HTTP, "Custom headers from
/// tool parameters").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirrored {
    /// The header's whole name, in lower case.
    pub header: String,
    /// The names of the members that lead to the value, from `arguments` on.
    pub path: Vec<String>,
}
