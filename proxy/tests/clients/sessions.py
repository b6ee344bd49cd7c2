"""The official Python client of the session eras (SDK 1.x), to a server of 2026-07-28 alone or of both eras.

    python sessions.py http://127.0.0.1:8080/mcp
"""

import json
import sys

import anyio
import mcp.types as types
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client
from mcp.shared.context import RequestContext
from mcp.shared.exceptions import McpError

import check

URL = sys.argv[1]
Context = RequestContext[ClientSession, None]
logs: check.Inbox[str] = check.Inbox()
news: check.Inbox[str] = check.Inbox()


async def on_log(params: types.LoggingMessageNotificationParams) -> None:
    logs.push(f"{params.level}: {params.data}")


async def on_message(message: object) -> None:
    if isinstance(message, types.ServerNotification):
        news.push(message.root.method)


async def sample(_: Context, params: types.CreateMessageRequestParams) -> types.CreateMessageResult:
    content = types.TextContent(type="text", text=f"Paris in {params.maxTokens} tokens.")
    return types.CreateMessageResult(role="assistant", content=content, model="a-model")


async def elicit(_: Context, params: types.ElicitRequestParams) -> types.ElicitResult:
    assert isinstance(params, types.ElicitRequestFormParams)
    wanted = params.requestedSchema["properties"]
    content = {name: "Ada" if name != "ok" else True for name in wanted}
    return types.ElicitResult(action="accept", content=content)


async def list_roots(_: Context) -> types.ListRootsResult:
    root = types.Root.model_validate({"uri": "file:///workspace/old"})
    return types.ListRootsResult(roots=[root])


def text_of(result: types.CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if block.type == "text")


class Checks:
    """The checks share one session; each is a method whose docstring is its name."""

    def __init__(self, session: ClientSession, welcome: types.InitializeResult) -> None:
        self.session = session
        self.welcome = welcome

    async def call(self, name: str, **arguments: object) -> str:
        return text_of(await self.session.call_tool(name, arguments))

    async def greeting(self) -> None:
        """it is greeted in its own revision"""
        assert self.welcome.protocolVersion == "2025-11-25", self.welcome
        assert self.welcome.serverInfo.name == "modern-child"
        await self.session.send_ping()

    async def lists(self) -> None:
        """tools, prompts and resources are listed and used"""
        names = {tool.name for tool in (await self.session.list_tools()).tools}
        assert {"echo", "test_custom_header"} <= names, names
        assert await self.call("echo", text="grüße 🦀") == "grüße 🦀"
        assert json.loads(await self.call("test_custom_header", region="eu", retries=3))
        assert len((await self.session.list_prompts()).prompts) >= 5
        assert len((await self.session.list_resources()).resources) >= 3
        failed = await self.session.call_tool("test_error_handling", {})
        assert failed.isError and "intentionally" in text_of(failed)
        try:
            await self.session.call_tool("no_such_tool", {})
        except McpError as error:
            assert error.error.code == types.INVALID_PARAMS, error
        else:
            raise AssertionError("no error")

    async def progress(self) -> None:
        """progress arrives in order and before the answer"""
        seen: list[float] = []

        async def on_progress(done: float, _: float | None, __: str | None) -> None:
            seen.append(done)

        await self.session.call_tool("test_tool_with_progress", {}, progress_callback=on_progress)
        assert seen == [0.0, 50.0, 100.0], seen

    async def logging(self) -> None:
        """log lines arrive from the level on that the session asked for"""
        await self.session.set_logging_level("warning")
        await self.call("test_logging_tool")
        await logs.find(lambda line: line == "emergency: A line at emergency.")
        heard = [line.split(":")[0] for line in logs.items]
        assert heard == ["warning", "error", "critical", "alert", "emergency"], heard

    async def questions(self) -> None:
        """the server asks the model, the person and for roots, at once and one after another"""
        assert "Paris in" in await self.call("test_sampling", prompt="Capital?")
        assert "Ada" in await self.call("test_elicitation", message="Who?")
        assert "file:///workspace/old" in await self.call("test_input_required_result_list_roots")
        said = await self.call("test_input_required_result_multiple_inputs")
        assert "Ada" in said and "Paris in 50" in said and "workspace/old" in said, said
        said = await self.call("test_input_required_result_multi_round")
        assert said.count("action=accept") == 2, said
        prompt = await self.session.get_prompt("test_input_required_result_prompt")
        assert "Ada" in prompt.messages[0].content.text

    async def told(self) -> None:
        """changes of lists and of a resource that was subscribed to are heard of"""
        uri = "test://static-text"
        await self.session.subscribe_resource(uri)
        await self.call("touch", uri=uri)
        await news.find(lambda method: method == "notifications/resources/updated")
        await self.call("test_trigger_tool_change")
        await news.find(lambda method: method == "notifications/tools/list_changed")
        await self.session.unsubscribe_resource(uri)

    async def concurrent(self) -> None:
        """many calls at once each get their own answer"""

        async def one(n: int) -> None:
            assert await self.call("echo", text=f"number {n}") == f"number {n}"

        async with anyio.create_task_group() as group:
            for n in range(50):
                group.start_soon(one, n)


async def main() -> int:
    async with (
        streamablehttp_client(URL) as (read, write, _),
        ClientSession(
            read,
            write,
            sampling_callback=sample,
            elicitation_callback=elicit,
            list_roots_callback=list_roots,
            logging_callback=on_log,
            message_handler=on_message,
        ) as session,
    ):
        checks = Checks(session, await session.initialize())
        return await check.run(
            "python sessions",
            [
                checks.greeting,
                checks.lists,
                checks.progress,
                checks.logging,
                checks.questions,
                checks.told,
                checks.concurrent,
            ],
        )


if __name__ == "__main__":
    sys.exit(1 if anyio.run(main) else 0)
