"""The official Python client (SDK 1.x), through the proxy, to PyPI's mcp-server-time.

python clock.py http://127.0.0.1:8080/mcp
"""

import json
import sys
from datetime import datetime

import anyio
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

import check

URL = sys.argv[1]


async def main() -> int:
    async with streamable_http_client(URL) as (read, write, _):
        async with ClientSession(read, write) as session:
            await session.initialize()

            async def tools() -> None:
                """its two tools are listed"""
                names = {tool.name for tool in (await session.list_tools()).tools}
                assert names == {"get_current_time", "convert_time"}, names

            async def now() -> None:
                """the time in a place is a time"""
                result = await session.call_tool("get_current_time", {"timezone": "Asia/Tokyo"})
                told = json.loads(result.content[0].text)
                assert told["timezone"] == "Asia/Tokyo"
                assert datetime.fromisoformat(told["datetime"]).utcoffset() is not None

            async def convert() -> None:
                """a time is converted"""
                arguments = {
                    "source_timezone": "Asia/Tokyo",
                    "time": "09:30",
                    "target_timezone": "Asia/Kolkata",
                }
                result = await session.call_tool("convert_time", arguments)
                told = json.loads(result.content[0].text)
                assert told["target"]["datetime"].split("T")[1].startswith("06:00"), told

            async def refused() -> None:
                """a place that does not exist is the tool's error"""
                result = await session.call_tool("get_current_time", {"timezone": "No/Where"})
                assert result.isError

            return await check.run("python time", [tools, now, convert, refused])


if __name__ == "__main__":
    sys.exit(1 if anyio.run(main) else 0)
