"""The newest official Python client (SDK 2.x), through the proxy, to server-everything.

This client asks `server/discover` first and falls back to `initialize`; it must
find its way to a session without anybody telling it which revision to speak.

    python newest.py http://127.0.0.1:8080/mcp
"""

import sys

import anyio
import mcp_types as types
from mcp import Client

import check

URL = sys.argv[1]
asked: list[str] = []


async def sample(_context: object, params: types.CreateMessageRequestParams):
    asked.append(f"model {params.max_tokens}")
    content = types.TextContent(type="text", text="Paris, naturally.")
    return types.CreateMessageResult(role="assistant", content=content, model="a-model")


async def elicit(_context: object, params: types.ElicitRequestParams):
    asked.append("person")
    return types.ElicitResult(action="accept", content={"name": "Ada"})


def text_of(result: types.CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if block.type == "text")


async def main() -> int:
    async with Client(URL, sampling_callback=sample, elicitation_callback=elicit) as client:

        async def lists() -> None:
            """it connects, and tools are listed"""
            names = {tool.name for tool in (await client.list_tools()).tools}
            assert {"echo", "get-sum"} <= names, names

        async def echo() -> None:
            """a tool answers"""
            assert "grüße 🦀" in text_of(await client.call_tool("echo", {"message": "grüße 🦀"}))

        async def progress() -> None:
            """progress arrives in order"""
            seen: list[float] = []

            async def on_progress(done: float, _total: float | None, _message: str | None) -> None:
                seen.append(done)

            await client.call_tool(
                "trigger-long-running-operation",
                {"duration": 0.2, "steps": 10},
                progress_callback=on_progress,
            )
            assert seen == [float(step) for step in range(1, 11)], seen

        async def questions() -> None:
            """the server asks the model and the person"""
            arguments = {"prompt": "Capital?", "maxTokens": 9}
            answer = await client.call_tool("trigger-sampling-request", arguments)
            assert "Paris, naturally." in text_of(answer)
            answer = await client.call_tool("trigger-elicitation-request", {})
            assert "Name: Ada" in text_of(answer)
            assert asked == ["model 9", "person"], asked

        return await check.run("python newest", [lists, echo, progress, questions])


if __name__ == "__main__":
    sys.exit(1 if anyio.run(main) else 0)
