"""Old and new Python clients at the same time, until the time is over: one call after another, each checked.

    python mixed.py http://127.0.0.1:8080/mcp SECONDS

Under the SDK 1.x these are clients of HTTP+SSE and of sessions, under 2.x clients
of sessions and of 2026-07-28. All talk to the dual-era child behind one proxy.
"""

import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any
from urllib.parse import urljoin

import anyio

URL, SECONDS = sys.argv[1], float(sys.argv[2])
# Two of each kind, so that clients of one kind cannot be taken for each other either.
CLIENTS = 2
# A new connection now and then, because starting and ending is where eras differ most.
ROUNDS_PER_CONNECTION = 40
# No call waits for a person here; one that takes longer is lost.
CALL_SECONDS = 30.0

Progress = Callable[[float, float | None, str | None], Awaitable[None]]


@dataclass(frozen=True)
class Caller:
    """What every SDK can do, under one name."""

    tools: Callable[[], Awaitable[Any]]
    call: Callable[[str, dict[str, Any], Progress | None], Awaitable[Any]]


Connect = Callable[[], AbstractAsyncContextManager[Caller]]


def kinds_of_1() -> dict[str, Connect]:
    from mcp import ClientSession
    from mcp.client.sse import sse_client
    from mcp.client.streamable_http import streamable_http_client

    @asynccontextmanager
    async def over(read: Any, write: Any) -> AsyncIterator[Caller]:
        async with ClientSession(read, write) as session:
            await session.initialize()
            yield Caller(
                session.list_tools,
                lambda name, arguments, progress: session.call_tool(
                    name, arguments, progress_callback=progress
                ),
            )

    @asynccontextmanager
    async def sse() -> AsyncIterator[Caller]:
        async with sse_client(urljoin(URL, "/sse")) as (read, write):
            async with over(read, write) as caller:
                yield caller

    @asynccontextmanager
    async def sessions() -> AsyncIterator[Caller]:
        async with streamable_http_client(URL) as (read, write, _):
            async with over(read, write) as caller:
                yield caller

    return {"sse": sse, "session": sessions}


def kinds_of_2() -> dict[str, Connect]:
    from mcp import Client

    def connect(mode: str, expected: str) -> Connect:
        @asynccontextmanager
        async def connected() -> AsyncIterator[Caller]:
            async with Client(URL, mode=mode, cache=None) as client:
                assert client.protocol_version == expected, client.protocol_version
                yield Caller(
                    client.list_tools,
                    lambda name, arguments, progress: client.call_tool(
                        name, arguments, progress_callback=progress
                    ),
                )

        return connected

    return {"session": connect("legacy", "2025-11-25"), "stateless": connect("auto", "2026-07-28")}


@dataclass
class Count:
    """What one kind of client did."""

    connections: int = 0
    lists: int = 0
    calls: int = 0
    notifications: int = 0

    def __str__(self) -> str:
        return (
            f"{self.connections} connections, {self.lists} lists, {self.calls} calls, "
            f"{self.notifications} notifications"
        )


async def one_round(caller: Caller, text: str, count: Count) -> None:
    listed = {tool.name for tool in (await caller.tools()).tools}
    assert {"echo", "test_tool_with_progress"} <= listed, listed
    count.lists += 1
    said = await caller.call("echo", {"text": text}, None)
    assert [block.text for block in said.content] == [text], said
    seen: list[float] = []

    async def on_progress(done: float, _total: float | None, _message: str | None) -> None:
        seen.append(done)

    said = await caller.call("test_tool_with_progress", {}, on_progress)
    assert said.content[0].text == "Progressed from 0 to 100.", said
    assert seen == [0.0, 50.0, 100.0], seen
    count.calls += 2
    count.notifications += len(seen)


async def keep_calling(name: str, connect: Connect, count: Count, until: float) -> None:
    while time.monotonic() < until:
        async with connect() as caller:
            count.connections += 1
            for n in range(ROUNDS_PER_CONNECTION):
                if time.monotonic() >= until:
                    break
                with anyio.fail_after(CALL_SECONDS):
                    await one_round(caller, f"{name} {count.connections} {n} é\u2028", count)


async def kind(name: str, connect: Connect, until: float) -> bool:
    count = Count()
    try:
        async with anyio.create_task_group() as group:
            for client in range(CLIENTS):
                group.start_soon(keep_calling, f"{name} {client}", connect, count, until)
    except BaseException as failure:
        print(f"not ok mixed {name}: {count}; then {reason(failure)}", flush=True)
        if isinstance(failure, Exception):
            return False
        raise
    print(f"ok mixed {name}: {count}", flush=True)
    return True


def reason(failure: BaseException) -> str:
    """The first cause inside groups of them."""
    # Python 3.10 knows no groups by name; anyio brings them.
    while causes := getattr(failure, "exceptions", None):
        failure = causes[0]
    return repr(failure)


async def main() -> int:
    until = time.monotonic() + SECONDS
    sdk = version("mcp")
    kinds = kinds_of_1() if sdk.startswith("1.") else kinds_of_2()
    passed: list[bool] = []

    async def run(name: str, connect: Connect) -> None:
        passed.append(await kind(f"python {sdk} {name}", connect, until))

    async with anyio.create_task_group() as group:
        for name, connect in kinds.items():
            group.start_soon(run, name, connect)
    return 0 if len(passed) == len(kinds) and all(passed) else 1


if __name__ == "__main__":
    sys.exit(anyio.run(main))
