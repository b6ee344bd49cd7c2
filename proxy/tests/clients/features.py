"""What both transports are asked for: a session that answers every question, and checks with it."""

import anyio
import mcp.types as types
from mcp import ClientSession
from mcp.shared.context import RequestContext

import check

logs: check.Inbox[types.LoggingMessageNotificationParams] = check.Inbox()
updates: check.Inbox[str] = check.Inbox()
late: check.Inbox[types.ProgressNotificationParams] = check.Inbox()
asked: list[str] = []

Context = RequestContext[ClientSession, None]


async def on_log(params: types.LoggingMessageNotificationParams) -> None:
    logs.push(params)


async def on_message(message: object) -> None:
    if not isinstance(message, types.ServerNotification):
        return
    if isinstance(message.root, types.ResourceUpdatedNotification):
        updates.push(str(message.root.params.uri))
    if isinstance(message.root, types.ProgressNotification):
        late.push(message.root.params)


async def sample(_: Context, params: types.CreateMessageRequestParams) -> types.CreateMessageResult:
    asked.append(f"model {params.maxTokens}")
    content = types.TextContent(type="text", text="Paris, naturally.")
    return types.CreateMessageResult(role="assistant", content=content, model="a-model")


async def elicit(_: Context, params: types.ElicitRequestParams) -> types.ElicitResult:
    asked.append(f"person {params.message}")
    return types.ElicitResult(action="decline")


async def list_roots(_: Context) -> types.ListRootsResult:
    root = types.Root(uri="file:///workspace/python", name="python")
    return types.ListRootsResult(roots=[root])


def text_of(result: types.CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if block.type == "text")


def session_over(read, write) -> ClientSession:
    return ClientSession(
        read,
        write,
        sampling_callback=sample,
        elicitation_callback=elicit,
        list_roots_callback=list_roots,
        logging_callback=on_log,
        message_handler=on_message,
    )


class Features:
    """Checks of server-everything that any session passes."""

    def __init__(self, session: ClientSession) -> None:
        self.session = session

    async def progress(self) -> None:
        """progress arrives in order and before the answer"""
        seen: list[float] = []

        async def on_progress(done: float, total: float | None, message: str | None) -> None:
            seen.append(done)

        arguments = {"duration": 0.3, "steps": 15}
        name = "trigger-long-running-operation"
        await self.session.call_tool(name, arguments, progress_callback=on_progress)
        assert seen == [float(step) for step in range(1, 16)], seen

    async def questions(self) -> None:
        """the server asks the model, the person and for roots"""
        arguments = {"prompt": "Capital?", "maxTokens": 9}
        answer = await self.session.call_tool("trigger-sampling-request", arguments)
        assert "Paris, naturally." in text_of(answer)
        assert "model 9" in asked
        answer = await self.session.call_tool("trigger-elicitation-request", {})
        assert "declined" in text_of(answer)
        roots = await self.session.call_tool("get-roots-list", {})
        assert "file:///workspace/python" in text_of(roots)

    async def logging(self) -> None:
        """log lines arrive at the level that was asked for"""
        await self.session.set_logging_level("debug")
        await self.session.call_tool("toggle-simulated-logging", {})
        await logs.find(lambda line: "message" in str(line.data))
        await self.session.call_tool("toggle-simulated-logging", {})

    async def concurrent(self) -> None:
        """many calls at once each get their own answer"""

        async def one(n: int) -> None:
            answer = await self.session.call_tool("get-sum", {"a": n, "b": 1000})
            assert str(n + 1000) in text_of(answer)

        async with anyio.create_task_group() as group:
            for n in range(50):
                group.start_soon(one, n)
