"""The official Python client (SDK 1.x) over its old transport, HTTP+SSE, to server-everything.

python sse.py http://127.0.0.1:8080/mcp
"""

import sys
from urllib.parse import urljoin

import anyio
from mcp.client.sse import sse_client

import check
from features import Features, session_over, text_of

URL = urljoin(sys.argv[1], "/sse")


class Checks(Features):
    """The checks share one connection; each is a method whose docstring is its name."""

    async def initialize(self) -> None:
        """initialize names the server"""
        hello = await self.session.initialize()
        assert hello.serverInfo.name == "mcp-servers/everything"
        await self.session.send_ping()

    async def lists(self) -> None:
        """tools, resources and prompts are listed and used"""
        assert (await self.session.list_tools()).tools
        assert (await self.session.list_prompts()).prompts
        resources = (await self.session.list_resources()).resources
        assert (await self.session.read_resource(resources[0].uri)).contents
        assert "grüße 🦀" in text_of(await self.session.call_tool("echo", {"message": "grüße 🦀"}))

    async def second(self) -> None:
        """a second connection at once has its own answers to equal ids"""
        async with sse_client(URL) as (read, write), session_over(read, write) as other:
            await other.initialize()
            for n in range(20):
                mine = await self.session.call_tool("echo", {"message": f"first {n}"})
                theirs = await other.call_tool("echo", {"message": f"second {n}"})
                assert text_of(mine) == f"Echo: first {n}"
                assert text_of(theirs) == f"Echo: second {n}"


async def main() -> int:
    async with sse_client(URL) as (read, write), session_over(read, write) as session:
        checks = Checks(session)
        return await check.run(
            "python sse",
            [
                checks.initialize,
                checks.lists,
                checks.progress,
                checks.questions,
                checks.logging,
                checks.concurrent,
                checks.second,
            ],
        )


if __name__ == "__main__":
    sys.exit(1 if anyio.run(main) else 0)
