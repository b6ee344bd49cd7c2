"""The official Python client (SDK 1.x), through the proxy, to server-everything.

python everything.py http://127.0.0.1:8080/mcp
"""

import sys

import anyio
import httpx
import mcp.types as types
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import McpError
from pydantic import AnyUrl

import check
from features import Features, late, session_over, text_of, updates

URL = sys.argv[1]
DOCUMENT = AnyUrl("demo://resource/dynamic/text/1")


class Checks(Features):
    """The checks share one session; each is a method whose docstring is its name."""

    def __init__(self, session: ClientSession, hello: types.InitializeResult, session_id: str):
        super().__init__(session)
        self.hello = hello
        self.session_id = session_id

    async def initialize(self) -> None:
        """initialize names the server and gives a session"""
        assert self.hello.serverInfo.name == "mcp-servers/everything"
        assert self.hello.protocolVersion == types.LATEST_PROTOCOL_VERSION
        assert self.session_id
        await self.session.send_ping()

    async def lists(self) -> None:
        """tools, resources, templates and prompts are listed"""
        tools = {tool.name for tool in (await self.session.list_tools()).tools}
        assert {"echo", "get-sum", "trigger-sampling-request"} <= tools, tools
        assert (await self.session.list_resources()).resources
        assert (await self.session.list_resource_templates()).resourceTemplates
        assert (await self.session.list_prompts()).prompts

    async def tools(self) -> None:
        """tools answer with text, image and structured content"""
        assert "grüße 🦀" in text_of(await self.session.call_tool("echo", {"message": "grüße 🦀"}))
        image = await self.session.call_tool("get-tiny-image", {})
        assert any(block.type == "image" for block in image.content)
        weather = await self.session.call_tool("get-structured-content", {"location": "New York"})
        assert weather.structuredContent is not None

    async def resources(self) -> None:
        """a resource is read and a prompt filled in"""
        contents = (await self.session.read_resource(DOCUMENT)).contents
        assert contents[0].uri == DOCUMENT
        filled = await self.session.get_prompt("args-prompt", {"city": "Oslo"})
        assert "Oslo" in filled.messages[0].content.text

    async def subscription(self) -> None:
        """an update of a subscribed resource arrives"""
        await self.session.subscribe_resource(DOCUMENT)
        await self.session.call_tool("toggle-subscriber-updates", {})
        await updates.find(lambda uri: uri == str(DOCUMENT))
        await self.session.call_tool("toggle-subscriber-updates", {})
        await self.session.unsubscribe_resource(DOCUMENT)

    async def error(self) -> None:
        """the server's own error arrives with its code"""
        try:
            await self.session.read_resource(AnyUrl("demo://no/such/resource"))
        except McpError as error:
            assert error.error.code == -32602, error.error
        else:
            raise AssertionError("the read succeeded")

    async def abandon(self) -> None:
        """a call that was given up does not disturb the session"""

        async def on_progress(_done: float, _total: float | None, _message: str | None) -> None:
            raise AssertionError("nobody waits for this any more")

        # This SDK gives a call up without telling the server, whose answer then comes late.
        # It has to come before the session ends: the SDK's transport fails on an answer that
        # arrives while it closes.
        with anyio.move_on_after(0.3) as scope:
            arguments = {"duration": 1, "steps": 1}
            name = "trigger-long-running-operation"
            await self.session.call_tool(name, arguments, progress_callback=on_progress)
        assert scope.cancelled_caught
        assert "here" in text_of(await self.session.call_tool("echo", {"message": "here"}))
        await late.find(lambda progress: progress.total == 1)

    async def second(self) -> None:
        """a second session at once has its own answers to equal ids"""
        async with streamable_http_client(URL) as (read, write, _):
            async with session_over(read, write) as other:
                await other.initialize()
                for n in range(20):
                    mine = await self.session.call_tool("echo", {"message": f"first {n}"})
                    theirs = await other.call_tool("echo", {"message": f"second {n}"})
                    assert text_of(mine) == f"Echo: first {n}"
                    assert text_of(theirs) == f"Echo: second {n}"


async def main() -> int:
    async with streamable_http_client(URL) as (read, write, session_id):
        async with session_over(read, write) as session:
            hello = await session.initialize()
            identifier = session_id() or ""
            checks = Checks(session, hello, identifier)
            failed = await check.run(
                "python everything",
                [
                    checks.initialize,
                    checks.lists,
                    checks.tools,
                    checks.resources,
                    checks.progress,
                    checks.questions,
                    checks.logging,
                    checks.subscription,
                    checks.error,
                    checks.abandon,
                    checks.concurrent,
                    checks.second,
                ],
            )

    async def ended() -> None:
        """leaving the client deletes the session"""
        headers = {
            "mcp-session-id": identifier,
            "mcp-protocol-version": hello.protocolVersion,
            "accept": "application/json, text/event-stream",
        }
        ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        async with httpx.AsyncClient() as client:
            response = await client.post(URL, json=ping, headers=headers)
        assert response.status_code == 404, response.status_code

    return failed + await check.run("python everything", [ended])


if __name__ == "__main__":
    sys.exit(1 if anyio.run(main) else 0)
