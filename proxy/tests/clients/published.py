"""The newest official Python client (SDK 2.x), to published servers that speak both eras by their SDK.

Once as it comes, which is 2026-07-28, and once told to be of the legacy era: each
must meet a server of its own era behind the same address.

    python published.py http://127.0.0.1:8080/mcp TOOL [ARGUMENTS]

Without arguments the tool is looked for and not called.
"""

import json
import sys

import anyio
from mcp import Client

import check

URL, TOOL = sys.argv[1], sys.argv[2]
ARGUMENTS = json.loads(sys.argv[3]) if len(sys.argv) > 3 else None


async def use(mode: str, version: str) -> None:
    async with Client(URL, mode=mode) as client:
        assert client.protocol_version == version, client.protocol_version
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert TOOL in names, names
        if ARGUMENTS is not None:
            result = await client.call_tool(TOOL, ARGUMENTS)
            assert not result.is_error and result.content, result


async def new() -> None:
    """2026-07-28 by itself"""
    await use("auto", "2026-07-28")


async def old() -> None:
    """2025-11-25 when it is told to"""
    await use("legacy", "2025-11-25")


async def both() -> None:
    """both eras at the same time"""
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(new)
            group.start_soon(old)


async def main() -> int:
    return await check.run(f"python published {TOOL}", [new, old, both])


if __name__ == "__main__":
    sys.exit(1 if anyio.run(main) else 0)
