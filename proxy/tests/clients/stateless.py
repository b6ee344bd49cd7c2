"""The newest official Python client (SDK 2.x) on 2026-07-28, to the dual-era child or the legacy one.

It asks `server/discover` and must stay on the modern revision by itself: every
request is one POST that says everything, and questions come as answers.

    python stateless.py http://127.0.0.1:8080/mcp modern-child
"""

import json
import sys

import anyio
import mcp_types as types
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import PromptsListChanged, ResourceUpdated, ToolsListChanged

import check

URL, SERVER = sys.argv[1:3]
WATCHED = "test://watched-resource"
logs: check.Inbox[str] = check.Inbox()


async def sample(_context: object, params: types.CreateMessageRequestParams):
    content = types.TextContent(text=f"Paris in {params.max_tokens} tokens.")
    return types.CreateMessageResult(role="assistant", content=content, model="a-model")


async def elicit(_context: object, params: types.ElicitRequestParams):
    assert isinstance(params, types.ElicitRequestFormParams)
    wanted = params.requested_schema["properties"]
    content = {name: "Ada" if name != "ok" else True for name in wanted}
    return types.ElicitResult(action="accept", content=content)


async def list_roots(_context: object):
    return types.ListRootsResult(roots=[types.Root(uri="file:///workspace/new")])


async def on_log(params: types.LoggingMessageNotificationParams) -> None:
    logs.push(f"{params.level}: {params.data}")


def client() -> Client:
    return Client(
        URL,
        sampling_callback=sample,
        elicitation_callback=elicit,
        list_roots_callback=list_roots,
        logging_callback=on_log,
        log_level="warning",
    )


def text_of(result: types.CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if block.type == "text")


class Checks:
    """The checks share one client; each is a method whose docstring is its name."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def call(self, name: str, **arguments: object) -> str:
        return text_of(await self.client.call_tool(name, arguments))

    async def revision(self) -> None:
        """it finds 2026-07-28 by itself"""
        assert self.client.protocol_version == "2026-07-28", self.client.protocol_version
        assert self.client.server_info and self.client.server_info.name == SERVER
        assert self.client.server_capabilities.tools

    async def lists(self) -> None:
        """tools, prompts and resources are listed and used"""
        names = {tool.name for tool in (await self.client.list_tools()).tools}
        assert {"echo", "test_custom_header"} <= names, names
        assert await self.call("echo", text="grüße 🦀") == "grüße 🦀"
        assert len((await self.client.list_prompts()).prompts) >= 5
        arguments = {"arg1": "one", "arg2": "two"}
        prompt = await self.client.get_prompt("test_prompt_with_arguments", arguments)
        assert "arg1='one'" in prompt.messages[0].content.text
        uris = [one.uri for one in (await self.client.list_resources()).resources]
        assert WATCHED in uris
        assert (await self.client.read_resource(WATCHED)).contents[0].text == "Watched."
        assert (await self.client.list_resource_templates()).resource_templates
        reference = types.PromptReference(name="test_simple_prompt")
        found = await self.client.complete(reference, {"name": "place", "value": "par"})
        assert found.completion.values == ["paris", "park", "party"]

    async def headers(self) -> None:
        """arguments that are mirrored into headers arrive, whatever is in them"""
        for region in ("eu-1", " padded ", "größe", "=?base64?eA==?=", "line\nbreak"):
            said = await self.call("test_custom_header", region=region, retries=3)
            assert json.loads(said) == {"region": region, "retries": 3}, said

    async def large(self) -> None:
        """a large argument comes back whole"""
        text = "0123456789abcdef" * 65536
        assert await self.call("echo", text=text) == text

    async def errors(self) -> None:
        """errors arrive as what they are"""
        failed = await self.client.call_tool("test_error_handling", {})
        assert failed.is_error and "intentionally" in text_of(failed)
        requests = [lambda: self.client.read_resource("test://no-such")]
        if SERVER == "modern-child":
            requests.append(lambda: self.client.call_tool("no_such_tool", {}))
        else:
            # SDK 1.x makes a result of it.
            assert (await self.client.call_tool("no_such_tool", {})).is_error
        for request in requests:
            try:
                await request()
            except MCPError as error:
                assert error.code == types.INVALID_PARAMS, error
            else:
                raise AssertionError("no error")

    async def undeclared(self) -> None:
        """a client that can be asked nothing is told what a call needs"""
        async with Client(URL) as plain:
            try:
                await plain.call_tool("test_missing_capability", {})
            except MCPError as error:
                assert error.code == types.MISSING_REQUIRED_CLIENT_CAPABILITY, error
                assert "sampling" in error.data["requiredCapabilities"]
            else:
                raise AssertionError("no error")

    async def progress(self) -> None:
        """progress arrives in order and before the answer"""
        seen: list[float] = []

        async def on_progress(done: float, _total: float | None, _message: str | None) -> None:
            seen.append(done)

        await self.client.call_tool("test_tool_with_progress", {}, progress_callback=on_progress)
        assert seen == [0.0, 50.0, 100.0], seen

    async def logging(self) -> None:
        """log lines arrive from the level on that each request names"""
        await self.call("test_logging_tool")
        await logs.find(lambda line: line == "emergency: A line at emergency.")
        heard = [line.split(":")[0] for line in logs.items]
        assert heard == ["warning", "error", "critical", "alert", "emergency"], heard

    async def rounds(self) -> None:
        """questions come as answers, in one round and in several, in tools and in prompts"""
        said = await self.call("test_input_required_result_multiple_inputs")
        assert "Ada" in said and "Paris in 50" in said and "file:///workspace/new" in said, said
        said = await self.call("test_input_required_result_multi_round")
        assert said.count("action=accept") == 2, said
        assert "state-ok" in await self.call("test_input_required_result_request_state")
        assert "Ada" in await self.call("test_streaming_elicitation")
        prompt = await self.client.get_prompt("test_input_required_result_prompt")
        assert "Ada" in prompt.messages[0].content.text

    async def tampered(self) -> None:
        """a state that was altered is refused"""
        name = "test_input_required_result_tampered_state"
        session = self.client.session
        first = await session.call_tool(name, {}, allow_input_required=True)
        assert isinstance(first, types.InputRequiredResult)
        (key,) = first.input_requests
        answers = {key: types.ElicitResult(action="accept", content={"ok": True})}
        for state in (f"{first.request_state}x", "x"):
            try:
                await self.client.call_tool(
                    name, {}, input_responses=answers, request_state=state
                )
            except MCPError as error:
                assert error.code == types.INVALID_PARAMS, error
            else:
                raise AssertionError("no error")
        good = await self.client.call_tool(
            name, {}, input_responses=answers, request_state=first.request_state
        )
        assert "state-ok" in text_of(good)

    async def listen(self) -> None:
        """each of two listeners hears what it asked for and nothing else"""
        uri = "test://static-text"
        tools = self.client.listen(tools_list_changed=True)
        rest = self.client.listen(prompts_list_changed=True, resource_subscriptions=[uri])
        async with tools as one, rest as two:
            assert one.honored.tools_list_changed and not one.honored.prompts_list_changed
            assert two.honored.resource_subscriptions == [uri]
            await self.call("touch", uri=WATCHED)
            await self.call("touch", uri=uri)
            assert await anext(two) == ResourceUpdated(uri)
            await self.call("test_trigger_prompt_change")
            heard = await anext(two)
            while heard == ResourceUpdated(uri):
                # The legacy child tells one that is new as soon as it is subscribed to.
                heard = await anext(two)
            assert heard == PromptsListChanged()
            await self.call("test_trigger_tool_change")
            assert await anext(one) == ToolsListChanged()
            names = {tool.name for tool in (await self.client.list_tools()).tools}
            assert "extra_tool" in names

    async def cancel(self) -> None:
        """a call whose client went away is cancelled at the server"""
        before = int(await self.call("cancelled"))
        with anyio.CancelScope() as scope:

            async def begun(*_: object) -> None:
                scope.cancel()

            await self.client.call_tool("wait_for_ever", {}, progress_callback=begun)
        assert scope.cancelled_caught
        while int(await self.call("cancelled")) == before:
            await anyio.sleep(0.02)

    async def concurrent(self) -> None:
        """many calls of two clients at once each get their own answer"""

        async def one(client: Client, text: str) -> None:
            assert text_of(await client.call_tool("echo", {"text": text})) == text

        async with client() as other, anyio.create_task_group() as group:
            for n in range(50):
                group.start_soon(one, self.client, f"first {n}")
                group.start_soon(one, other, f"second {n}")


async def main() -> int:
    async with client() as connected:
        checks = Checks(connected)
        return await check.run(
            f"python stateless, {SERVER}",
            [
                checks.revision,
                checks.lists,
                checks.headers,
                checks.large,
                checks.errors,
                checks.undeclared,
                checks.progress,
                checks.logging,
                checks.rounds,
                checks.tampered,
                checks.listen,
                checks.cancel,
                checks.concurrent,
            ],
        )


if __name__ == "__main__":
    sys.exit(1 if anyio.run(main) else 0)
