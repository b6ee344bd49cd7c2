"""The official Python client (SDK 1.x) at a pipe: it starts the proxy, as desktop clients do.

    python pipe.py mcp-proxy --stdio -- python legacy.py
"""

import sys

import anyio
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

import check

PROXY = StdioServerParameters(command=sys.argv[1], args=sys.argv[2:])


async def main() -> int:
    async with (
        stdio_client(PROXY) as (reading, writing),
        ClientSession(reading, writing) as session,
    ):
        welcome = await session.initialize()

        async def revision() -> None:
            """it begins a session"""
            assert welcome.protocolVersion == "2025-11-25", welcome

        async def lists() -> None:
            """tools are listed and called"""
            names = {tool.name for tool in (await session.list_tools()).tools}
            assert "test_simple_text" in names, names
            result = await session.call_tool("test_simple_text", {})
            assert not result.isError and result.content[0].type == "text", result

        async def progress() -> None:
            """progress arrives in order and before the answer"""
            seen: list[float] = []

            async def on_progress(done: float, _total: float | None, _message: str | None) -> None:
                seen.append(done)

            await session.call_tool("test_tool_with_progress", {}, progress_callback=on_progress)
            assert seen == [0.0, 50.0, 100.0], seen

        return await check.run("python pipe", [revision, lists, progress])


if __name__ == "__main__":
    sys.exit(1 if anyio.run(main) else 0)
