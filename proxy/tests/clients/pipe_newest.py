"""The newest official Python client (SDK 2.x) at a pipe: it starts the proxy, asks what is spoken, and
must stay on 2026-07-28.

    python pipe_newest.py mcp-proxy --stdio -- python legacy.py
"""

import sys

import anyio
import mcp_types as types
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

import check

PROXY = StdioServerParameters(command=sys.argv[1], args=sys.argv[2:])


def text_of(result: types.CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if block.type == "text")


async def main() -> int:
    async with Client(stdio_client(PROXY)) as client:

        async def revision() -> None:
            """it finds 2026-07-28 by itself"""
            assert client.protocol_version == "2026-07-28", client.protocol_version

        async def lists() -> None:
            """tools are listed and called"""
            names = {tool.name for tool in (await client.list_tools()).tools}
            assert "test_simple_text" in names, names
            assert text_of(await client.call_tool("test_simple_text", {}))

        async def progress() -> None:
            """progress arrives in order and before the answer"""
            seen: list[float] = []

            async def on_progress(done: float, _total: float | None, _message: str | None) -> None:
                seen.append(done)

            await client.call_tool("test_tool_with_progress", {}, progress_callback=on_progress)
            assert seen == [0.0, 50.0, 100.0], seen

        return await check.run("python pipe newest", [revision, lists, progress])


if __name__ == "__main__":
    sys.exit(1 if anyio.run(main) else 0)
