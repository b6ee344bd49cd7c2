//! One local client: `mcp-proxy --stdio`, with a pipe for each direction and no port.

mod life;
mod lines;
pub(crate) mod pipe;
